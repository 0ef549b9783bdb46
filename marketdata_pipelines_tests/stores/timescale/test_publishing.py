"""Publishing partitions of bars to a real server: what is written, what is left alone, what the ledger says."""

from datetime import time

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from marketdata_pipelines.domain.bars import BAR_SCHEMA
from marketdata_pipelines.domain.feeds import ClosingAuction, Feed
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.errors import BarsNotSorted, SchemaMismatch, StoreError
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
from marketdata_pipelines.stores.timescale.records import Published
from marketdata_pipelines_tests.builders import CME_BREAK, LATER, make_feed
from marketdata_pipelines_tests.published_bars import Shape, lake_tables, partition_bars

DAY, HALF_DAY, NEXT = "2024-07-02", "2024-07-03", "2024-07-05"
SHAPES = {
    "CENT": Shape(),
    "FINE": Shape(4, 6, unknown_volumes=0.02, price=3.0),
    "TRADED": Shape(with_vwap=True, with_trades=True),
}


@pytest.fixture
def store(store_database: Database) -> TimescaleStore:
    return TimescaleStore(store_database)


@pytest.fixture
def feed() -> Feed:
    return make_feed("XNYS", "1m", name="us", extended_hours=(time(4), time(20)))


def publish(store: TimescaleStore, feed: Feed, bars: pa.Table, inputs: str = "a", partition: str = DAY) -> Published:
    return store.replace_partition(feed, VALIDATED_BARS, partition, bars, inputs, LATER, "run")


def with_value(bars: pa.Table, column: str, row: int, value: float | None) -> pa.Table:
    values = bars[column].to_pylist()
    values[row] = value
    return bars.set_column(
        bars.schema.get_field_index(column), column, pa.array(values, bars.schema.field(column).type)
    )


def of_symbols(bars: pa.Table, *symbols: str) -> pa.Table:
    return bars.filter(pc.is_in(bars["symbol"].cast(pa.string()), value_set=pa.array(symbols, pa.string())))


FEEDS = {
    "stocks with extended hours": (make_feed("XNYS", name="one", extended_hours=(time(4), time(20))), HALF_DAY),
    "closing auction of its own": (make_feed("XNYS", name="one", closing_auction=ClosingAuction.OWN_BAR), HALF_DAY),
    "lunch break": (make_feed("XHKG", name="one"), DAY),
    "futures with a daily break": (make_feed("CMES", name="one", breaks=CME_BREAK), DAY),
    "round the clock": (make_feed("24/7", "5m", name="one"), DAY),
    "foreign exchange": (make_feed("fx", name="one"), "2024-07-07"),
    "seconds": (make_feed("24/7", "30s", name="one"), DAY),
    "hours by month": (make_feed("XNYS", "1h", name="one"), "2024-07-01"),
    "half hours": (make_feed("XHKG", "30m", name="one"), DAY),
    "days by year": (make_feed("XNYS", "1d", name="one"), "2024-01-01"),
    "weeks by year": (make_feed("XNYS", "1w", name="one"), "2024-01-01"),
}


@pytest.mark.parametrize("name", FEEDS)
def test_what_is_published_is_the_lakes_bars_bit_for_bit_and_its_rollups(store: TimescaleStore, name: str) -> None:
    feed, partition = FEEDS[name]
    bars = partition_bars(feed, partition, SHAPES)

    published = publish(store, feed, bars, partition=partition)

    assert (published.rows, published.symbols) == (bars.num_rows, 3)
    assert (published.changed, published.rolled, published.written) == (True, True, bars.num_rows)
    assert store.compare(feed, VALIDATED_BARS, partition, bars) == []
    tables = lake_tables(feed, partition, bars) if feed.interval.is_intraday else {}
    assert store.compare_rollups(feed, partition, tables) == []
    assert store.published(feed.name, VALIDATED_BARS) == {
        partition: store.replace_partition(feed, VALIDATED_BARS, partition, bars, "a", LATER)
    }


def test_equal_rows_are_not_written_again(store: TimescaleStore, feed: Feed) -> None:
    bars = partition_bars(feed, DAY, SHAPES)
    first = publish(store, feed, bars, "a")

    again = publish(store, feed, bars, "b")

    assert (again.changed, again.written, again.inputs, again.rolled) == (False, 0, "b", True)
    assert again.checksum == first.checksum


def test_only_the_corrected_symbol_is_written(store: TimescaleStore, feed: Feed) -> None:
    shapes = {f"S{number}": Shape() for number in range(8)}
    bars = partition_bars(feed, DAY, shapes)
    publish(store, feed, bars)
    corrected = with_value(bars, "volume", 5, 1.0)

    published = publish(store, feed, corrected, "b")

    assert published.written == of_symbols(bars, "S0").num_rows
    assert store.compare(feed, VALIDATED_BARS, DAY, corrected) == []
    assert store.compare_rollups(feed, DAY, lake_tables(feed, DAY, corrected)) == []


@pytest.mark.parametrize("kept", [0, 1, 39, 40])
def test_of_many_symbols_those_that_differ_are_replaced_and_those_gone_removed(
    store: TimescaleStore, feed: Feed, kept: int
) -> None:
    names = [f"S{number:02d}" for number in range(40)]
    sparse = Shape(gaps=0.95)
    before = partition_bars(feed, DAY, dict.fromkeys([*names, "T"], sparse))
    after = pa.concat_tables(
        [
            of_symbols(before, *names[:kept]),
            partition_bars(feed, DAY, dict.fromkeys([*names[kept:], "U"], sparse), seed=1),
        ]
    ).unify_dictionaries()
    publish(store, feed, before)

    published = publish(store, feed, after, "b")

    assert (published.rows, published.symbols) == (after.num_rows, 41)
    assert store.compare(feed, VALIDATED_BARS, DAY, after) == []
    assert store.compare_rollups(feed, DAY, lake_tables(feed, DAY, after)) == []
    assert not publish(store, feed, after, "b").changed


def test_a_difference_names_symbol_instant_column_and_both_values(store: TimescaleStore, feed: Feed) -> None:
    bars = partition_bars(feed, DAY, SHAPES)
    publish(store, feed, bars)
    other = with_value(bars, "close", 7, 1.25).slice(0, bars.num_rows - 1)

    found = store.compare(feed, VALIDATED_BARS, DAY, other)

    assert [(one.symbol, one.ts, one.column, one.store, one.other) for one in found[:1]] == [
        ("CENT", bars["ts"][7].as_py(), "close", bars["close"][7].as_py(), 1.25)
    ]
    assert (found[1].symbol, found[1].column, found[1].other, len(found)) == ("TRADED", "bar", None, 2)
    assert "close is" in str(found[0])


def test_a_rollup_that_disagrees_with_the_lake_is_told(store: TimescaleStore, feed: Feed) -> None:
    bars = partition_bars(feed, DAY, SHAPES)
    publish(store, feed, bars)
    tables = lake_tables(feed, DAY, bars)
    wrong = with_value(tables["bars_1h"], "high", 0, 1e6)

    found = store.compare_rollups(feed, DAY, {**tables, "bars_1h": wrong})

    assert [(one.table, one.symbol, one.column, one.other) for one in found] == [("rollup_1h", "CENT", "high", 1e6)]


def test_an_empty_table_empties_the_partition_and_leaves_the_others(store: TimescaleStore, feed: Feed) -> None:
    bars = {day: partition_bars(feed, day, SHAPES) for day in (DAY, NEXT)}
    for day, table in bars.items():
        publish(store, feed, table, partition=day)

    published = publish(store, feed, BAR_SCHEMA.empty_table(), "empty")

    assert (published.rows, published.symbols, published.changed, published.inputs) == (0, 0, True, "empty")
    assert store.compare(feed, VALIDATED_BARS, DAY, BAR_SCHEMA.empty_table()) == []
    nothing = {name: table.slice(0, 0) for name, table in lake_tables(feed, DAY, bars[DAY]).items()}
    assert store.compare_rollups(feed, DAY, nothing) == []
    assert store.compare(feed, VALIDATED_BARS, NEXT, bars[NEXT]) == []
    assert store.compare_rollups(feed, NEXT, lake_tables(feed, NEXT, bars[NEXT])) == []


def test_a_removed_partition_leaves_nothing(store: TimescaleStore, feed: Feed) -> None:
    bars = partition_bars(feed, DAY, SHAPES)
    publish(store, feed, bars)

    removed = store.remove_partition(feed, VALIDATED_BARS, DAY)

    assert removed == bars.num_rows
    assert store.published(feed.name, VALIDATED_BARS) == {}
    nothing = {name: table.slice(0, 0) for name, table in lake_tables(feed, DAY, bars).items()}
    assert store.compare_rollups(feed, DAY, nothing) == []
    assert store.remove_partition(feed, VALIDATED_BARS, DAY) == 0


def test_a_month_partition_shares_its_chunk_with_its_neighbours(store: TimescaleStore) -> None:
    feed = make_feed("XNYS", "1h", name="hours")
    months = {
        month: partition_bars(feed, month, SHAPES, seed) for seed, month in enumerate(("2024-06-01", "2024-07-01"))
    }
    for month, bars in months.items():
        publish(store, feed, bars, partition=month)

    publish(store, feed, months["2024-06-01"].slice(0, 40), "b", "2024-06-01")

    assert store.compare(feed, VALIDATED_BARS, "2024-06-01", months["2024-06-01"].slice(0, 40)) == []
    assert store.compare(feed, VALIDATED_BARS, "2024-07-01", months["2024-07-01"]) == []
    july = lake_tables(feed, "2024-07-01", months["2024-07-01"])
    assert store.compare_rollups(feed, "2024-07-01", july) == []


def test_finer_prices_open_a_new_series_of_the_symbol(store: TimescaleStore, feed: Feed) -> None:
    coarse, fine = partition_bars(feed, DAY, {"A": Shape(2)}), partition_bars(feed, DAY, {"A": Shape(5)})
    publish(store, feed, coarse)

    publish(store, feed, fine, "b")

    assert store.compare(feed, VALIDATED_BARS, DAY, fine) == []
    assert store.compare_rollups(feed, DAY, lake_tables(feed, DAY, fine)) == []
    with store.database.connection() as connection:
        scales = connection.execute("select price_scale from marketdata.series order by 1").fetchall()
    assert scales == [(2,), (5,)]


def test_prices_without_decimals_turn_the_feed_to_doubles_and_ask_for_everything_again(
    store: TimescaleStore, feed: Feed
) -> None:
    bars = partition_bars(feed, DAY, SHAPES)
    publish(store, feed, bars)
    odd = with_value(partition_bars(feed, NEXT, SHAPES), "close", 3, float(np.pi * 30))

    publish(store, feed, odd, partition=NEXT)

    assert list(store.published(feed.name, VALIDATED_BARS)) == [NEXT]
    assert store.compare(feed, VALIDATED_BARS, NEXT, odd) == []
    assert store.compare_rollups(feed, NEXT, lake_tables(feed, NEXT, odd)) == []
    assert publish(store, feed, bars).changed
    assert store.compare(feed, VALIDATED_BARS, DAY, bars) == []


def test_coarse_tables_are_stored_as_the_lake_holds_them(store: TimescaleStore, feed: Feed) -> None:
    daily = lake_tables(feed, DAY, partition_bars(feed, DAY, SHAPES))["bars_1d"]
    store.replace_partition(feed, "bars_1d", DAY, daily, "a", LATER)
    corrected = with_value(daily, "close", 1, 2.0)

    unchanged = store.replace_partition(feed, "bars_1d", DAY, daily, "a", LATER)
    changed = store.replace_partition(feed, "bars_1d", DAY, corrected, "b", LATER)

    assert (unchanged.changed, changed.written, changed.rows, changed.rolled) == (False, 1, 3, True)
    assert store.compare(feed, "bars_1d", DAY, corrected) == []
    assert [one.column for one in store.compare(feed, "bars_1d", DAY, daily)] == ["close"]


def test_bars_of_another_day_are_refused(store: TimescaleStore, feed: Feed) -> None:
    bars = partition_bars(feed, DAY, SHAPES)

    with pytest.raises(StoreError, match="outside the partition 2024-07-05"):
        publish(store, feed, bars, partition=NEXT)
    with pytest.raises(StoreError, match="no published table bars_5m"):
        store.replace_partition(feed, "bars_5m", DAY, bars, "a", LATER)


def test_bars_that_break_the_lakes_contract_are_refused(store: TimescaleStore, feed: Feed) -> None:
    bars = partition_bars(feed, DAY, SHAPES)

    with pytest.raises(BarsNotSorted):
        publish(store, feed, bars.take(pa.array(np.arange(bars.num_rows)[::-1])))
    with pytest.raises(SchemaMismatch, match="lack session_date"):
        publish(store, feed, bars.drop_columns(["session_date"]))


def test_late_rows_are_merged_and_the_ledger_no_longer_vouches_for_the_lake(store: TimescaleStore, feed: Feed) -> None:
    days = {day: partition_bars(feed, day, SHAPES) for day in (DAY, NEXT)}
    early = {day: bars.take(pa.array(np.arange(0, bars.num_rows, 2))) for day, bars in days.items()}
    for day, bars in early.items():
        publish(store, feed, bars, partition=day)
    late = pa.concat_tables([bars.take(pa.array(np.arange(1, bars.num_rows, 2))) for bars in days.values()])

    noted = store.upsert_rows(feed, late)

    assert [(one.partition, one.inputs, one.rolled, one.rows) for one in noted] == [
        (day, "", True, bars.num_rows) for day, bars in days.items()
    ]
    for day, bars in days.items():
        assert store.compare(feed, VALIDATED_BARS, day, bars) == []
        assert store.compare_rollups(feed, day, lake_tables(feed, day, bars)) == []
        assert not publish(store, feed, bars, partition=day).changed


def test_views_show_bars_in_the_quote_currency(store: TimescaleStore, feed: Feed) -> None:
    bars = partition_bars(feed, DAY, SHAPES)
    publish(store, feed, bars)
    hours = lake_tables(feed, DAY, bars)["bars_1h"]

    with store.database.connection() as connection:
        first = connection.execute(
            "select symbol, ts, ts_close, session_date, open, volume, regular from us.bars_1m"
            " order by symbol, ts limit 1"
        ).fetchone()
        hour = connection.execute(
            "select symbol, ts, ts_close, high, bar_count from us.bars_1h"
            " where st >= '2024-07-02' and st < '2024-07-03' order by symbol, ts limit 1"
        ).fetchone()

    names = ("symbol", "ts", "ts_close", "session_date", "open", "volume", "regular")
    assert first == tuple(bars[name][0].as_py() for name in names)
    assert hour == tuple(hours[name][0].as_py() for name in ("symbol", "ts", "ts_close", "high", "bar_count"))
