"""Partitions that were walked and not judged since."""

from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.quality.records import Level
from marketdata_pipelines.domain.quality.settings import QualitySpec
from marketdata_pipelines.pipeline.quality.judging import PartitionJudge
from marketdata_pipelines.pipeline.quality.unjudged import unjudged
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import LATER, make_feed, minutes, source_of, take_in, walk_keys

FEED = make_feed()
FRIDAY, MONDAY = "2024-03-08", "2024-03-11"


def bring(lake: Lake, key: str, opens: str, price: float = 100.0) -> None:
    take_in(lake, FEED, source_of(f"{key} {price}", minutes("A", f"{key} {opens}", 30, price)))
    walk_keys(lake, FEED, Period.DAY, [key])


def test_what_was_walked_is_unjudged_until_it_is_judged(lake: Lake) -> None:
    bring(lake, FRIDAY, "14:30")
    bring(lake, MONDAY, "13:30")
    before = unjudged(lake, FEED)

    PartitionJudge(lake, FEED).judge([FRIDAY, MONDAY], at_us=LATER)

    assert before == [FRIDAY, MONDAY]
    assert unjudged(lake, FEED) == []


def test_a_session_that_changed_leaves_itself_and_those_after_it_unjudged(lake: Lake) -> None:
    bring(lake, FRIDAY, "14:30")
    bring(lake, MONDAY, "13:30")
    PartitionJudge(lake, FEED).judge([FRIDAY, MONDAY], at_us=LATER)

    bring(lake, MONDAY, "13:30", 101.0)
    monday = unjudged(lake, FEED)
    bring(lake, FRIDAY, "14:30", 101.0)

    assert monday == [MONDAY]
    assert unjudged(lake, FEED) == [FRIDAY, MONDAY]


def test_a_feed_without_quality_has_nothing_to_judge(lake: Lake) -> None:
    bring(lake, FRIDAY, "14:30")

    assert unjudged(lake, make_feed(quality=QualitySpec(Level.NONE))) == []
