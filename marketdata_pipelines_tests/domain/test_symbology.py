"""Which instrument a symbol was on a date."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.domain.instruments import standing_instruments
from marketdata_pipelines.domain.symbology import Resolver
from marketdata_pipelines.errors import ReferenceConflict
from marketdata_pipelines.sources.reference.instruments_csv import read_instruments
from marketdata_pipelines_tests.instrument_rows import alias, day, resolver_of

EPOCH = date(1970, 1, 1)
GOOG = resolver_of(
    alias("GOOG", "GOOCV", "2014-03-27", "2014-04-02"),
    alias("GOOG", "GOOG", "2014-04-03"),
    alias("GOOGL", "GOOG", "2004-08-19", "2014-04-02"),
    alias("GOOGL", "GOOGL", "2014-04-03"),
)
REUSED = resolver_of(
    alias("META", "FB", "2012-05-18", "2022-06-08"),
    alias("META", "META", "2022-06-09"),
    alias("METV", "META", "2021-06-30", "2022-01-28"),
    alias("METV", "METV", "2022-01-31"),
)
# Aliases of few instruments on few days, so that they touch, leave gaps and overlap.
ALIASES = st.lists(
    st.builds(
        lambda name, symbol, begins, length: alias(
            name,
            symbol,
            None if begins == 0 else str(EPOCH + timedelta(days=begins)),
            None if length == 12 else str(EPOCH + timedelta(days=begins + length)),
        ),
        st.sampled_from("ABCD"),
        st.sampled_from("XYZ"),
        st.integers(0, 30),
        st.integers(0, 12),
    ),
    max_size=7,
)
DAYS = [EPOCH + timedelta(days=number) for number in range(45)]


def scalar(resolver: Resolver, symbol: str, on: date) -> str | None:
    """The instrument, or a mark where it is refused."""
    try:
        return resolver.id_of(symbol, on)
    except ReferenceConflict:
        return "!"


def test_a_class_split_hands_the_symbol_over() -> None:
    assert GOOG.id_of("GOOG", date(2014, 4, 2)) == "GOOGL"
    assert GOOG.id_of("GOOG", date(2014, 4, 3)) == "GOOG"
    assert GOOG.id_of("GOOGL", date(2014, 4, 3)) == "GOOGL"
    assert GOOG.id_of("GOOGL", date(2014, 4, 2)) is None


def test_a_renamed_instrument_is_one() -> None:
    assert REUSED.id_of("FB", date(2022, 6, 8)) == REUSED.id_of("META", date(2022, 6, 9)) == "META"
    assert REUSED.names("META") == [
        ("FB", date(2012, 5, 18), date(2022, 6, 8)),
        ("META", date(2022, 6, 9), None),
    ]


def test_a_reused_symbol_is_two() -> None:
    assert REUSED.ids_of("META", date(2022, 1, 1), date(2022, 12, 31)) == [
        ("METV", date(2022, 1, 1), date(2022, 1, 28)),
        ("META", date(2022, 6, 9), date(2022, 12, 31)),
    ]


def test_a_known_symbol_outside_its_aliases_is_unresolved() -> None:
    assert REUSED.id_of("META", date(2022, 3, 1)) is None
    assert REUSED.symbol_of("META", date(2012, 5, 17)) is None
    assert REUSED.ids_of("META", date(2022, 2, 1), date(2022, 3, 1)) == []


def test_a_symbol_nobody_knows_is_an_instrument_of_its_own() -> None:
    found = REUSED.id_of("BTC-USD", date(2022, 3, 1))

    assert found == "symbol:BTC-USD"
    assert REUSED.symbol_of(found, date(1999, 1, 1)) == "BTC-USD"
    assert REUSED.aliases(found) == [("BTC-USD", None, None)]
    assert REUSED.has(found)
    assert not REUSED.knows("BTC-USD")
    assert not REUSED.has("symbol:META")
    assert REUSED.names("symbol:META") == []


def test_the_rename_chain_of_a_map_file_is_one_instrument(shared_data: Path) -> None:
    content = (shared_data / "corporate_actions" / "QQQ.map.csv").read_bytes()
    resolver = Resolver(standing_instruments([read_instruments(content, "QQQ.map.csv")]))

    assert resolver.aliases("QQQ") == [
        ("QQQ", day("1999-03-10"), day("2004-11-30")),
        ("QQQQ", day("2004-12-01"), day("2011-03-22")),
        ("QQQ", day("2011-03-23"), None),
    ]
    assert [resolver.symbol_of("QQQ", date(year, 1, 5)) for year in (2000, 2008, 2020)] == ["QQQ", "QQQQ", "QQQ"]
    assert resolver.id_of("QQQ", date(2008, 1, 2)) is None
    assert resolver.id_of("QQQQ", date(2008, 1, 2)) == "QQQ"
    assert resolver.id_of("QQQ", date(1999, 3, 9)) is None


def test_a_day_of_two_bearers_is_refused_and_its_neighbours_are_not() -> None:
    resolver = resolver_of(alias("GOOG", "GOOG", "2014-03-27"), alias("GOOGL", "GOOG", "2004-08-19", "2014-04-02"))

    with pytest.raises(ReferenceConflict, match=r"GOOG is the symbol of two .* 2014-03-27 to 2014-04-02 .GOOG, GOOGL"):
        resolver.id_of("GOOG", date(2014, 3, 27))
    with pytest.raises(ReferenceConflict):
        resolver.ids_of("GOOG", date(2014, 4, 1))
    with pytest.raises(ReferenceConflict):
        resolver.names("GOOGL")
    assert resolver.id_of("GOOG", date(2014, 3, 26)) == "GOOGL"
    assert resolver.id_of("GOOG", date(2014, 4, 3)) == "GOOG"
    assert resolver.names("GOOGL", None, date(2014, 3, 26)) == [("GOOG", date(2004, 8, 19), date(2014, 3, 26))]
    assert [claims for claims, _, _ in resolver.bearers("GOOG")] == [("GOOGL",), ("GOOG", "GOOGL"), ("GOOG",)]


def test_an_instrument_with_two_symbols_on_a_day_has_no_name_then() -> None:
    resolver = resolver_of(alias("A", "X", None, "2010-01-01"), alias("A", "Y", "2005-01-01", "2012-01-01"))

    assert resolver.id_of("X", date(2006, 1, 1)) == resolver.id_of("Y", date(2006, 1, 1)) == "A"
    with pytest.raises(ReferenceConflict, match="instrument with two symbols from 2005-01-01 to 2010-01-01"):
        resolver.symbol_of("A", date(2006, 1, 1))
    assert resolver.symbol_of("A", date(2004, 12, 31)) == "X"


def test_whole_columns_name_the_row_that_is_refused() -> None:
    resolver = resolver_of(alias("A", "X", None, "2010-01-01"), alias("B", "X", "2005-01-01"))
    days = np.array([(date(2004, 1, 1) - EPOCH).days, (date(2006, 1, 1) - EPOCH).days])

    with pytest.raises(ReferenceConflict, match="X is the symbol of two"):
        resolver.resolve(np.zeros(2, np.int32), ["X"], days)


def test_rows_without_symbol_and_empty_tables_resolve_to_nothing() -> None:
    nobody = resolver_of()

    found = nobody.resolve(np.array([0, -1], np.int32), ["X"], np.array([0, 0]))

    assert [found.ids[found.codes[0]], found.codes[1], found.groups[1]] == ["symbol:X", -1, -1]
    assert len(nobody.resolve(np.zeros(0, np.int32), [], np.zeros(0, np.int64)).codes) == 0


@given(ALIASES)
def test_a_symbol_is_one_instruments_on_a_day_and_back(rows: list[dict[str, Any]]) -> None:
    resolver = resolver_of(*rows)

    for symbol in "XYZ":
        for on in DAYS:
            found = scalar(resolver, symbol, on)
            if found in (None, "!"):
                continue
            assert found is not None
            try:
                assert resolver.symbol_of(found, on) == symbol
            except ReferenceConflict:
                # Only where the instrument bore another symbol too.
                assert sum(_covers(part, on) for part in resolver.aliases(found)) > 1


@given(ALIASES)
def test_a_column_resolves_like_its_rows(rows: list[dict[str, Any]]) -> None:
    resolver = resolver_of(*rows)
    symbols = ["Z", "NEW", "X", "Y"]
    wanted = [(code, on) for code in range(4) for on in DAYS]
    expected = [scalar(resolver, symbols[code], on) for code, on in wanted]
    asked = [at for at, found in enumerate(expected) if found != "!"]

    codes = np.array([wanted[at][0] for at in asked], np.int32)
    days = np.array([(wanted[at][1] - EPOCH).days for at in asked], np.int64)
    found = resolver.resolve(codes, symbols, days)

    assert [None if code < 0 else found.ids[code] for code in found.codes] == [expected[at] for at in asked]
    _check_groups(
        found.groups.tolist(), [(expected[at], symbols[wanted[at][0]], wanted[at][1]) for at in asked], resolver
    )


@given(ALIASES, st.integers(0, 44), st.integers(0, 44))
def test_ranges_are_what_their_days_are(rows: list[dict[str, Any]], one: int, other: int) -> None:
    resolver = resolver_of(*rows)
    start, end = DAYS[min(one, other)], DAYS[max(one, other)]

    for symbol in "XYZ":
        by_day = {on: scalar(resolver, symbol, on) for on in DAYS if start <= on <= end}
        if "!" in by_day.values():
            continue
        ranges = resolver.ids_of(symbol, start, end)
        assert {on: name for on in by_day for name, *part in ranges if _covers(("", *part), on)} == {
            on: name for on, name in by_day.items() if name is not None
        }


def _covers(part: Any, on: date) -> bool:
    _, first, last = part
    return (first is None or first <= on) and (last is None or on <= last)


def _check_groups(groups: list[int], rows: list[tuple[str | None, str, date]], resolver: Resolver) -> None:
    """Resolved rows share a group by instrument; unresolved ones by symbol and the bearers before them."""
    meaning: dict[int, object] = {}
    for group, (name, symbol, on) in zip(groups, rows, strict=True):
        before = sum(1 for _, first, _ in resolver.bearers(symbol) if first is None or first <= on)
        means = name if name is not None else (symbol, before)
        assert meaning.setdefault(group, means) == means
    assert len(set(map(str, meaning.values()))) == len(meaning)
