"""What PostgreSQL sends in binary, back into Arrow and numpy: COPY streams, and columns packed into one value.

Equal rows are read with one view of the bytes; rows that differ in length are found by a compiled scan.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
from numpy.typing import NDArray
from psycopg import errors, sql
from psycopg.pq import ExecStatus

from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.stores.timescale.wire import (
    CODES,
    HEADER,
    NULL,
    PG_EPOCH_DAYS,
    PG_EPOCH_US,
    SIGNATURE,
    TRAILER,
    Kind,
    kind_of,
    width_of,
)

Bytes = NDArray[np.uint8]
Sizes = NDArray[np.int32]
# The lengths of messages that may end a stream: its trailer, in a stream without rows together with the header.
_ENDS = (len(TRAILER), len(HEADER) + len(TRAILER))
_LAST_US = np.iinfo(np.int64).max - PG_EPOCH_US
_LAST_DAY = np.iinfo(np.int32).max - PG_EPOCH_DAYS
_INFINITIES = {Kind.DATE: np.iinfo(np.int32).min, Kind.TIMESTAMP: np.iinfo(np.int64).min}


def copy_out(
    connection: psycopg.Connection[Any],
    query: sql.Composable,
    schema: pa.Schema,
    values: Sequence[Any] | Mapping[str, Any] = (),
) -> pa.Table:
    """The rows of a select, by binary COPY: the quickest way for more than some thousands of rows.

    Shape:  `schema` as in `read_binary`; `values` are put in place of the query's %s or %(name)s on this side,
            COPY takes none.
    Errors: as `read_binary`; what the server refuses is psycopg's own error.
    """
    statement = sql.SQL("copy ({}) to stdout (format binary)").format(query)
    with connection.cursor() as cursor, cursor.copy(statement, values or None) as copy:
        return read_binary(_messages(connection, copy), schema)


def read_binary(stream: bytes | bytearray | memoryview | Iterable[Any], schema: pa.Schema) -> pa.Table:
    """The rows of `copy (select …) to stdout (format binary)`.

    Shape:  `stream` is the whole stream, or its pieces as psycopg's `Copy` gives them; `schema` has a field for each
            column of the select, in order, of the types that `copying.encode` takes.
    Errors: StoreError when the stream is no such stream or ends early, when its columns are not those of the schema,
            and for times that Arrow cannot hold (`infinity`).
    """
    body = _body(stream if isinstance(stream, bytes | bytearray | memoryview) else _joined(stream))
    kinds = [kind_of(field) for field in schema]
    columns = _equal_rows(body, kinds) or _uneven_rows(body, kinds, schema)
    arrays = [_array(column, field) for column, field in zip(columns, schema, strict=True)]
    return pa.table(arrays, schema=schema)


def decode_int8(packed: bytes | None) -> NDArray[np.int64]:
    """The values in `string_agg(int8send(x), ''::bytea order by …)`; None (no row) gives none.

    A null leaves nothing behind in the string: give `x` a value for it (`coalesce`) where there may be one.
    """
    return _unpacked(packed, ">i8").astype(np.int64)


def decode_float8(packed: bytes | None) -> NDArray[np.float64]:
    """The values in `string_agg(float8send(x), ''::bytea order by …)`; None (no row) gives none.

    A null leaves nothing behind in the string: select `coalesce(x, 'NaN')` where there may be one.
    """
    return _unpacked(packed, ">f8").astype(np.float64)


def _messages(connection: psycopg.Connection[Any], copy: psycopg.Copy) -> Iterator[memoryview]:
    """The stream's messages, one a row: psycopg waits once a row, here once for all that have come together."""
    while len(piece := copy.read()):
        yield memoryview(piece)
        # What may be the stream's end is left to psycopg, which closes the copy with it.
        while len(piece) not in _ENDS:
            size, piece = connection.pgconn.get_copy_data(1)
            if size < 0:
                _raise_refusal(connection)
            if size == 0:
                break
            yield piece


def _raise_refusal(connection: psycopg.Connection[Any]) -> None:
    """Raise what the server said when it ended a stream before its end."""
    refused = None
    while result := connection.pgconn.get_result():
        if result.status == ExecStatus.FATAL_ERROR:
            refused = refused or errors.error_from_result(result)
    if connection.broken and not isinstance(refused, psycopg.OperationalError):
        raise psycopg.OperationalError(str(refused or "the connection was lost"))
    raise refused or _cut_off()


def _joined(pieces: Iterable[Any]) -> bytearray:
    # One after the other: to hold a view of each row in a list takes several times as long.
    whole = bytearray()
    for piece in pieces:
        whole += piece
    return whole


def _unpacked(packed: bytes | None, code: str) -> NDArray[Any]:
    if packed is not None and len(packed) % 8:
        raise StoreError(f"{len(packed)} bytes are no whole number of values of 8 bytes; pack one column of one type")
    return np.frombuffer(packed or b"", code)


@dataclass(frozen=True, slots=True)
class _Column:
    """One column as it came: values of a fixed width type, or the sizes and joined bytes of texts; `sizes` -1: null.

    `sizes` is None for numbers none of which is null.
    """

    kind: Kind
    values: NDArray[Any]
    sizes: Sizes | None


def _body(stream: bytes | bytearray | memoryview) -> Bytes:
    whole = memoryview(stream)
    if len(whole) < len(HEADER) or whole[: len(SIGNATURE)] != SIGNATURE:
        raise StoreError("what came is no binary COPY stream; select with `copy (…) to stdout (format binary)`")
    extension = int.from_bytes(whole[len(HEADER) - 4 : len(HEADER)], "big")
    body = np.frombuffer(whole, np.uint8)[len(HEADER) + extension :]
    if len(body) < len(TRAILER) or body[-len(TRAILER) :].tobytes() != TRAILER:
        raise _cut_off()
    return body[: -len(TRAILER)]


def _cut_off() -> StoreError:
    return StoreError("the COPY stream ends within its rows; read again")


def _equal_rows(body: Bytes, kinds: list[Kind]) -> list[_Column] | None:
    """The columns where all are of fixed width and every row has the first one's nulls, else None."""
    if not len(body) or Kind.TEXT in kinds:
        return None
    given, offset = [], 2
    for kind in kinds:
        size = int.from_bytes(body[offset : offset + 4].tobytes(), "big", signed=True)
        if size not in (NULL, width_of(kind)):
            return None
        given.append(size != NULL)
        offset += 4 + max(size, 0)
    layout: list[tuple[str, str]] = [("count", ">i2")]
    for at, (kind, there) in enumerate(zip(kinds, given, strict=True)):
        layout += [(f"size{at}", ">i4"), *([(f"value{at}", CODES[kind])] if there else [])]
    record = np.dtype(layout)
    if len(body) % record.itemsize:
        return None
    rows = body.view(record)
    expected = [width_of(kind) if there else NULL for kind, there in zip(kinds, given, strict=True)]
    if (rows["count"] != len(kinds)).any() or any(
        (rows[f"size{at}"] != size).any() for at, size in enumerate(expected)
    ):
        return None
    return [
        _Column(kind, rows[f"value{at}"], None)
        if there
        else _Column(kind, np.zeros(len(rows), CODES[kind]), np.full(len(rows), NULL, np.int32))
        for at, (kind, there) in enumerate(zip(kinds, given, strict=True))
    ]


def _uneven_rows(body: Bytes, kinds: list[Kind], schema: pa.Schema) -> list[_Column]:
    # Loading the compiler takes longer than most reads, which have equal rows.
    from marketdata_pipelines.stores.timescale import scanning

    rows = int(scanning.count_rows(body, len(kinds)))
    if rows < 0:
        count = int.from_bytes(body[:2].tobytes(), "big")
        if count != len(kinds):
            raise StoreError(f"the COPY stream has {count} columns, asked were {len(kinds)}: {', '.join(schema.names)}")
        raise _cut_off()
    starts, sizes = np.empty((len(kinds), rows), np.int64), np.empty((len(kinds), rows), np.int32)
    scanning.find_values(body, starts, sizes)
    columns = []
    for at, kind in enumerate(kinds):
        known = sizes[at] != NULL
        if kind is Kind.TEXT:
            values = np.empty(int(sizes[at][known].sum(dtype=np.int64)), np.uint8)
            scanning.gather_texts(body, starts[at], sizes[at], values)
        else:
            width = width_of(kind)
            wrong = np.flatnonzero(known & (sizes[at] != width))
            if len(wrong):
                size, field = int(sizes[at][wrong[0]]), schema.field(at)
                raise StoreError(f"column {field.name} comes in {size} bytes, no {field.type}; cast it in the select")
            raw = np.zeros(rows * width, np.uint8)
            scanning.gather_fixed(body, starts[at], sizes[at], raw, width)
            values = raw.view(CODES[kind])
        columns.append(_Column(kind, values, None if kind is not Kind.TEXT and known.all() else sizes[at]))
    return columns


def _array(column: _Column, field: pa.Field) -> pa.Array:
    if column.kind is Kind.TEXT:
        return _texts(column, field)
    missing = None if column.sizes is None else column.sizes == NULL
    values = column.values.astype(column.values.dtype.newbyteorder("="))
    if column.kind is Kind.BOOL:
        return pa.array(values != 0, mask=missing)
    if column.kind in (Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ):
        first, last, epoch = (
            (_INFINITIES[Kind.DATE], _LAST_DAY, PG_EPOCH_DAYS)
            if column.kind is Kind.DATE
            else (_INFINITIES[Kind.TIMESTAMP], _LAST_US, PG_EPOCH_US)
        )
        if ((values == first) | (values > last)).any():
            raise StoreError(f"column {field.name} holds infinity, or a time beyond what Arrow holds; leave it out")
        values += epoch
        return pa.array(values, mask=missing).view(field.type)
    return pa.array(values, mask=missing)


def _texts(column: _Column, field: pa.Field) -> pa.Array:
    sizes = np.zeros(0, np.int32) if column.sizes is None else column.sizes
    offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(np.maximum(sizes, 0), dtype=np.int64)))
    valid = pa.array(sizes != NULL).buffers()[1]
    buffers = [valid, pa.py_buffer(offsets), pa.py_buffer(column.values)]
    texts = pa.Array.from_buffers(pa.large_string(), len(sizes), buffers)
    if not pa.types.is_dictionary(field.type):
        return texts.cast(field.type)
    return texts.cast(field.type.value_type).dictionary_encode().cast(field.type)
