"""Which store answers, what is said of it, and what happens when one is away."""

import logging
from collections.abc import Callable, Iterator
from datetime import date

import psycopg
import pyarrow as pa
import pytest

from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.errors import PartitionMissing, StoreError, StoreUnavailable
from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines.serving.notes import answer_notes
from marketdata_pipelines.serving.queries.choices import StoreChoice
from marketdata_pipelines.serving.queries.lake_store import LakeStore
from marketdata_pipelines.serving.queries.protocol import (
    BarsRequest,
    BarStore,
    CrossSectionRequest,
    LatestRequest,
    TopRequest,
    TotalsRequest,
)
from marketdata_pipelines.serving.queries.routing import RoutedStore
from marketdata_pipelines.serving.ranges import TimeRange, time_range
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
from marketdata_pipelines.stores.timescale.reading import TimescaleQueries
from marketdata_pipelines_tests.serving.queries.equal_answers import same
from marketdata_pipelines_tests.store_databases import command, new_database
from marketdata_pipelines_tests.stores.timescale.older_stores import make_older_store

NOBODY = "postgresql://someone:secret@127.0.0.1:1/nothing"
DAY = time_range("2024-07-02", "2024-07-02")


@pytest.fixture
def auto(reader: LakeReader, queries: TimescaleQueries) -> RoutedStore:
    return RoutedStore(reader.lake, queries, StoreChoice.AUTO)


@pytest.fixture
def behind(reader: LakeReader, database: Database) -> Iterator[str]:
    """One partition in the store was made of something else than the lake's."""
    store, feed = TimescaleStore(database), reader.feed("hk")
    stored = reader.lake.catalog.stored(VALIDATED_BARS, "hk")[0]
    bars = reader.lake.read(VALIDATED_BARS, "hk", stored.partition)
    horizon_us = reader.lake.catalog.horizons("hk")[stored.partition]
    store.replace_partition(feed, VALIDATED_BARS, stored.partition, bars, "something else", horizon_us)
    yield stored.partition
    store.replace_partition(feed, VALIDATED_BARS, stored.partition, bars, stored.inputs, horizon_us)


def told(answer: pa.Table) -> str:
    return "; ".join(answer_notes(answer))


def test_auto_asks_the_store_that_holds_what_the_lake_holds(
    auto: RoutedStore, reader: LakeReader, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = reader.feed("us")
    plain = LakeStore(reader.lake)
    expected = [
        plain.bars(BarsRequest(feed, "30m", ("A",), DAY)),
        plain.latest(LatestRequest(feed)),
        plain.totals(TotalsRequest(feed, None, DAY)),
        plain.top(TopRequest(feed)),
    ]
    monkeypatch.setattr(Lake, "read", _never)
    monkeypatch.setattr("marketdata_pipelines.serving.bars.connect", _never)

    found = [
        auto.bars(BarsRequest(feed, "30m", ("A",), DAY)),
        auto.latest(LatestRequest(feed)),
        auto.totals(TotalsRequest(feed, None, DAY)),
        auto.top(TopRequest(feed)),
    ]

    for ours, theirs in zip(found, expected, strict=True):
        same(ours, theirs)
        assert told(ours) == ""


def test_auto_asks_the_lake_where_the_store_is_behind_and_says_so(
    auto: RoutedStore, reader: LakeReader, behind: str
) -> None:
    found = auto.bars(BarsRequest(reader.feed("hk"), "5m"))

    same(found, LakeStore(reader.lake).bars(BarsRequest(reader.feed("hk"), "5m")))
    assert told(found) == (
        f"answered from the lake: the SQL store is behind the lake in 1 of 1 partitions of validated_bars: {behind}"
    )


def test_a_store_that_is_behind_answers_when_it_is_asked_for(
    queries: TimescaleQueries, reader: LakeReader, behind: str
) -> None:
    store = RoutedStore(reader.lake, queries, StoreChoice.TIMESCALE)

    found = store.bars(BarsRequest(reader.feed("hk"), "5m"))

    assert found.num_rows
    assert told(found) == (
        f"the SQL store is behind the lake in 1 of 1 partitions of validated_bars: {behind}; run: marketdata publish hk"
    )


def test_rollups_that_are_not_brought_up_to_date_are_not_read(
    auto: RoutedStore, reader: LakeReader, database: Database, store_address: str
) -> None:
    request = BarsRequest(reader.feed("us"), "5m", ("A",), DAY)
    expected = auto.bars(request)
    command(store_address, "update marketdata.published set rolled = false, horizon_us = horizon_us where feed = 'us'")

    try:
        found = auto.bars(request)
        totals = auto.totals(TotalsRequest(reader.feed("us"), ("A",), DAY))
    finally:
        command(store_address, "update marketdata.published set rolled = true where feed = 'us'")

    same(found, expected)
    same(totals, auto.totals(TotalsRequest(reader.feed("us"), ("A",), DAY)))


def test_what_the_store_cannot_answer_comes_from_the_lake(queries: TimescaleQueries, reader: LakeReader) -> None:
    for choice in (StoreChoice.AUTO, StoreChoice.TIMESCALE):
        store = RoutedStore(reader.lake, queries, choice)

        found = store.bars(BarsRequest(reader.feed("us"), "5m", ("A",), session="all"))

        assert told(found) == "answered from the lake: the SQL store holds 5m bars of the regular session only"


def test_without_a_lake_the_store_answers(queries: TimescaleQueries, reader: LakeReader, lake: Lake) -> None:
    store = RoutedStore(lake, queries, StoreChoice.AUTO)
    request = BarsRequest(reader.feed("us"), "1h")

    same(store.bars(request), LakeStore(reader.lake).bars(request))
    assert store.cross_section(CrossSectionRequest(reader.feed("daily"), "1d", date(2024, 7, 2))).num_rows == 2


def test_a_store_that_is_away_costs_auto_one_line_and_one_try(
    reader: LakeReader, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]
    queries = TimescaleQueries(Database(NOBODY))
    store = RoutedStore(reader.lake, queries, StoreChoice.AUTO, clock=lambda: now[0])
    request = BarsRequest(reader.feed("us"), "5m", ("A",), DAY)

    with caplog.at_level(logging.WARNING):
        answers = [store.bars(request)]
        now[0] = 4.9
        answers.append(store.bars(request))
        now[0] = 5.1
        answers.append(store.bars(request))

    for found in answers:
        same(found, LakeStore(reader.lake).bars(request))
    assert len(caplog.records) == 1
    assert "answers come from the lake: " in caplog.text
    assert "secret" not in caplog.text


def test_a_store_that_is_away_is_an_error_when_it_is_asked_for(reader: LakeReader) -> None:
    store = RoutedStore(reader.lake, TimescaleQueries(Database(NOBODY)), StoreChoice.TIMESCALE)

    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1/nothing"):
        store.bars(BarsRequest(reader.feed("us"), "5m"))


def test_a_store_of_an_older_layout_leaves_the_answer_to_the_lake(
    reader: LakeReader, database: Database, store_address: str
) -> None:
    feed = reader.feed("hk")
    stored = reader.lake.catalog.stored(VALIDATED_BARS, "hk")[0]
    bars = reader.lake.read(VALIDATED_BARS, "hk", stored.partition)
    day = date.fromisoformat(stored.partition)
    questions: list[Callable[[BarStore], pa.Table]] = [
        lambda store: store.bars(BarsRequest(feed, "1m", ("A",), TimeRange(day, day))),
        lambda store: store.bars(BarsRequest(feed, "30m", ("A",), TimeRange(day, day))),
        lambda store: store.bars(BarsRequest(feed, "1h", None, TimeRange(day, day))),
        lambda store: store.latest(LatestRequest(feed)),
    ]
    with new_database(store_address, with_timescale=database.engine.is_timescale) as older, Database(older) as opened:
        make_older_store(opened, feed, stored.partition, bars, stored.inputs)
        queries = TimescaleQueries(opened)

        for ask in questions:
            same(ask(RoutedStore(reader.lake, queries, StoreChoice.AUTO)), ask(LakeStore(reader.lake)))
            with pytest.raises(StoreError, match="an older program may have made it: publish"):
                ask(RoutedStore(reader.lake, queries, StoreChoice.TIMESCALE))


def test_a_question_that_takes_too_long_says_what_to_do(
    reader: LakeReader, database: Database, store_address: str
) -> None:
    # Whoever holds the table keeps readers waiting.
    with psycopg.connect(store_address) as other, Database(store_address, timeout_seconds=0.3) as hurried:
        other.execute("lock table coin.bars in access exclusive mode")
        store = RoutedStore(reader.lake, TimescaleQueries(hurried), StoreChoice.TIMESCALE)

        with pytest.raises(StoreError, match="ask for less at once, or allow more time"):
            store.bars(BarsRequest(reader.feed("coin"), "1m"))


def test_what_neither_has_is_missing(auto: RoutedStore, reader: LakeReader) -> None:
    with pytest.raises(PartitionMissing, match="empty has no bars_5m in that range; run: "):
        auto.bars(BarsRequest(reader.feed("empty"), "5m", None, TimeRange()))


def _never(*_: object, **__: object) -> None:
    raise AssertionError("the lake's files were read")
