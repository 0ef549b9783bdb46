"""Files of corporate actions with a header."""

from typing import Any

import pytest

from marketdata_pipelines.domain.actions import RAW_ACTION_SCHEMA
from marketdata_pipelines.errors import SourceRejected
from marketdata_pipelines.sources.reference.actions_csv import read_actions_csv
from marketdata_pipelines_tests.builders import column, day


def read(text: str, name: str = "actions.csv") -> list[dict[str, Any]]:
    table = read_actions_csv(text.encode(), name)
    assert table.schema == RAW_ACTION_SCHEMA
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def values(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def test_a_file_with_kinds_gives_an_action_a_row() -> None:
    rows = read(
        "symbol,ex_date,kind,ratio,amount,currency,new_symbol,announced,status,note\n"
        "AAPL,2014-06-09,split,7:1,,,,2014-04-23,,\n"
        "AAPL,2014-05-08,cash_dividend,,3.29,USD,,,active,quarterly\n"
        "FB,2022-06-09,symbol_change,,,,META,,,\n"
        "XYZ,2020-01-02,delisting,,,,,,,\n"
    )

    assert values(rows, "row", "line", "symbol", "kind", "rules") == [
        (1, 2, "AAPL", "split", None),
        (2, 3, "AAPL", "cash_dividend", None),
        (3, 4, "FB", "symbol_change", None),
        (4, 5, "XYZ", "delisting", None),
    ]
    assert rows[0]["ratio"] == 7.0
    assert rows[0]["announced"] == day("2014-04-23")
    assert rows[1]["amount"] == 3.29
    assert rows[1]["currency"] == "USD"
    assert rows[1]["original"] == "AAPL,2014-05-08,cash_dividend,,3.29,USD,,,active,quarterly"
    assert rows[2]["new_symbol"] == "META"


def test_the_wide_form_gives_an_action_for_each_cell_that_says_something() -> None:
    rows = read(
        "Date,Symbol,Stock Splits,Dividends\n"
        "2014-06-06,AAPL,0.0,0.0\n"
        "2014-06-09,AAPL,7.0,0.0\n"
        "2014-08-07,AAPL,0.0,0.47\n"
        "2014-08-08,BOTH,2.0,0.10\n"
    )

    assert values(rows, "row", "symbol", "kind", "ratio", "amount", "rules") == [
        (2, "AAPL", "split", 7.0, None, None),
        (3, "AAPL", "cash_dividend", None, 0.47, None),
        (4, "BOTH", "split", 2.0, None, None),
        (4, "BOTH", "cash_dividend", None, 0.1, None),
    ]


def test_a_history_with_prices_and_zoned_times_is_of_the_symbol_in_its_name() -> None:
    rows = read(
        "Date,Open,High,Low,Close,Volume,Dividends,Stock Splits,Capital Gains\n"
        "2014-06-09 00:00:00-04:00,92.7,93.9,91.8,93.7,75415000,0.0,7.0,0.0\n",
        "downloads/BRK.B.csv",
    )

    assert values(rows, "symbol", "ex_date", "kind") == [("BRK.B", day("2014-06-09"), "split")]


def test_a_calendar_of_dividends_prefers_the_ex_date() -> None:
    rows = read(
        "Symbol,Declaration Date,Record Date,Ex/EFF Date,Type,Cash Amount\n"
        'MSFT,03/11/2024,05/16/2024,05/15/2024,Cash,"$0.75"\n'
    )

    assert values(rows, "ex_date", "kind", "amount", "announced") == [
        (day("2024-05-15"), "cash_dividend", 0.75, day("2024-03-11"))
    ]


def test_semicolons_come_with_decimal_commas_and_days_first() -> None:
    rows = read("sep=;\nSymbol;Datum;Date;Type;Dividend\nSAP;x;16.05.2024;Dividend;2,20\n")

    assert values(rows, "symbol", "ex_date", "amount") == [("SAP", day("2024-05-16"), 2.2)]


def test_lines_count_from_the_files_first_one_and_rows_from_the_headers_next() -> None:
    rows = read("# kept by hand\n\nsymbol,date,kind,ratio\n\nA,2024-03-08,split,2\n# gone\nB,2024-03-08,split,3\n")

    assert values(rows, "row", "line", "symbol") == [(1, 5, "A"), (2, 7, "B")]


@pytest.mark.parametrize(
    ("line", "rules"),
    [
        ("A,2024-13-08,split,2,,", "action_bad_date"),
        ("A,,split,2,,", "action_bad_date"),
        (",2024-03-08,split,2,,", "action_no_symbol"),
        ("A,2024-03-08,party,2,,", "action_unknown_kind"),
        ("A,2024-03-08,,,,", "action_unknown_kind"),
        ("A,2024-03-08,split,,,", "action_bad_ratio"),
        ("A,2024-03-08,split,0,,", "action_bad_ratio"),
        ("A,2024-03-08,split,-2,,", "action_bad_ratio"),
        ("A,2024-03-08,split,two,,", "action_bad_ratio"),
        ("A,2024-03-08,split,1e300:1e-300,,", "action_bad_ratio"),
        ("A,2024-03-08,reverse split,10,,", "action_wrong_way"),
        ("A,2024-03-08,dividend,,,", "action_bad_amount"),
        ("A,2024-03-08,dividend,,much,", "action_bad_amount"),
        ("A,2024-03-08,symbol_change,,,", "action_no_new_symbol"),
        ("A,2024-03-08,split,2,,,more", "action_bad_line"),
        ("A\0,2024-03-08,split,2,,", "action_bad_line"),
        ('"A,2024-03-08,split,2,,', "action_bad_line"),
        ("A\ufffd,2024-03-08,split,2,,", "action_bad_symbol"),
        (",x,split,two,,", "action_bad_date;action_bad_ratio;action_no_symbol"),
        ("=cmd|' /C calc'!A0,2024-03-08,split,2,,", None),
    ],
)
def test_a_bad_row_says_what_is_wrong_and_the_others_are_read(line: str, rules: str | None) -> None:
    rows = read(
        f"symbol,date,kind,ratio,amount,new_symbol\nGOOD,2024-03-07,split,2,,\n{line}\nGOOD,2024-03-11,split,2,,\n"
    )

    assert [row["rules"] for row in rows] == [None, rules, None]
    assert rows[1]["original"] == line


def test_cancelled_rows_need_no_values() -> None:
    rows = read("symbol,date,kind,ratio,status\nA,2024-03-08,split,,Canceled\nA,2024-03-08,split,2,maybe\n")

    assert values(rows, "status", "rules") == [("cancelled", None), (None, "action_bad_status")]


def test_a_header_without_rows_is_a_file_without_actions() -> None:
    assert read("symbol,ex_date,kind,ratio\n") == []


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("symbol,kind,ratio\nA,split,2\n", "missing_column"),
        ("symbol,ex_date,note\nA,2024-03-08,x\n", "missing_column"),
        ("symbol,date,kind,ratio,ratio\nA,2024-03-08,split,2,2\n", "duplicate_header"),
        ("<html><body>404</body></html>", "action_file_unreadable"),
        ("A,2024-03-08,split,2\n", "action_file_unreadable"),
        ("\n\n", "empty_file"),
    ],
)
def test_a_file_that_cannot_be_understood_is_refused(text: str, rule: str) -> None:
    with pytest.raises(SourceRejected, match=r"actions\.csv") as caught:
        read(text)

    assert caught.value.rule == rule


def test_a_thousand_rows_keep_their_order() -> None:
    text = "symbol,date,kind,ratio\n" + "".join(f"S{number},2024-03-08,split,2\n" for number in range(1000))

    table = read_actions_csv(text.encode(), "a.csv")

    assert column(table, "row") == list(range(1, 1001))
