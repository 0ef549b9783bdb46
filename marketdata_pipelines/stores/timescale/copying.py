"""Arrow tables into PostgreSQL by binary COPY, the stream built a slice of rows at a time with numpy.

What PostgreSQL cannot hold is refused before anything is sent. The way back is in `copied`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from psycopg import sql

from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.stores.timescale.copied import decode_float8, decode_int8, read_binary
from marketdata_pipelines.stores.timescale.wire import (
    CODES,
    HEADER,
    NULL,
    PG_EPOCH_DAYS,
    PG_EPOCH_US,
    TRAILER,
    Kind,
    kind_of,
    width_of,
)

__all__ = ["copy_into", "decode_float8", "decode_int8", "encode", "read_binary"]

SLICE_ROWS = 1 << 14
# A slice with long texts has fewer rows, so that its padded matrix keeps within about this.
_SLICE_BYTES = 16 << 20
# The first instant and day that PostgreSQL holds: 24 November 4714 BC.
_FIRST_US = -211_813_488_000_000_000 + PG_EPOCH_US
_FIRST_DAY, _END_DAY = -2_451_545 + PG_EPOCH_DAYS, 2_145_031_949 + PG_EPOCH_DAYS
_TEXT_LIMIT = 1 << 30
_TYPES_SQL = """
select a.attname, t.typname
from pg_attribute a join pg_type t on t.oid = a.atttypid
where a.attrelid = to_regclass(%s) and a.attnum > 0 and not a.attisdropped
"""
Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def copy_into(
    connection: psycopg.Connection[Any], schema: str, table: str, columns: Sequence[str], arrow: pa.Table
) -> int:
    """Append the named columns of `arrow` to "schema"."table" in the connection's transaction; the number of rows.

    Types:  each column has the type of the table's: int16 smallint, int32 integer, int64 bigint, float32 real,
            float64 double precision, bool, date32 date, timestamp[us] timestamp, timestamp[us, UTC] timestamptz,
            string (or a dictionary of them) text. Nothing is cast.
    Errors: StoreError before anything is sent when the table, a column or a value does not fit (see `encode`); what
            the server refuses is psycopg's own error.
    """
    missing = [name for name in columns if name not in arrow.column_names]
    if missing:
        raise StoreError(f"rows for {schema}.{table} lack the columns {', '.join(missing)}; give every column named")
    rows = arrow.select(list(columns))
    _check_types(connection, schema, table, rows)
    stream = encode(rows)
    statement = sql.SQL("copy {} ({}) from stdin (format binary)").format(
        sql.Identifier(schema, table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor() as cursor:
        with cursor.copy(statement) as copy:
            for piece in stream:
                copy.write(piece)
        if cursor.rowcount != rows.num_rows:
            raise StoreError(f"{schema}.{table} took {cursor.rowcount} of {rows.num_rows} rows; roll back, try again")
    return int(rows.num_rows)


def encode(table: pa.Table) -> Iterator[bytes]:
    """A table as PostgreSQL's binary COPY stream, in pieces of at most 64K rows; null is null.

    Errors: StoreError, before the first piece, naming column, row and value: NaN and infinities (the store's numbers
            are finite), a NUL or invalid UTF-8 in a text, a time before 4714 BC, a type that has no counterpart.
    """
    kinds = [kind_of(field) for field in table.schema]
    for field, kind in zip(table.schema, kinds, strict=True):
        _check_values(field.name, kind, table[field.name])
    return _pieces(table, kinds)


def _pieces(table: pa.Table, kinds: list[Kind]) -> Iterator[bytes]:
    yield HEADER
    for start in range(0, table.num_rows, SLICE_ROWS):
        yield from _slice_pieces(table.slice(start, SLICE_ROWS), kinds)
    yield TRAILER


def _slice_pieces(rows: pa.Table, kinds: list[Kind]) -> Iterator[bytes]:
    fields = [_field(column, kind) for column, kind in zip(rows.columns, kinds, strict=True)]
    if rows.num_rows > 1 and rows.num_rows * sum(field.width for field in fields) > _SLICE_BYTES:
        half = rows.num_rows // 2
        yield from _slice_pieces(rows.slice(0, half), kinds)
        yield from _slice_pieces(rows.slice(half), kinds)
    else:
        yield _encoded(fields, rows.num_rows)


@dataclass(frozen=True, slots=True)
class _Field:
    """One column of a slice: values padded to `width` bytes, and how many of them each row has (-1: null).

    `values` is None for a column that is null throughout; texts carry their bytes as `data` and `offsets` instead.
    """

    kind: Kind
    width: int
    lengths: int | NDArray[np.int32]
    values: NDArray[Any] | None
    data: Bytes | None = None
    offsets: NDArray[np.int64] | None = None


def _field(column: pa.ChunkedArray, kind: Kind) -> _Field:
    array = _whole(column)
    if array.null_count == len(array):
        return _Field(kind, 0, NULL, None)
    valid = array.is_valid().to_numpy(zero_copy_only=False) if array.null_count else None
    if kind is Kind.TEXT:
        return _text_field(array, valid)
    width = width_of(kind)
    lengths = width if valid is None else np.where(valid, width, NULL).astype(np.int32)
    return _Field(kind, width, lengths, _numbers(array, kind))


def _text_field(array: pa.Array, valid: Mask | None) -> _Field:
    texts = array.cast(pa.large_string())
    buffers = texts.buffers()
    offsets = np.frombuffer(buffers[1], np.int64)[texts.offset : texts.offset + len(texts) + 1]
    data = np.frombuffer(buffers[2], np.uint8) if buffers[2] is not None else np.zeros(0, np.uint8)
    sizes = np.diff(offsets).astype(np.int32)
    width = int(sizes.max(initial=0))
    lengths: int | NDArray[np.int32] = sizes if valid is None else np.where(valid, sizes, NULL).astype(np.int32)
    if valid is None and (sizes == width).all():
        lengths = width
    return _Field(Kind.TEXT, width, lengths, None, data, offsets)


def _numbers(array: pa.Array, kind: Kind) -> NDArray[Any]:
    if kind in (Kind.TIMESTAMP, Kind.TIMESTAMPTZ):
        values = _filled(array.view(pa.int64()))
        return values - PG_EPOCH_US
    if kind is Kind.DATE:
        return _filled(array.view(pa.int32())) - PG_EPOCH_DAYS
    return _filled(array)


def _filled(array: pa.Array) -> NDArray[Any]:
    if array.null_count:
        array = array.fill_null(pa.scalar(0).cast(array.type))
    return array.to_numpy(zero_copy_only=False)


def _encoded(fields: list[_Field], rows: int) -> bytes:
    layout: list[tuple[str, str]] = [("count", ">i2")]
    for at, field in enumerate(fields):
        layout.append((f"length{at}", ">i4"))
        if field.width:
            layout.append((f"value{at}", f"V{field.width}" if field.kind is Kind.TEXT else CODES[field.kind]))
    records = np.empty(rows, np.dtype(layout))
    records["count"] = len(fields)
    for at, field in enumerate(fields):
        records[f"length{at}"] = field.lengths
        if field.values is not None:
            records[f"value{at}"] = field.values
        elif field.width:
            records[f"value{at}"] = _padded(field).view(f"V{field.width}").ravel()
    ragged = [at for at, field in enumerate(fields) if field.width and not isinstance(field.lengths, int)]
    if not ragged:
        return records.tobytes()
    matrix = records.view(np.uint8).reshape(rows, records.dtype.itemsize)
    keep = np.ones(matrix.shape, bool)
    for at in ragged:
        offset, width = records.dtype.fields[f"value{at}"][1], fields[at].width  # type: ignore[index]
        keep[:, offset : offset + width] = np.arange(width) < np.reshape(fields[at].lengths, (-1, 1))
    return matrix[keep].tobytes()


def _padded(field: _Field) -> Bytes:
    """Texts as rows of a matrix, each filled up with zeros."""
    assert field.data is not None
    assert field.offsets is not None
    padded = np.zeros((len(field.offsets) - 1, field.width), np.uint8)
    padded[np.arange(field.width) < np.diff(field.offsets)[:, None]] = field.data[field.offsets[0] : field.offsets[-1]]
    return padded


def _whole(column: pa.ChunkedArray) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _check_values(name: str, kind: Kind, column: pa.ChunkedArray) -> None:
    if column.null_count == len(column):
        return
    if kind is Kind.TEXT:
        _check_texts(name, column)
    elif kind in (Kind.FLOAT4, Kind.FLOAT8):
        _refuse(name, column, pc.invert(pc.is_finite(column)), "is not finite: an unknown value is null")
    elif kind in (Kind.TIMESTAMP, Kind.TIMESTAMPTZ):
        us = column.cast(pa.int64())
        _refuse(name, us, pc.less(us, _FIRST_US), "microseconds is before 4714 BC, where PostgreSQL's time begins")
    elif kind is Kind.DATE:
        days = column.cast(pa.int32())
        outside = pc.or_(pc.less(days, _FIRST_DAY), pc.greater_equal(days, _END_DAY))
        _refuse(name, days, outside, "days since 1970 is beyond the dates that PostgreSQL holds")


def _check_texts(name: str, column: pa.ChunkedArray) -> None:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        column.validate(full=True)
    except pa.ArrowInvalid as error:
        raise StoreError(f"column {name} is no valid UTF-8 ({error}); mend the source's encoding") from error
    _refuse(name, column, pc.match_substring(column, "\0"), "holds a NUL, which no text in PostgreSQL can")
    _refuse(name, column, pc.greater(pc.binary_length(column), _TEXT_LIMIT), "is longer than 1 GB")


def _refuse(name: str, column: pa.ChunkedArray, bad: pa.ChunkedArray, why: str) -> None:
    at = pc.index(bad, True).as_py()
    if at >= 0:
        shown = repr(column[at].as_py())
        raise StoreError(f"column {name}, row {at}: {shown[:80]} {why}; mend the row and publish again")


def _check_types(connection: psycopg.Connection[Any], schema: str, table: str, rows: pa.Table) -> None:
    # The stream says no types: eight bytes of a double would be taken for a whole number without a word.
    name = sql.Identifier(schema, table).as_string(connection)
    found = dict(connection.execute(_TYPES_SQL, [name], binary=True).fetchall())
    if not found:
        raise StoreError(f"there is no table {schema}.{table}; publish the feed to this store first")
    for field in rows.schema:
        kind = kind_of(field)
        if found.get(field.name, "").replace("varchar", "text") != kind:
            there = found.get(field.name, "no such column")
            raise StoreError(
                f"{schema}.{table}.{field.name} is {there}, not what {field.type} goes into; cast it first"
            )
