"""Where sessions begin beside where the ones before ended, corporate actions that are known between them applied.

What is too far is judged in `split_jumps` and `outliers`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.action_weights import places, weigh_actions
from marketdata_pipelines.domain.actions import ActionKind
from marketdata_pipelines.domain.frames import float_values, int_values, number_values
from marketdata_pipelines.domain.quality.history import Floats, Ints, Mask, PastSessions
from marketdata_pipelines.domain.quality.records import Suspicion
from marketdata_pipelines.domain.sessions import EPOCH

# Between sessions further apart than this, a price may well have doubled by itself.
LONGEST_PAUSE_DAYS = 10
_PRICED = (
    ActionKind.SPLIT,
    ActionKind.STOCK_DIVIDEND,
    ActionKind.CASH_DIVIDEND,
    ActionKind.SPIN_OFF,
    ActionKind.FACTOR,
)


@dataclass(frozen=True, slots=True)
class Openings:
    """N beginnings of sessions: first open, last close and volume, beside the close before.

    `before` is that close as the known corporate actions since then leave it, `raw` as it traded, `earlier` the close
    before it; `pause_days` lie between. `firsts` are the first bars' opens in UTC microseconds, -1 where unknown.
    NaN is unknown. `suspects` are the opening jumps of pass 1: those of rows that other files' have taken the place of
    are openings of their own, without close or volume; `sources` says which row of `suspects` they are, else -1.
    """

    codes: Ints
    days: Ints
    opens: Floats
    closes: Floats
    volumes: Floats
    firsts: Ints
    before: Floats
    raw: Floats
    earlier: Floats
    pause_days: Ints
    sources: Ints
    suspects: pa.Table
    names: list[str]

    def moves(self, prices: Floats) -> Floats:
        """ln(price / close before), NaN where one is unknown, not above zero, or too long ago."""
        good = (prices > 0) & (self.before > 0) & (self.pause_days <= LONGEST_PAUSE_DAYS)
        moves: Floats = np.log(np.where(good, prices, np.nan) / np.where(good, self.before, 1.0))
        return moves

    def returns(self, moves: Floats) -> Mask:
        """Where a move undoes the one before it: the last session was the odd one out, not this."""
        good = (self.raw > 0) & (self.earlier > 0)
        last = np.log(np.where(good, self.raw, np.nan) / np.where(good, self.earlier, 1.0))
        with np.errstate(invalid="ignore"):
            undone: Mask = np.abs(last + moves) < np.abs(moves) / 4
        return undone

    def place(self, at: int) -> Mapping[str, Any]:
        """Where an opening is: the columns of a finding, with its place in the source as far as pass 1 gave it."""
        row = int(self.sources[at])
        if row < 0:
            row = self._standing(at)
        if row >= 0:
            found: Mapping[str, Any] = self.suspects.slice(row, 1).to_pylist()[0]
            return found
        first = int(self.firsts[at])
        ts = pa.scalar(first, pa.timestamp("us", tz="UTC")).as_py() if first >= 0 else None
        day = EPOCH + timedelta(days=int(self.days[at]))
        return {"symbol": self.names[self.codes[at]], "session_date": day, "ts": ts, "ts_last": ts, "bars": 1}

    def _standing(self, at: int) -> int:
        same = pc.and_(
            pc.equal(self.suspects["symbol"].cast(pa.string()), self.names[self.codes[at]]),
            pc.equal(self.suspects["session_date"], EPOCH + timedelta(days=int(self.days[at]))),
        )
        rows = pc.indices_nonzero(pc.and_(same, self.suspects["standing"]))
        return int(rows[0].as_py()) if len(rows) else -1


def session_openings(past: PastSessions, profiles: pa.Table, suspects: pa.Table, actions: pa.Table | None) -> Openings:
    """The beginnings of the sessions of `profiles` that have bars, then those of superseded files in `suspects`."""
    kept = number_values(profiles["bars"])[past.rows] > 0
    at = past.rows[kept]
    jumps = suspects.filter(pc.equal(suspects["kind"], str(Suspicion.OPENING_JUMP)))
    replaced = np.flatnonzero(~jumps["standing"].to_numpy(zero_copy_only=False).astype(bool))
    others = jumps.take(pa.array(replaced))
    owners = past.positions(others["symbol"])
    known = owners >= 0
    codes = np.append(past.codes[kept], owners[known])
    days = np.append(past.dates[kept], int_values(others["session_date"])[known])
    missing = np.full(int(known.sum()), np.nan)
    opens, closes, volumes = (float_values(profiles[name])[at] for name in ("open", "close", "volume"))
    raw, last_day, earlier = past.last_closes(codes, days)
    return Openings(
        codes=codes,
        days=days,
        opens=np.append(opens, float_values(others["value"])[known]),
        closes=np.append(closes, missing),
        volumes=np.append(volumes, missing),
        firsts=np.append(int_values(profiles["first_ts"])[at], int_values(others["ts"])[known]),
        before=raw * action_factors(past, actions, codes, last_day, days),
        raw=raw,
        earlier=earlier,
        pause_days=days - last_day,
        sources=np.append(np.full(len(at), -1), replaced[known]),
        suspects=jumps,
        names=past.names,
    )


def action_factors(past: PastSessions, actions: pa.Table | None, codes: Ints, after: Ints, until: Ints) -> Floats:
    """What the actions with after < ex date <= until multiply the price before them by; 1 where there is none."""
    if actions is None or not actions.num_rows or not len(codes):
        return np.ones(len(codes))
    priced = actions.filter(pc.is_in(actions["kind"], pa.array([str(kind) for kind in _PRICED])))
    priced = priced.filter(pc.is_in(priced["symbol"].cast(pa.string()), pa.array(past.names, pa.string())))
    weights, _ = weigh_actions(priced, past.names, _closes(past))
    order = np.argsort(weights.places, kind="stable")
    at = weights.places[order]
    sums = np.append(0.0, np.cumsum(np.log(weights.cash[order] / weights.shares[order])))
    first = np.searchsorted(at, places(codes, after), "right")
    last = np.searchsorted(at, places(codes, until), "right")
    return np.where(last > first, np.exp(sums[last] - sums[np.minimum(first, last)]), 1.0)


def _closes(past: PastSessions) -> pa.Table:
    """The closes of all sessions, for amounts paid out of them."""
    matrix = past.matrix("close")
    codes, columns = np.nonzero(np.isfinite(matrix))
    symbols = pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(past.names, pa.string()))
    dates = pa.array(past.days[columns].astype(np.int32)).view(pa.date32())
    return pa.table({"symbol": symbols, "session_date": dates, "close": matrix[codes, columns]})
