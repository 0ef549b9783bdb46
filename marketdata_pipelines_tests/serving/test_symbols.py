"""Bars by symbol and by instrument."""

import subprocess
import sys
from datetime import date
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.domain.bars import SYMBOL
from marketdata_pipelines.domain.feeds import CalendarSpec
from marketdata_pipelines.domain.filling import expected_buckets, fill_forward
from marketdata_pipelines.domain.sessions import open_calendar
from marketdata_pipelines.errors import ReferenceConflict, SettingsInvalid
from marketdata_pipelines.serving.symbols import (
    Span,
    owners,
    renamed_between,
    reused_between,
    select,
    split_reused,
    with_instrument_ids,
)
from marketdata_pipelines_tests.builders import bar, bar_table, column
from marketdata_pipelines_tests.instrument_rows import alias, resolver_of

D = date
# QQQ was called QQQQ for years; META was another's symbol before it was Facebook's.
KNOWN = resolver_of(
    alias("QQQ", "QQQ", "1999-03-10", "2004-11-30"),
    alias("QQQ", "QQQQ", "2004-12-01", "2011-03-22"),
    alias("QQQ", "QQQ", "2011-03-23"),
    alias("METV", "META", "2021-06-30", "2022-01-28"),
    alias("FACEBOOK", "FB", "2012-05-18", "2022-06-08"),
    alias("FACEBOOK", "META", "2022-06-09"),
)


def bars_of(*rows: str) -> pa.Table:
    """One bar a text `SYMBOL DATE`."""
    return bar_table(bar(symbol, f"{day} 15:00", 10.0 + at) for at, (symbol, day) in enumerate(map(str.split, rows)))


def owned(table: pa.Table) -> list[str]:
    ids = ["-" if name is None else name for name in column(table, "instrument_id")]
    days = [str(day)[:10] for day in table["session_date"].to_pylist()]
    return [f"{symbol} {day} {name}" for symbol, day, name in zip(column(table, "symbol"), days, ids, strict=True)]


def test_each_row_has_the_instrument_its_symbol_named_then() -> None:
    bars = bars_of("META 2022-01-28", "META 2022-03-01", "META 2022-06-09", "FB 2022-06-08", "BTC 2022-06-08")

    found = with_instrument_ids(bars, KNOWN)

    assert owned(found) == [
        "BTC 2022-06-08 symbol:BTC",
        "FB 2022-06-08 FACEBOOK",
        "META 2022-01-28 METV",
        "META 2022-03-01 -",
        "META 2022-06-09 FACEBOOK",
    ]
    assert found.schema.field("instrument_id").type == SYMBOL
    assert with_instrument_ids(found, KNOWN) is found


def test_plain_symbols_and_tables_without_rows_have_ids_too() -> None:
    bars = bars_of("META 2022-06-09")
    plain = bars.set_column(0, "symbol", bars["symbol"].cast(pa.string()))

    found = with_instrument_ids(plain, KNOWN)
    assert column(found, "instrument_id") == ["FACEBOOK"]
    assert found.schema.field("instrument_id").type == pa.string()
    assert with_instrument_ids(bars.slice(0, 0), KNOWN).num_rows == 0
    assert with_instrument_ids(bars.schema.empty_table(), KNOWN).num_rows == 0


def test_a_row_in_contradicting_aliases_is_refused() -> None:
    resolver = resolver_of(alias("A", "X", "2001-01-01"), alias("B", "X", "2002-01-01", "2003-01-01"))

    with pytest.raises(ReferenceConflict, match="X is the symbol of two instruments"):
        with_instrument_ids(bars_of("X 2002-06-03"), resolver)
    assert column(with_instrument_ids(bars_of("X 2003-06-03"), resolver), "instrument_id") == ["A"]


def test_a_question_by_symbol_reads_it_on_all_days_whoever_it_was() -> None:
    selection = select(KNOWN, ["META"], None, D(2022, 1, 1), D(2022, 12, 31))

    assert selection.spans == (
        Span("META", "METV", D(2022, 1, 1), D(2022, 1, 28)),
        Span("META", None, D(2022, 1, 29), D(2022, 6, 8)),
        Span("META", "FACEBOOK", D(2022, 6, 9), D(2022, 12, 31)),
    )
    assert selection.symbols == ["META"]
    bars = bars_of("META 2022-01-28", "META 2022-03-01", "META 2022-06-09", "FB 2022-01-28")
    assert owned(selection.keep(bars)) == [
        "META 2022-01-28 METV", "META 2022-03-01 -", "META 2022-06-09 FACEBOOK",
    ]  # fmt: skip


def test_a_question_by_instrument_follows_its_names() -> None:
    selection = select(KNOWN, None, ["QQQ"], D(2004, 1, 1), D(2012, 12, 31))

    assert selection.spans == (
        Span("QQQ", "QQQ", D(2004, 1, 1), D(2004, 11, 30)),
        Span("QQQQ", "QQQ", D(2004, 12, 1), D(2011, 3, 22)),
        Span("QQQ", "QQQ", D(2011, 3, 23), D(2012, 12, 31)),
    )
    assert selection.symbols == ["QQQ", "QQQQ"]
    bars = bars_of("QQQ 2004-11-30", "QQQQ 2004-12-01", "QQQQ 2011-03-22", "QQQ 2011-03-23", "QQQ 2008-01-02")
    assert owned(selection.keep(bars)) == [
        "QQQ 2004-11-30 QQQ", "QQQQ 2004-12-01 QQQ", "QQQQ 2011-03-22 QQQ", "QQQ 2011-03-23 QQQ",
    ]  # fmt: skip


def test_what_is_combined_by_instrument_is_read_under_all_its_names() -> None:
    assert select(KNOWN, ["META"]).related_symbols == ["FB", "META"]
    assert select(KNOWN, ["QQQQ", "BTC"]).related_symbols == ["BTC", "QQQ", "QQQQ"]
    assert select(KNOWN, None, ["QQQ"], D(2005, 1, 3), D(2006, 1, 3)).related_symbols == ["QQQ", "QQQQ"]
    assert select(KNOWN).related_symbols is None


def test_both_questions_at_once_are_answered_together() -> None:
    selection = select(KNOWN, ["META"], ["FACEBOOK"])
    bars = bars_of("META 2022-01-28", "META 2022-06-09", "FB 2022-06-08", "QQQ 2022-06-08")

    assert selection.symbols == ["FB", "META"]
    assert owned(selection.keep(bars)) == [
        "FB 2022-06-08 FACEBOOK", "META 2022-01-28 METV", "META 2022-06-09 FACEBOOK",
    ]  # fmt: skip


def test_no_question_is_everything() -> None:
    selection = select(KNOWN)
    bars = bars_of("ZZ 2022-06-09", "META 2022-03-01")

    assert selection.symbols is None
    assert owned(selection.keep(bars)) == ["META 2022-03-01 -", "ZZ 2022-06-09 symbol:ZZ"]


def test_a_symbol_nobody_knows_is_read_as_it_is() -> None:
    assert select(KNOWN, ["BTC"], None, D(2022, 1, 1)).spans == (Span("BTC", "symbol:BTC", D(2022, 1, 1), None),)
    assert select(KNOWN, None, ["symbol:BTC"]).symbols == ["BTC"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [("qqq", "did you mean 'QQQ'"), ("META", "META is a symbol of METV, FACEBOOK"), ("NOBODY", "3 are known")],
)
def test_an_unknown_instrument_is_refused_with_what_was_perhaps_meant(name: str, hint: str) -> None:
    with pytest.raises(SettingsInvalid, match=f"there is no instrument '{name}': {hint}"):
        select(KNOWN, None, [name])


def test_an_instrument_without_names_in_the_range_has_nothing_to_read() -> None:
    assert select(KNOWN, None, ["METV"], D(2023, 1, 1)).symbols == []


def test_reused_symbols_are_split_into_tables_of_one_instrument_each() -> None:
    bars = bars_of("META 2022-01-28", "META 2022-03-01", "META 2022-06-09", "FB 2022-01-28", "FB 2022-06-08")

    first, between, last = split_reused(bars, KNOWN)

    assert list(zip(column(first, "symbol"), column(first, "ts"), strict=True)) == [
        ("FB", "2022-01-28 15:00"),
        ("FB", "2022-06-08 15:00"),
        ("META", "2022-01-28 15:00"),
    ]
    assert column(between, "ts") == ["2022-03-01 15:00"]
    assert column(last, "ts") == ["2022-06-09 15:00"]


def test_a_symbol_its_instrument_took_up_again_is_split_too() -> None:
    bars = bars_of("QQQ 2004-11-30", "QQQQ 2004-12-01", "QQQQ 2011-03-22", "QQQ 2011-03-23")

    first, again = split_reused(bars, KNOWN)

    assert column(first, "ts") == ["2004-11-30 15:00", "2004-12-01 15:00", "2011-03-22 15:00"]
    assert column(again, "ts") == ["2011-03-23 15:00"]


def test_nothing_is_split_where_nothing_was_reused() -> None:
    bars = bars_of("QQQ 2004-11-29", "QQQ 2004-11-30", "QQQQ 2004-12-01", "FB 2022-06-08", "BTC 2022-06-08")

    assert split_reused(bars, KNOWN)[0] is bars
    assert split_reused(bars.slice(0, 0), KNOWN)[0].num_rows == 0


def test_filling_forward_does_not_reach_from_one_bearer_to_the_next() -> None:
    bars = bars_of("META 2022-01-27", "META 2022-01-28", "META 2022-06-09", "META 2022-06-10")
    seen = {name: bars[name] for name in ("symbol", "ts", "ts_close", "session_date", "open", "high", "low", "close")}
    more = {"timeframe": pa.array(["1h"] * 4), "volume": bars["volume"], "vwap": bars["vwap"]}
    counts = {"trade_count": bars["trade_count"], "bar_count": pa.array([1] * 4), "is_final": pa.array([True] * 4)}
    whole = pa.table({**seen, "symbol": bars["symbol"].cast(pa.string()), **more, **counts})
    sessions = open_calendar(CalendarSpec("XNYS")).sessions(D(2022, 1, 27), D(2022, 6, 10))
    buckets = expected_buckets(sessions, 3_600_000_000, True)

    joined = fill_forward(whole, buckets)
    apart = [fill_forward(piece, buckets) for piece in split_reused(whole, KNOWN)]

    assert {str(day) for day in joined["session_date"].to_pylist()} >= {"2022-03-01"}
    days = {str(day) for piece in apart for day in piece["session_date"].to_pylist()}
    assert days == {"2022-01-27", "2022-01-28", "2022-06-09", "2022-06-10"}


def test_owners_are_instruments_and_nobody_else_is_called_like_one() -> None:
    # QQQ is also an instrument's id: its days of nobody are not that instrument's.
    bars = bars_of(
        "QQQ 1999-01-04", "QQQ 2004-11-30", "QQQ 2008-01-02", "QQQ 2008-01-03", "QQQQ 2008-01-02", "BTC 2008-01-02"
    )

    found = owners(bars, KNOWN).to_pylist()

    before, first, gap, same_gap = found[1:5]
    assert (found[0], first, found[5]) == ("symbol:BTC", "QQQ", "QQQ")
    assert gap == same_gap
    assert len({before, gap, "QQQ", "symbol:QQQ"}) == 4


def test_a_symbol_changes_hands_when_somebody_begins_or_ceases_to_bear_it() -> None:
    changes = [D(2021, 6, 30), D(2022, 1, 29), D(2022, 6, 9)]

    assert reused_between(KNOWN, "META") == changes
    assert reused_between(KNOWN, "META", D(2022, 1, 29), D(2022, 6, 9)) == [D(2022, 6, 9)]
    assert reused_between(KNOWN, "META", D(2022, 1, 30), D(2022, 6, 8)) == []
    assert reused_between(KNOWN, "BTC") == []


def test_an_instrument_is_renamed_when_its_symbol_changes() -> None:
    assert renamed_between(KNOWN, "QQQ", D(2000, 1, 1)) == [D(2004, 12, 1), D(2011, 3, 23)]
    assert renamed_between(KNOWN, "QQQ", D(2005, 1, 1), D(2011, 3, 22)) == []


@given(
    st.lists(
        st.tuples(st.sampled_from(["META", "FB", "QQQ", "ZZ"]), st.dates(D(2021, 6, 1), D(2022, 7, 1))), max_size=12
    )
)
def test_pieces_are_all_rows_and_in_each_a_symbol_is_one(rows: list[tuple[str, date]]) -> None:
    bars = bars_of(*{f"{symbol} {day}" for symbol, day in rows})

    pieces = split_reused(bars, KNOWN)

    assert sum(piece.num_rows for piece in pieces) == bars.num_rows
    for piece in pieces:
        found: dict[str, Any] = {}
        marked = with_instrument_ids(piece, KNOWN)
        for symbol, name in zip(column(marked, "symbol"), column(marked, "instrument_id"), strict=True):
            assert found.setdefault(symbol, name) == name


@given(st.dates(D(1998, 1, 1), D(2024, 1, 1)), st.dates(D(1998, 1, 1), D(2024, 1, 1)), st.sampled_from(["META", "QQQ"]))
def test_the_spans_of_a_symbol_cover_the_range_without_overlap(one: date, other: date, symbol: str) -> None:
    start, end = min(one, other), max(one, other)

    spans = select(KNOWN, [symbol], None, start, end).spans

    assert spans
    assert (spans[0].first, spans[-1].last) == (start, end)
    assert all(
        before.last and after.first and (after.first - before.last).days == 1 for before, after in pairwise(spans)
    )
    assert all(before.instrument_id != after.instrument_id for before, after in pairwise(spans))


def test_asking_by_symbol_imports_neither_pandas_nor_a_compiler() -> None:
    work = (
        "import sys, pyarrow as pa\n"
        "from marketdata_pipelines.domain.instruments import RAW_INSTRUMENT_SCHEMA, standing_instruments\n"
        "from marketdata_pipelines.domain.symbology import Resolver\n"
        "from marketdata_pipelines.serving.symbols import select\n"
        "part = pa.Table.from_batches([], RAW_INSTRUMENT_SCHEMA)\n"
        "select(Resolver(standing_instruments([part])), ['A'])\n"
        "sys.exit('pandas' in sys.modules or 'numba' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", work], check=False).returncode == 0
