"""Cells of files of corporate actions."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.domain.actions import ActionKind
from marketdata_pipelines.sources.reference import action_cells as cells
from marketdata_pipelines.sources.reference.action_cells import CellInvalid, DateOrder


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7:1", 7.0),
        ("7/1", 7.0),
        ("7-for-1", 7.0),
        ("7 for 1", 7.0),
        ("7 to 1", 7.0),
        ("7-FOR-1", 7.0),
        ("1 : 10", 0.1),
        ("1:10", 0.1),
        ("3:2", 1.5),
        ("7:01", 7.0),
        ("7", 7.0),
        ("7.0", 7.0),
        ("0.05", 0.05),
        (".5", 0.5),
        ("1e-1", 0.1),
        ("0", 0.0),
    ],
)
def test_a_ratio_is_new_shares_for_an_old_one(text: str, value: float) -> None:
    found = cells.read_ratio(text)

    assert found == cells.Ratio(value, percent=False)


def test_a_percentage_counts_new_shares_beside_old_ones() -> None:
    assert cells.read_ratio("5%") == cells.Ratio(0.05, percent=True)


@pytest.mark.parametrize("text", ["seven", "7:0", "7:", ":1", "1:2:3", "07:01:00", "nan:1", "inf", "7 1", "1,2", "²"])
def test_what_is_no_ratio_is_invalid(text: str) -> None:
    with pytest.raises(CellInvalid):
        cells.read_ratio(text)


@pytest.mark.parametrize(
    ("text", "decimal_comma", "value"),
    [
        ("0.205", False, 0.205),
        ("$0.205", False, 0.205),
        ("1,234.5", False, 1234.5),
        ("0,205", True, 0.205),
        ("0.205", True, 0.205),
        ("-1", False, -1.0),
        ("", False, None),
        ("N/A", False, None),
        ("nan", False, None),
    ],
)
def test_numbers_are_read_as_they_are_written(text: str, decimal_comma: bool, value: float | None) -> None:
    assert cells.read_number(text, decimal_comma=decimal_comma) == value


@pytest.mark.parametrize(
    ("text", "decimal_comma"), [("0,205", False), ("1.234,5", True), ("1e999", False), ("0x1", False)]
)
def test_what_is_no_number_is_invalid(text: str, decimal_comma: bool) -> None:
    with pytest.raises(CellInvalid):
        cells.read_number(text, decimal_comma=decimal_comma)


@pytest.mark.parametrize(
    "text",
    [
        "2014-06-09",
        "20140609",
        "2014/6/9",
        "2014-06-09 00:00:00-04:00",
        "2014-06-09T04:00:00.000Z",
        "06/09/2014",
        "6/9/2014",
        "6/9/2014 12:00",
        "9.6.2014",
        "Jun 9, 2014",
        "June 9 2014",
        "9 Jun 2014",
        "09-JUN-2014",
    ],
)
def test_dates_are_read_in_their_usual_forms(text: str) -> None:
    assert cells.read_date(text) == date(2014, 6, 9)


@pytest.mark.parametrize(
    "text", ["2014-13-01", "31/31/2014", "6/9/14", "2014", "tomorrow", "9 Ju 2014", "9 Foo 2014", "٢٠١٤٠٦٠٩"]
)
def test_what_is_no_date_is_invalid(text: str) -> None:
    with pytest.raises(CellInvalid):
        cells.read_date(text)


def test_a_column_proves_its_order_of_day_and_month() -> None:
    assert cells.date_order(["01/02/2014", "13/02/2014"]) is DateOrder.DAY_FIRST
    assert cells.date_order(["01/02/2014", "02/13/2014"]) is DateOrder.MONTH_FIRST
    assert cells.date_order(["01/02/2014", "13.02.2014", "2014-02-01"]) is DateOrder.MONTH_FIRST
    assert cells.date_order(["13/02/2014", "02/13/2014"]) is DateOrder.MIXED


def test_a_date_that_fits_either_order_is_refused_in_a_file_that_has_both() -> None:
    assert cells.read_date("13/02/2014", DateOrder.MIXED) == date(2014, 2, 13)
    assert cells.read_date("02/13/2014", DateOrder.MIXED) == date(2014, 2, 13)
    assert cells.read_date("02/02/2014", DateOrder.MIXED) == date(2014, 2, 2)
    with pytest.raises(CellInvalid):
        cells.read_date("01/02/2014", DateOrder.MIXED)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Split", ActionKind.SPLIT),
        ("reverse-split", ActionKind.SPLIT),
        ("Special Cash Dividend", ActionKind.CASH_DIVIDEND),
        ("STOCK_DIVIDEND", ActionKind.STOCK_DIVIDEND),
        ("Spin-Off", ActionKind.SPIN_OFF),
        ("ticker change", ActionKind.SYMBOL_CHANGE),
        ("", None),
    ],
)
def test_kinds_are_known_by_their_usual_names(text: str, kind: ActionKind | None) -> None:
    assert cells.read_kind(text) == kind


def test_a_reverse_split_above_one_is_the_wrong_way_round() -> None:
    assert cells.is_wrong_way("Reverse Split", 10.0)
    assert not cells.is_wrong_way("Reverse Split", 0.1)
    assert cells.is_wrong_way("forward split", 0.5)
    assert not cells.is_wrong_way("split", 0.5)


@given(st.text())
def test_any_text_is_read_or_invalid(text: str) -> None:
    for reader in (cells.read_ratio, cells.read_number, cells.read_date, cells.read_kind, cells.read_status):
        try:
            reader(text)
        except CellInvalid:
            continue


@pytest.mark.timeout(20)
def test_a_cell_of_a_megabyte_takes_no_time() -> None:
    for text in ("7" + " " * 1_000_000, "1" * 1_000_000, "7 for" * 200_000):
        for reader in (cells.read_ratio, cells.read_number, cells.read_date):
            with pytest.raises(CellInvalid):
                reader(text)
