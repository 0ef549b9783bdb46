"""Separators, headers and row widths of delimited text."""

import pytest

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.sources.files.dialect import check_delimiter, guess_delimiter, lay_out, split_fields

HEADER = "symbol,timestamp,open,high,low,close,volume"
ROW = "SPY,2013-10-07T13:30:00Z,1,2,0.5,1.5,100"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_separator_is_what_lines_agree_on(delimiter: str) -> None:
    lines = [line.replace(",", delimiter) for line in (HEADER, ROW, ROW)]

    assert guess_delimiter(lines) == delimiter


def test_semicolons_win_over_decimal_commas() -> None:
    assert guess_delimiter(["a;b;c;d", "2013-10-07;13,9;13,91;13,8", "2013-10-08;13,9;13,91;13,8"]) == ";"


def test_prose_has_no_separator() -> None:
    assert guess_delimiter(["hello world", "this is text"]) is None


def test_header_and_width() -> None:
    found = lay_out([HEADER, ROW, ROW], ",", None)

    assert (found.skip, found.width, found.names) == (1, 7, tuple(HEADER.split(",")))


def test_lines_before_the_header_are_skipped() -> None:
    assert lay_out(["https://vendor.example", "# made today", HEADER, ROW], ",", None).skip == 3


def test_without_header_columns_are_positions() -> None:
    found = lay_out([ROW, ROW], ",", None)

    assert (found.skip, found.names, found.sources[:2]) == (0, None, ("1", "2"))


def test_a_trailing_separator_on_every_row_is_an_empty_column() -> None:
    found = lay_out([HEADER, ROW + ",", ROW + ","], ",", None)

    assert found.names is not None
    assert found.names[-1] == ""
    assert found.width == 8


def test_an_unnamed_index_column_stands_first() -> None:
    found = lay_out([HEADER, "1," + ROW, "2," + ROW], ",", None)

    assert found.names is not None
    assert found.names[:2] == ("", "symbol")


def test_a_quote_left_open_gives_no_fields() -> None:
    assert split_fields('"SPY,1,2', ",") is None
    assert split_fields('"a,b",c', ",") == ["a,b", "c"]


@pytest.mark.parametrize("delimiter", ["", '"', "\n", "ab", "é"])
def test_a_pinned_separator_is_one_usable_character(delimiter: str) -> None:
    with pytest.raises(SettingsInvalid, match="delimiter"):
        check_delimiter(delimiter)


def test_the_tab_may_be_named() -> None:
    assert [check_delimiter(name) for name in ("tab", "\\t", "\t")] == ["\t"] * 3
