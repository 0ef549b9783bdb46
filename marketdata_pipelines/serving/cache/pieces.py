"""What is kept: the bars of one symbol in one partition, rows of a view; each as of a revision. Answers are made of it.

From which tier they come is in `tiers`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

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
_COMBINED_COLUMNS = [name for name in ANSWER_SCHEMA.names if name != "timeframe"]
_BASE_COLUMNS = [name for name in _COMBINED_COLUMNS if name not in ("bar_count", "is_final")]
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
    shaped = [
        _shaped(batch, timeframe, is_base=is_base)
        for piece in pieces
        if piece.num_rows
        for batch in regular_rows(piece).to_batches()
        if batch.num_rows
    ]
    if not shaped:
        return empty_answer()
    whole = pa.Table.from_batches(shaped, ANSWER_SCHEMA)
    return whole if wanted is None else _within(whole, wanted)


def regular_rows(piece: pa.Table) -> pa.Table:
    """Without the extended hours, which only the feed's own interval has."""
    place = piece.schema.get_field_index("regular")
    if place < 0:
        return piece
    regular = piece.column(place)
    return piece if all(chunk.true_count == len(chunk) for chunk in regular.chunks) else piece.filter(regular)


def _shaped(rows: pa.RecordBatch, timeframe: str, *, is_base: bool) -> pa.RecordBatch:
    # Batches are handed on as they are: each look at a single column costs microseconds, and there are fourteen.
    constants = _constants(timeframe, rows.num_rows, is_base=is_base)
    shaped = rows.select(_BASE_COLUMNS if is_base else _COMBINED_COLUMNS)
    symbols = shaped.column(0)
    if pa.types.is_dictionary(symbols.type):
        named = symbols.dictionary
        plain = pa.repeat(named[0], len(symbols)) if len(named) == 1 else symbols.dictionary_decode()
        shaped = shaped.set_column(0, "symbol", plain)
    for place, name, values in constants:
        shaped = shaped.add_column(place, name, values)
    shaped = shaped.replace_schema_metadata(None)
    return shaped if shaped.schema.equals(ANSWER_SCHEMA) else shaped.cast(ANSWER_SCHEMA)


def _constants(timeframe: str, count: int, *, is_base: bool) -> list[tuple[int, str, pa.Array]]:
    """Columns that say the same in every row, and their places: of a feed's own bars each is one bar, and final."""
    made = _kept_constants if count <= _MOST_KEPT_ROWS else _made_constants
    return made(timeframe, count, is_base)


def _made_constants(timeframe: str, count: int, is_base: bool) -> list[tuple[int, str, pa.Array]]:
    found = {"timeframe": pa.repeat(timeframe, count)}
    if is_base:
        found |= {"bar_count": pa.repeat(pa.scalar(1, pa.int64()), count), "is_final": pa.repeat(True, count)}
    return [(ANSWER_SCHEMA.get_field_index(name), name, values) for name, values in found.items()]


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
