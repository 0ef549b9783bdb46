"""Cells of files of instruments."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.sources.reference import instrument_cells as cells


@pytest.mark.parametrize(
    ("header", "column"),
    [
        ("Instrument ID", "instrument_id"),
        ("TICKER", "symbol"),
        ("valid-from", "from_date"),
        (" To ", "to_date"),
        ("Exchange", "mic"),
        ("Contract Month", "contract_month"),
        ("sector", None),
        ("", None),
    ],
)
def test_headers_are_known_by_their_usual_names(header: str, column: str | None) -> None:
    assert cells.column_of(header) == column


@pytest.mark.parametrize(
    "text", ["2014-04-03", "20140403", "2014/04/03", "2014-04-03T00:00:00Z", "2014-04-03 00:00:00"]
)
def test_dates_are_year_month_day(text: str) -> None:
    assert cells.read_date(text) == date(2014, 4, 3)


@pytest.mark.parametrize(
    "text", ["04/03/2014", "2014-4-3", "2014-02-30", "2014-04/03", "14-04-03", "2014-04-03T09:30", "x"]
)
def test_other_dates_would_be_guesses(text: str) -> None:
    with pytest.raises(cells.CellInvalid) as refused:
        cells.read_date(text)
    assert refused.value.rule == "instrument_bad_date"


def test_the_vendors_ends_of_time_are_open() -> None:
    assert cells.read_last_date("9999-12-31") is None
    assert cells.read_last_date("2022-06-08") == date(2022, 6, 8)


@pytest.mark.parametrize(
    ("text", "kind"), [("Equity", "equity"), ("Common Stock", "equity"), ("FX", "fx"), ("etf", "etf")]
)
def test_types_have_their_usual_names_too(text: str, kind: str) -> None:
    assert cells.read_type(text) == kind


@pytest.mark.parametrize(
    ("read", "text", "rule"),
    [
        (cells.read_type, "warrant?", "instrument_unknown_type"),
        (cells.read_mic, "NASDAQ", "instrument_bad_mic"),
        (cells.read_currency, "$", "instrument_bad_currency"),
        (cells.read_size, "0", "instrument_bad_number"),
        (cells.read_size, "-1", "instrument_bad_number"),
        (cells.read_size, "nan", "instrument_bad_number"),
        (cells.read_size, "1e999", "instrument_bad_number"),
        (cells.read_size, "1.2.3", "instrument_bad_number"),
        (cells.read_month, "2013-13", "instrument_bad_month"),
        (cells.read_status, "perhaps", "instrument_unknown_status"),
        (cells.read_symbol, "A\nB", "instrument_bad_symbol"),
        (cells.read_symbol, "A" * 65, "instrument_bad_symbol"),
        (cells.read_id, "symbol:A", "instrument_bad_id"),
        (cells.read_id, "A\ufffd", "instrument_bad_id"),
    ],
)
def test_what_cannot_be_read_names_its_rule(read: object, text: str, rule: str) -> None:
    assert callable(read)
    with pytest.raises(cells.CellInvalid) as refused:
        read(text)
    assert refused.value.rule == rule


def test_codes_months_and_sizes_have_one_form() -> None:
    assert cells.read_mic("xnas") == "XNAS"
    assert cells.read_currency("usdt") == "USDT"
    assert cells.read_month("201312") == cells.read_month("2013-12") == "2013-12"
    assert cells.read_size("0.25") == 0.25
    assert cells.read_size("1e-8") == 1e-8


def test_a_row_is_active_or_taken_back() -> None:
    assert [cells.read_status(text) for text in ("Active", "cancelled", "Canceled", "deleted")] == [
        None,
        "cancelled",
        "cancelled",
        "cancelled",
    ]


def test_symbols_are_kept_as_written() -> None:
    assert cells.read_symbol("brk.B") == "brk.B"
    assert cells.read_symbol("=ES 12-13") == "=ES 12-13"


@given(st.text(max_size=30))
def test_any_text_is_a_value_or_invalid(text: str) -> None:
    readers = (cells.read_id, cells.read_symbol, cells.read_last_date, cells.read_type, cells.read_mic, cells.read_size)
    broken = []
    for read in (*readers, cells.read_currency, cells.read_month, cells.read_status, cells.read_text):
        try:
            read(text)
        except cells.CellInvalid as error:
            broken.append(error.rule)
    assert all(rule.startswith("instrument_") for rule in broken)
