"""Workbooks become rows, sheet by sheet."""

import io
import zipfile
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from marketdata_pipelines.errors import SourceRejected
from marketdata_pipelines.sources.files.excel import excel_cells
from marketdata_pipelines.sources.files.plan import plan_file
from marketdata_pipelines.sources.files.read import read_file
from marketdata_pipelines_tests.sources.files.conftest import Outcome, build_feed, read_whole

Read = Callable[..., Outcome]
Sheet = Sequence[Sequence[str | float | None]]
HEADER = ("Date", "Open", "High", "Low", "Close", "Volume")
_NS = "http://schemas.openxmlformats.org"


def workbook(**sheets: Sheet) -> bytes:
    """A minimal .xlsx: text cells inline, numbers as they are."""
    names = list(sheets)
    entries = "".join(f'<sheet name="{name}" sheetId="{at}" r:id="r{at}"/>' for at, name in enumerate(names, 1))
    kind = f"{_NS}/officeDocument/2006/relationships/worksheet"
    links = "".join(
        f'<Relationship Id="r{at}" Type="{kind}" Target="worksheets/s{at}.xml"/>' for at in range(1, len(names) + 1)
    )
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("[Content_Types].xml", f'<Types xmlns="{_NS}/package/2006/content-types"></Types>')
        root = f"{_NS}/officeDocument/2006/relationships/officeDocument"
        relation = f'<Relationship Id="r" Type="{root}" Target="xl/workbook.xml"/>'
        opening = f'<Relationships xmlns="{_NS}/package/2006/relationships">'
        archive.writestr("_rels/.rels", f"{opening}{relation}</Relationships>")
        archive.writestr("xl/_rels/workbook.xml.rels", f"{opening}{links}</Relationships>")
        space = f'xmlns="{_NS}/spreadsheetml/2006/main" xmlns:r="{_NS}/officeDocument/2006/relationships"'
        archive.writestr("xl/workbook.xml", f"<workbook {space}><sheets>{entries}</sheets></workbook>")
        for at, name in enumerate(names, 1):
            rows = "".join(_row(number, row) for number, row in enumerate(sheets[name], 1) if row)
            archive.writestr(
                f"xl/worksheets/s{at}.xml", f"<worksheet {space}><sheetData>{rows}</sheetData></worksheet>"
            )
    return target.getvalue()


def _row(number: int, cells: Sequence[str | float | None]) -> str:
    found = ""
    for letter, cell in zip("ABCDEFGH", cells, strict=False):
        place = f'r="{letter}{number}"'
        if isinstance(cell, str):
            found += f'<c {place} t="inlineStr"><is><t>{cell}</t></is></c>'
        elif cell is not None:
            found += f"<c {place}><v>{cell}</v></c>"
    return f'<row r="{number}">{found}</row>'


def day(number: int, volume: float = 100) -> tuple[str | float, ...]:
    return (f"2020-01-{number:02d}", 1.25, 2.5, 0.5, 1.5, volume)


def test_sheets_without_symbol_column_are_symbols(read: Read) -> None:
    outcome = read(
        "prices.xlsx", workbook(AAPL=[HEADER, day(2), day(3)], Notes=[], IBM=[HEADER, day(2)]), interval="1d"
    )

    assert outcome.column("symbol") == ["AAPL", "AAPL", "IBM"]
    assert outcome.column("row") == [1, 2, 3]
    assert outcome.column("line") == [2, 3, 2]
    assert outcome.times[0] == "2020-01-02 00:00:00+00:00"
    assert outcome.originals[2] == "2020-01-02,1.25,2.5,0.5,1.5,100.0"
    assert outcome.flagged == {}


def test_titles_above_and_blank_rows_between_count_as_lines(read: Read) -> None:
    sheet: Sheet = [("Daily prices",), (), HEADER, day(2), (), day(3)]

    outcome = read("SPY_daily.xlsx", workbook(Sheet1=sheet), interval="1d")

    assert outcome.column("symbol") == ["SPY", "SPY"]
    assert outcome.column("line") == [4, 6]


def test_cells_that_cannot_be_read_are_named(read: Read) -> None:
    sheet: Sheet = [
        HEADER,
        day(2),
        ("2020-01-03", "n/a", 2.5, 0.5, 1.5, 100),
        ("2020-01-06", "x", 2.5, 0.5, 1.5, 100),
        ("?", 1, 2, 1, 1, 1),
    ]

    outcome = read("SPY.xlsx", workbook(SPY=sheet), interval="1d")

    assert outcome.flagged == {2: "missing_price", 3: "unparsable_price", 4: "unparsable_timestamp"}


def test_one_sheet_can_be_pinned(read: Read) -> None:
    outcome = read("prices.xlsx", workbook(AAPL=[HEADER, day(2)], IBM=[HEADER, day(3)]), interval="1d", sheet="IBM")

    assert outcome.column("symbol") == ["IBM"]


def test_a_sheet_that_is_not_there_is_said_so(write: Callable[[str, bytes], str]) -> None:
    with pytest.raises(SourceRejected, match="no sheet 'MSFT'"):
        read_whole(write("a.xlsx", workbook(AAPL=[HEADER, day(2)])), build_feed("1d", sheet="MSFT"))


def test_single_rows_have_the_texts_that_reading_gives_them(write: Callable[[str, bytes], str]) -> None:
    path = write("prices.xlsx", workbook(AAPL=[HEADER, day(2), day(3)], Notes=[], IBM=[HEADER, day(2), day(4)]))
    feed = build_feed("1d")
    chunks = list(read_file(path, feed, plan_file(path, feed)))
    numbers = [int(number) for chunk in chunks for number in chunk.table["row"].to_pylist()]
    texts = [text for chunk in chunks for text in chunk.originals(np.arange(chunk.table.num_rows))]

    found = excel_cells(path, None, [*numbers, 99])

    assert found == dict(zip(numbers, texts, strict=True))
    assert excel_cells(path, None, [4]) == {4: texts[3]}
    assert excel_cells(path, "IBM", [1]) == {1: texts[2]}


def test_a_damaged_workbook_is_refused(write: Callable[[str, bytes], str]) -> None:
    whole = workbook(AAPL=[HEADER, day(2)])

    with pytest.raises(SourceRejected) as refused:
        read_whole(write("a.xlsx", whole[: len(whole) // 2]), build_feed("1d"))

    assert refused.value.rule == "container_damaged"
