"""Dagster's own freshness policy of a feed's assets.

It knows only the time since a table was written, so its window spans the calendar's longest closure: slower to turn
red than the check by the calendar (`automation.freshness`), and never on a holiday.
"""

from datetime import timedelta

from dagster import FreshnessPolicy

from marketdata_pipelines.domain.due import is_watched, longest_wait, schedule_of
from marketdata_pipelines.domain.feeds import Feed


def freshness_policy(feed: Feed) -> FreshnessPolicy | None:
    """The policy of a watched feed's assets; None for any other."""
    if not is_watched(feed):
        return None
    late_after = timedelta(minutes=schedule_of(feed).late_after_minutes)
    return FreshnessPolicy.time_window(fail_window=longest_wait(feed) + late_after)
