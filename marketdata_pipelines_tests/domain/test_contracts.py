"""Contract names as vendors write them, and which contract a symbol means on a day."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.domain.contracts import (
    MONTH_CODES,
    ContractBook,
    ContractMonth,
    ContractName,
    ListedContract,
    parse_contract_name,
    parse_month,
    roots_of,
)
from marketdata_pipelines_tests.builders import day

AUTUMN = date(2013, 10, 7)
MONTHS = st.builds(ContractMonth, st.integers(1980, 2060), st.integers(1, 12))


@pytest.mark.parametrize(
    ("symbol", "root", "month"),
    [
        ("ES_201312", "ES", "2013-12"),
        ("ES201312", "ES", "2013-12"),
        ("ES_2013-12", "ES", "2013-12"),
        ("ESZ3", "ES", "2013-12"),
        ("ESZ13", "ES", "2013-12"),
        ("ESZ2013", "ES", "2013-12"),
        ("ES.Z13", "ES", "2013-12"),
        ("ES Z3", "ES", "2013-12"),
        ("/ESZ13", "ES", "2013-12"),
        ("ES 12-13", "ES", "2013-12"),
        ("ES 12-2013", "ES", "2013-12"),
        ("esz13", "ES", "2013-12"),
        ("6EH4", "6E", "2014-03"),
        ("M6EH4", "M6E", "2014-03"),
        ("M2KH24", "M2K", "2024-03"),
        ("NGZ13", "NG", "2013-12"),
        ("ZZ13", "Z", "2013-12"),
        ("BTC_202406", "BTC", "2024-06"),
    ],
)
def test_a_name_says_its_root_and_month(symbol: str, root: str, month: str) -> None:
    name = parse_contract_name(symbol)

    assert name is not None
    assert (name.root, str(name.month_on(AUTUMN))) == (root, month)


@pytest.mark.parametrize(
    "symbol",
    ["", "ES", "AAPL", "@ES#", "ES1!", "ES.v.0", "ESH4-ESM4", "ESZ3.BID", "ESZ", "ESZ123", "ES_201313", "ES_20131220",
     "13Z3", "_201312", "ESY3", "BTC-USD", "ES 13-13", "ESZ٣"],
)  # fmt: skip
def test_what_names_no_single_contract_is_none(symbol: str) -> None:
    assert parse_contract_name(symbol) is None


@pytest.mark.parametrize(
    ("symbol", "on", "month"),
    [
        ("ESZ3", "2013-12-20", "2013-12"),
        ("ESZ3", "2014-01-02", "2013-12"),
        ("ESZ3", "2014-02-03", "2023-12"),
        ("ESZ3", "2022-11-01", "2023-12"),
        ("ESH0", "2019-12-30", "2020-03"),
        ("ESF0", "2020-02-28", "2020-01"),
        ("ESZ99", "1999-06-01", "1999-12"),
        ("ESH00", "1999-12-31", "2000-03"),
        ("ESZ2013", "2024-01-02", "2013-12"),
    ],
)
def test_short_years_are_the_nearest_not_over_on_the_bars_day(symbol: str, on: str, month: str) -> None:
    name = parse_contract_name(symbol)

    assert name is not None
    assert str(name.month_on(day(on))) == month


@given(MONTHS, st.sampled_from([1, 2, 4]), st.integers(0, 8 * 365))
def test_a_bar_within_eight_years_before_its_month_finds_it(month: ContractMonth, digits: int, ahead: int) -> None:
    text = f"{month.year:04d}"[-digits:]
    name = parse_contract_name(f"ES{MONTH_CODES[month.month - 1]}{text}")

    assert name == ContractName("ES", month.month, int(text), digits)
    assert name.month_on(date(month.year, month.month, 28) - timedelta(days=ahead)) == month


def test_contract_months_order_by_time() -> None:
    months = [ContractMonth(2014, 3), ContractMonth(2013, 12), ContractMonth(2014, 1)]

    assert [str(month) for month in sorted(months)] == ["2013-12", "2014-01", "2014-03"]
    assert (ContractMonth(2014, 3).code, ContractMonth(2013, 12).code) == ("H", "Z")


def test_a_month_is_read_from_year_and_month_only() -> None:
    assert parse_month("2013-12") == ContractMonth(2013, 12)
    assert [parse_month(text) for text in (None, "", "2013-13", "2013-1", "201312")] == [None] * 5


def test_a_book_knows_its_roots_contracts_only() -> None:
    book = ContractBook("es")

    assert book.month_of("ESZ3", AUTUMN) == ContractMonth(2013, 12)
    assert book.month_of("MESZ3", AUTUMN) is None
    assert book.month_of("SPY", AUTUMN) is None
    assert [book.can_name(symbol) for symbol in ("ESZ3", "MESZ3", "SPY")] == [True, False, False]


def test_one_symbol_is_two_contracts_ten_years_apart() -> None:
    book = ContractBook("ES")

    assert book.month_of("ESZ3", day("2013-09-20")) == ContractMonth(2013, 12)
    assert book.month_of("ESZ3", day("2023-09-20")) == ContractMonth(2023, 12)


def test_reference_data_win_over_the_name_while_they_hold() -> None:
    listed = ListedContract("X1", "CL", ContractMonth(2014, 1), day("2013-12-19"), day("2013-01-01"), day("2013-12-19"))
    renamed = ListedContract("CLG4", month=ContractMonth(2014, 3))
    book = ContractBook("CL", [listed, renamed])

    assert book.month_of("X1", day("2013-12-19")) == ContractMonth(2014, 1)
    assert book.listed_expiry("X1", day("2013-12-19")) == day("2013-12-19")
    assert book.month_of("X1", day("2013-12-20")) is None
    assert book.listed_expiry("X1", day("2013-12-20")) is None
    # What they leave out is the name's.
    assert book.month_of("CLG4", AUTUMN) == ContractMonth(2014, 3)


def test_a_symbol_that_reference_data_give_to_another_root_is_not_this_ones() -> None:
    book = ContractBook("ES", [ListedContract("ESZ3", "SP", ContractMonth(2013, 12))])

    assert book.month_of("ESZ3", AUTUMN) is None


def test_the_roots_there_are_come_from_names_and_reference_data() -> None:
    assert roots_of(["ESZ3", "ESH4", "SPY", "NQ 12-13"], [ListedContract("X1", "cl")]) == ["CL", "ES", "NQ"]
