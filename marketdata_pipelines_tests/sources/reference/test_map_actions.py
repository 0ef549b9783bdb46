"""LEAN map files as actions."""

from pathlib import Path
from typing import Any

import pytest

from marketdata_pipelines.errors import SourceRejected
from marketdata_pipelines.sources.reference.map_actions import read_map_actions
from marketdata_pipelines_tests.builders import day


def read(text: str, name: str = "meta.csv") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read_map_actions(text.encode(), name).to_pylist()
    return rows


def values(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def test_a_new_ticker_is_a_change_of_symbol_after_the_olds_last_date() -> None:
    rows = read("20120518,fb,Q\n20220608,fb,Q\n20501231,meta,Q\n")

    assert values(rows, "row", "symbol", "kind", "new_symbol", "ex_date", "rules") == [
        (2, "FB", "symbol_change", "META", day("2022-06-09"), None)
    ]


def test_a_last_date_that_is_not_open_is_a_delisting() -> None:
    rows = read("20000103,gone,N\n20080912,gone,N\n")

    assert values(rows, "symbol", "kind", "ex_date") == [("GONE", "delisting", day("2008-09-15"))]


def test_one_ticker_for_ever_tells_nothing() -> None:
    assert read("19980102,spy,P\n20501231,spy,P\n") == []


def test_bad_rows_are_named() -> None:
    rows = read("20120518,fb,Q\n2022,fb,Q\n20501231,fb,Q\n")

    assert values(rows, "row", "rules", "original") == [(2, "map_bad_date", "2022,fb,Q")]


def test_dates_at_the_end_of_time_are_no_error() -> None:
    assert read("99991231,a\n") == []
    assert [row["kind"] for row in read("99991230,a\n99991231,b\n")] == ["symbol_change"]


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(SourceRejected):
        read(" \n")


def test_a_fund_that_changed_its_ticker_and_took_it_back(shared_data: Path) -> None:
    rows = read((shared_data / "corporate_actions" / "QQQ.map.csv").read_text(), "QQQ.map.csv")

    assert values(rows, "symbol", "new_symbol", "ex_date") == [
        ("QQQ", "QQQQ", day("2004-12-01")),
        ("QQQQ", "QQQ", day("2011-03-23")),
    ]
