"""Buckets of bars with the extended hours."""

from datetime import time

from marketdata_pipelines.domain.session_grid import feed_grid
from marketdata_pipelines.pipeline.aggregate import aggregate_all_hours
from marketdata_pipelines_tests.builders import LATER, bar, bar_table, column, day, make_feed


def test_bars_inside_a_break_have_buckets_of_their_own_with_all_hours() -> None:
    feed = make_feed("XHKG", "1m", extended_hours=(time(8), time(17)))
    grid = feed_grid(feed, day("2024-03-08"), day("2024-03-08"))
    # Hong Kong rests from 04:00 to 05:00 UTC.
    rows = [bar("A", f"2024-03-08 {clock}") for clock in ("03:59", "04:15", "04:59", "05:00")]

    made = aggregate_all_hours(feed, grid, bar_table(rows, feed.interval.us), LATER).intraday["bars_1h"]

    assert column(made, "ts") == ["2024-03-08 03:30", "2024-03-08 04:00", "2024-03-08 05:00"]
    assert column(made, "bar_count") == [1, 2, 1]
