"""Parsing regular lines of a delimited file with Arrow: typed where all cells allow it, else as text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, cast

import numpy as np
import pyarrow as pa
import pyarrow.csv

from marketdata_pipelines.sources.files.arrays import Column, one_array
from marketdata_pipelines.sources.files.layouts import layout_of, layout_pattern, read_written
from marketdata_pipelines.sources.files.numbers import NULL_TEXTS, parse_numbers
from marketdata_pipelines.sources.files.plans import FilePlan

_SYMBOLS = pa.dictionary(pa.int32(), pa.string())
_PARSER_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class CsvColumns:
    """Which positions of a row are read, and as what: `types` by source position."""

    width: int
    delimiter: str
    decimal: str
    types: Mapping[int, pa.DataType]

    def as_text(self) -> "CsvColumns":
        """The same columns, every one as text."""
        return CsvColumns(self.width, self.delimiter, self.decimal, {index: pa.string() for index in self.types})


def choose_types(
    plan: FilePlan, positions: Mapping[str, int], times: Sequence[int], sample: Sequence[str], *, nanos: bool
) -> dict[int, pa.DataType]:
    """The type to try for each column, by field and by one row's cells.

    Errors: none; a type that does not fit makes the parse fail, and the text is read instead.
    """
    types: dict[int, pa.DataType] = {}
    for field, index in positions.items():
        if field == "symbol":
            types[index] = _SYMBOLS
        elif field in ("exchange", "conditions"):
            types[index] = pa.string()
        elif field == "volume" and plan.integer_volume:
            types[index] = pa.int64() if sample[index].strip().isdecimal() else pa.string()
        else:
            types[index] = pa.float64()
    for index in times:
        types[index] = (
            _time_type(plan.time_format, sample[index].strip(), nanos=nanos) if len(times) == 1 else pa.string()
        )
    return types


def parse_csv(payload: bytes, columns: CsvColumns, rows: int) -> dict[int, Column] | None:
    """Parse whole lines; {position: column} or None when a cell does not fit its type."""
    typed_integers = any(pa.types.is_integer(kind) for kind in columns.types.values())
    # Arrow reads 0x1F4 as an integer.
    if typed_integers and (b"0x" in payload or b"0X" in payload):
        return None
    names = [str(index) for index in range(columns.width)]
    try:
        table = pa.csv.read_csv(
            _as_file(payload),
            read_options=pa.csv.ReadOptions(
                column_names=names, use_threads=False, block_size=max(_PARSER_BLOCK, 2 << 16)
            ),
            parse_options=pa.csv.ParseOptions(
                delimiter=columns.delimiter, quote_char='"' if b'"' in payload else False, newlines_in_values=False
            ),
            convert_options=pa.csv.ConvertOptions(
                column_types={str(index): kind for index, kind in columns.types.items()},
                include_columns=[str(index) for index in columns.types],
                null_values=list(NULL_TEXTS),
                strings_can_be_null=False,
                decimal_point=columns.decimal,
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError, UnicodeDecodeError):
        return None
    if table.num_rows != rows:
        return None
    table = table.unify_dictionaries()
    return {index: one_array(table[str(index)]) for index in columns.types}


def fit_text(cells: Sequence[str | None], kind: pa.DataType, decimal: str) -> tuple[Column, bool]:
    """Cells of lines read one by one as a typed column, null where they do not fit, and whether all fitted."""
    text = pa.array(cells, pa.string())
    if pa.types.is_string(kind):
        return text.fill_null(""), True
    if pa.types.is_dictionary(kind):
        return text.fill_null("").dictionary_encode(), True
    if pa.types.is_date(kind):
        read = read_written(text, "iso", 1)
        good = read.readable & read.dated
        days = (read.values // 86_400).astype(np.int32)
        return pa.array(days, pa.int32(), mask=~good).cast(kind), bool(good.all())
    if pa.types.is_timestamp(kind):
        per_second = 10**9 if kind.unit == "ns" else 10**6
        read = read_written(text, "iso", per_second)
        good = read.readable & (read.aware == (kind.tz is not None))
        return pa.array(read.values, pa.int64(), mask=~good).cast(kind), bool(good.all())
    if pa.types.is_integer(kind):
        whole = np.array(
            [cell is not None and cell.isascii() and cell.isdecimal() and len(cell) < 19 for cell in cells], bool
        )
        values = [
            int(cell) if good and cell is not None else None for cell, good in zip(cells, whole.tolist(), strict=True)
        ]
        return pa.array(values, kind), bool(whole.all())
    parsed = parse_numbers(text, decimal)
    return pa.array(parsed.values, pa.float64(), mask=parsed.missing | parsed.bad), not parsed.bad.any()


def _time_type(time_format: str, cell: str, *, nanos: bool) -> pa.DataType:
    if time_format.startswith("epoch_"):
        return pa.int64() if cell.isdecimal() else pa.string()
    match = layout_pattern(time_format).match(layout_of(cell)) if time_format == "iso" else None
    if match is None or match["Y"] is None:
        return pa.string()
    if match["H"] is None and not (match["Z"] or match["z"]):
        return pa.date32()
    fine = nanos or len(match["f"] or "") > 6
    aware = bool(match["Z"] or match["z"])
    # Arrow knows `Z` and numeric offsets only, and no more than nine digits of a second.
    if match["Z"] in ("z", "UTC", "GMT") or " " in cell[19:] or len(match["f"] or "") > 9:
        return pa.string()
    return pa.timestamp("ns" if fine else "us", tz="UTC" if aware else None)


def _as_file(payload: bytes) -> IO[bytes]:
    return cast("IO[bytes]", pa.BufferReader(payload))
