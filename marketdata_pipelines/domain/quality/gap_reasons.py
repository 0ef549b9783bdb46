"""Why bars are missing, as far as a partition's own bars tell: a halt, an outage, or that nobody traded.

Words for findings that are there anyway: which gaps are findings is in `local_rules`, `market_gaps` and `absences`.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from marketdata_pipelines.domain.frames import float_values, int_values
from marketdata_pipelines.domain.intervals import MINUTE_US
from marketdata_pipelines.domain.quality.finding_rows import FindingRow, percent
from marketdata_pipelines.domain.quality.market_gaps import liquid_symbols
from marketdata_pipelines.domain.quality.records import Suspicion
from marketdata_pipelines.domain.sessions import EPOCH

Ints = NDArray[np.int64]
# Exchanges halt a symbol for five minutes at least; then an auction opens it again.
_SHORTEST_HALT_US = 5 * MINUTE_US
# What of the rest of a session must be there to say that a symbol always trades.
_ALWAYS = 0.9
# Fewer other symbols are no market; of more, so many may be silent by chance.
_LEAST_OTHERS, _MOST_SILENT = 2, 0.1


class GapReason(StrEnum):
    """What a gap looks like. `halt` is a guess: no feed of bars says so itself."""

    HALT = "halt (suspected)"
    OUTAGE = "outage"
    NO_TRADE = "no trade"


class GapReasons:
    """Answers about the gaps of one partition.

    Shape: PROFILE_SCHEMA and SUSPECT_SCHEMA of one partition, in any order. A gap is named by its symbol and the
           instant of the bar after it (UTC microseconds), as its suspect and findings are.
    """

    def __init__(self, profiles: pa.Table, suspects: pa.Table) -> None:
        self._liquid = liquid_symbols(profiles)
        kinds = suspects["kind"]
        gaps = suspects.filter(pc.and_(pc.equal(kinds, str(Suspicion.GAP)), suspects["standing"]))
        self._symbols = np.array(gaps["symbol"].to_pylist(), object)
        self._days, self._ends = int_values(gaps["session_date"]), int_values(gaps["ts"])
        lengths = np.rint(float_values(gaps["value"]) * MINUTE_US).astype(np.int64)
        self._begins = self._ends - lengths
        self._filled = np.nan_to_num(float_values(gaps["scale"]))
        self._bars = int_values(gaps["bars"])
        self._at = {key: at for at, key in enumerate(zip(self._symbols.tolist(), self._ends.tolist(), strict=True))}
        told = suspects.filter(pc.is_in(kinds, pa.array([str(Suspicion.JUMP), str(Suspicion.VOLUME)])))
        self._after = {
            (row["kind"], row["symbol"], moment): row["value"]
            for row, moment in zip(
                told.select(["kind", "symbol", "value"]).to_pylist(), int_values(told["ts"]).tolist(), strict=True
            )
        }

    def of(self, symbol: str, until_us: int) -> str | None:
        """The reason of a gap with what speaks for it, as the end of a message; None where nothing can be told.

        Outage:    every other liquid symbol of the session, at least two, misses half of the same time.
        No trade:  the rest of the symbol's session is not filled either.
        Halt:      the symbol always trades, hardly any other liquid one is silent, the gap is of five minutes or more,
                   and the bar after it jumps or has a burst of volume, as after an auction.
        """
        at = self._at.get((symbol, until_us))
        if at is None:
            return None
        others = self._liquid.get(int(self._days[at]), set()) - {symbol}
        silent = self._silent(at, others)
        if len(others) >= _LEAST_OTHERS and silent == len(others):
            return f"{GapReason.OUTAGE}: none of the {len(others)} other liquid symbols has its bars there"
        if self._filled[at] < _ALWAYS:
            return f"{GapReason.NO_TRADE}: it has {self._filled[at]:.0%} of its other bars only"
        length = int(self._ends[at] - self._begins[at])
        moved = self._moved(symbol, until_us)
        trading = len(others) >= _LEAST_OTHERS and silent <= _MOST_SILENT * len(others)
        if trading and length >= _SHORTEST_HALT_US and moved is not None:
            return f"{GapReason.HALT}: the other symbols trade, and it goes on with {moved}"
        return None

    def of_session(self, symbol: str, day: int, missing: float) -> str | None:
        """The reason of a session's longest gap, where it is half or more of the `missing` bars (days since 1970)."""
        own = np.flatnonzero((self._days == day) & (self._symbols == symbol))
        if not len(own):
            return None
        longest = own[np.argmax(self._bars[own])]
        return self.of(symbol, int(self._ends[longest])) if 2 * self._bars[longest] >= missing else None

    def _silent(self, at: int, others: set[str]) -> int:
        """How many of the others miss at least half of a gap's time."""
        begin, end = self._begins[at], self._ends[at]
        near = (self._days == self._days[at]) & (self._begins < end) & (self._ends > begin)
        missed: dict[str, int] = {}
        shared = np.minimum(self._ends[near], end) - np.maximum(self._begins[near], begin)
        for symbol, length in zip(self._symbols[near].tolist(), shared.tolist(), strict=True):
            missed[symbol] = missed.get(symbol, 0) + length
        return sum(2 * length >= end - begin for symbol, length in missed.items() if symbol in others)

    def _moved(self, symbol: str, until_us: int) -> str | None:
        jump = self._after.get((str(Suspicion.JUMP), symbol, until_us))
        if jump is not None:
            return f"a jump of {percent(jump)}"
        return "a burst of volume" if (str(Suspicion.VOLUME), symbol, until_us) in self._after else None


def with_gap_reasons(findings: pa.Table, profiles: pa.Table, suspects: pa.Table) -> pa.Table:
    """Findings about single gaps (FINDING_SCHEMA, told at the bar after them) with the reasons in their messages."""
    reasons = GapReasons(profiles, suspects)
    keys = zip(findings["symbol"].to_pylist(), int_values(findings["ts"]).tolist(), strict=True)
    told = [
        _joined(message, reasons.of(symbol, until))
        for message, (symbol, until) in zip(findings["message"].to_pylist(), keys, strict=True)
    ]
    return findings.set_column(findings.column_names.index("message"), "message", pa.array(told, pa.string()))


def with_session_reasons(rows: Sequence[FindingRow], profiles: pa.Table, suspects: pa.Table) -> Iterator[FindingRow]:
    """Findings about bars missing of a session, with the reason of the longest gap where that explains them."""
    reasons = GapReasons(profiles, suspects) if rows else None
    for row in rows:
        day = (row["session_date"] - EPOCH).days
        reason = reasons.of_session(row["symbol"], day, float(row["bars"])) if reasons else None
        yield {**row, "message": _joined(row["message"], reason)}


def _joined(message: str, reason: str | None) -> str:
    return message if reason is None else f"{message}; {reason}"
