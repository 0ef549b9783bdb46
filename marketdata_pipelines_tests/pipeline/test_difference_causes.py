"""Why bars differ: the bucket that a base bar is in is the one aggregation puts it into."""

from datetime import time

import pytest

from marketdata_pipelines.domain.feeds import ClosingAuction, Feed
from marketdata_pipelines.domain.frames import int_values
from marketdata_pipelines.domain.intervals import table_name
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.pipeline.difference_causes import bucket_labels
from marketdata_pipelines.pipeline.past import PastTables
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import CME_BREAK, bar, make_feed, source_of, take_in

EXTENDED = (time(4), time(20))
FEEDS = {
    "a half-day and an early open": (make_feed(), ["2024-07-03 13:30", "2024-07-03 16:59", "2024-07-05 13:37"]),
    "extended hours": (make_feed(extended_hours=EXTENDED), ["2024-07-03 13:31", "2024-07-03 09:00"]),
    "an auction at the close": (
        make_feed(closing_auction=ClosingAuction.OWN_BAR), ["2024-07-03 17:00", "2024-07-05 19:59"],
    ),
    "days that never close": (make_feed("24/7"), ["2024-02-29 23:59", "2024-03-01 00:00", "2024-03-03 05:05"]),
    "hours across a break": (
        make_feed("CMES", "1h", breaks=CME_BREAK), ["2024-03-07 23:00", "2024-03-08 14:00", "2024-03-08 20:00"],
    ),
    "days of two years": (make_feed(interval="1d"), ["2024-12-31 00:00", "2025-01-02 00:00", "2025-01-03 00:00"]),
}  # fmt: skip


@pytest.mark.parametrize(("feed", "moments"), FEEDS.values(), ids=FEEDS)
def test_a_base_bar_is_in_the_bucket_aggregation_puts_it_into(lake: Lake, feed: Feed, moments: list[str]) -> None:
    # A symbol a bar: each bucket then holds one bar and names it.
    take_in(lake, feed, source_of("a.csv", [bar(f"S{number}", moment) for number, moment in enumerate(moments)]))
    past = PastTables(lake, feed)
    checked = 0

    for timeframe in feed.timeframes:
        table = table_name(timeframe)
        buckets = {
            row["symbol"]: row["ts"] for key in past.partitions(table) for row in past.read(table, key).to_pylist()
        }
        for key in past.partitions(VALIDATED_BARS):
            bars = past.read(VALIDATED_BARS, key)
            bars = bars.filter(bars["regular"])
            expected = [int(buckets[symbol].timestamp() * 1_000_000) for symbol in bars["symbol"].to_pylist()]
            assert bucket_labels(feed, timeframe, bars).tolist() == expected, timeframe
            checked += len(expected)
        assert len(int_values(bars["ts"])) > 0

    assert checked >= len(feed.timeframes)
