from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dagster import (
    DagsterInvalidDefinitionError,
    HourlyPartitionsDefinition,
    IdentityPartitionMapping,
    StaticPartitionsDefinition,
    TimeWindowPartitionMapping,
    TimeWindowPartitionsDefinition,
)
from dagster._serdes import deserialize_value, serialize_value
from hypothesis import given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.orchestration.assets.mappings import SessionDateMapping, mapping_between
from marketdata_pipelines.orchestration.assets.partitions import partitions_for
from marketdata_pipelines.settings.feeds_file import parse_feeds

FEED = parse_feeds("feeds:\n  a: {source: landing, interval: 1m, calendar: XNYS}", "feeds.yaml")["a"]
START, TODAY = date(2023, 1, 3), date(2024, 7, 3)
NOW = datetime(2024, 7, 3, 11, tzinfo=ZoneInfo("America/New_York"))
DAYS, WEEKS, MONTHS, YEARS = (partitions_for(FEED, period, START, TODAY) for period in Period)
KEYS = DAYS.get_partition_keys(current_time=NOW)


def upstream(of: TimeWindowPartitionsDefinition, *keys: str) -> list[str]:
    result = SessionDateMapping().get_upstream_mapped_partitions_result_for_partitions(
        of.subset_with_partition_keys(keys), of, DAYS, current_time=NOW
    )
    assert list(result.required_but_nonexistent_partition_keys) == []
    return list(result.partitions_subset.get_partition_keys())


def downstream(of: TimeWindowPartitionsDefinition, *days: str) -> list[str]:
    found = SessionDateMapping().get_downstream_partitions_for_partitions(
        DAYS.subset_with_partition_keys(days), DAYS, of, current_time=NOW
    )
    return list(found.get_partition_keys())


def test_week_with_a_monday_holiday_needs_no_day_of_the_week_before() -> None:
    assert upstream(WEEKS, "2024-05-27") == ["2024-05-28", "2024-05-29", "2024-05-30", "2024-05-31"]


def test_month_that_begins_on_a_saturday_needs_no_friday_before() -> None:
    june = upstream(MONTHS, "2024-06-01")

    assert (june[0], june[-1], len(june)) == ("2024-06-03", "2024-06-28", 19)


def test_friday_that_ends_a_month_belongs_to_that_month_only() -> None:
    assert downstream(MONTHS, "2024-05-31") == ["2024-05-01"]
    assert downstream(WEEKS, "2024-05-31") == ["2024-05-27"]
    assert downstream(YEARS, "2023-12-29") == ["2023-01-01"]


def test_week_over_the_new_year_needs_days_of_both_years() -> None:
    assert upstream(WEEKS, "2024-01-01") == ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"]
    assert upstream(YEARS, "2024-01-01")[0] == "2024-01-02"


@pytest.mark.parametrize("monday", ["2024-03-04", "2024-03-11", "2023-10-30", "2023-11-06"])
def test_weeks_around_a_clock_change_need_their_five_days(monday: str) -> None:
    first = date.fromisoformat(monday)

    assert upstream(WEEKS, monday) == [(first + timedelta(days=offset)).isoformat() for offset in range(5)]


def test_open_week_needs_only_the_days_that_exist() -> None:
    assert upstream(WEEKS, "2024-07-01") == ["2024-07-01", "2024-07-02", "2024-07-03"]


def test_scattered_days_map_to_their_periods_only() -> None:
    assert downstream(WEEKS, "2024-01-05", "2024-03-28") == ["2024-01-01", "2024-03-25"]


@settings(deadline=None)
@given(st.sampled_from(KEYS), st.sampled_from([WEEKS, MONTHS, YEARS]))
def test_every_day_is_needed_by_exactly_the_partition_that_needs_it(
    day: str, coarse: TimeWindowPartitionsDefinition
) -> None:
    (owner,) = downstream(coarse, day)

    assert day in upstream(coarse, owner)


@settings(deadline=None)
@given(st.lists(st.sampled_from(KEYS), min_size=1, max_size=6, unique=True), st.sampled_from([WEEKS, MONTHS, YEARS]))
def test_dagsters_own_mapping_agrees_downstream(days: list[str], coarse: TimeWindowPartitionsDefinition) -> None:
    """The web server and daemon see that one instead (see SessionDateMapping); backfills go this way."""
    theirs = TimeWindowPartitionMapping().get_downstream_partitions_for_partitions(
        DAYS.subset_with_partition_keys(days), DAYS, coarse, current_time=NOW
    )

    assert list(theirs.get_partition_keys()) == downstream(coarse, *sorted(days))


def test_other_processes_see_dagsters_own_mapping() -> None:
    seen = deserialize_value(serialize_value(SessionDateMapping()))

    assert type(seen) is TimeWindowPartitionMapping
    assert seen.allow_nonexistent_upstream_partitions


def test_one_period_maps_to_itself() -> None:
    assert isinstance(mapping_between(Period.DAY, Period.DAY), IdentityPartitionMapping)
    assert isinstance(mapping_between(Period.DAY, Period.WEEK), SessionDateMapping)


@pytest.mark.parametrize("other", [StaticPartitionsDefinition(["a"]), HourlyPartitionsDefinition("2024-01-01-00:00")])
def test_partitions_that_are_no_dates_are_refused(
    other: StaticPartitionsDefinition | HourlyPartitionsDefinition,
) -> None:
    with pytest.raises(DagsterInvalidDefinitionError, match="SessionDateMapping"):
        SessionDateMapping().get_downstream_partitions_for_partitions(
            DAYS.subset_with_partition_keys(["2024-05-31"]), DAYS, other, current_time=NOW
        )
