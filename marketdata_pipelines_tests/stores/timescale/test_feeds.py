"""What a feed lies in: made once by whoever comes first, adapted when the feed changes, granted to readers."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from marketdata_pipelines.domain.feeds import Anchor, PartitionBy, TradeFilter
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.feeds import coarse_tables
from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
from marketdata_pipelines_tests.builders import LATER, make_feed
from marketdata_pipelines_tests.published_bars import Shape, partition_bars

DAY = "2024-07-02"
FEED = make_feed("XNYS", "1m", name="us")
BARS = partition_bars(FEED, DAY, {"A": Shape(), "B": Shape()})


@pytest.fixture
def store(store_database: Database) -> TimescaleStore:
    return TimescaleStore(store_database)


def relations(store: TimescaleStore, feed_name: str) -> set[str]:
    with store.database.connection() as connection:
        rows = connection.execute(
            "select relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where n.nspname = %s and relkind in ('r', 'p', 'v') and not relispartition",
            [feed_name],
        ).fetchall()
    return {name for (name,) in rows}


@pytest.mark.parametrize(
    ("calendar", "interval", "expected"),
    [
        ("XNYS", "1m", {"bars_1m", "bars_5m", "bars_1h", "rollup_5m", "rollup_1h", "rollup_1d", "bars_1d", "bars_2d"}),
        ("24/7", "5m", {"bars_5m", "bars_1h", "rollup_1h", "rollup_1d", "bars_1d", "bars_2d"}),
        ("XNYS", "1h", {"bars_1h", "rollup_1d", "bars_1d", "bars_2d"}),
        ("XNYS", "1d", {"bars_1d", "bars_2d"}),
    ],
)
def test_a_feed_has_its_bars_its_rollups_and_its_coarse_tables(
    store: TimescaleStore, calendar: str, interval: str, expected: set[str]
) -> None:
    store.ensure_feed(make_feed(calendar, interval, name="us"))

    assert relations(store, "us") == expected | {"bars", "bars_1w", "bars_1mo"}


def test_making_a_feed_twice_or_at_once_leaves_it_as_it_is(store: TimescaleStore, store_dsn: str) -> None:
    def make(number: int) -> object:
        with Database(store_dsn) as database:
            return TimescaleStore(database).ensure_feed(FEED)

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(make, range(4)))

    assert made == [made[0]] * 4
    store.replace_partition(FEED, VALIDATED_BARS, DAY, BARS, "a", LATER)
    store.ensure_feed(FEED)
    assert store.compare(FEED, VALIDATED_BARS, DAY, BARS) == []


def test_a_feed_declared_otherwise_with_the_same_buckets_keeps_its_bars(store: TimescaleStore) -> None:
    store.replace_partition(FEED, VALIDATED_BARS, DAY, BARS, "a", LATER)
    other = replace(FEED, trade_filter=TradeFilter(exclude_exchanges=("X",)))

    layout = store.ensure_feed(other)

    assert layout.definition.startswith(other.version)
    assert store.compare(other, VALIDATED_BARS, DAY, BARS) == []


@pytest.mark.parametrize(
    "changed",
    [
        make_feed("XNYS", "5m", name="us"),
        replace(FEED, anchor=Anchor.UTC),
        replace(FEED, partition=PartitionBy.MONTH),
        make_feed("XNYS", "1d", name="us"),
    ],
    ids=["interval", "anchor", "partitioning", "days"],
)
def test_a_feed_whose_buckets_change_is_published_anew(store: TimescaleStore, changed: object) -> None:
    store.replace_partition(FEED, VALIDATED_BARS, DAY, BARS, "a", LATER)
    store.replace_view(FEED, "daily_summary", BARS.select(["symbol", "close"]))

    store.ensure_feed(changed)  # type: ignore[arg-type]

    assert store.published("us", VALIDATED_BARS) == {}
    assert "daily_summary" in relations(store, "us")
    with store.database.connection() as connection:
        assert connection.execute("select count(*) from us.bars").fetchone() == (0,)


def test_chunks_are_as_wide_as_the_first_partition_suggests(store: TimescaleStore) -> None:
    store.ensure_feed(FEED)

    store.replace_partition(FEED, VALIDATED_BARS, DAY, BARS, "a", LATER)

    with store.database.connection() as connection:
        assert connection.execute("select chunk_days from marketdata.feeds").fetchone() == (366,)


@pytest.mark.parametrize("name", ["public", "marketdata", "pg_feed", "f" * 60])
def test_a_name_that_cannot_be_a_schema_is_refused(store: TimescaleStore, name: str) -> None:
    with pytest.raises(StoreError, match=r"rename the feed in feeds\.yaml"):
        store.ensure_feed(make_feed("XNYS", name=name))


def test_tables_of_others_in_the_feeds_schema_are_not_taken(store: TimescaleStore) -> None:
    with store.database.connection() as connection:
        connection.execute("create schema us")
        connection.execute("create table us.bars (mine text)")

    with pytest.raises(StoreError, match="already has a table bars"):
        store.ensure_feed(FEED)


def test_readers_may_read_what_a_feed_has_and_nothing_else(store: TimescaleStore) -> None:
    store.replace_partition(FEED, VALIDATED_BARS, DAY, BARS, "a", LATER)
    store.replace_view(FEED, "daily_summary", BARS.select(["symbol", "close"]))

    with store.database.connection() as connection:
        connection.execute("set local role marketdata_reader")
        counts = [
            connection.execute(f"select count(*) > 0 from us.{table}").fetchone()
            for table in ("bars", "bars_1m", "rollup_5m", "bars_1h", "daily_summary")
        ]
        rights = connection.execute(
            "select has_table_privilege('us.bars', 'insert'), has_schema_privilege('us', 'create')"
        ).fetchone()

    assert counts == [(True,)] * 5
    assert rights == (False, False)


def test_coarse_tables_are_those_of_sessions_or_more() -> None:
    assert coarse_tables(FEED) == ("bars_1d", "bars_2d", "bars_1w", "bars_1mo")
    assert coarse_tables(make_feed("XNYS", "1d", name="us")) == ("bars_2d", "bars_1w", "bars_1mo")
