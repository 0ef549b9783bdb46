"""What is kept: the bars of one symbol in one partition, rows of a view; each as of a revision. Answers are made of it.

From which tier they come is in `tiers`.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import methodcaller

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.serving.ranges import TimeRange

ANSWER_SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("timeframe", pa.string()),
        ("ts", pa.timestamp("us", tz="UTC")),
        ("ts_close", pa.timestamp("us", tz="UTC")),
        ("session_date", pa.date32()),
        *((name, pa.float64()) for name in ("open", "high", "low", "close", "volume", "vwap")),
        ("trade_count", pa.int64()),
        ("bar_count", pa.int64()),
        ("is_final", pa.bool_()),
    ]
)
# How long columns may be that are kept, in case another answer has the same.
_MOST_KEPT_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class PieceKey:
    """Which piece: the key under which it is kept in memory."""

    feed: str
    table: str
    symbol: str
    partition: str
    revision: str


@dataclass(frozen=True, slots=True)
class ViewKey:
    """Which rows of a view: of which range, by which definition, and the digests of the tables they are made of."""

    feed: str
    view: str
    version: str
    wanted: TimeRange
    made_of: tuple[str, ...]


def empty_answer() -> pa.Table:
    """No bars, in the columns of `LakeReader.bars`."""
    return pa.Table.from_arrays([pa.nulls(0, field.type) for field in ANSWER_SCHEMA], schema=ANSWER_SCHEMA)


def by_symbol(rows: pa.Table, symbols: Sequence[str]) -> dict[str, pa.Table]:
    """A table's rows of each symbol, perhaps none; `rows` is sorted by symbol."""
    if not rows.num_rows:
        return dict.fromkeys(symbols, rows)
    # A run a symbol: where it begins and how long it is.
    runs = pc.run_end_encode(rows["symbol"].combine_chunks().cast(pa.string()))
    ends = runs.run_ends.to_pylist()
    starts = [0, *ends[:-1]]
    places = dict(zip(runs.values.to_pylist(), zip(starts, ends, strict=True), strict=True))
    found = {}
    for symbol in symbols:
        start, end = places.get(symbol, (0, 0))
        # A copy: a slice would keep the rows of all symbols in memory.
        found[symbol] = _own(rows.slice(start, end - start))
    return found


def answer_of(pieces: Iterable[pa.Table], table: str, timeframe: str, wanted: TimeRange | None = None) -> pa.Table:
    """Bars as users see them, from pieces in order of (symbol, partition): the regular session, within the range."""
    is_base = table == VALIDATED_BARS
    regular = (regular_rows(piece) for piece in pieces)
    shaped = [_shaped(piece, timeframe, is_base=is_base) for piece in regular if piece.num_rows]
    if not shaped:
        return empty_answer()
    whole = shaped[0] if len(shaped) == 1 else pa.concat_tables(shaped)
    return whole if wanted is None else _within(whole, wanted)


def last_bars_of(latest: pa.Table, wanted: tuple[str, ...]) -> pa.Table:
    """The rows of these symbols, in order, in memory of their own; none of those that are not there."""
    symbols = latest["symbol"]
    if len(wanted) > 1:
        return latest.take(pc.index_in(pa.array(wanted, pa.string()), value_set=symbols).drop_null().sort())
    place = _place(symbols, wanted[0]) if wanted else -1
    if place < 0:
        return latest.schema.empty_table()
    # A row as it would be sent is a copy of it, made in half the time in which Arrow takes rows from anywhere.
    sent = latest.slice(place, 1).to_batches()[0].serialize()
    return pa.Table.from_batches([pa.ipc.read_record_batch(sent, latest.schema)], latest.schema)


def regular_rows(piece: pa.Table) -> pa.Table:
    """Without the extended hours, which only the feed's own interval has."""
    place = piece.schema.get_field_index("regular")
    if place < 0:
        return piece
    regular = piece.column(place)
    return piece if all(chunk.true_count == len(chunk) for chunk in regular.chunks) else piece.filter(regular)


def _shaped(rows: pa.Table, timeframe: str, *, is_base: bool) -> pa.Table:
    # One call for all columns: each touch of a single one costs microseconds, and there are fourteen.
    columns = dict(zip(rows.schema.names, rows.columns, strict=True))
    columns |= _constants(timeframe, rows.num_rows, is_base=is_base)
    return pa.Table.from_arrays([columns[name] for name in ANSWER_SCHEMA.names], schema=ANSWER_SCHEMA)


def _constants(timeframe: str, count: int, *, is_base: bool) -> dict[str, pa.Array]:
    """Columns that say the same in every row: of a feed's own bars each is one bar, and final."""
    made = _kept_constants if count <= _MOST_KEPT_ROWS else _made_constants
    return made(timeframe, count, is_base)


def _made_constants(timeframe: str, count: int, is_base: bool) -> dict[str, pa.Array]:
    found = {"timeframe": pa.repeat(timeframe, count)}
    if is_base:
        found |= {"bar_count": pa.repeat(pa.scalar(1, pa.int64()), count), "is_final": pa.repeat(True, count)}
    return found


# Days of one calendar have the same few lengths.
_kept_constants = lru_cache(maxsize=64)(_made_constants)


def _within(rows: pa.Table, wanted: TimeRange) -> pa.Table:
    terms = []
    for name, bound, compare in (
        ("ts", wanted.start_ts, pc.greater_equal),
        ("ts", wanted.end_ts, pc.less),
        ("session_date", wanted.start_date, pc.greater_equal),
        ("session_date", wanted.end_date, pc.less_equal),
    ):
        if bound is not None:
            terms.append(compare(rows[name], pa.scalar(bound, rows.schema.field(name).type)))
    for term in terms:
        if not pc.all(term, min_count=0).as_py():
            kept = terms[0]
            for other in terms[1:]:
                kept = pc.and_(kept, other)
            return rows.filter(kept)
    return rows


def _own(rows: pa.Table) -> pa.Table:
    """Rows with buffers of their own, and symbols without a dictionary of all the others."""
    plain = rows
    position = rows.schema.get_field_index("symbol")
    if pa.types.is_dictionary(rows.schema.field(position).type):
        plain = rows.set_column(position, "symbol", rows["symbol"].cast(pa.string()))
    return plain.take(pa.array(np.arange(rows.num_rows))).combine_chunks()


def _place(symbols: pa.ChunkedArray, wanted: str) -> int:
    """Where a symbol is, or -1. They are in order of symbol; one that is not found by that is looked for."""
    place = bisect_left(symbols, wanted, key=methodcaller("as_py"))
    if place < len(symbols) and symbols[place].as_py() == wanted:
        return place
    return int(symbols.index(pa.scalar(wanted, pa.string())).as_py())
