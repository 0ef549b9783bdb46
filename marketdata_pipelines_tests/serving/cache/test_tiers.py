"""Answers of the tiers without Redis: they equal the lake's, come from memory when asked again, and are never stale."""

import threading
from collections.abc import Iterator

import pytest

from marketdata_pipelines.errors import PartitionMissing, SettingsInvalid
from marketdata_pipelines.serving.cache.revisions import LakeRevisions, PublishedRevisions
from marketdata_pipelines.serving.cache.statistics import Kind, Statistics, Tier
from marketdata_pipelines.serving.cache.tiers import CacheTiers
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.serving.cache.markets import CountedLoader, Market

COINS = ["BTC", "ETH", "SOL"]


@pytest.fixture
def tiers(market: Market, loader: CountedLoader) -> Iterator[CacheTiers]:
    with CacheTiers(loader, LakeRevisions(market.lake.layout.catalog), statistics=Statistics()) as tiers:
        yield tiers


def counted(tiers: CacheTiers) -> dict[tuple[Kind, Tier], int]:
    return {key: histogram.total for key, histogram in tiers.statistics.histograms().items()}


def test_the_last_bars_are_the_lakes_also_of_a_symbol_that_stopped(market: Market, tiers: CacheTiers) -> None:
    found = tiers.latest(market.feed)

    assert found.to_pylist() == market.latest()
    assert found["symbol"].to_pylist() == COINS


def test_asked_again_the_last_bars_come_from_memory(market: Market, tiers: CacheTiers, loader: CountedLoader) -> None:
    first = tiers.latest(market.feed)

    again = tiers.latest(market.feed)

    assert again is first
    assert loader.reads == 1
    assert counted(tiers) == {(Kind.LATEST, Tier.L3): 1, (Kind.LATEST, Tier.L1): 1}


def test_some_symbols_are_answered_from_what_was_read_for_all(
    market: Market, tiers: CacheTiers, loader: CountedLoader
) -> None:
    tiers.latest(market.feed)

    found = tiers.latest(market.feed, ["SOL", "BTC", "SOL", "NONE"])

    assert found.to_pylist() == market.latest(["BTC", "SOL"])
    for symbol in ("BTC", "ETH", "SOL", "", "A", "NONE", "ZZZ"):
        one = tiers.latest(market.feed, [symbol])
        assert one.to_pylist() == market.latest([symbol])
        assert one.schema == found.schema
        # A row of its own, which does not keep the rows of all symbols in memory.
        assert one.get_total_buffer_size() <= 40 * one.num_columns
    assert tiers.latest(market.feed, []).num_rows == 0
    assert loader.reads == 1


@pytest.mark.parametrize("timeframe", ["1m", "5m", "1h", "1d"])
@pytest.mark.parametrize(
    ("start", "end"), [(None, None), ("2024-03-02", "2024-03-03"), ("2024-03-02T09:03:00Z", "2024-03-03T09:02:00Z")]
)
def test_bars_are_the_lakes_in_every_column(
    market: Market, tiers: CacheTiers, timeframe: str, start: str | None, end: str | None
) -> None:
    found = tiers.bars(market.feed, ["SOL", "BTC", "NONE"], timeframe, start, end)

    expected = market.bars(["BTC", "SOL", "NONE"], timeframe, start, end)
    assert found.schema.equals(expected.schema)
    assert found.to_pylist() == expected.to_pylist()


def test_an_answer_is_put_together_from_pieces_that_other_answers_left(
    market: Market, tiers: CacheTiers, loader: CountedLoader
) -> None:
    tiers.bars(market.feed, ["BTC"], "1m", "2024-03-01", "2024-03-02")
    reads = loader.reads

    found = tiers.bars(market.feed, ["BTC"], "1m", "2024-03-02", "2024-03-02")

    assert found.num_rows == 12
    assert loader.reads == reads


@pytest.mark.parametrize("count", [1, 12, 13, 36, 100])
def test_recent_bars_are_the_last_ones_over_partitions(market: Market, tiers: CacheTiers, count: int) -> None:
    found = tiers.recent(market.feed, "BTC", count=count)

    assert found.to_pylist() == market.bars(["BTC"]).to_pylist()[-count:]


def test_recent_bars_of_a_symbol_that_stopped_are_found_within_the_partitions_asked(
    market: Market, tiers: CacheTiers
) -> None:
    found = tiers.recent(market.feed, "SOL", count=5)

    assert found.to_pylist() == market.bars(["SOL"]).to_pylist()[-5:]
    assert tiers.recent(market.feed, "SOL", count=5, within_partitions=1).num_rows == 0


def test_an_unknown_symbol_has_no_bars_and_is_looked_for_once(
    market: Market, tiers: CacheTiers, loader: CountedLoader
) -> None:
    first = tiers.recent(market.feed, "NONE")
    reads = loader.reads

    again = tiers.bars(market.feed, ["NONE"])

    assert (first.num_rows, again.num_rows) == (0, 0)
    assert loader.reads == reads


def test_a_corrected_bar_is_in_the_next_answer_without_any_word_of_it(market: Market, tiers: CacheTiers) -> None:
    tiers.latest(market.feed)
    tiers.recent(market.feed, "BTC")
    tiers.view(market.feed, "top_volume")

    market.trade(2, ["BTC"], price=250.0)

    assert tiers.latest(market.feed).to_pylist() == market.latest()
    assert (
        tiers.recent(market.feed, "BTC", count=3)["close"].to_pylist() == market.bars(["BTC"])["close"].to_pylist()[-3:]
    )
    assert tiers.view(market.feed, "top_volume").equals(market.view("coins", "top_volume", None, None))


def test_what_is_replaced_while_it_is_read_is_read_again(
    market: Market, tiers: CacheTiers, loader: CountedLoader
) -> None:
    loader.before = lambda: market.trade(2, ["BTC"], price=250.0)

    found = tiers.recent(market.feed, "BTC", count=3)
    kept = tiers.recent(market.feed, "BTC", count=3)

    assert found.to_pylist() == kept.to_pylist() == market.bars(["BTC"]).to_pylist()[-3:]


def test_views_are_the_lakes_and_come_from_memory(market: Market, tiers: CacheTiers, loader: CountedLoader) -> None:
    first = tiers.view(market.feed, "daily_summary", "2024-03-02", "2024-03-03")

    again = tiers.view(market.feed, "daily_summary", "2024-03-02", "2024-03-03")

    assert again is first
    assert loader.reads == 1
    assert first.equals(market.view("coins", "daily_summary", "2024-03-02", "2024-03-03"))  # type: ignore[arg-type]


def test_many_who_ask_at_once_cause_one_read(market: Market, tiers: CacheTiers, loader: CountedLoader) -> None:
    start, found = threading.Barrier(12), []

    def ask() -> None:
        start.wait(30)
        found.append(tiers.latest(market.feed).to_pylist())

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert found == [market.latest()] * 12
    assert loader.reads == 1


def test_a_feed_without_anything_stored_has_no_last_bars_and_no_views(lake: Lake) -> None:
    market = Market(lake)
    with CacheTiers(market.loader(), LakeRevisions(lake.layout.catalog), statistics=Statistics()) as tiers:
        assert tiers.latest(market.feed).num_rows == 0
        assert tiers.recent(market.feed, "BTC").num_rows == 0
        with pytest.raises(PartitionMissing, match="coins has no"):
            tiers.view(market.feed, "daily_summary")

        market.trade(0, ["BTC"])

        assert tiers.latest(market.feed).num_rows == 1


def test_questions_that_cannot_be_answered_say_why(market: Market, tiers: CacheTiers) -> None:
    with pytest.raises(SettingsInvalid, match="no '7m' bars"):
        tiers.bars(market.feed, ["BTC"], "7m")
    with pytest.raises(SettingsInvalid, match="no view"):
        tiers.view(market.feed, "nothing")


def test_without_any_word_of_revisions_the_lake_answers_and_nothing_is_kept(
    market: Market, loader: CountedLoader
) -> None:
    unknown = PublishedRevisions(lambda feed, table: None, 2.0)
    with CacheTiers(loader, unknown, statistics=Statistics()) as tiers:
        assert tiers.latest(market.feed).to_pylist() == market.latest()
        assert tiers.recent(market.feed, "BTC", count=5).to_pylist() == market.bars(["BTC"]).to_pylist()[-5:]
        assert tiers.bars(market.feed, ["BTC"], "5m").equals(market.bars(["BTC"], "5m"))
        assert tiers.l1.figures().entries == 0


def test_of_recent_bars_no_more_partitions_are_read_than_have_them(
    market: Market, tiers: CacheTiers, loader: CountedLoader
) -> None:
    tiers.recent(market.feed, "BTC", count=12)
    after_the_newest = loader.reads

    found = tiers.recent(market.feed, "BTC", count=13)

    assert after_the_newest == 1
    assert found.to_pylist() == market.bars(["BTC"]).to_pylist()[-13:]
    assert loader.reads == 3
