"""What is kept: the bars of one symbol in one partition, rows of a view; each as of a revision. Answers are made of it.

From which tier they come is in `tiers`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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
_BASE_COLUMNS = [name for name in ANSWER_SCHEMA.names if name not in ("timeframe", "bar_count", "is_final")]


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
    shaped = [_shaped(piece, table, timeframe) for piece in pieces if piece.num_rows]
    if not shaped:
        return empty_answer()
    whole = pa.concat_tables(shaped)
    if not whole.schema.equals(ANSWER_SCHEMA):
        whole = whole.cast(ANSWER_SCHEMA)
    return whole if wanted is None else _within(whole, wanted)


def regular_rows(piece: pa.Table) -> pa.Table:
    """Without the extended hours, which only the feed's own interval has."""
    if "regular" not in piece.column_names:
        return piece
    regular = piece["regular"]
    return piece if pc.all(regular, min_count=0).as_py() else piece.filter(regular)


def _shaped(piece: pa.Table, table: str, timeframe: str) -> pa.Table:
    # Whole tables are handed on: each look at a single column costs microseconds, and there are fourteen.
    rows = regular_rows(piece)
    count = rows.num_rows
    if table == VALIDATED_BARS:
        rows = rows.select(_BASE_COLUMNS)
        rows = rows.append_column("bar_count", pa.repeat(pa.scalar(1, pa.int64()), count))
        rows = rows.append_column("is_final", pa.repeat(True, count))
    else:
        rows = rows.select([*_BASE_COLUMNS, "bar_count", "is_final"])
    rows = rows.add_column(1, "timeframe", pa.repeat(timeframe, count))
    if pa.types.is_dictionary(rows.schema.field(0).type):
        rows = rows.set_column(0, "symbol", rows["symbol"].cast(pa.string()))
    return rows.replace_schema_metadata(None)


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
