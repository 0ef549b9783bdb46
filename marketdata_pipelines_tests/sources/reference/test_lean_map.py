"""Map files in LEAN's form: ranges of tickers by last date."""

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.errors import SourceRejected
from marketdata_pipelines.sources.reference.lean_map import (
    looks_like_map,
    map_entity,
    map_spans,
    read_lean_map,
    read_map_rows,
)

LINES = st.lists(
    st.builds(
        lambda day, ticker, tail: f"{day},{ticker}{tail}",
        st.sampled_from(["20100104", "20110322", "20110323", "20501231", "20101301", "2010", "", "x"]),
        st.sampled_from(["qqq", "QQQQ", "", " ab ", "b.a", '"c"']),
        st.sampled_from(["", ",Q", ",,", ",Q,extra"]),
    ),
    max_size=8,
)


def spans(text: str) -> list[str]:
    return [
        f"{span.ticker} {span.first_date or ''}..{span.last_date or ''} {span.exchange}".rstrip()
        for span in read_lean_map(text.encode(), "x.csv")
    ]


def test_each_row_is_the_last_date_of_its_ticker() -> None:
    text = "19990310,qqq,Q\n20041130,qqq,Q\n20110322,qqqq,Q\n20501231,qqq,Q\n"

    assert spans(text) == ["QQQ 1999-03-10..2004-11-30 Q", "QQQQ 2004-12-01..2011-03-22 Q", "QQQ 2011-03-23.. Q"]


def test_the_two_classes_of_google_meet_in_one_ticker() -> None:
    assert spans("20140327,goocv\n20140402,goocv\n20501231,goog") == [
        "GOOCV 2014-03-27..2014-04-02",
        "GOOG 2014-04-03..",
    ]
    assert spans("20040819,goog\n20140402,goog\n20501231,googl") == [
        "GOOG 2004-08-19..2014-04-02",
        "GOOGL 2014-04-03..",
    ]


def test_a_last_date_before_the_open_end_is_a_delisting() -> None:
    assert spans("20010102,abc,N\r\n20080915,abc,N\r\n") == ["ABC 2001-01-02..2008-09-15 N"]


@pytest.mark.parametrize(
    "text",
    [
        "\n19990310,qqq,Q\n\n   \n20041130,QQQ,Q\n20501231,QqQ,Q",
        "\ufeff19990310 , qqq , Q\r20041130,qqq,Q\r20501231,qqq,Q\r",
        '"19990310","qqq","Q"\n20041130,qqq,Q\n20501231,qqq,Q\n',
    ],
)
def test_case_blanks_and_empty_lines_do_not_matter(text: str) -> None:
    assert spans(text) == ["QQQ 1999-03-10.. Q"]


def test_the_exchange_may_be_missing() -> None:
    assert spans("19980102,spy\n20501231,spy,\n") == ["SPY 1998-01-02.."]


def test_one_row_does_not_say_when_its_ticker_began() -> None:
    assert spans("20501231,spy,P") == ["SPY .. P"]
    assert spans("20080915,leh,N") == ["LEH ..2008-09-15 N"]


def test_a_first_row_of_another_ticker_is_its_only_day() -> None:
    assert spans("20010102,aaa\n20020102,bbb\n") == ["AAA 2001-01-02..2001-01-02", "BBB 2001-01-03..2002-01-02"]


def test_listed_and_delisted_on_one_day() -> None:
    assert spans("20010102,aaa\n20010102,aaa\n") == ["AAA 2001-01-02..2001-01-02"]


def test_bad_lines_are_kept_with_their_rule_and_place() -> None:
    text = "19990310,qqq\n\n2004113,qqq\n20110322,\n20110322\n20041130,qqq\n20010101,qqq\n20501231,qqq\n"

    rows = read_map_rows(text.encode(), "qqq.csv")

    assert [(row.row, row.line, row.rules) for row in rows] == [
        (1, 1, None),
        (2, 3, "map_bad_date"),
        (3, 4, "map_bad_ticker"),
        (4, 5, "row_too_short"),
        (5, 6, None),
        (6, 7, "map_out_of_order"),
        (7, 8, None),
    ]
    assert rows[1].original == "2004113,qqq"
    assert [span.ticker for span in map_spans(rows)] == ["QQQ"]


def test_rows_behind_the_open_end_are_out_of_order() -> None:
    rows = read_map_rows(b"20010102,a\n20501231,a\n20501231,b\n20600101,c", "a.csv")

    assert [row.rules for row in rows] == [None, None, "map_out_of_order", None]
    assert [span.ticker for span in map_spans(rows)] == ["A"]


def test_a_file_without_lines_is_refused() -> None:
    with pytest.raises(SourceRejected, match="is empty") as refused:
        read_lean_map(b"\n  \n", "qqq.csv")
    assert refused.value.rule == "empty_file"


@pytest.mark.parametrize(
    ("name", "entity"),
    [
        ("QQQ.map.csv", "QQQ"),
        ("map_files/qqq.csv", "QQQ"),
        ("C:\\maps\\fb.1.csv", "FB.1"),
        ("brk.b.csv.gz", "BRK.B"),
        ("brk.b.map.csv", "BRK.B"),
        ("spy", "SPY"),
    ],
)
def test_the_file_is_named_after_its_instrument(name: str, entity: str) -> None:
    assert map_entity(name) == entity


def test_a_map_is_known_by_its_first_line() -> None:
    assert looks_like_map("\n19990310,qqq,Q\n")
    assert looks_like_map("20501231,3com")
    assert not looks_like_map("20501231,0.99,1")
    assert not looks_like_map("19990310,qqq,Q,645.57")
    assert not looks_like_map("instrument_id,symbol")
    assert not looks_like_map("")


@given(LINES)
def test_spans_follow_each_other(lines: list[str]) -> None:
    text = "\n".join(lines)
    if not text.strip():
        return

    found = read_lean_map(text.encode(), "x.csv")

    for before, after in pairwise(found):
        assert (before.last_date or date.max) < (after.first_date or date.min)
        assert before.ticker != after.ticker
    assert all((span.first_date or date.min) <= (span.last_date or date.max) for span in found)


@given(st.binary(max_size=200))
def test_any_bytes_give_rows_or_a_refusal(content: bytes) -> None:
    try:
        rows = read_map_rows(content, "x.csv")
    except SourceRejected:
        return
    assert [row.row for row in rows] == list(range(1, len(rows) + 1))
    assert all(row.rules is None or row.original.strip() for row in rows)
    map_spans(rows)
