"""LEAN factor files."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.errors import SourceRejected
from marketdata_pipelines.sources.reference.lean_factors import (
    factor_symbol,
    first_day_after,
    looks_like_factors,
    read_factors,
)
from marketdata_pipelines_tests.builders import day


def read(text: str, name: str = "aapl.csv") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read_factors(text.encode(), name).to_pylist()
    return rows


def values(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def test_a_change_of_factors_is_an_action_on_the_next_weekday() -> None:
    rows = read("19980102,0.8,0.25,1\n20140606,0.8,0.25,645.57\n20140806,0.8,0.5,94.97\n20501231,1,0.5,0\n")

    assert values(rows, "row", "line", "symbol", "ex_date", "kind", "ratio", "price_factor", "rules") == [
        (2, 2, "AAPL", day("2014-06-09"), "split", 2.0, None, None),
        (3, 3, "AAPL", day("2014-08-07"), "factor", None, 0.8, None),
        (4, 4, "AAPL", day("2051-01-02"), "split", 2.0, None, None),
    ]
    assert rows[1]["reference_close"] == 94.97
    assert rows[1]["note"] == "price factor 0.8 before, 1.0 after"


def test_both_factors_may_change_on_one_day() -> None:
    rows = read("20200102,0.5,0.25,10\n20501231,1,1,0\n")

    assert values(rows, "row", "kind") == [(1, "factor"), (1, "split")]


def test_rows_are_taken_by_date_whatever_their_order() -> None:
    rows = read("20501231,1,1,0\n20200102,0.5,1,10\n")

    assert values(rows, "row", "line", "ex_date", "price_factor") == [(2, 2, day("2020-01-03"), 0.5)]


def test_bad_rows_are_named_and_the_change_falls_to_the_row_before() -> None:
    rows = read(
        "20190102,0.5,1,10\n20200132,0.6,1,10\n20200103,inf,1,10\n20200106,0.7,0,10\n20200107\nx,y,z,q\n20501231,1,1,0\n"
    )

    assert values(rows, "row", "rules") == [
        (1, None),
        (2, "action_bad_date"),
        (3, "action_bad_factor"),
        (4, "action_bad_factor"),
        (5, "action_bad_line"),
        (6, "action_bad_date;action_bad_factor"),
    ]
    assert rows[0]["price_factor"] == 0.5


def test_of_two_rows_of_one_date_the_later_counts() -> None:
    rows = read("20200102,0.5,1,10\n20200102,0.8,1,10\n20501231,1,1,0\n")

    assert values(rows, "row", "rules", "price_factor") == [(1, "action_repeated_date", None), (2, None, 0.8)]


def test_a_file_that_changes_nothing_has_no_actions() -> None:
    assert read("19980102,1,1\n20501231,1,1\n") == []


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(SourceRejected):
        read("\n")


@pytest.mark.parametrize(
    ("last", "ex_date"),
    [
        ("2014-06-05", "2014-06-06"),
        ("2014-06-06", "2014-06-09"),
        ("2014-06-07", "2014-06-09"),
        ("2014-06-08", "2014-06-09"),
    ],
)
def test_the_day_after_a_session_is_no_weekend(last: str, ex_date: str) -> None:
    assert first_day_after(day(last)) == day(ex_date)


@pytest.mark.parametrize(
    ("name", "symbol"),
    [("AAPL.factor.csv", "AAPL"), ("factor_files/aapl.csv", "AAPL"), ("c:\\lean\\brk.b.csv", "BRK.B"), ("spy", "SPY")],
)
def test_the_symbol_is_the_files_name(name: str, symbol: str) -> None:
    assert factor_symbol(name) == symbol


@pytest.mark.parametrize(
    ("text", "is_factors"),
    [
        ("19980102,0.86,0.008,1\n", True),
        ("\n19980102,1,1\n", True),
        ("20200102,inf,1,0\n", True),
        ("19980102,aapl,Q\n", False),
        ("date,price,split\n", False),
        ("", False),
    ],
)
def test_factor_files_are_known_by_their_first_line(text: str, is_factors: bool) -> None:
    assert looks_like_factors(text) is is_factors


@given(
    st.dictionaries(
        st.dates(date(1998, 1, 1), date(2040, 1, 1)),
        st.tuples(st.floats(0.01, 1.0), st.sampled_from([0.25, 0.5, 1.0, 10.0])),
        min_size=1,
        max_size=8,
    )
)
def test_products_of_actions_are_the_files_factors_again(rows: dict[date, tuple[float, float]]) -> None:
    text = "".join(f"{own:%Y%m%d},{price!r},{split!r},1\n" for own, (price, split) in sorted(rows.items()))

    actions = read(text + "20501231,1,1,0\n")

    for own, (price, split) in rows.items():
        found_price, found_split = 1.0, 1.0
        for action in actions:
            if action["row"] > sum(other < own for other in rows):
                found_price *= action["price_factor"] or 1.0
                found_split /= action["ratio"] or 1.0
        assert (found_price, found_split) == pytest.approx((price, split))
