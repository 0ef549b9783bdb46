"""A vendor's history brought like any other source."""

import random

from marketdata_pipelines.pipeline.acquire import acquire
from marketdata_pipelines.sources.pulled.caller import CallRules
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.sources.exchange.exchanges import exchange_up, pulled_feed


def test_partitions_of_a_vendor_are_brought_once_and_again_when_asked_to(lake: Lake) -> None:
    with exchange_up() as served:
        rules = CallRules(clock=served.clock, sleep=served.clock.sleep, randomness=random.Random(1))
        feed = pulled_feed(served.url)

        first, again, refetched = (
            acquire(
                lake, feed, None, ["2024-07-01", "2024-07-02"],
                run_id="r", now_us=served.clock(), refetch=refetch, rules=rules,
            )
            for refetch in (False, False, True)
        )  # fmt: skip

    assert first.partitions == ("2024-07-01", "2024-07-02")
    assert again.files == ()
    assert [(report.status, report.rows) for report in refetched.files] == [("known", 777), ("known", 777)]
    assert refetched.partitions == ()
