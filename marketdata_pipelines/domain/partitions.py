"""Partition keys: what one lake file and one Dagster partition cover, and which partitions a change touches.

A key is the ISO date of the period's first day: the session date, a week's Monday, the first of a month or year.
Nothing of Dagster here (see `orchestration.assets.partitions`).
"""

from datetime import date, timedelta
from enum import StrEnum

from marketdata_pipelines.domain.feeds import PartitionBy


class Period(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


def period_of(partition: PartitionBy) -> Period:
    """The period one base partition of a feed covers."""
    return Period(partition.value)


def period_start(day: date, period: Period) -> date:
    """The first day of the period that contains `day` (weeks start on Monday)."""
    if period is Period.DAY:
        return day
    if period is Period.WEEK:
        return day - timedelta(days=day.weekday())
    if period is Period.MONTH:
        return day.replace(day=1)
    return day.replace(month=1, day=1)


def period_end(start: date, period: Period) -> date:
    """The last day of the period that starts on `start`, included."""
    if period is Period.DAY:
        return start
    if period is Period.WEEK:
        return start + timedelta(days=6)
    if period is Period.MONTH:
        return (start.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return start.replace(month=12, day=31)


def partition_key(day: date, period: Period) -> str:
    """The key of the partition that contains `day`."""
    return period_start(day, period).isoformat()


def is_partition_key(key: str, period: Period) -> bool:
    """Whether a key is the first day of its period."""
    day = date.fromisoformat(key)
    return period_start(day, period) == day


def partition_span(key: str, period: Period) -> tuple[date, date]:
    """The first and last day a partition covers, both included.

    Errors: ValueError when `key` is no ISO date or not the first day of its period.
    """
    start = date.fromisoformat(key)
    if period_start(start, period) != start:
        raise ValueError(f"{key} is not the first day of a {period}; did you mean {partition_key(start, period)}?")
    return start, period_end(start, period)


def partition_keys(start: date, end: date, period: Period) -> list[str]:
    """Keys of all partitions that overlap start..end (calendar days; closed days included for Period.DAY)."""
    keys, day = [], period_start(start, period)
    while day <= end:
        keys.append(day.isoformat())
        day = period_end(day, period) + timedelta(days=1)
    return keys
