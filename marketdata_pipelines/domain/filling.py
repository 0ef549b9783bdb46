"""Asked-for filling of empty buckets; never done unless asked, and every filled bar says so."""

from enum import StrEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.bars import TS
from marketdata_pipelines.domain.frames import int_values
from marketdata_pipelines.domain.session_grid import Ints
from marketdata_pipelines.domain.sessions import Session


class Fill(StrEnum):
    NONE = "none"
    FORWARD = "forward"


def expected_buckets(sessions: list[Session], width_us: int, counts_from_epoch: bool) -> tuple[Ints, Ints, Ints]:
    """Every bucket the sessions have.

    Shape:   starts, ends (UTC microseconds) and session dates (days since 1970), increasing.
    Bounds:  buckets count from the segment's start, or from 1970; the last of a segment is cut at its end.
    """
    starts, ends, days = [], [], []
    for session in sessions:
        day = (session.date - _EPOCH).days
        for begins, until in session.segments:
            first = begins // width_us * width_us if counts_from_epoch else begins
            edges = np.arange(first, until, width_us, dtype=np.int64)
            starts.append(edges)
            ends.append(edges + width_us if counts_from_epoch else np.minimum(edges + width_us, until))
            days.append(np.full(len(edges), day, np.int64))
    if not starts:
        nothing = np.zeros(0, np.int64)
        return nothing, nothing, nothing
    whole = np.concatenate(starts)
    unique, first_at = np.unique(whole, return_index=True)
    return unique, np.concatenate(ends)[first_at], np.concatenate(days)[first_at]


def fill_forward(bars: pa.Table, buckets: tuple[Ints, Ints, Ints]) -> pa.Table:
    """Add a bar for every empty bucket between a symbol's first and last bar.

    Shape:   `bars` as users see them, sorted by (symbol, ts); returns the same columns and `filled` (bool).
    Values:  open, high, low and close are the previous close, volume, trade_count and bar_count 0, vwap null.
    """
    starts, ends, days = buckets
    pieces = [bars.append_column("filled", pa.array(np.zeros(bars.num_rows, bool)))]
    for symbol in pc.unique(bars["symbol"]).to_pylist():
        own = bars.filter(pc.equal(bars["symbol"], symbol))
        ts = int_values(own["ts"])
        wanted = (starts > ts[0]) & (starts < ts[-1]) & ~np.isin(starts, ts)
        if wanted.any():
            pieces.append(_filled(own, symbol, ts, starts[wanted], ends[wanted], days[wanted]))
    whole = pa.concat_tables([piece.cast(pieces[0].schema) for piece in pieces])
    return whole.sort_by([("symbol", "ascending"), ("ts", "ascending")])


def _filled(own: pa.Table, symbol: str, ts: Ints, starts: Ints, ends: Ints, days: Ints) -> pa.Table:
    previous = np.searchsorted(ts, starts, "right") - 1
    close = own["close"].take(pa.array(previous))
    count = len(starts)
    zeros = pa.array(np.zeros(count, np.int64))
    known = {
        "symbol": pa.array([symbol] * count),
        "timeframe": own["timeframe"].take(pa.array(previous)),
        "ts": pa.array(starts).cast(TS),
        "ts_close": pa.array(ends).cast(TS),
        "session_date": pa.array(days.astype(np.int32)).view(pa.date32()),
        "open": close,
        "high": close,
        "low": close,
        "close": close,
        "volume": pa.array(np.zeros(count)),
        "vwap": pa.nulls(count, pa.float64()),
        "trade_count": zeros,
        "bar_count": zeros,
        "is_final": own["is_final"].take(pa.array(previous)),
        "filled": pa.array(np.ones(count, bool)),
    }
    return pa.table({name: known[name] for name in [*own.column_names, "filled"]})


_EPOCH = np.datetime64("1970-01-01").astype(object)
