"""Sessions whose bars are labelled by the other end than their feed declares, judged over all rows of one raw part."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import float_values, int_values, symbol_codes
from marketdata_pipelines.domain.intervals import MINUTE_US
from marketdata_pipelines.domain.quality.suspect_kernel import all_stand_in_order
from marketdata_pipelines.domain.rules import rule_bit
from marketdata_pipelines.domain.sessions import Session

Ints = NDArray[np.int64]
# How much of a session a symbol must fill to be asked, and how many of those asked must agree.
_LEAST_FILLED, _LEAST_VOTES = 0.9, 0.9
_MISSING = -(2**63)


@dataclass(frozen=True, slots=True)
class ReadableRows:
    """Rows of a part that have a symbol and a time, sorted by (code, ts), one an instant.

    `outside` tells which lie outside every session.
    """

    codes: Ints
    symbols: list[str]
    ts: Ints
    volume: NDArray[np.float64]
    outside: NDArray[np.bool_]

    def between(self, code: int, since: int, until: int) -> slice:
        """Where the rows of one symbol with since <= ts < until are."""
        first, last = np.searchsorted(self.codes, code), np.searchsorted(self.codes, code, "right")
        ts = self.ts[first:last]
        return slice(int(first + np.searchsorted(ts, since)), int(first + np.searchsorted(ts, until)))


@dataclass(frozen=True, slots=True)
class LabelShift:
    """Rows first..last of a symbol in a session lie so many intervals late (1) or early (-1); `share` of all agree."""

    first: int
    last: int
    session: int
    intervals: int
    share: float


def readable_rows(rows: pa.Table, mask: NDArray[np.int64]) -> ReadableRows:
    """RAW_BAR_SCHEMA rows that broke no rule but that the exchange was closed."""
    ts = int_values(rows["ts"], _MISSING)
    codes, symbols = symbol_codes(rows["symbol"])
    if all_stand_in_order(codes, ts, mask, _MISSING):
        whole = codes.astype(np.int64)
        return ReadableRows(whole, symbols, ts, float_values(rows["volume"]), np.zeros(len(ts), np.bool_))
    outside = rule_bit("out_of_session")
    # Bars that are cut from the open are in step with nothing outside the session.
    allowed = np.where(mask & outside != 0, outside | rule_bit("off_interval"), 0)
    good = np.flatnonzero((mask & ~allowed == 0) & (ts != _MISSING) & (codes >= 0))
    order = good
    if not _increases(codes[good], ts[good]):
        order = good[np.lexsort((ts[good], codes[good]))]
        again = (codes[order][1:] == codes[order][:-1]) & (ts[order][1:] == ts[order][:-1])
        order = order[np.concatenate(([True], ~again))]
    volume = float_values(rows["volume"])[order]
    return ReadableRows(codes[order].astype(np.int64), symbols, ts[order], volume, mask[order] & outside != 0)


def _increases(codes: NDArray[np.int32], ts: Ints) -> bool:
    return bool(((codes[1:] > codes[:-1]) | ((codes[1:] == codes[:-1]) & (ts[1:] > ts[:-1]))).all())


def session_slots(session: Session, ts: int, width_us: int) -> tuple[int, int]:
    """Where a session's first bar opens and its last one ends, for bars in step with one at `ts`.

    Bars coarser than a minute may be cut on the clock: then the first opens before the session.
    """
    if width_us <= MINUTE_US:
        return session.open, session.close
    base = session.open - (session.open - ts) % width_us
    return base, base + -((base - session.close) // width_us) * width_us


def find_label_shifts(feed: Feed, sessions: Sequence[Session], rows: ReadableRows) -> list[LabelShift]:
    """Symbol-sessions without their first bar but with one at the close, or without their last but with one before the
    open, where at least nine of ten well filled symbol-sessions of the part are such."""
    width = feed.interval.us
    votes: list[LabelShift] = []
    asked = 0
    for number, session in enumerate(sessions):
        since, until = session.open - 2 * width, session.close + width
        near = (rows.ts >= since) & (rows.ts <= until)
        filled = np.bincount(rows.codes[near], minlength=len(rows.symbols)) * width
        full = filled >= _LEAST_FILLED * (session.close - session.open) - width
        asked += int(np.count_nonzero(full))
        # Only who has a row right before the session or after it can be displaced by one.
        beside = near & ((rows.ts < session.open) | (rows.ts >= session.close))
        for code in np.unique(rows.codes[beside]).tolist():
            at = rows.between(code, since, until + 1)
            ts = rows.ts[at]
            base, end = session_slots(session, int(ts[0]), width)
            intervals = _intervals(ts, base, end, session.close, width) if full[code] else 0
            if intervals:
                votes.append(LabelShift(at.start, at.stop - 1, number, intervals, 0.0))
    for intervals in (1, -1):
        agreeing = [vote for vote in votes if vote.intervals == intervals]
        share = len(agreeing) / max(asked, 1)
        if share >= _LEAST_VOTES:
            return [LabelShift(vote.first, vote.last, vote.session, intervals, share) for vote in agreeing]
    return []


def _intervals(ts: Ints, base: int, end: int, close: int, width: int) -> int:
    # The last bar of a session may be shorter: its end is the close, whatever the others are in step with.
    after = bool(((ts >= close) & (ts <= end)).any())
    if after and not ((ts >= base) & (ts < base + width)).any() and (ts == base + width).any():
        return 1
    before = bool((ts == base - width).any())
    if before and not ((ts >= end - width) & (ts < end)).any() and (ts == end - 2 * width).any():
        return -1
    return 0
