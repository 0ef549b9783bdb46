"""What programs of an older layout published: read, corrected, compared and rolled up on as it is, or made anew."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest

from marketdata_pipelines.domain.feeds import PartitionBy
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.feed_layout import read_layout
from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
from marketdata_pipelines.stores.timescale.reading import TimescaleQueries
from marketdata_pipelines_tests.builders import LATER, make_feed
from marketdata_pipelines_tests.published_bars import Shape, lake_tables, partition_bars
from marketdata_pipelines_tests.store_databases import command
from marketdata_pipelines_tests.stores.timescale.older_stores import make_older_store

FEED = make_feed("XNYS", "1m", name="us")
DAY, NEXT = "2024-07-02", "2024-07-03"


def day_bars(day: str, seed: int = 0) -> pa.Table:
    """Of one symbol vwaps of four decimals, of another whole numbers, quotients and none."""
    bars = partition_bars(FEED, day, {"A": Shape(with_vwap=True), "B": Shape(), "C": Shape(with_vwap=True)}, seed)
    vwaps = bars["vwap"].to_pylist()
    symbols = bars["symbol"].to_pylist()
    for at, (symbol, vwap) in enumerate(zip(symbols, vwaps, strict=True)):
        if symbol == "A":
            vwaps[at] = round(vwap, 4)
        elif symbol == "C" and at % 3 == 0:
            vwaps[at] = None if at % 2 else float(round(vwap))
    return bars.set_column(bars.schema.get_field_index("vwap"), "vwap", pa.array(vwaps))


BARS = day_bars(DAY)


@pytest.fixture
def older(store_dsn: str) -> Iterator[TimescaleStore]:
    """The store of this program on a database that an older one filled."""
    with Database(store_dsn) as then:
        make_older_store(then, FEED, DAY, BARS, "a")
    with Database(store_dsn) as now:
        yield TimescaleStore(now)


def publish(store: TimescaleStore, bars: pa.Table, day: str = DAY) -> bool:
    return store.replace_partition(FEED, VALIDATED_BARS, day, bars, "a", LATER).changed


def scales(store: TimescaleStore) -> set[tuple[str, int]]:
    with store.database.connection() as connection:
        return set(connection.execute("select symbol, vwap_scale from marketdata.series").fetchall())


def test_an_older_store_is_gone_on_with_as_it_is(older: TimescaleStore) -> None:
    corrected = BARS.take(pa.array(np.arange(1, BARS.num_rows)))
    following = day_bars(NEXT)
    late = following.take(pa.array([5, 500]))

    applied = older.database.migrate()
    found = TimescaleQueries(older.database).bars(FEED, None, "1m")

    assert applied[0] == "0006_add_vwap_scale"
    assert found["vwap"].equals(BARS["vwap"])
    assert older.compare(FEED, VALIDATED_BARS, DAY, BARS) == []
    assert older.compare_rollups(FEED, DAY, lake_tables(FEED, DAY, BARS)) == []
    assert not publish(older, BARS)
    assert publish(older, corrected)
    assert publish(older, following.take(pa.array(np.arange(100, following.num_rows))), NEXT)
    older.upsert_rows(FEED, late)
    older.replace_partition(FEED, VALIDATED_BARS, NEXT, following, "b", LATER)
    for day, bars in ((DAY, corrected), (NEXT, following)):
        assert older.compare(FEED, VALIDATED_BARS, day, bars) == []
        assert older.compare_rollups(FEED, day, lake_tables(FEED, day, bars)) == []
    assert scales(older) == {("A", 0), ("B", 0), ("C", 0)}
    with older.database.connection() as connection:
        viewed = connection.execute('select vwap from us.bars_1m order by symbol collate "C", ts').fetchall()
    both = pa.concat_tables([corrected, following]).combine_chunks()
    order = np.lexsort((both["ts"].to_numpy(), both["symbol"].to_numpy().astype(str)))
    assert [vwap for (vwap,) in viewed] == both["vwap"].take(pa.array(order)).to_pylist()


def test_before_it_is_brought_up_to_date_reading_says_what_to_do(older: TimescaleStore) -> None:
    with pytest.raises(StoreError, match=r"vwap_scale.*an older program may have made it: publish to this store"):
        TimescaleQueries(older.database).bars(FEED, ["A"], "1m")


def test_a_feed_that_is_taken_down_and_published_again_gets_ticks(older: TimescaleStore, store_dsn: str) -> None:
    older.database.migrate()
    command(store_dsn, "drop schema us cascade", "delete from marketdata.feeds where feed = 'us'")

    assert publish(older, BARS)

    assert scales(older) == {("A", 4), ("B", 0), ("C", 0)}
    assert older.compare(FEED, VALIDATED_BARS, DAY, BARS) == []
    assert older.compare_rollups(FEED, DAY, lake_tables(FEED, DAY, BARS)) == []


def test_a_feed_that_is_declared_otherwise_is_made_anew_with_ticks(older: TimescaleStore) -> None:
    older.ensure_feed(FEED)
    with older.database.connection() as connection:
        before = read_layout(connection, "us")

    after = older.ensure_feed(make_feed("XNYS", "1m", name="us", partition=PartitionBy.MONTH))

    assert before is not None
    assert (before.vwap_ticks, after.vwap_ticks) == (False, True)
