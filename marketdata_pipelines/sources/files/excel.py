"""Reading workbooks (.xlsx, .xls, .ods): every sheet with the same columns, or one sheet a symbol."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import python_calamine

from marketdata_pipelines.errors import SourceRejected
from marketdata_pipelines.sources.files import columns
from marketdata_pipelines.sources.files.arrays import Column
from marketdata_pipelines.sources.files.cells import Cells, CellStream
from marketdata_pipelines.sources.files.compression import open_seekable
from marketdata_pipelines.sources.files.filenames import is_ticker
from marketdata_pipelines.sources.files.plans import FilePlan
from marketdata_pipelines.sources.files.samples import SAMPLE_ROWS, Sample, TimeType
from marketdata_pipelines.sources.files.values import value_column, value_text

_MOST_CELLS = 50_000_000
_HEADER_ROWS = 12


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A sheet's rows below its header; `numbers` are their 1-based rows in the sheet."""

    name: str
    names: tuple[str, ...] | None
    rows: list[list[Any]]
    numbers: list[int]

    @property
    def sources(self) -> tuple[str, ...]:
        if self.names is not None:
            return self.names
        return tuple(str(at + 1) for at in range(len(self.rows[0]) if self.rows else 0))


def sample_excel(path: str, sheet: str | None) -> Sample:
    """The columns of a workbook's data sheets and the first sheet's first rows.

    Errors: SourceRejected(container_damaged | no_rows | missing_column).
    """
    sheets = _data_sheets(path, sheet)
    first = sheets[0]
    rows = first.rows[:SAMPLE_ROWS]
    values = {source: [row[at] for row in rows] for at, source in reversed(list(enumerate(first.sources)))}
    cells = {source: [value_text(value) or "" for value in column] for source, column in values.items()}
    times = {source: kind for source, column in values.items() if (kind := _time_type(column)) is not None}
    named = is_ticker(first.name.strip().upper()) and first.name.strip() == first.name.strip().upper()
    # What looks like a ticker is one unless the workbook calls it Sheet1.
    several = len(sheets) > 1 and "symbol" not in columns.recognise_columns(first.sources, {}, cells).fields
    symbol = first.name.strip() if named and len(sheets) == 1 else None
    return Sample(first.sources, first.names is not None, cells, times, symbol=symbol, has_symbols=several)


def read_excel(plan: FilePlan, sheet: str | None) -> CellStream:
    """The rows of every data sheet as planned, sheet by sheet; `row` runs on through the sheets.

    Errors: SourceRejected(container_damaged | missing_column).
    """
    row = 1
    sheets = _data_sheets(plan.path, sheet)
    by_sheet = plan.symbol is None and "symbol" not in plan.sources
    for found in sheets:
        arrays = _arrays(plan, found)
        fields = {field: arrays[source] for field, source in plan.sources.items() if field != "ts"}
        if by_sheet:
            fields["symbol"] = pa.repeat(pa.scalar(found.name, pa.string()), len(found.rows))
        yield Cells(
            columns=fields,
            times=tuple(arrays[part] for part in plan.sources["ts"].split("+")),
            rows=np.arange(row, row + len(found.rows)),
            lines=np.array(found.numbers, np.int64),
            rules=np.zeros(len(found.rows), np.int64),
            texts=lambda places, found=found: _texts(found, places),  # type: ignore[misc]
        )
        row += len(found.rows)


def excel_cells(path: str, sheet: str | None, rows: Collection[int]) -> dict[int, str]:
    """The text of data rows as `read_excel` numbers them, without parsing them.

    Errors: SourceRejected(container_damaged | no_rows).
    """
    wanted = np.array(sorted(rows), np.int64)
    texts: dict[int, str] = {}
    before = 1
    for found in _data_sheets(path, sheet):
        inside = wanted[(wanted >= before) & (wanted < before + len(found.rows))]
        texts |= dict(zip(inside.tolist(), _texts(found, inside - before), strict=True))
        before += len(found.rows)
    return texts


def _arrays(plan: FilePlan, sheet: _Sheet) -> dict[str, Column]:
    at = {source: index for index, source in reversed(list(enumerate(sheet.sources)))}
    arrays = {}
    for part in {part for source in plan.sources.values() for part in source.split("+")}:
        if part not in at:
            raise SourceRejected(
                f"{plan.path}: sheet {sheet.name} has no column {part}; it has {', '.join(sheet.sources)}: "
                "give it the other sheets' columns or pin `sheet`",
                rule="missing_column",
            )
        arrays[part] = value_column([None if row[at[part]] == "" else row[at[part]] for row in sheet.rows])
    return arrays


def _texts(sheet: _Sheet, places: np.ndarray) -> list[str]:
    rows = (sheet.rows[place] for place in places.tolist())
    return [",".join(value_text(value) or "" for value in row)[:2000] for row in rows]


def _data_sheets(path: str, wanted: str | None) -> list[_Sheet]:
    """The pinned sheet, or every sheet that has rows and the columns of the first one that does."""
    found = [sheet for sheet in _sheets(path, wanted) if sheet.rows]
    if not found:
        raise SourceRejected(f"{path} has no sheet with rows; nothing to ingest", rule="no_rows")
    headed = [sheet for sheet in found if sheet.names is not None] or found[:1]
    return [sheet for sheet in headed if sheet is headed[0] or set(sheet.sources) >= set(headed[0].sources) - {""}]


def _sheets(path: str, wanted: str | None) -> Iterator[_Sheet]:
    with open_seekable(path) as stream:
        try:
            workbook = python_calamine.CalamineWorkbook.from_filelike(stream)
            names = workbook.sheet_names
            if wanted is not None and wanted not in names:
                raise SourceRejected(
                    f"{path} has no sheet {wanted!r}; it has {', '.join(names)}: mend `sheet` in feeds.yaml",
                    rule="missing_column",
                )
            for name in names if wanted is None else [wanted]:
                yield _read_sheet(path, workbook.get_sheet_by_name(name))
        except SourceRejected:
            raise
        except BaseException as error:
            # The Rust reader panics on some damage, with an exception that is no Exception.
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            raise SourceRejected(
                f"{path} is a workbook that is damaged or locked ({error}); save it again", rule="container_damaged"
            ) from error


def _read_sheet(path: str, sheet: python_calamine.CalamineSheet) -> _Sheet:
    if sheet.start is None or sheet.width * sheet.height > _MOST_CELLS:
        return _Sheet(sheet.name, None, [], [])
    rows = sheet.to_python(skip_empty_area=True)
    first_row = sheet.start[0] + 1
    filled = [index for index, row in enumerate(rows) if any(value != "" for value in row)]
    header = next(
        (at for at in filled[:_HEADER_ROWS] if columns.is_header([value_text(v) or "" for v in rows[at]])), None
    )
    names = None
    if header is not None:
        names = tuple((value_text(value) or "").strip() for value in rows[header])
        filled = [index for index in filled if index > header]
    return _Sheet(sheet.name, names, [rows[index] for index in filled], [index + first_row for index in filled])


def _time_type(values: Sequence[Any]) -> TimeType | None:
    kept = [value for value in values if value != ""]
    if not kept or not all(isinstance(value, date) for value in kept[:100]):
        return None
    return TimeType.NAIVE if any(isinstance(value, datetime) for value in kept) else TimeType.DATE
