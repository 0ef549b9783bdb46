"""Reading delimited text (CSV and its kin) as cells, block by block.

Regular lines are parsed at once; the others one by one, and merged back in file order.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.feeds import DataKind
from marketdata_pipelines.domain.rules import rule_bit
from marketdata_pipelines.errors import SourceRejected
from marketdata_pipelines.sources.files.arrays import Column, take_rows
from marketdata_pipelines.sources.files.arrowcsv import CsvColumns, choose_types, fit_text, parse_csv
from marketdata_pipelines.sources.files.cells import Cells, CellStream
from marketdata_pipelines.sources.files.compression import open_stream
from marketdata_pipelines.sources.files.dialect import HEAD_LINES, WHITESPACE, TextLayout, lay_out, split_fields
from marketdata_pipelines.sources.files.encoding import UTF8, Utf8Stream
from marketdata_pipelines.sources.files.lines import LineBlock, read_blocks, split_lines
from marketdata_pipelines.sources.files.oddlines import OddLine, read_odd_line, recognise_line
from marketdata_pipelines.sources.files.plans import FilePlan
from marketdata_pipelines.sources.files.regularity import regular_lines


@dataclass(frozen=True, slots=True)
class _Shape:
    """What stays the same through a file: its layout and where each field is."""

    layout: TextLayout
    delimiter: str
    transcoded: bool
    positions: dict[str, int]
    times: tuple[int, ...]

    @property
    def used(self) -> tuple[int, ...]:
        return (*self.positions.values(), *self.times)


@dataclass(frozen=True, slots=True)
class _OddLines:
    """Lines read one by one: their indices in the block, their fields and rules."""

    indices: np.ndarray
    lines: list[OddLine]

    def cells(self, position: int, *, broken: bool) -> list[str | None]:
        """The cells at a position; of broken lines only when asked, they may be shifted."""
        return [line.fields[position] if broken or not line.rules else None for line in self.lines]


def read_delimited(plan: FilePlan, chunk_bytes: int) -> CellStream:
    """The rows of a delimited file as planned.

    Errors: SourceRejected(compression_damaged | missing_column).
    """
    shape, row = None, 1
    with open_stream(plan.path) as stream:
        for block in read_blocks(Utf8Stream(stream, plan.encoding), chunk_bytes):
            if shape is None:
                shape = _shape(block, plan)
                block = _without_head(block, shape.layout.skip)
            for cells in _read_block(block, shape, plan, row):
                row += len(cells)
                yield cells


def head_lines(block: LineBlock) -> list[str]:
    """The first lines of a file as text, shortened: enough to lay it out."""
    return block.texts(np.arange(min(len(block.starts), HEAD_LINES)))


def _shape(block: LineBlock, plan: FilePlan) -> _Shape:
    delimiter = plan.delimiter or ","
    layout = lay_out(head_lines(block), delimiter, plan.header)
    at = {name: index for index, name in reversed(list(enumerate(layout.sources)))}
    absent = [part for source in plan.sources.values() for part in source.split("+") if part not in at]
    if absent:
        raise SourceRejected(
            f"{plan.path} has no column {', '.join(absent)}; it has {', '.join(layout.sources)}: "
            "plan the file again or mend `columns` in feeds.yaml",
            rule="missing_column",
        )
    positions = {field: at[source] for field, source in plan.sources.items() if field != "ts"}
    times = tuple(at[part] for part in plan.sources["ts"].split("+"))
    return _Shape(layout, delimiter, plan.encoding != UTF8, positions, times)


def _without_head(block: LineBlock, skip: int) -> LineBlock:
    cut = int(block.starts[skip]) if skip < len(block.starts) else len(block.data)
    return LineBlock(block.data[cut:], block.starts[skip:] - cut, block.ends[skip:] - cut, block.first_line + skip)


def _read_block(block: LineBlock, shape: _Shape, plan: FilePlan, first_row: int) -> Iterator[Cells]:
    if not len(block.starts):
        return
    source = block
    if shape.delimiter == WHITESPACE:
        block = _single_blanks(block)
    regular = regular_lines(block, shape.delimiter, shape.layout.width, transcoded=shape.transcoded)
    columns, odd = _parse(block, shape, plan, regular)
    if columns is None:
        # Arrow saw other rows than we did: trust the slow path.
        regular[:] = False
        columns, odd = _parse(block, shape, plan, regular)
    indices = np.concatenate((np.flatnonzero(regular), odd.indices))
    rules = np.concatenate((np.zeros(int(regular.sum()), np.int64), [line.rules for line in odd.lines])).astype(
        np.int64
    )
    if columns is None or not len(indices):
        return
    if len(odd.indices):
        order = np.argsort(indices)
        indices, rules = indices[order], rules[order]
        columns = {index: take_rows(column, order) for index, column in columns.items()}
    times = tuple(columns[index] for index in shape.times)
    _recognise_lines(block, shape, times, indices, rules)
    yield Cells(
        columns={field: columns[index] for field, index in shape.positions.items()},
        times=times,
        rows=np.arange(first_row, first_row + len(indices)),
        lines=indices + block.first_line,
        rules=rules,
        texts=lambda places: source.texts(indices[places]),
    )


def _single_blanks(block: LineBlock) -> LineBlock:
    """The same lines with one blank between fields, where files are aligned with several."""
    lines = re.sub(
        rb"(?m)^ | $", b"", re.sub(rb"[ \t\f\v]+", b" ", block.data.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    )
    return split_lines(lines, block.first_line)


def _parse(
    block: LineBlock, shape: _Shape, plan: FilePlan, regular: np.ndarray
) -> tuple[dict[int, Column] | None, _OddLines]:
    """Columns of the regular lines followed by those of the odd ones; None when Arrow cannot read the lines."""
    odd = _odd_lines(block, shape, regular)
    if not regular.any():
        return {index: pa.array(odd.cells(index, broken=True), pa.string()) for index in shape.used}, odd
    sample = _first_fields(block, shape, regular)
    nanos = plan.kind is DataKind.TRADES
    types = choose_types(plan, shape.positions, shape.times, sample, nanos=nanos)
    wanted = CsvColumns(shape.layout.width, shape.delimiter, plan.decimal, types)
    payload = _payload(block, regular)
    count = int(regular.sum())
    for attempt in (wanted, wanted.as_text()):
        parsed = parse_csv(payload, attempt, count)
        if parsed is None:
            continue
        joined, fits = _with_odd(parsed, odd, attempt, shape)
        if fits:
            return joined, odd
    return None, odd


def _with_odd(
    parsed: dict[int, Column], odd: _OddLines, columns: CsvColumns, shape: _Shape
) -> tuple[dict[int, Column], bool]:
    """The parsed columns with the odd lines' cells behind; not fitting when a sound line's cell has another type."""
    if not len(odd.indices):
        return parsed, True
    told = {*shape.times, shape.positions.get("symbol", -1)}
    sound = np.array([not line.rules for line in odd.lines])
    joined = {}
    for index, kind in columns.types.items():
        cells = odd.cells(index, broken=index in told)
        if sound.any() and not fit_text([c for c, s in zip(cells, sound, strict=True) if s], kind, columns.decimal)[1]:
            return parsed, False
        added, _ = fit_text(cells, kind, columns.decimal)
        pair = pa.chunked_array([parsed[index], added])
        joined[index] = pair.unify_dictionaries().combine_chunks()
    return joined, True


def _odd_lines(block: LineBlock, shape: _Shape, regular: np.ndarray) -> _OddLines:
    indices, lines = [], []
    for index in np.flatnonzero(~regular).tolist():
        line = read_odd_line(block.line(index), shape.layout, shape.delimiter, transcoded=shape.transcoded)
        if line is not None:
            indices.append(index)
            lines.append(line)
    return _OddLines(np.array(indices, np.int64), lines)


def _first_fields(block: LineBlock, shape: _Shape, regular: np.ndarray) -> Sequence[str]:
    line = block.line(int(np.argmax(regular))).decode("utf-8", "replace")
    return split_fields(line, shape.delimiter) or [""] * shape.layout.width


def _payload(block: LineBlock, regular: np.ndarray) -> bytes:
    """The bytes of the regular lines with their terminators."""
    if regular.all():
        return block.data[int(block.starts[0]) :] if block.starts[0] else block.data
    edges = np.flatnonzero(np.diff(np.concatenate(([0], regular.view(np.int8), [0]))))
    stops = np.append(block.starts[1:], len(block.data))
    view = memoryview(block.data)
    return b"".join(view[int(block.starts[a]) : int(stops[b - 1])] for a, b in edges.reshape(-1, 2).tolist())


def _recognise_lines(
    block: LineBlock, shape: _Shape, times: tuple[Column, ...], indices: np.ndarray, rules: np.ndarray
) -> None:
    """Name repeated headers and footers among lines with the right number of fields: their time has no digit."""
    column = times[0]
    if pa.types.is_string(column.type):
        timeless = pc.invert(pc.match_substring_regex(column, "[0-9]")).fill_null(True).to_numpy(zero_copy_only=False)
    else:
        timeless = column.is_null().to_numpy(zero_copy_only=False)
    for place in np.flatnonzero(timeless & (rules == 0)).tolist():
        fields = split_fields(block.line(int(indices[place])).decode("utf-8", "replace"), shape.delimiter)
        named = recognise_line(fields, shape.layout) if fields else None
        if named is not None:
            rules[place] = rule_bit(named)
