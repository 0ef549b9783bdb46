from datetime import date

import pytest

from marketdata_pipelines.domain.feeds import Feed, PartitionBy, SourceKind, SourceSpec
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.pipeline.acquire import acquire
from marketdata_pipelines.pipeline.missing import can_be_asked_again, find_missing, missing_sessions
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import make_feed, us, walk_stale

SIMULATED = SourceSpec(SourceKind.SIMULATED, symbols=("ALFA",), seed=3)
# Friday 2024-05-31, the last session; Memorial Day was Monday the 27th.
FRIDAY_NIGHT = us("2024-05-31 22:00")


@pytest.fixture
def feed() -> Feed:
    return make_feed(interval="30m", source=SIMULATED, partition=PartitionBy.DAY, start=date(2024, 5, 24))


def bring(lake: Lake, feed: Feed, keys: list[str], now_us: int) -> None:
    acquire(lake, feed, None, keys, run_id="run", now_us=now_us)


def test_every_closed_session_since_the_start_is_missing_newest_first(lake: Lake, feed: Feed) -> None:
    assert list(missing_sessions(lake, feed, FRIDAY_NIGHT)) == [
        "2024-05-31", "2024-05-30", "2024-05-29", "2024-05-28", "2024-05-24",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("now", "newest"),
    [("2024-05-31 19:59", "2024-05-30"), ("2024-05-31 20:59", "2024-05-30"), ("2024-05-31 21:00", "2024-05-31")],
)
def test_a_session_is_due_an_hour_after_its_close(lake: Lake, feed: Feed, now: str, newest: str) -> None:
    assert next(iter(missing_sessions(lake, feed, us(now)))) == newest


def test_what_came_in_is_not_missing(lake: Lake, feed: Feed) -> None:
    bring(lake, feed, ["2024-05-24", "2024-05-30", "2024-05-31"], FRIDAY_NIGHT)

    assert list(missing_sessions(lake, feed, FRIDAY_NIGHT)) == ["2024-05-29", "2024-05-28"]


def test_sessions_that_closed_after_their_month_was_last_asked_for_are_missing(lake: Lake) -> None:
    monthly = make_feed(interval="1h", source=SIMULATED, start=date(2024, 5, 1))
    bring(lake, monthly, ["2024-05-01"], us("2024-05-29 23:00"))

    assert missing_sessions(lake, monthly, FRIDAY_NIGHT) == {"2024-05-01": 2}


def test_data_from_before_the_start_counts_from_there(lake: Lake, feed: Feed) -> None:
    bring(lake, feed, ["2024-05-22"], FRIDAY_NIGHT)

    assert list(missing_sessions(lake, feed, FRIDAY_NIGHT))[-1] == "2024-05-23"


def test_a_feed_without_start_or_data_lacks_nothing(lake: Lake) -> None:
    boundless = make_feed(interval="30m", source=SIMULATED)

    assert missing_sessions(lake, boundless, FRIDAY_NIGHT) == {}


def test_files_and_the_sample_cannot_be_asked_again(lake: Lake, feed: Feed) -> None:
    files = make_feed(start=date(2024, 5, 24))

    assert can_be_asked_again(feed)
    assert not can_be_asked_again(files)
    assert find_missing(lake, files, FRIDAY_NIGHT).sessions == {}


def test_partitions_behind_their_raw_data_are_found_for_every_feed(lake: Lake, feed: Feed) -> None:
    bring(lake, feed, ["2024-05-31"], FRIDAY_NIGHT)

    before = find_missing(lake, feed, FRIDAY_NIGHT).stale
    walk_stale(lake, feed)

    assert before == {Period.DAY: ["2024-05-31"], Period.WEEK: ["2024-05-27"], Period.MONTH: ["2024-05-01"]}
    assert not any(find_missing(lake, feed, FRIDAY_NIGHT).stale.values())
