"""Pulling partitions from a vendor: what comes into the lake, and what is asked for at all."""

import pytest

from marketdata_pipelines.domain.feeds import DataKind
from marketdata_pipelines.errors import SettingsInvalid, SourceRejected, SourceUnavailable
from marketdata_pipelines.pipeline.pull import estimate_pull, open_source
from marketdata_pipelines.sources.simulated.exchange_faults import ExchangeFault, FaultPlan
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.lake.origins import read_origin
from marketdata_pipelines_tests.builders import column, make_feed, us, walk_stale
from marketdata_pipelines_tests.sources.exchange.exchanges import (
    exchange_up,
    ledger,
    pull_all,
    pulled_feed,
    without_origins,
)

WEEK = ["2024-07-01", "2024-07-02", "2024-07-03", "2024-07-04", "2024-07-05"]


def test_a_week_comes_by_session_and_the_holiday_is_not_asked_for(lake: Lake) -> None:
    with exchange_up() as served:
        reports = pull_all(lake, pulled_feed(served.url), WEEK, served.clock)

    assert [report.partitions for report in reports] == [
        ("2024-07-01",), ("2024-07-02",), ("2024-07-03",), ("2024-07-05",),
    ]  # fmt: skip
    walk_stale(lake, pulled_feed(served.url))
    half_day = column(lake.read("validated_bars", "feed", "2024-07-03"), "ts")
    assert (half_day[0], half_day[-1]) == ("2024-07-03 13:30", "2024-07-03 16:59")
    assert lake.read("rejected_bars", "feed", "2024-07-01").num_rows == 0


def test_the_same_range_twice_changes_nothing_and_calls_nobody(lake: Lake) -> None:
    with exchange_up() as served:
        feed = pulled_feed(served.url)
        pull_all(lake, feed, WEEK, served.clock)
        before, calls = (without_origins(lake), ledger(lake)), served.calls()

        again = pull_all(lake, feed, WEEK, served.clock)

        assert again == []
        assert served.calls() == calls
        assert (without_origins(lake), ledger(lake)) == before


def test_asked_again_on_purpose_the_same_answer_changes_nothing(lake: Lake) -> None:
    with exchange_up() as served:
        feed = pulled_feed(served.url)
        pull_all(lake, feed, WEEK, served.clock)
        before, calls = (without_origins(lake), ledger(lake)), served.calls()
        kept = set((lake.layout.root / "origins").rglob("*"))

        again = pull_all(lake, feed, WEEK, served.clock, refetch=True)

        assert {report.status for report in again} == {"known"}
        assert served.calls() == 2 * calls
        assert (without_origins(lake), ledger(lake)) == before
        assert set((lake.layout.root / "origins").rglob("*")) == kept


def test_page_size_and_joined_windows_leave_no_trace(lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = Lake(tmp_path_factory.mktemp("other"))
    with exchange_up() as served:
        pull_all(lake, pulled_feed(served.url, page_rows=100), WEEK, served.clock)
        calls = served.calls()
        pull_all(other, pulled_feed(served.url, page_rows=10_000), WEEK, served.clock)

        # Monday to Friday in one call: the holiday between them is no gap.
        assert served.calls() - calls == 1
    assert without_origins(lake) == without_origins(other)
    assert ledger(lake) == ledger(other)


@pytest.mark.parametrize(
    ("interval", "calendar", "key", "now", "rows"),
    [
        ("1h", "XNYS", "2024-07-01", "2024-12-01", 2 * (21 * 7 + 4)),
        ("1d", "XNYS", "2023-01-01", "2024-12-01", 2 * 250),
        ("1h", "24/7", "2024-02-01", "2024-12-01", 2 * 29 * 24),
        ("1d", "24/7", "2024-01-01", "2025-02-01", 2 * 366),
        # The weeks the clocks change: 13:30 UTC becomes 14:30.
        ("5m", "XNYS", "2024-11-04", "2024-12-01", 2 * 78),
        ("5m", "XNYS", "2024-11-01", "2024-12-01", 2 * 78),
        # Weeks from Sunday 17:00 New York, which is 22:00 and then 21:00 UTC.
        ("1h", "fx", "2024-03-01", "2024-12-01", 2 * (22 + 4 * 120 + 3)),
    ],
)
def test_partitions_of_every_width_are_brought_whole(
    interval: str, calendar: str, key: str, now: str, rows: int, lake: Lake
) -> None:
    with exchange_up(calendar=calendar, now=now) as served:
        feed = pulled_feed(served.url, interval, calendar=calendar, page_rows=5_000)

        (report,) = pull_all(lake, feed, [key], served.clock)
        again = pull_all(lake, feed, [key], served.clock)

    walk_stale(lake, feed)
    assert (report.rows, again) == (rows, [])
    assert lake.read("validated_bars", "feed", key).num_rows == rows
    assert lake.read("rejected_bars", "feed", key).num_rows == 0


def test_a_running_session_is_brought_as_far_as_it_is_over(lake: Lake) -> None:
    with exchange_up(now="2024-07-01 14:00:30", faults=FaultPlan(schedule=(ExchangeFault.UNFINISHED,))) as served:
        feed = pulled_feed(served.url)

        pull_all(lake, feed, ["2024-07-01"], served.clock)

    walk_stale(lake, feed)
    times = column(lake.read("validated_bars", "feed", "2024-07-01"), "ts")
    assert times[-1] == "2024-07-01 13:59"
    assert lake.read("bars_1d", "feed", "2024-07-01")["is_final"].to_pylist() == [False, False]
    assert lake.read("rejected_bars", "feed", "2024-07-01").num_rows == 0


def test_a_session_is_brought_again_when_it_is_over_and_nothing_of_its_course_is_left(lake: Lake) -> None:
    key = ["2024-07-01"]
    with exchange_up(now="2024-07-01 14:00:30") as served:
        feed = pulled_feed(served.url)
        pull_all(lake, feed, key, served.clock)
        served.clock.now_us = us("2024-07-01 15:00:30")
        pull_all(lake, feed, key, served.clock)
        walk_stale(lake, feed)
        served.clock.now_us = us("2024-07-01 20:00:05")
        pull_all(lake, feed, key, served.clock)
        over = pull_all(lake, feed, key, served.clock)

    walk_stale(lake, feed)
    assert over == []
    assert len(lake.catalog.ingests("feed")) == 3
    assert lake.read("bars_1d", "feed", "2024-07-01")["is_final"].to_pylist() == [True, True]
    assert lake.read("validated_bars", "feed", "2024-07-01").num_rows == 777
    assert lake.read("rejected_bars", "feed", "2024-07-01").num_rows == 0


def test_what_was_known_while_a_session_ran_can_still_be_asked_for(lake: Lake) -> None:
    with exchange_up(now="2024-07-01 14:00:30") as served:
        feed = pulled_feed(served.url)
        pull_all(lake, feed, ["2024-07-01"], served.clock)
        then = served.clock()
        served.clock.now_us = us("2024-07-01 20:00:05")
        pull_all(lake, feed, ["2024-07-01"], served.clock)

    (before,) = lake.catalog.standing_parts("feed", as_of_us=then)
    (now,) = lake.catalog.standing_parts("feed")
    assert (before.part.rows, now.part.rows) == (60, 777)


def test_of_a_running_month_only_the_sessions_not_settled_are_asked_for_again(lake: Lake) -> None:
    with exchange_up(now="2024-07-02 21:00") as served:
        feed = pulled_feed(served.url, "1h", page_rows=10_000)
        pull_all(lake, feed, ["2024-07-01"], served.clock)
        served.clock.now_us = us("2024-07-05 15:45")
        pull_all(lake, feed, ["2024-07-01"], served.clock)

    asked = [ingest.pulled for ingest in lake.catalog.ingests("feed")]
    # Hours from 09:30: the one that is cut at the open may begin up to an hour before it.
    assert [(pull.settled, pull.start_us // 86_400_000_000 - 19_905) for pull in asked if pull] == [
        (True, 0), (True, 2), (False, 4),
    ]  # fmt: skip


def test_a_month_that_came_in_pieces_asked_for_again_is_known(lake: Lake) -> None:
    with exchange_up(now="2024-07-12 21:00") as served:
        feed = pulled_feed(served.url, "1h", page_rows=10_000)
        pull_all(lake, feed, ["2024-07-01"], served.clock)
        served.clock.now_us = us("2024-08-12 21:00")
        pull_all(lake, feed, ["2024-07-01"], served.clock)
        before = without_origins(lake), ledger(lake)

        again = pull_all(lake, feed, ["2024-07-01"], served.clock, refetch=True)

    assert [report.status for report in again] == ["known", "known"]
    assert (without_origins(lake), ledger(lake)) == before


def test_nothing_beyond_now_is_asked_for(lake: Lake) -> None:
    with exchange_up(now="2024-07-02 13:00") as served:
        feed = pulled_feed(served.url)

        reports = pull_all(lake, feed, WEEK, served.clock)

        assert [report.partitions for report in reports] == [("2024-07-01",)]


def test_an_answer_is_kept_verbatim_and_found_again(lake: Lake) -> None:
    with exchange_up() as served:
        pull_all(lake, pulled_feed(served.url), ["2024-07-01"], served.clock)

    (ingest,) = lake.catalog.ingests("feed")
    kept = read_origin(lake.layout, "feed", ingest.path)
    assert ingest.path.startswith("origin://exchange/")
    assert [payload.content[:10] for payload in kept] == [b'{"bars": ['] * 3
    assert kept[0].request.startswith("GET /v1/bars?symbols=A%2CB&interval=1m&start=2024-07-01T13%3A30%3A00Z&")
    assert kept[0].received_us == ingest.known_at_us


def test_a_vendor_that_stays_away_stops_the_pull_and_what_came_stays(lake: Lake) -> None:
    schedule = (None,) * 6 + (ExchangeFault.ERROR,) * 4
    with exchange_up(faults=FaultPlan(schedule=schedule)) as served:
        feed = pulled_feed(served.url)
        expected = (
            "stopped at partition 2024-07-03 of feed \\(2 of 4 windows.*tried 4 times.*answers 500.*--start 2024-07-03"
        )

        with pytest.raises(SourceUnavailable, match=expected):
            pull_all(lake, feed, WEEK, served.clock, attempts=4)
        came = lake.catalog.raw_partitions("feed")
        rest = pull_all(lake, feed, WEEK, served.clock)

    assert came == ["2024-07-01", "2024-07-02"]
    assert [report.partitions for report in rest] == [("2024-07-03",), ("2024-07-05",)]


def test_an_unknown_symbol_is_not_tried_again(lake: Lake) -> None:
    with exchange_up() as served:
        feed = pulled_feed(served.url, symbols=("A", "NOPE"))

        with pytest.raises(SourceRejected, match="unknown symbol NOPE; mend the feed's source"):
            pull_all(lake, feed, WEEK, served.clock)

        assert served.calls() == 1


def test_a_new_symbol_is_brought_for_the_whole_past_and_a_dropped_one_stays(lake: Lake) -> None:
    with exchange_up() as served:
        pull_all(lake, pulled_feed(served.url, symbols=("A",)), WEEK[:1], served.clock)
        pull_all(lake, pulled_feed(served.url, symbols=("B",)), WEEK[:1], served.clock)
        feed = pulled_feed(served.url, symbols=("B",))
        again = pull_all(lake, feed, WEEK[:1], served.clock)

    walk_stale(lake, feed)
    assert again == []
    assert set(column(lake.read("validated_bars", "feed", "2024-07-01"), "symbol")) == {"A", "B"}


def test_the_estimate_makes_no_call_and_counts_only_what_is_missing(lake: Lake) -> None:
    with exchange_up() as served:
        feed = pulled_feed(served.url, page_rows=390, calls=2, per_seconds=10.0)
        before = estimate_pull(lake, feed, WEEK, served.clock)
        none = served.calls()
        pull_all(lake, feed, WEEK[:1], served.clock)
        after = estimate_pull(lake, feed, WEEK, served.clock)
        again = estimate_pull(lake, feed, WEEK, served.clock, refetch=True)

    assert none == 0
    assert (before.requests, before.calls, before.seconds) == (4, 8, 30.0)
    assert (after.calls, again.calls) == (6, 8)


def test_only_bars_are_pulled_and_only_from_vendors() -> None:
    with pytest.raises(SettingsInvalid, match="has bars, not trades"):
        open_source(make_feed(source=pulled_feed("http://h").source, data=DataKind.TRADES), lambda: 0)
    with pytest.raises(SettingsInvalid, match="is fed by files"):
        open_source(make_feed(), lambda: 0)
