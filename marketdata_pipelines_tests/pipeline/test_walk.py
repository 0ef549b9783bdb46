"""Partitions through the whole chain."""

from dataclasses import replace

import pytest

from marketdata_pipelines.domain.feeds import Anchor, DataKind, Feed
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.tables import feed_tables
from marketdata_pipelines.pipeline.changes import stale_partitions
from marketdata_pipelines.pipeline.ingest import IngestMode
from marketdata_pipelines.quality.checks import ValidatedBatch
from marketdata_pipelines.quality.outcome import CheckOutcome, CheckSpec
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import (
    LATER,
    bar,
    column,
    day,
    lake_files,
    make_feed,
    minutes,
    raw_trades,
    source_of,
    take_in,
    walk_keys,
    walk_stale,
)

FEED = make_feed()
FRIDAY, MONDAY, TUESDAY = "2024-03-08", "2024-03-11", "2024-03-12"
OPENS = {FRIDAY: "2024-03-08 14:30", MONDAY: "2024-03-11 13:30", TUESDAY: "2024-03-12 13:30"}
BASE_TABLES = sorted(
    name for table_set in feed_tables(FEED) for name in table_set.tables if table_set.period is Period.DAY
)


def three_days(lake: Lake, feed: Feed = FEED) -> None:
    for key, opens in OPENS.items():
        take_in(lake, feed, source_of(f"{key}.csv", minutes("A", opens, 30) + minutes("B", opens, 3)))


def stored_tables(lake: Lake, key: str, feed: Feed = FEED) -> list[str]:
    """Names of the derived tables stored for one partition key."""
    return sorted(
        name
        for table_set in feed_tables(feed)
        for name in table_set.tables
        if lake.catalog.stored_partition(name, feed.name, key) is not None
    )


def test_a_walk_writes_every_table_of_the_partition(lake: Lake) -> None:
    three_days(lake)

    outcomes = walk_keys(lake, FEED, Period.DAY, [FRIDAY, MONDAY])

    assert all(outcome.passed for outcome in outcomes.values())
    assert stored_tables(lake, FRIDAY) == sorted({*BASE_TABLES} - {"raw_bars"})
    assert lake.read("validated_bars", "feed", FRIDAY).num_rows == 33
    assert column(lake.read("bars_1d", "feed", FRIDAY), "bar_count") == [30, 3]
    assert column(lake.read("bars_30m", "feed", FRIDAY), "bar_count") == [30, 3]


def test_an_outcome_tells_what_was_written_and_checked(lake: Lake) -> None:
    three_days(lake)

    outcome = walk_keys(lake, FEED, Period.DAY, [FRIDAY])[FRIDAY]

    results = {result.asset: result for result in outcome.results}
    assert set(results) == {table_set.name for table_set in feed_tables(FEED) if table_set.period is Period.DAY}
    assert (results["raw_bars"].rows, results["validated_bars"].rows, results["rejected_bars"].rows) == (33, 33, 0)
    assert results["validated_bars"].symbols == 2
    assert results["intraday_bars"].table_rows["bars_5m"] == 7
    assert results["validated_bars"].bytes > 0
    checks = {check.name for check in outcome.checks}
    assert {"rows_recorded", "rows_conserved", "sorted_and_unique", "aggregates_conserve", "one_row_a_key"} <= checks


def test_a_blocked_partition_withholds_itself_only(lake: Lake) -> None:
    take_in(lake, FEED, source_of("bad.csv", [bar("A", OPENS[MONDAY], -1.0)]))
    take_in(lake, FEED, source_of("good.csv", minutes("A", OPENS[FRIDAY], 5) + minutes("A", OPENS[TUESDAY], 5)))

    outcomes = walk_keys(lake, FEED, Period.DAY, [FRIDAY, MONDAY, TUESDAY])

    blocked = {key: outcome.blocked for key, outcome in outcomes.items() if outcome.blocked}
    assert list(blocked) == [MONDAY]
    assert "not_empty_when_open" in str(blocked[MONDAY])
    assert "every row was rejected: marketdata rejected feed --start 2024-03-11" in str(blocked[MONDAY])
    assert [result.asset for result in outcomes[MONDAY].results] == ["raw_bars", "rejected_bars"]
    # The pair of Monday and Tuesday lives in Monday's partition: Tuesday's bars are in it.
    assert stored_tables(lake, MONDAY) == ["bars_2d", "rejected_bars"]
    assert "bars_1d" in stored_tables(lake, TUESDAY)


def test_a_partition_without_raw_rows_is_blocked_and_says_how_to_get_some(lake: Lake) -> None:
    outcome = walk_keys(lake, FEED, Period.DAY, [FRIDAY])[FRIDAY]

    assert "nothing was ingested: marketdata ingest feed PATH" in str(outcome.blocked)
    assert outcome.results == ()
    assert lake_files(lake) == {}


def test_a_closed_day_without_raw_rows_is_not_blocked(lake: Lake) -> None:
    assert walk_keys(lake, FEED, Period.DAY, ["2024-03-09"])["2024-03-09"].blocked is None


def test_a_month_without_sessions_is_not_blocked(lake: Lake) -> None:
    feed = make_feed(interval="1h", closed=tuple(day(f"2024-02-{n:02}") for n in range(1, 30)))

    assert walk_keys(lake, feed, Period.MONTH, ["2024-02-01"])["2024-02-01"].blocked is None


def test_chosen_downstream_assets_read_the_stored_upstream(lake: Lake) -> None:
    three_days(lake)
    walk_keys(lake, FEED, Period.DAY, [FRIDAY], "raw_bars", "validated_bars", "rejected_bars")
    before = stored_tables(lake, FRIDAY)

    outcome = walk_keys(lake, FEED, Period.DAY, [FRIDAY], "daily_bars", "top_volume")[FRIDAY]

    assert before == ["rejected_bars", "validated_bars"]
    assert outcome.blocked is None
    assert [result.asset for result in outcome.results] == ["daily_bars", "top_volume"]
    assert stored_tables(lake, FRIDAY) == ["bars_1d", "bars_2d", "rejected_bars", "top_volume", "validated_bars"]


def test_chosen_downstream_assets_without_stored_upstream_are_blocked(lake: Lake) -> None:
    three_days(lake)

    outcome = walk_keys(lake, FEED, Period.DAY, [FRIDAY], "daily_bars")[FRIDAY]

    assert str(outcome.blocked).startswith("feed has no validated_bars for 2024-03-08; run: marketdata backfill feed")


def test_walking_in_parts_gives_the_bytes_of_walking_at_once(lake: Lake) -> None:
    three_days(lake)
    walk_keys(lake, FEED, Period.DAY, [FRIDAY])
    whole = lake_files(lake)

    for table_set in feed_tables(FEED):
        if table_set.period is Period.DAY:
            walk_keys(lake, FEED, Period.DAY, [FRIDAY], table_set.name)

    assert lake_files(lake) == whole


def test_weeks_and_months_come_from_stored_days(lake: Lake) -> None:
    three_days(lake)
    walk_keys(lake, FEED, Period.DAY, list(OPENS))

    weeks = walk_keys(lake, FEED, Period.WEEK, ["2024-03-04", MONDAY])
    months = walk_keys(lake, FEED, Period.MONTH, ["2024-03-01"])

    assert not any(outcome.blocked for outcome in (*weeks.values(), *months.values()))
    assert column(lake.read("bars_1w", "feed", MONDAY), "bar_count") == [60, 6]
    assert column(lake.read("bars_1mo", "feed", "2024-03-01"), "bar_count") == [90, 9]


def test_a_week_without_days_is_blocked_and_says_what_to_run(lake: Lake) -> None:
    outcome = walk_keys(lake, FEED, Period.WEEK, [MONDAY])[MONDAY]

    assert outcome.blocked == (
        "feed has no daily bars between 2024-03-11 and 2024-03-17; "
        "run: marketdata backfill feed --start 2024-03-11 --end 2024-03-17"
    )


def test_what_lost_its_source_is_removed_from_days_weeks_and_months(lake: Lake) -> None:
    source = source_of("a.csv", minutes("A", OPENS[FRIDAY], 5))
    take_in(lake, FEED, source)
    walk_stale(lake, FEED)
    assert stored_tables(lake, "2024-03-04") == ["bars_1w"]

    moved = replace(source_of("a.csv", minutes("A", OPENS[TUESDAY], 5)), sha256=source.sha256)
    take_in(lake, FEED, moved, restart=True)
    walk_stale(lake, FEED)

    assert stored_tables(lake, FRIDAY) == []
    assert stored_tables(lake, "2024-03-04") == []
    assert stored_tables(lake, MONDAY) == ["bars_1w", "bars_2d"]
    assert stale_partitions(lake, FEED) == {Period.DAY: [], Period.WEEK: [], Period.MONTH: []}


def test_a_deleted_session_leaves_the_tables(lake: Lake) -> None:
    take_in(lake, FEED, source_of("a.csv", [row for opens in OPENS.values() for row in minutes("A", opens, 3)]))
    walk_stale(lake, FEED)
    edges = minutes("A", OPENS[FRIDAY], 3) + minutes("A", OPENS[TUESDAY], 3)

    take_in(lake, FEED, source_of("b.csv", edges), mode=IngestMode.REPLACE_WINDOW)
    outcomes = walk_stale(lake, FEED)

    assert [outcome.partition for outcome in outcomes if outcome.blocked] == [MONDAY]
    assert stored_tables(lake, MONDAY) == ["bars_1w", "bars_2d", "rejected_bars"]
    assert column(lake.read("rejected_bars", "feed", MONDAY), "rules") == ["deleted"] * 3
    assert column(lake.read("bars_1mo", "feed", "2024-03-01"), "bar_count") == [6]
    assert all(not keys for keys in stale_partitions(lake, FEED).values())


class NothingLarge:
    """A suite of somebody's own: blocks bars above a price."""

    def specs(self, feed: Feed) -> tuple[CheckSpec, ...]:
        return (CheckSpec("nothing_large", "validated_bars", True, "No price above 100.03."),)

    def evaluate(self, batch: ValidatedBatch) -> list[CheckOutcome]:
        passed = max(column(batch.bars, "close")) <= 100.03
        return [CheckOutcome("nothing_large", "validated_bars", passed, True, "too large")]


def test_a_suite_of_ones_own_blocks_too(lake: Lake) -> None:
    three_days(lake)

    blocked = walk_keys(lake, FEED, Period.DAY, [FRIDAY], suites=[NothingLarge()])[FRIDAY]

    assert blocked.blocked == "nothing_large: too large"
    assert stored_tables(lake, FRIDAY) == ["rejected_bars"]


def test_trades_are_walked_to_bars_of_every_timeframe(lake: Lake) -> None:
    feed = make_feed(interval="1s", data=DataKind.TRADES)
    take_in(lake, feed, source_of("t.csv", raw_trades([("A", "2024-03-08 14:30:00.5", 10.0, 1.0)] * 3)))

    outcome = walk_keys(lake, feed, Period.DAY, [FRIDAY])[FRIDAY]

    assert outcome.passed
    assert column(lake.read("bars_1m", "feed", FRIDAY), "volume") == [3.0]
    assert column(lake.read("bars_1m", "feed", FRIDAY), "trade_count") == [3]


def test_times_no_calendar_reaches_are_rejected_like_others(lake: Lake) -> None:
    odd = [2**62, -(2**62), 253_402_300_799_000_000, -(10**16), 10**16]
    rows = [*minutes("A", OPENS[FRIDAY], 3), *(bar("A", moment) for moment in odd)]
    take_in(lake, FEED, source_of("a.csv", rows))

    (outcome, *_) = walk_stale(lake, FEED)

    assert outcome.passed
    assert column(lake.read("validated_bars", "feed", FRIDAY), "ts")[-1] == "2024-03-08 14:32"
    rejected = lake.read("rejected_bars", "feed", FRIDAY)
    assert rejected["row"].to_pylist() == [4, 5, 6, 7, 8]
    assert column(rejected, "rules") == [
        "unparsable_timestamp", "unparsable_timestamp", "off_interval;future", "off_interval;out_of_session",
        "off_interval;future",
    ]  # fmt: skip


def test_a_raw_part_that_is_gone_blocks_its_partition(lake: Lake) -> None:
    three_days(lake)
    (part,) = lake.catalog.standing_parts("feed", [MONDAY])
    (lake.layout.root / part.part.path).unlink()

    outcomes = walk_keys(lake, FEED, Period.DAY, list(OPENS))

    assert [key for key, outcome in outcomes.items() if outcome.blocked] == [MONDAY]
    assert "run: marketdata doctor" in str(outcomes[MONDAY].blocked)


@pytest.mark.parametrize("known_at", ["2024-03-08 14:35", "2024-03-08 21:00"])
def test_buckets_beyond_what_can_be_known_are_not_final(lake: Lake, known_at: str) -> None:
    take_in(lake, FEED, source_of("a.csv", minutes("A", OPENS[FRIDAY], 5)), known_at=known_at)

    walk_stale(lake, FEED)

    final = known_at == "2024-03-08 21:00"
    assert column(lake.read("bars_5m", "feed", FRIDAY), "is_final") == [True]
    assert column(lake.read("bars_15m", "feed", FRIDAY), "is_final") == [final]
    assert column(lake.read("bars_1w", "feed", "2024-03-04"), "is_final") == [final]
    assert column(lake.read("bars_1mo", "feed", "2024-03-01"), "is_final") == [False]


@pytest.mark.parametrize("interval", ["1s", "1m", "1h", "1d", "1w", "1M"])
@pytest.mark.parametrize("anchor", list(Anchor))
def test_one_bar_of_any_interval_walks(lake: Lake, interval: str, anchor: Anchor) -> None:
    feed = make_feed(interval=interval, anchor=anchor)
    moment = {"1s": "2024-03-08 14:30:07", "1m": "2024-03-08 14:31", "1h": "2024-03-08 15:00"}
    label = {"1d": "2024-03-08 00:00", "1w": "2024-03-04 00:00", "1M": "2024-03-01 00:00"}
    take_in(lake, feed, source_of("a.csv", [bar("A", moment.get(interval) or label[interval])]), known_at=LATER)

    outcomes = walk_stale(lake, feed)

    assert outcomes
    assert [outcome.blocked for outcome in outcomes] == [None] * len(outcomes)
    assert all(outcome.passed for outcome in outcomes)
    assert all(not keys for keys in stale_partitions(lake, feed).values())
