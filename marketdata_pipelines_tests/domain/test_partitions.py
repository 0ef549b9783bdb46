"""Partition keys and what they cover."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.domain.partitions import (
    Period,
    partition_key,
    partition_keys,
    partition_span,
    period_end,
    period_start,
)
from marketdata_pipelines_tests.builders import day

DAYS = st.dates(date(1960, 1, 1), date(2099, 12, 31))


@pytest.mark.parametrize(
    ("period", "key", "last"),
    [
        (Period.DAY, "2024-02-29", "2024-02-29"),
        (Period.WEEK, "2024-02-26", "2024-03-03"),
        (Period.MONTH, "2024-02-01", "2024-02-29"),
        (Period.YEAR, "2024-01-01", "2024-12-31"),
    ],
)
def test_a_key_is_the_first_day_of_its_period(period: Period, key: str, last: str) -> None:
    assert partition_key(day("2024-02-29"), period) == key
    assert partition_span(key, period) == (day(key), day(last))


@given(DAYS, st.sampled_from(Period))
def test_every_day_lies_in_exactly_one_partition(moment: date, period: Period) -> None:
    start = period_start(moment, period)
    end = period_end(start, period)

    assert start <= moment <= end
    assert period_start(end, period) == start
    assert period_start(end + timedelta(days=1), period) == end + timedelta(days=1)


def test_a_key_inside_a_period_names_the_right_one() -> None:
    with pytest.raises(ValueError, match="did you mean 2024-03-01"):
        partition_span("2024-03-08", Period.MONTH)


def test_keys_cover_a_range_with_both_ends() -> None:
    assert partition_keys(day("2024-12-30"), day("2025-01-06"), Period.WEEK) == ["2024-12-30", "2025-01-06"]
    assert partition_keys(day("2024-12-31"), day("2025-01-01"), Period.YEAR) == ["2024-01-01", "2025-01-01"]
    assert partition_keys(day("2024-03-09"), day("2024-03-10"), Period.DAY) == ["2024-03-09", "2024-03-10"]
