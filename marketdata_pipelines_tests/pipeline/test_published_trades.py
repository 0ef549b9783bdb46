"""Trades are published beside the bars they make: the same in the store as in the lake, under the same digest."""

from dataclasses import replace

import pytest

from marketdata_pipelines.domain.feeds import DataKind, Feed, TradeFilter
from marketdata_pipelines.domain.publication import Publication
from marketdata_pipelines.domain.store_tables import store_sets
from marketdata_pipelines.pipeline.bar_trades import stored_bar_trades
from marketdata_pipelines.pipeline.ingest import IngestMode
from marketdata_pipelines.pipeline.published_trades import publish_trades, trades_behind
from marketdata_pipelines.pipeline.publishing import Publisher, PublishOutcome, behind_of, partitions_behind
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
from marketdata_pipelines_tests.builders import LATER, make_feed, raw_trades, source_of, take_in, walk_stale
from marketdata_pipelines_tests.store_databases import store_database, store_dsn

__all__ = ["store_database", "store_dsn"]

FEED = make_feed(
    name="prints",
    data=DataKind.TRADES,
    trade_filter=TradeFilter(ohlc_exclude_conditions=("I",), volume_exclude_conditions=("M",)),
)
BARS = store_sets(FEED)[0]
FRIDAY, MONDAY = "2024-03-08", "2024-03-11"
TRADES = [
    ("A", f"{FRIDAY} 14:30:01.25", 10.01, 100.0),
    ("A", f"{FRIDAY} 14:30:01.25", 10.02, 50.0),
    ("B", f"{FRIDAY} 14:30:02", 5.5, 0.25),
    ("A", f"{FRIDAY} 14:30:59.999999", 10.03, 3.0),
    ("A", f"{FRIDAY} 14:31:00", -1.0, 7.0),
    ("A", f"{FRIDAY} 14:32:00", 10.0, 9.0),
    ("B", f"{MONDAY} 13:31:00", 5.25, 4.0),
]
CONDITIONS = [None, "I", "M", None, None, None, "@"]


def fill(lake: Lake, feed: Feed = FEED) -> None:
    exchange = ["Q", None, "N", "Q", "Q", "Q", "Q"]
    take_in(lake, feed, source_of("t.csv", raw_trades(TRADES, conditions=CONDITIONS, exchange=exchange)))
    walk_stale(lake, feed)


def publish(lake: Lake, store: TimescaleStore, feed: Feed = FEED) -> list[PublishOutcome]:
    publisher = Publisher(lake, store, feed)
    publisher.ready()
    outcomes = list(publisher.publish(BARS, behind_of(lake, store, feed, BARS)))
    publisher.settle()
    return outcomes


def stored(database: Database, columns: str = "symbol, ts::text, ns, seq, price, size") -> list[tuple[object, ...]]:
    with database.connection() as connection:
        query = f"select {columns} from prints.trades_by_symbol order by symbol, st, ns, seq"
        return connection.execute(query.encode()).fetchall()


def test_accepted_trades_are_in_the_store_in_the_order_they_count(lake: Lake, store_database: Database) -> None:
    fill(lake)
    store = TimescaleStore(store_database)

    outcomes = publish(lake, store)

    assert [(each.agrees, [table.table for table in each.tables]) for each in outcomes] == [
        (True, ["trades", "validated_bars"])
    ] * 2
    assert stored(store_database) == [
        ("A", "2024-03-08 14:30:01.25+00", 0, 0, 10.01, 100.0),
        ("A", "2024-03-08 14:30:01.25+00", 0, 1, 10.02, 50.0),
        ("A", "2024-03-08 14:30:59.999999+00", 0, 2, 10.03, 3.0),
        ("A", "2024-03-08 14:32:00+00", 0, 3, 10.0, 9.0),
        ("B", "2024-03-08 14:30:02+00", 0, 0, 5.5, 0.25),
        ("B", "2024-03-11 13:31:00+00", 0, 0, 5.25, 4.0),
    ]
    assert stored(
        store_database, "exchange, conditions, counts_price, counts_volume, session_date::text, st::text"
    ) == [
        ("Q", None, True, True, FRIDAY, f"{FRIDAY} 00:00:01.25"),
        (None, "I", False, True, FRIDAY, f"{FRIDAY} 00:00:01.25"),
        ("Q", None, True, True, FRIDAY, f"{FRIDAY} 00:00:59.999999"),
        ("Q", None, True, True, FRIDAY, f"{FRIDAY} 00:02:00"),
        ("N", "M", True, False, FRIDAY, f"{FRIDAY} 00:00:02"),
        ("Q", "@", True, True, MONDAY, f"{MONDAY} 00:01:00"),
    ]


def test_trades_are_up_to_date_exactly_when_their_bars_are(lake: Lake, store_database: Database) -> None:
    fill(lake)
    store = TimescaleStore(store_database)

    before = behind_of(lake, store, FEED, BARS)
    publish(lake, store)

    assert list(before) == [FRIDAY, MONDAY]
    assert partitions_behind(lake, store, FEED).keys() & {BARS.name} == set()
    trades, bars = (store.published("prints", table) for table in ("trades", "validated_bars"))
    assert {key: each.inputs for key, each in trades.items()} == {key: each.inputs for key, each in bars.items()}
    assert publish_trades(lake, store, FEED, FRIDAY, "")[0] == trades[FRIDAY]


def test_a_correction_replaces_the_trades_of_its_bars_alone(lake: Lake, store_database: Database) -> None:
    fill(lake)
    store = TimescaleStore(store_database)
    publish(lake, store)
    corrected = raw_trades([("A", f"{FRIDAY} 14:30:07", 11.0, 1.0)])

    take_in(lake, FEED, source_of("late.csv", corrected), known_at=LATER + 1, mode=IngestMode.UPSERT)
    not_walked = trades_behind(lake, store, FEED)
    walk_stale(lake, FEED)
    outcomes = publish(lake, store)

    assert not_walked == {}
    assert [(each.partition, each.agrees) for each in outcomes] == [(FRIDAY, True)]
    assert stored(store_database, "symbol, price, size") == [
        ("A", 11.0, 1.0),
        ("A", 10.0, 9.0),
        ("B", 5.5, 0.25),
        ("B", 5.25, 4.0),
    ]


def test_trades_that_differ_from_the_lake_are_written_again(lake: Lake, store_database: Database) -> None:
    fill(lake)
    store = TimescaleStore(store_database)
    publish(lake, store)
    with store_database.connection() as connection:
        connection.execute("delete from prints.trades where seq = 1")

    (outcome,) = Publisher(lake, store, FEED).publish(BARS, [FRIDAY])

    assert (outcome.agrees, outcome.changed) == (True, True)
    assert len(stored(store_database)) == 6


def test_trades_without_decimals_are_kept_as_doubles_with_all_of_the_feed(lake: Lake, store_database: Database) -> None:
    store, third = TimescaleStore(store_database), 1 / 3
    fill(lake)
    publish(lake, store)
    odd = raw_trades([("C", "2024-03-12 13:30:00", third, 2.0), ("C", "2024-03-12 13:30:01", 1.0, third)])
    take_in(lake, FEED, source_of("odd.csv", odd), known_at=LATER + 1)
    walk_stale(lake, FEED)

    first = publish(lake, store)
    second = publish(lake, store)

    assert [each.partition for each in first] == ["2024-03-12"]
    assert [(each.partition, each.agrees) for each in second] == [(FRIDAY, True), (MONDAY, True)]
    assert ("C", third, 2.0) in stored(store_database, "symbol, price, size")
    assert behind_of(lake, store, FEED, BARS) == {}


def test_old_trades_go_with_their_bars(lake: Lake, store_database: Database) -> None:
    fill(lake)
    store = TimescaleStore(store_database)
    publish(lake, store)
    brief = replace(FEED, publish=Publication(keep_days=0))

    publish(lake, store, brief)

    assert list(store.published("prints", "trades")) == [MONDAY]
    assert stored(store_database, "symbol, price") == [("B", 5.25)]
    assert behind_of(lake, store, brief, BARS) == {}


def test_what_the_lake_has_no_more_is_removed(lake: Lake, store_database: Database) -> None:
    fill(lake)
    store = TimescaleStore(store_database)
    publish(lake, store)
    empty = Lake(lake.layout.root / "another")

    behind = trades_behind(empty, store, FEED)
    outcomes = list(Publisher(empty, store, FEED).publish(BARS, behind))

    assert behind == {FRIDAY: "gone", MONDAY: "gone"}
    assert [each.rows for each in outcomes] == [0, 0]
    assert stored(store_database) == []
    assert store.published("prints", "trades") == {}


def test_old_chunks_of_trades_are_compressed_and_can_be_replaced(lake: Lake, store_database: Database) -> None:
    if not store_database.engine.has_columnstore:
        pytest.skip("plain PostgreSQL has no columnstore")
    fill(lake)
    store = TimescaleStore(store_database)
    publish(lake, store)

    trades = stored_bar_trades(lake, FEED, FRIDAY)
    assert trades is not None

    with store_database.connection() as connection:
        chunks = connection.execute("select count(compress_chunk(c)) from show_chunks('prints.trades') c").fetchone()
    done = store.replace_trades(FEED, FRIDAY, trades, "others", 0)

    assert chunks == (1,)
    assert (done.inputs, done.rows) == ("others", 5)
    assert len(stored(store_database)) == 6
