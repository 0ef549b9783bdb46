"""Counts of answers and times, and who is asked for most."""

import pytest

from marketdata_pipelines.serving.cache.statistics import (
    AccessCounts,
    Answered,
    Event,
    Kind,
    LatencyHistogram,
    Statistics,
    Tier,
    answered_by,
    hit_ratio,
)


@pytest.mark.parametrize("seconds", [2e-6, 17e-6, 0.3e-3, 0.0123, 1.9, 40.0])
def test_a_percentile_is_right_to_a_quarter(seconds: float) -> None:
    histogram = LatencyHistogram()

    histogram.record(seconds)

    found = histogram.percentile(0.5)
    assert found is not None
    assert seconds <= found <= seconds * 1.26


def test_times_below_a_microsecond_and_beyond_hours_are_counted_too() -> None:
    histogram = LatencyHistogram()

    for seconds in (0.0, 1e-9, 1e9):
        histogram.record(seconds)

    assert histogram.total == 3


def test_the_ninety_ninth_percentile_is_the_slow_one_of_a_hundred() -> None:
    histogram = LatencyHistogram()
    for _ in range(98):
        histogram.record(10e-6)
    for _ in range(2):
        histogram.record(0.1)

    p50, p99 = histogram.percentile(0.5), histogram.percentile(0.99)

    assert p50 is not None
    assert p99 is not None
    assert (p50 < 13e-6, p99 > 0.1) == (True, True)


def test_nothing_counted_has_no_percentile_and_no_ratio() -> None:
    assert LatencyHistogram().percentile(0.5) is None
    assert hit_ratio({}, Tier.L1) is None


def test_answers_are_told_by_kind_and_tier() -> None:
    statistics = Statistics()
    for tier in (Tier.L1, Tier.L1, Tier.L1, Tier.L3):
        statistics.answered(Kind.LATEST, tier, 1e-6)
    statistics.happened(Event.COALESCED, 2)

    told = answered_by(statistics.histograms())

    assert [(each.kind, each.tier, each.count) for each in told] == [
        (Kind.LATEST, Tier.L1, 3),
        (Kind.LATEST, Tier.L3, 1),
    ]
    assert isinstance(told[0], Answered)
    assert hit_ratio(statistics.histograms(), Tier.L1, Tier.L2) == 0.75
    assert statistics.events()["coalesced"] == 2


def test_histograms_of_processes_add_up() -> None:
    one, other = LatencyHistogram(), LatencyHistogram()
    one.record(1e-3)
    other.record(1e-3)

    one.add(LatencyHistogram(other.counts))

    assert (one.total, other.total) == (2, 1)


def test_old_questions_weigh_less_than_new_ones() -> None:
    now = [0.0]
    access = AccessCounts(half_life_seconds=10.0, clock=lambda: now[0])
    for _ in range(7):
        access.note("feed", ["OLD"])

    now[0] = 30.0
    access.note("feed", ["NEW", "NEW"])
    access.note("other", ["ELSE"])

    assert access.top("feed", 5) == ["NEW", "OLD"]
    assert access.top("feed", 1) == ["NEW"]
    assert access.top("nobody", 5) == []


def test_forgotten_symbols_take_no_room_and_the_counts_are_bounded() -> None:
    now = [0.0]
    access = AccessCounts(half_life_seconds=1.0, clock=lambda: now[0])
    for number in range(50_000):
        access.note("feed", [f"S{number}"])

    bounded = len(access.top("feed", 100_000))
    now[0] = 60.0

    assert bounded <= 20_000
    assert access.top("feed", 100_000) == []
