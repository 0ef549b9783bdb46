"""Compares the bars of two feeds that declare the same instruments: where they agree, and every dispute.

How bars are put side by side is in `bar_pairs`, who is likelier right in `credibility`; findings and scores are made of
what is returned here, in `dispute_findings` and `source_scores`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marketdata_pipelines.domain.bars import PRICES, SYMBOL
from marketdata_pipelines.domain.frames import nullable, symbol_column, timestamps
from marketdata_pipelines.domain.quality.bar_pairs import BarPairs, Floats, Ints, Mask, Side, pair_bars, tick_sizes
from marketdata_pipelines.domain.quality.credibility import OTHER, OWN, UNKNOWN, Credibility, ask_thirds
from marketdata_pipelines.domain.quality.disputes import (
    DISPUTE_SCHEMA,
    SOURCE_DISPUTE,
    Disputed,
    Likelier,
    Tolerance,
    Witness,
    tolerance_of,
)
from marketdata_pipelines.domain.quality.rules import QualityRule
from marketdata_pipelines.domain.quality.scales import Ratio, Stretches, find_stretches, relative

_FIELDS = (*(Disputed(name) for name in PRICES), Disputed.VOLUME)
_NAMES = sorted(map(str, Disputed))
_LIKELIER = {OWN: Likelier.OWN, UNKNOWN: Likelier.UNKNOWN, OTHER: Likelier.OTHER}
# Prices one tick apart are the same print rounded; the rest is room for the last digit of a float.
_TICKS = 1.01
# From so many disputed bars on, a symbol-session of which more than half are disputed is told as one dispute.
_MANY = 20

# One row a symbol-session that both sides have, sorted by (symbol, session_date). `compared` bars are those either side
# has while the other is there around them; `*_wrong` counts bars about which the other side is likelier right, and
# those where that is unknown as a half.
AGREEMENT_SCHEMA = pa.schema(
    [
        ("symbol", SYMBOL),
        ("session_date", pa.date32()),
        ("compared", pa.int64()),
        ("own_bars", pa.int64()),
        ("other_bars", pa.int64()),
        ("agreeing", pa.int64()),
        ("own_wrong", pa.float64()),
        ("other_wrong", pa.float64()),
    ]
)


@dataclass(frozen=True, slots=True)
class Versus:
    """The other side: its feed, the timeframe compared, and what was so in the session before (by symbol)."""

    feed: str
    timeframe: str
    rule: str = SOURCE_DISPUTE
    before: Mapping[str, Ratio] | None = None
    thirds: tuple[pa.Table, ...] = ()

    @property
    def by_session(self) -> bool:
        """Whether a session holds many bars, not one."""
        return self.timeframe[-1] in "smh"


@dataclass(frozen=True, slots=True)
class Compared:
    """Disputes (DISPUTE_SCHEMA) and how much agrees by symbol-session (AGREEMENT_SCHEMA)."""

    disputes: pa.Table
    agreement: pa.Table


def compare_bars(own: pa.Table, other: pa.Table, rules: Mapping[str, QualityRule], versus: Versus) -> Compared:
    """Compare bars of one timeframe by (symbol, ts).

    Shape:   tables of BAR_SCHEMA or AGGREGATE_SCHEMA, symbols under the own feed's names; `versus.thirds` likewise.
    Scope:   final bars of the regular session; symbols both have; a bar only one side has counts where the other side
             has bars before and after it in its symbol-session (of daily bars: before and after it at all), unless
             nothing was traded in it.
    Scale:   one constant ratio of prices, or other volumes throughout, is one dispute of the whole stretch.
    """
    tolerance = tolerance_of(rules, versus.rule)
    pairs = pair_bars(own, other, by_session=versus.by_session)
    stretches = find_stretches(pairs, tolerance, versus.before or {}, by_session=versus.by_session)
    disputed = _disputed(pairs, stretches, tolerance)
    credibility = Credibility(pairs, disputed, stretches, by_session=versus.by_session)
    judge = _Judge(pairs, versus, tolerance, credibility)
    rows = _DisputeRows(pairs, versus, stretches)
    blame = _Blame(len(pairs.ts))
    for field in _FIELDS:
        at = np.flatnonzero(disputed[field] & ~_told_throughout(field, stretches))
        side, third = judge.of(field, at)
        rows.add_values(field, at, side, third)
        blame.add(at, side)
    for lacking in (pairs.lacking(pairs.own), pairs.lacking(pairs.other)):
        at = np.flatnonzero(lacking)
        side, third = judge.of(Disputed.BAR, at)
        rows.add_runs(at, side, third)
        blame.add(at, side)
    for field, told in ((Disputed.SCALE, stretches.scaled), (Disputed.VOLUME, stretches.throughout)):
        rows.add_stretches(field, np.flatnonzero(told), judge)
    return Compared(rows.table(), _agreement(pairs, blame))


def _disputed(pairs: BarPairs, stretches: Stretches, tolerance: Tolerance) -> dict[Disputed, Mask]:
    """By field the rows whose two values are farther apart than is tolerated, once on one scale."""
    floor = _TICKS * tick_sizes(pairs)[pairs.code]
    found = {}
    for field in _FIELDS:
        is_volume = field is Disputed.VOLUME
        by = stretches.volume_factor if is_volume else stretches.factor
        own, other = pairs.own.values[field], pairs.other.values[field] * by
        limit = tolerance.volume if is_volume else tolerance.price
        beyond = np.abs(relative(own, other)) > limit
        found[field] = pairs.both & (beyond if is_volume else beyond & (np.abs(own - other) > floor))
    return found


def _told_throughout(field: Disputed, stretches: Stretches) -> Mask:
    """Rows of stretches whose volumes differ as a whole."""
    inside = stretches.of >= 0
    told: Mask = inside.copy()
    if field is not Disputed.VOLUME or not len(stretches.throughout):
        return np.zeros(len(inside), bool)
    told[inside] = stretches.throughout[stretches.of[inside]]
    return told


class _Blame:
    """By row whether it is disputed, and on which sides it is doubted: half on both, where that is not known of one."""

    def __init__(self, count: int) -> None:
        self.disputed, self._own, self._other = (np.zeros(count, bool) for _ in range(3))

    def add(self, at: Ints, side: Ints) -> None:
        """Disputes and the likelier side of each."""
        self.disputed[at] = True
        self._own[at[side == OTHER]] = True
        self._other[at[side == OWN]] = True

    @property
    def own(self) -> Floats:
        return np.select([~self.disputed, self._own == self._other, self._own], [0.0, 0.5, 1.0], 0.0)

    @property
    def other(self) -> Floats:
        return np.where(self.disputed, 1.0 - self.own, 0.0)


@dataclass(frozen=True, slots=True)
class _Judge:
    """Asks third feeds first, then the bars around."""

    pairs: BarPairs
    versus: Versus
    tolerance: Tolerance
    credibility: Credibility

    def of(self, field: Disputed, rows: Ints) -> tuple[Ints, Mask]:
        """The likelier side of each row, and whether a third feed told."""
        voices = ask_thirds(self.pairs, self.versus.thirds, self.tolerance, field, rows)
        if field is Disputed.SCALE:
            return voices, voices != UNKNOWN
        present = field is Disputed.BAR
        around = self.credibility.of_presence(rows) if present else self.credibility.of_values(field, rows)
        return np.where(voices != UNKNOWN, voices, around), voices != UNKNOWN


class _DisputeRows:
    """Collects rows of DISPUTE_SCHEMA as arrays."""

    def __init__(self, pairs: BarPairs, versus: Versus, stretches: Stretches) -> None:
        self._pairs, self._versus, self._stretches = pairs, versus, stretches
        self._found: list[dict[str, NDArray[Any]]] = []

    def add_values(self, field: Disputed, at: Ints, side: Ints, third: Mask) -> None:
        """Single values of bars that both sides have; one row for a symbol-session where most differ."""
        group = self._pairs.group[at]
        disputed, both = (np.bincount(each, minlength=1) for each in (group, self._pairs.group[self._pairs.both]))
        many = (disputed >= _MANY) & (disputed * 2 > both[: len(disputed)])
        for each in np.flatnonzero(many).tolist():
            own = np.flatnonzero(group == each)
            counts, most = np.array([len(own)]), np.sign(side[own].sum(keepdims=True))
            self._add_values(field, at[own[:1]], at[own[-1:]], counts, most, np.array([third[own].all()]))
        single = ~many[group]
        one = np.ones(int(single.sum()), np.int64)
        self._add_values(field, at[single], at[single], one, side[single], third[single])

    def add_runs(self, at: Ints, side: Ints, third: Mask) -> None:
        """Bars that one side lacks: runs of bars that follow each other, judged by their first."""
        if not len(at):
            return
        span = self._pairs.span[at]
        breaks = (np.diff(at) > 1) | (span[1:] != span[:-1])
        starts = np.flatnonzero(np.concatenate(([True], breaks)))
        ends = np.concatenate((starts[1:], [len(at)])) - 1
        values = [each.values["close"][at[starts]] for each in (self._pairs.own, self._pairs.other)]
        begins = np.ones(len(starts), bool)
        self._add(
            Disputed.BAR, at[starts], at[ends], ends - starts + 1, values, side[starts], third[starts], begins
        )  # fmt: skip

    def add_stretches(self, field: Disputed, chosen: Ints, judge: _Judge) -> None:
        """Whole stretches: closes on two scales, or volumes that differ throughout."""
        stretches = self._stretches
        spans = [stretches.rows_of(int(each)) for each in chosen]
        if not spans:
            return
        firsts, lasts = (np.array([rows[at] for rows in spans]) for at in (0, -1))
        counts = np.array([len(rows) for rows in spans])
        sides: Sequence[Side] = (self._pairs.own, self._pairs.other)
        if field is Disputed.SCALE:
            values = [each.values["close"][firsts] for each in sides]
            side, third = judge.of(field, firsts)
            begins = stretches.begins_scale[chosen]
        else:
            values = [np.array([np.nansum(each.values["volume"][rows]) for rows in spans]) for each in sides]
            side, third = np.full(len(spans), UNKNOWN), np.zeros(len(spans), bool)
            begins = stretches.begins_volume[chosen]
        self._add(field, firsts, lasts, counts, values, side, third, begins)

    def table(self) -> pa.Table:
        """All rows, sorted by (symbol, ts, field)."""
        whole = {name: np.concatenate([each[name] for each in self._found]) for name in self._found[0]}
        whole = {name: values[np.lexsort((whole["field"], whole["first"]))] for name, values in whole.items()}
        pairs, count = self._pairs, len(whole["first"])
        first = whole["first"]
        sides = [str(_LIKELIER[side]) for side in whole["side"].tolist()]
        columns = {
            "symbol": symbol_column(pairs.code[first].astype(np.int32), pairs.symbols),
            "ts": timestamps(pairs.ts[first]),
            "ts_last": timestamps(pairs.ts[whole["last"]]),
            "session_date": pa.array(pairs.day[first].astype(np.int32)).view(pa.date32()),
            "timeframe": pa.array([self._versus.timeframe] * count, pa.string()),
            "field": pa.array([_NAMES[field] for field in whole["field"].tolist()], pa.string()),
            "value": nullable(whole["value"]),
            "other_feed": pa.array([self._versus.feed] * count, pa.string()),
            "other_value": nullable(whole["other"]),
            "difference": nullable(relative(whole["value"], whole["other"])),
            "bars": pa.array(whole["bars"], pa.int32()),
            "likelier": pa.array(sides, pa.string()),
            "witness": pa.array(_witnesses(whole["side"], whole["third"]), pa.string()),
            "rule": pa.array([self._versus.rule] * count, pa.string()),
            "begins": pa.array(whole["begins"]),
        }
        return pa.table(columns, schema=DISPUTE_SCHEMA)

    def _add_values(self, field: Disputed, first: Ints, last: Ints, bars: Ints, side: Ints, third: Mask) -> None:
        values = [each.values[field][first] for each in (self._pairs.own, self._pairs.other)]
        begins = np.ones(len(first), bool)
        if field is Disputed.VOLUME:
            begins = self._stretches.begins_volume[self._stretches.of[first]]
        self._add(field, first, last, bars, values, side, third, begins)

    def _add(
        self, field: Disputed, first: Ints, last: Ints, bars: Ints, values: Sequence[Floats], side: Ints, third: Mask,
        begins: Mask,
    ) -> None:  # fmt: skip
        which = np.full(len(first), _NAMES.index(field))
        self._found.append(
            {"field": which, "first": first, "last": last, "bars": bars, "value": values[0], "other": values[1],
             "side": side, "third": third, "begins": begins}
        )  # fmt: skip


def _witnesses(side: Ints, third: Mask) -> list[str]:
    told = np.where(third, str(Witness.THIRD), np.where(side != UNKNOWN, str(Witness.NEIGHBOURS), str(Witness.NONE)))
    return [str(each) for each in told]


def _agreement(pairs: BarPairs, blame: "_Blame") -> pa.Table:
    count = int(pairs.group.max()) + 1 if len(pairs.group) else 0
    compared = pairs.both | pairs.lacking(pairs.own) | pairs.lacking(pairs.other)
    heads = np.searchsorted(pairs.group, np.arange(count))

    def by_session(chosen: Mask, weights: Floats | None = None) -> NDArray[Any]:
        return np.bincount(pairs.group[chosen], None if weights is None else weights[chosen], count)

    columns = {
        "symbol": symbol_column(pairs.code[heads].astype(np.int32), pairs.symbols),
        "session_date": pa.array(pairs.day[heads].astype(np.int32)).view(pa.date32()),
        "compared": pa.array(by_session(compared), pa.int64()),
        "own_bars": pa.array(by_session(compared & pairs.own.has), pa.int64()),
        "other_bars": pa.array(by_session(compared & pairs.other.has), pa.int64()),
        "agreeing": pa.array(by_session(compared & ~blame.disputed), pa.int64()),
        "own_wrong": pa.array(by_session(compared, blame.own)),
        "other_wrong": pa.array(by_session(compared, blame.other)),
    }
    found = pa.table(columns, schema=AGREEMENT_SCHEMA)
    return found.filter(pa.array(by_session(compared) > 0))
