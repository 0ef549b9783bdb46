"""Reading JSON lines: one object a line, each a row.

Blocks of sound lines are parsed by Arrow; around lines it cannot take the block is halved until few lines are
left, which are read one by one. Whole JSON documents are in `jsondocument`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.json

from marketdata_pipelines.domain.rules import rule_bit
from marketdata_pipelines.errors import SourceRejected
from marketdata_pipelines.sources.files.arrays import Column, one_array
from marketdata_pipelines.sources.files.cells import Cells, CellStream
from marketdata_pipelines.sources.files.compression import open_stream
from marketdata_pipelines.sources.files.encoding import UTF8, Utf8Stream
from marketdata_pipelines.sources.files.lines import LONGEST_LINE, LineBlock, read_blocks, split_lines
from marketdata_pipelines.sources.files.plans import FilePlan
from marketdata_pipelines.sources.files.regularity import is_valid_text
from marketdata_pipelines.sources.files.samples import SAMPLE_ROWS, Sample
from marketdata_pipelines.sources.files.values import join_columns, sound_text, value_column, value_text

_FEWEST_LINES = 256
_OPEN, _CLOSE = ord("{"), ord("}")


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some lines of a block, by index, with the rules they break; `columns` by key, None where still to be read."""

    indices: np.ndarray
    rules: np.ndarray
    columns: Mapping[str, Column] | None


def sample_lines(path: str, text: bytes, *, complete: bool) -> Sample:
    """The first records of a JSON lines file.

    Errors: SourceRejected(unknown_format) when there is none.
    """
    block = split_lines(text)
    count = len(block.starts) if complete else max(len(block.starts) - 1, 1)
    records: list[dict[str, Any]] = []
    for index in range(count):
        if len(records) == SAMPLE_ROWS:
            break
        record = _record(block.line(index))
        if isinstance(record, dict) and record:
            records.append(record)
    if not records:
        raise SourceRejected(
            f"{path} is read as JSON lines but none of its lines is an object; fetch it again, or mend `format`",
            rule="unknown_format",
        )
    keys = tuple(dict.fromkeys(key for record in records for key in record if sound_text(key) == key))
    return Sample(keys, True, {key: [value_text(record.get(key)) or "" for record in records] for key in keys})


def read_lines(plan: FilePlan, chunk_bytes: int) -> CellStream:
    """The rows of a JSON lines file as planned.

    Errors: SourceRejected(compression_damaged).
    """
    row, transcoded = 1, plan.encoding != UTF8
    keys = tuple(dict.fromkeys(part for source in plan.sources.values() for part in source.split("+")))
    with open_stream(plan.path) as stream:
        for block in read_blocks(Utf8Stream(stream, plan.encoding), chunk_bytes):
            sound = _sound_lines(block, transcoded=transcoded)
            schema = _schema(block, sound, keys)
            pieces = [
                piece if piece.columns is not None else _read_singly(block, piece, keys, transcoded=transcoded)
                for piece in _pieces(block, sound, schema, 0, len(block.starts))
            ]
            cells = _block_cells(block, pieces, plan, keys, row)
            row += len(cells)
            yield cells


def _sound_lines(block: LineBlock, *, transcoded: bool) -> np.ndarray:
    """Lines that look like one whole object each."""
    array = np.frombuffer(block.data, np.uint8)
    lengths = block.ends - block.starts
    found: np.ndarray = (lengths > 1) & (lengths <= LONGEST_LINE)
    first = array[np.minimum(block.starts, len(array) - 1)]
    last = array[np.maximum(block.ends - 1, 0)]
    found &= (first == _OPEN) & (last == _CLOSE)
    if b"\0" in block.data or not block.data.isascii():
        for index in np.unique(
            np.searchsorted(block.starts, np.flatnonzero((array >= 128) | (array == 0)), "right") - 1
        ):
            line = block.line(int(index))
            found[index] &= b"\0" not in line and is_valid_text(line, transcoded=transcoded)
    return found


def _schema(block: LineBlock, sound: np.ndarray, keys: Sequence[str]) -> pa.Schema | None:
    """The types of the first sound record's values; a key it lacks is taken as a number."""
    for index in np.flatnonzero(sound)[:10].tolist():
        record = _record(block.line(index))
        if isinstance(record, dict):
            return pa.schema([(key, _value_type(record.get(key))) for key in keys])
    return None


def _value_type(value: Any) -> pa.DataType:
    if isinstance(value, str):
        return pa.string()
    if isinstance(value, bool):
        return pa.bool_()
    if isinstance(value, list):
        return pa.list_(pa.string())
    # Prices that happen to be whole in the first record are not in the next.
    return pa.int64() if isinstance(value, int) and abs(value) >= 10**8 else pa.float64()


def _pieces(block: LineBlock, sound: np.ndarray, schema: pa.Schema | None, start: int, stop: int) -> Iterator[_Piece]:
    if start == stop:
        return
    if schema is not None and sound[start:stop].all():
        columns = _parse(block, schema, start, stop)
        if columns is not None:
            yield _Piece(np.arange(start, stop), np.zeros(stop - start, np.int64), columns)
            return
    if stop - start <= _FEWEST_LINES or schema is None:
        yield _Piece(np.arange(start, stop), np.zeros(stop - start, np.int64), None)
        return
    middle = (start + stop) // 2
    yield from _pieces(block, sound, schema, start, middle)
    yield from _pieces(block, sound, schema, middle, stop)


def _parse(block: LineBlock, schema: pa.Schema, start: int, stop: int) -> Mapping[str, Column] | None:
    data = memoryview(block.data)[int(block.starts[start]) : int(block.ends[stop - 1])]
    try:
        table = pa.json.read_json(
            cast("IO[bytes]", pa.BufferReader(data)),
            read_options=pa.json.ReadOptions(use_threads=False, block_size=max(1 << 20, 4 * LONGEST_LINE)),
            parse_options=pa.json.ParseOptions(
                explicit_schema=schema, newlines_in_values=False, unexpected_field_behavior="ignore"
            ),
        )
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        return None
    if table.num_rows != stop - start:
        return None
    return {name: one_array(table[name]) for name in schema.names}


def _read_singly(block: LineBlock, piece: _Piece, keys: Sequence[str], *, transcoded: bool) -> _Piece:
    records = [_read_line(block.line(int(index)), transcoded=transcoded) for index in piece.indices]
    kept = np.array([record is not None for record in records], bool)
    found = [record for record in records if record is not None]
    columns = {key: value_column([record.get(key) for record, _ in found]) for key in keys}
    return _Piece(piece.indices[kept], np.array([rule for _, rule in found], np.int64), columns)


def _block_cells(block: LineBlock, pieces: Sequence[_Piece], plan: FilePlan, keys: Sequence[str], row: int) -> Cells:
    indices = np.concatenate([piece.indices for piece in pieces])
    columns = {key: join_columns([piece.columns[key] for piece in pieces if piece.columns is not None]) for key in keys}
    sources = plan.sources
    return Cells(
        columns={field: columns[source] for field, source in sources.items() if field != "ts"},
        times=tuple(columns[part] for part in sources["ts"].split("+")),
        rows=np.arange(row, row + len(indices)),
        lines=indices + block.first_line,
        rules=np.concatenate([piece.rules for piece in pieces]),
        texts=lambda places: block.texts(indices[places]),
    )


def _read_line(line: bytes, *, transcoded: bool) -> tuple[dict[str, Any], int] | None:
    """A line's record and the bits of the rules it breaks; None for a blank line."""
    if not line.strip():
        return None
    if len(line) > LONGEST_LINE:
        return {}, rule_bit("line_oversized")
    rules = 0 if is_valid_text(line, transcoded=transcoded) else rule_bit("invalid_encoding")
    rules |= rule_bit("nul_byte") if b"\0" in line else 0
    record = _record(line.replace(b"\0", b""))
    if not isinstance(record, dict):
        return {}, rules or rule_bit("invalid_json")
    return record, rules


def _record(line: bytes) -> Any:
    try:
        return json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
