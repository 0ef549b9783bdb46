"""Figures that processes share in Redis, and who all of them were asked for most."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from marketdata_pipelines.serving.cache.l1 import L1
from marketdata_pipelines.serving.cache.second import SecondTier
from marketdata_pipelines.serving.cache.sharing import (
    KEEP_SECONDS,
    FigureSharing,
    ProcessFigures,
    added_up,
    most_asked,
    process_name,
    read_figures,
    write_figures,
)
from marketdata_pipelines.serving.cache.statistics import Event, Kind, Statistics, Tier, hit_ratio
from marketdata_pipelines.stores.redis.store import RedisStore
from marketdata_pipelines_tests.waiting import wait_until


@pytest.fixture
def store(redis_url: str, redis_namespace: str) -> Iterator[RedisStore]:
    store = RedisStore.at(redis_url, redis_namespace)
    yield store
    store.close()


def figures(process: str, shared_at: float) -> ProcessFigures:
    """Three answers, one of them the lake's."""
    statistics = Statistics()
    for tier in (Tier.L1, Tier.L2, Tier.L3):
        statistics.answered(Kind.BARS, tier, 0.001)
    statistics.happened(Event.OUTAGE)
    return ProcessFigures(process, shared_at, statistics.histograms(), statistics.events(), L1(1_000).figures())


def test_figures_of_processes_are_read_as_they_were_written(store: RedisStore) -> None:
    now = time.time()
    write_figures(store, figures("one:1", now))
    write_figures(store, figures("two:2", now))

    found = read_figures(store)

    assert [each.process for each in found] == ["one:1", "two:2"]
    assert found[0].events["outages"] == 1
    assert found[0].l1.max_bytes == 1_000
    together = added_up(found)
    assert {key: histogram.total for key, histogram in together.items()} == {(Kind.BARS, tier): 2 for tier in Tier}
    assert hit_ratio(together, Tier.L1, Tier.L2) == pytest.approx(2 / 3)


def test_a_process_that_ended_is_told_of_for_a_minute(store: RedisStore) -> None:
    now = time.time()
    write_figures(store, figures("old:1", now - KEEP_SECONDS - 1))
    write_figures(store, figures("new:2", now))

    assert [each.process for each in read_figures(store)] == ["new:2"]
    assert read_figures(store, lambda: now + KEEP_SECONDS + 1) == []


def test_who_is_asked_for_most_is_added_up_over_processes_and_fades_by_day(store: RedisStore) -> None:
    now = time.time()
    write_figures(store, figures("one:1", now - 3 * 86_400), {("feed", "OLD"): 30, ("feed", "EVEN OLDER"): 1})
    write_figures(store, figures("one:1", now), {("feed", "NEW"): 4, ("other", "ELSE"): 99})
    write_figures(store, figures("two:2", now), {("feed", "NEW"): 1, ("feed", "MID"): 4})

    assert most_asked(store, "feed", 10) == ["NEW", "MID", "OLD", "EVEN OLDER"]
    assert most_asked(store, "feed", 1) == ["NEW"]
    assert most_asked(store, "feed", 3, lambda: now + 20 * 86_400) == []


def test_a_process_shares_while_it_runs_and_when_it_ends(store: RedisStore) -> None:
    statistics = Statistics()
    second = SecondTier(store, statistics)
    statistics.answered(Kind.LATEST, Tier.L1, 1e-5)
    statistics.access.note("feed", ["A"])
    sharing = FigureSharing(second, statistics, L1(1_000), seconds_between=0.01)
    wait_until(lambda: read_figures(store), "figures of this process", 30)
    statistics.answered(Kind.LATEST, Tier.L1, 1e-5)

    sharing.close()

    (found,) = read_figures(store)
    assert found.process == process_name()
    assert found.histograms[Kind.LATEST, Tier.L1].total == 2
    assert most_asked(store, "feed", 5) == ["A"]


def test_a_process_that_was_asked_nothing_shares_nothing(store: RedisStore) -> None:
    second = SecondTier(store, Statistics())

    FigureSharing(second, Statistics(), L1(1_000), seconds_between=None).close()

    assert read_figures(store) == []


def test_figures_of_another_release_do_not_stop_the_others(store: RedisStore) -> None:
    now = time.time()
    write_figures(store, figures("one:1", now))
    write_figures(store, replace(figures("two:2", now), histograms={}))
    store.put_many({store.keys.named("process", "two:2"): b'{"other": "release"}'}, 60)

    assert [each.process for each in read_figures(store)] == ["one:1"]
