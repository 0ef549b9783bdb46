"""Another feed's bars under the own feed's symbols."""

import pyarrow as pa

from marketdata_pipelines.domain.symbology import Resolver
from marketdata_pipelines.pipeline.quality.renaming import Names
from marketdata_pipelines_tests.builders import Row, bar, bar_table, column
from marketdata_pipelines_tests.instrument_rows import alias, resolver_of

BEFORE, AFTER = "2022-06-08 15:00", "2022-06-09 15:00"
OWN = resolver_of(alias("meta", "FB", None, "2022-06-08"), alias("meta", "META", "2022-06-09", None))
# The other source calls it by its newest name on every day.
OTHER = resolver_of(alias("meta", "META"), alias("apple", "AAPL"))


def named(rows: list[Row], own: Resolver | None = OWN, other: Resolver | None = OTHER) -> list[tuple[str, str]]:
    table = Names(own, other).own_names(bar_table(rows))
    return list(zip(column(table, "symbol"), column(table, "ts"), strict=True))


def test_bars_are_named_as_the_own_feed_names_the_instrument_on_that_day() -> None:
    assert named([bar("META", BEFORE), bar("META", AFTER)]) == [("FB", BEFORE), ("META", AFTER)]


def test_an_instrument_the_own_feed_does_not_know_keeps_its_symbol() -> None:
    assert named([bar("AAPL", AFTER), bar("XYZ", AFTER)]) == [("AAPL", AFTER), ("XYZ", AFTER)]


def test_a_symbol_nobody_or_more_than_one_bore_is_left_out() -> None:
    other = resolver_of(alias("x", "GONE", None, "2020-01-01"), alias("y", "TWO"), alias("z", "TWO"))

    assert named([bar("GONE", AFTER), bar("TWO", AFTER), bar("A", AFTER)], other=other) == [("A", AFTER)]


def test_an_instrument_without_a_symbol_in_the_own_feed_that_day_is_left_out() -> None:
    own = resolver_of(alias("meta", "META", "2022-06-09", None))

    assert named([bar("META", BEFORE), bar("META", AFTER)], own=own) == [("META", AFTER)]


def test_two_symbols_of_one_instrument_give_one_bar_a_time() -> None:
    other = resolver_of(alias("meta", "META"), alias("meta", "META.Q"))

    assert named([bar("META", AFTER, 1.0), bar("META.Q", AFTER, 2.0)], other=other) == [("META", AFTER)]


def test_without_instruments_on_both_sides_names_are_left_as_they_are() -> None:
    table = bar_table([bar("META", BEFORE)])

    for names in (Names(None, None), Names(OWN, None), Names(None, OTHER)):
        assert names.own_names(table) is table
    assert Names(OWN, OTHER).own_names(table.slice(0, 0)).num_rows == 0


def test_renamed_bars_are_sorted_and_keep_their_schema() -> None:
    own = resolver_of(alias("one", "B"), alias("two", "A"))
    other = resolver_of(alias("one", "X"), alias("two", "Y"))
    table = bar_table([bar("X", AFTER), bar("X", BEFORE), bar("Y", AFTER)])

    found = Names(own, other).own_names(table)

    assert list(zip(column(found, "symbol"), column(found, "ts"), strict=True)) == [
        ("A", AFTER), ("B", BEFORE), ("B", AFTER),
    ]  # fmt: skip
    assert found.schema == table.schema
    assert isinstance(found, pa.Table)
