"""The tiers of a process without a lake, over the SQL store: the lake's answers, and never those of before."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pydantic import SecretStr

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.store_tables import store_sets
from marketdata_pipelines.errors import SettingsInvalid, StoreError, StoreUnavailable
from marketdata_pipelines.pipeline.publishing import Publisher, partitions_behind
from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines.serving.cache.opening import open_store_tiers, open_tiers
from marketdata_pipelines.serving.cache.revisions import PublishedRevisions
from marketdata_pipelines.serving.cache.statistics import Kind, Statistics, Tier
from marketdata_pipelines.serving.cache.store_loader import LedgerReading, StoreLoader, ledger_name
from marketdata_pipelines.serving.cache.tiers import CacheTiers
from marketdata_pipelines.serving.cache.warming import warm_feed
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
from marketdata_pipelines_tests.builders import make_home
from marketdata_pipelines_tests.servers import PostgresServer, resume_postgres
from marketdata_pipelines_tests.serving.cache.markets import Market
from marketdata_pipelines_tests.store_databases import new_database

SYMBOLS = ["BTC", "ETH", "SOL"]


@pytest.fixture
def published(market: Market, store_database: Database) -> Database:
    """The market's lake in the store."""
    publish(market, store_database)
    return store_database


@pytest.fixture
def tiers(published: Database) -> Iterator[CacheTiers]:
    """Over the store, whose ledger is asked before each answer."""
    with tiers_over(published) as opened:
        yield opened


def tiers_over(database: Database, loader: StoreLoader | None = None, *, keep_seconds: float = 0.0) -> CacheTiers:
    revisions = PublishedRevisions(LedgerReading(database), keep_seconds)
    return CacheTiers(loader or StoreLoader(database), revisions, statistics=Statistics())


def publish(market: Market, database: Database) -> None:
    """Bring the store up to date with the lake, as publishing does it."""
    store = TimescaleStore(database)
    publisher = Publisher(market.lake, store, market.feed)
    publisher.ready()
    behind = partitions_behind(market.lake, store, market.feed)
    for store_set in store_sets(market.feed):
        outcomes = publisher.publish(store_set, behind.get(store_set.name, {}))
        assert [each.failed for each in outcomes if each.failed] == []


def rows_of(bars: pa.Table) -> list[dict[str, object]]:
    """A table's rows, without the last digits of vwap: two engines add up in another order."""
    place = bars.schema.get_field_index("vwap")
    rows: list[dict[str, object]] = bars.set_column(place, "vwap", pc.round(bars["vwap"], 9)).to_pylist()
    return rows


def answers(tiers: CacheTiers, market: Market) -> list[object]:
    """One answer of each kind."""
    return [
        tiers.latest(market.feed).to_pylist(),
        tiers.latest(market.feed, ["SOL", "NONE"]).to_pylist(),
        tiers.recent(market.feed, "BTC", count=20).to_pylist(),
        *(rows_of(tiers.bars(market.feed, SYMBOLS, each, "2024-03-02")) for each in ("1m", "5m", "1h", "1d")),
        tiers.bars(market.feed, ["BTC"], "1m", "2024-03-01T09:05:00Z", "2024-03-02T09:03:00Z").to_pylist(),
    ]


def expected(market: Market) -> list[object]:
    """The same from the lake."""
    return [
        market.latest(),
        market.latest(["SOL"]),
        market.bars(["BTC"]).to_pylist()[-20:],
        *(rows_of(market.bars(SYMBOLS, each, "2024-03-02")) for each in ("1m", "5m", "1h", "1d")),
        market.bars(["BTC"], "1m", "2024-03-01T09:05:00Z", "2024-03-02T09:03:00Z").to_pylist(),
    ]


def test_the_answers_are_the_lakes_and_come_from_memory_when_asked_again(tiers: CacheTiers, market: Market) -> None:
    first = answers(tiers, market)
    asked = sum(each.total for (_, tier), each in tiers.statistics.histograms().items() if tier is Tier.L3)

    again = answers(tiers, market)

    histograms = tiers.statistics.histograms()
    assert first == again == expected(market)
    assert sum(each.total for (_, tier), each in histograms.items() if tier is Tier.L3) == asked


def test_a_partition_that_is_replaced_is_in_the_next_answer(
    tiers: CacheTiers, market: Market, published: Database
) -> None:
    assert answers(tiers, market) == expected(market)
    market.trade(2, ["BTC"], price=300.0)
    before = tiers.latest(market.feed).to_pylist()

    publish(market, published)

    assert before != market.latest()
    assert answers(tiers, market) == expected(market)


def test_a_correction_that_is_taken_back_gives_the_answer_of_before_it(
    tiers: CacheTiers, market: Market, published: Database
) -> None:
    store, key = TimescaleStore(published), "2024-03-03"
    rows, inputs = market.lake.read("validated_bars", "coins", key), market.stored(key).inputs
    right = answers(tiers, market)
    other = rows.set_column(rows.schema.get_field_index("volume"), "volume", pa.array([7.0] * rows.num_rows))

    store.replace_partition(market.feed, "validated_bars", key, other, "another", 1)
    between = tiers.recent(market.feed, "BTC", count=5)
    store.replace_partition(market.feed, "validated_bars", key, rows, inputs, 2)

    assert between["volume"].to_pylist() == [7.0] * 5
    assert answers(tiers, market) == right == expected(market)


def test_until_the_ledger_is_asked_again_answers_are_those_of_before(market: Market, published: Database) -> None:
    now = [0.0]
    revisions = PublishedRevisions(LedgerReading(published), 2.0, clock=lambda: now[0])
    with CacheTiers(StoreLoader(published), revisions, statistics=Statistics()) as tiers:
        old = tiers.latest(market.feed)
        market.trade(2, ["BTC"], price=300.0)
        publish(market, published)

        now[0] = 1.9
        kept = tiers.latest(market.feed)
        now[0] = 2.1

        assert kept.equals(old)
        assert tiers.latest(market.feed).to_pylist() == market.latest()


class Hindered(StoreLoader):
    """Publishes a correction when it is first asked, before it reads or after."""

    def __init__(self, database: Database, market: Market, *, after: bool) -> None:
        super().__init__(database)
        self._database, self._market, self._after, self._done = database, market, after, False

    def partition(self, feed: Feed, table: str, partition: str, symbols: Sequence[str]) -> pa.Table:
        if self._after:
            found = super().partition(feed, table, partition, symbols)
            self._correct()
            return found
        self._correct()
        return super().partition(feed, table, partition, symbols)

    def _correct(self) -> None:
        if not self._done:
            self._done = True
            self._market.trade(2, ["BTC", "ETH"], price=300.0)
            publish(self._market, self._database)


@pytest.mark.parametrize("after", [True, False])
def test_what_is_published_while_it_is_read_is_never_kept_under_the_revision_of_before(
    after: bool, market: Market, published: Database
) -> None:
    with tiers_over(published, Hindered(published, market, after=after), keep_seconds=3600.0) as tiers:
        during = tiers.bars(market.feed, ["BTC"], "1m", "2024-03-03", "2024-03-03")
        again = tiers.bars(market.feed, ["BTC"], "1m", "2024-03-03", "2024-03-03")

    right = market.bars(["BTC"], "1m", "2024-03-03", "2024-03-03")
    assert during.to_pylist() == again.to_pylist() == right.to_pylist()


def test_what_the_pipeline_put_into_redis_is_found_there_and_nothing_less_is_put(
    market: Market, published: Database, store_dsn: str, redis_url: str, redis_namespace: str, tmp_path: Path
) -> None:
    there = Settings(home=tmp_path / "data", redis_url=SecretStr(redis_url), redis_namespace=redis_namespace)
    warm_feed(there, market.feed)
    settings = there.model_copy(update={"home": tmp_path / "none", "timescale_dsn": SecretStr(store_dsn)})

    with open_store_tiers(settings, statistics=Statistics()) as tiers:
        minutes = tiers.recent(market.feed, "BTC", count=20)
        absent = tiers.bars(market.feed, ["NONE"], "1m", "2024-03-03", "2024-03-03")
        histograms = tiers.statistics.histograms()
        assert tiers.second is not None
        revision = {"2024-03-03": market.stored("2024-03-03").inputs}
        kept = tiers.second.store.get_bars("coins", "validated_bars", ["NONE", "BTC"], revision)

    assert minutes.to_pylist() == market.bars(["BTC"]).to_pylist()[-20:]
    assert absent.num_rows == 0
    assert (histograms[Kind.BARS, Tier.L2].total, histograms[Kind.BARS, Tier.L3].total) == (1, 1)
    assert list(kept) == [("BTC", "2024-03-03")]


def test_where_nothing_was_ever_published_there_are_no_bars(store_dsn: str, market: Market) -> None:
    with Database(store_dsn) as database, tiers_over(database) as tiers:
        found = tiers.latest(market.feed), tiers.recent(market.feed, "BTC"), tiers.bars(market.feed, ["BTC"], "5m")

    assert [each.num_rows for each in found] == [0, 0, 0]


def test_a_view_is_refused_with_where_it_is(tiers: CacheTiers, market: Market) -> None:
    with pytest.raises(StoreError, match=r"top_volume of coins is answered from the lake, which is not here"):
        tiers.view(market.feed, "top_volume")


def test_a_store_that_went_away_is_told_and_answers_again_when_it_is_back(
    own_server: PostgresServer, market: Market
) -> None:
    with new_database(own_server.url("postgres")) as dsn, Database(dsn, timeout_seconds=5) as database:
        database.migrate()
        publish(market, database)
        with tiers_over(database) as tiers:
            right = answers(tiers, market)
            own_server.halt()
            with pytest.raises(StoreUnavailable):
                tiers.latest(market.feed)
            back = resume_postgres(own_server)
            after = answers(tiers, market)
    back.halt()

    assert right == after == expected(market)


def test_tiers_are_over_the_store_where_there_is_no_lake(
    published: Database, store_dsn: str, market: Market, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path / "none", timescale_dsn=SecretStr(store_dsn))

    with open_tiers(settings, Lake(settings.lake), market.view, statistics=Statistics()) as tiers:
        assert answers(tiers, market) == expected(market)
    assert not settings.lake.exists()


def test_without_a_store_there_is_nothing_to_open(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="set MARKETDATA_TIMESCALE_DSN"):
        open_store_tiers(Settings(home=tmp_path, timescale_dsn=None))


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("validated_bars", "validated_bars"),
        ("bars_5m", "validated_bars"),
        ("latest_bars", "validated_bars"),
        ("bars_1d", "bars_1d"),
        ("bars_1mo", "bars_1mo"),
    ],
)
def test_buckets_within_a_day_are_published_with_the_bars(table: str, name: str) -> None:
    assert ledger_name(table) == name


def test_a_reader_of_a_folder_without_a_lake_answers_from_the_store(
    published: Database, store_dsn: str, market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_home(tmp_path / "dashboard", "feeds:\n  coins: {source: landing, interval: 1m, calendar: 24/7}\n")
    monkeypatch.setenv("MARKETDATA_TIMESCALE_DSN", store_dsn)
    reader = LakeReader(folder)

    found = reader.latest("coins", ["BTC"])
    reader.tiers.close()

    assert found.to_pylist() == market.latest(["BTC"])
