"""Answers as CSV and JSON bytes, a slice of rows at a time."""

import json
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.cli.cells import text_cells
from marketdata_pipelines.cli.constants import text_scalar, zero_scalar

_SLICE_ROWS = 1 << 17
_NEEDS_QUOTES = r'[",\r\n]'
_NEEDS_ESCAPES = r'["\\\x00-\x1f\x7f]'


def csv_bytes(table: pa.Table) -> Iterator[bytes]:
    """The header, then the rows; RFC 4180 quoting where a cell needs it, lines end with LF, null is an empty field."""
    yield (",".join(_quote(name) for name in table.column_names) + "\n").encode()
    for batch in table.to_batches(max_chunksize=_SLICE_ROWS):
        if batch.num_rows:
            yield _lines([_csv_cells(column) for column in batch.columns], ",", "", "\n")


def json_bytes(table: pa.Table) -> Iterator[bytes]:
    """A JSON list of one object a row, a row a line; numbers are numbers, null is null."""
    before = b"[\n"
    for batch in table.to_batches(max_chunksize=_SLICE_ROWS):
        if not batch.num_rows:
            continue
        names = [json.dumps(name) for name in batch.schema.names]
        cells = [_named(name, _json_cells(column)) for name, column in zip(names, batch.columns, strict=True)]
        # A line ends before the next begins, so that the last one has no comma after it.
        yield before + _lines(cells, ",", "{", "},\n")[:-2]
        before = b",\n"
    yield b"[]\n" if before == b"[\n" else b"\n]\n"


def _lines(cells: list[pa.Array], separator: str, before: str, after: str) -> bytes:
    joined = pc.binary_join_element_wise(*cells, text_scalar(separator), null_handling="replace", null_replacement="")
    framed = _between(before, joined, after)
    offsets = framed.buffers()[1]
    ends = memoryview(offsets).cast("i" if framed.type == pa.string() else "q")
    data: pa.Buffer = framed.buffers()[2]
    return bytes(memoryview(data)[ends[framed.offset] : ends[framed.offset + len(framed)]])


def _csv_cells(column: pa.Array) -> pa.Array:
    texts = text_cells(column)
    if not _is_free_text(column.type):
        return texts
    hostile = pc.match_substring_regex(texts, _NEEDS_QUOTES)
    if not pc.any(hostile).as_py():
        return texts
    doubled = pc.replace_substring(texts, '"', '""')
    return pc.if_else(hostile, _between('"', doubled, '"'), texts)


def _json_cells(column: pa.Array) -> pa.Array:
    texts = text_cells(column)
    if pa.types.is_floating(column.type):
        texts = pc.if_else(pc.is_finite(column), texts, text_scalar("null"))
    elif _is_free_text(column.type):
        texts = _json_strings(texts)
    elif not (pa.types.is_integer(column.type) or pa.types.is_boolean(column.type)):
        texts = _between('"', texts, '"')
    return texts.fill_null(text_scalar("null"))


def _json_strings(texts: pa.Array) -> pa.Array:
    hostile = pc.match_substring_regex(texts, _NEEDS_ESCAPES).fill_null(zero_scalar(pa.bool_()))
    quoted = _between('"', texts, '"')
    if not pc.any(hostile).as_py():
        return quoted
    escaped = [json.dumps(text, ensure_ascii=False) for text in texts.filter(hostile).to_pylist()]
    return pc.replace_with_mask(quoted, hostile, pa.array(escaped, pa.string()))


def _between(before: str, cells: pa.Array, after: str) -> pa.Array:
    return pc.binary_join_element_wise(text_scalar(before), cells, text_scalar(after), text_scalar(""))


def _named(name: str, cells: pa.Array) -> pa.Array:
    return _between(f"{name}:", cells, "")


def _is_free_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_dictionary(kind)


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if set(name) & set('",\r\n') else name
