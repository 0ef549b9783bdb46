"""The second part of a step: the verdicts on the partitions it has walked, beside the sessions before them.

How a partition is judged is in `pipeline.judging`. Later sessions that were judged beside these are judged again too.
"""

import time
from collections.abc import Iterator, Sequence

from dagster import AssetExecutionContext

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.tables import QUALITY
from marketdata_pipelines.orchestration.assets.continuing import remaining
from marketdata_pipelines.orchestration.assets.events import materializations
from marketdata_pipelines.orchestration.assets.reporting import PartitionReporter
from marketdata_pipelines.orchestration.assets.task import Walk
from marketdata_pipelines.orchestration.keys import asset_key
from marketdata_pipelines.pipeline.outcome import PartitionOutcome
from marketdata_pipelines.pipeline.quality.comparing import partitions_comparing
from marketdata_pipelines.pipeline.quality.judging import Beside, PartitionJudge
from marketdata_pipelines.pipeline.references import actions_of
from marketdata_pipelines.pipeline.walkers import JUDGED_AT_ONCE, own_walkers
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.settings.feeds_file import load_feeds
from marketdata_pipelines.settings.references_file import load_references
from marketdata_pipelines.stores.lake.lake import Lake


def judge_partitions(context: AssetExecutionContext, walk: Walk, lake: Lake, keys: Sequence[str]) -> dict[str, str]:
    """Judge the run's partitions and report each; returns those that cannot be judged, with the reason."""
    feed = walk.feed
    beside, now_us = _beside(walk.settings, feed, lake), time.time_ns() // 1000
    reporter = PartitionReporter(context, lambda name: name == QUALITY)
    quality = frozenset({asset_key(feed.name, QUALITY)})
    left = remaining(context.instance, context.run, quality, keys, lake, feed, walk.period)
    withheld = {}
    for outcome in _judged(lake, feed, beside, left, now_us):
        reporter.report(outcome)
        if outcome.blocked is not None:
            withheld[outcome.partition] = outcome.blocked
        elif walk.on_outcome is not None:
            walk.on_outcome(outcome)
    later = PartitionJudge(lake, feed, beside).later(left)
    for outcome in _judged(lake, feed, beside, later, now_us):
        if outcome.changed:
            reporter.report(outcome)
    _judge_comparing(context, walk, lake, left, now_us)
    return withheld


def _judge_comparing(context: AssetExecutionContext, walk: Walk, lake: Lake, keys: Sequence[str], now_us: int) -> None:
    """Judge again what other feeds say beside these partitions; the run has no assets of theirs."""
    # A graph may be built of feeds that no file declares.
    feeds = load_feeds(walk.settings.feeds_file) if walk.settings.feeds_file.is_file() else {}
    if not any(walk.feed.name in other.quality.compare_with for other in feeds.values()):
        return
    for name, found in partitions_comparing(lake, walk.feed, feeds, keys).items():
        other = feeds[name]
        for outcome in _judged(lake, other, _beside(walk.settings, other, lake), found, now_us):
            if outcome.changed:
                made = materializations(outcome, frozenset({asset_key(name, QUALITY)}))
                for event in made:
                    context.instance.report_runless_asset_event(event)


def _beside(settings: Settings, feed: Feed, lake: Lake) -> Beside:
    if not (feed.corporate_actions or feed.quality.compare_with):
        return Beside()
    references = load_references(settings.feeds_file)
    feeds = load_feeds(settings.feeds_file) if feed.quality.compare_with else {}
    return Beside(actions_of(lake, feed, references), feeds, references)


def _judged(lake: Lake, feed: Feed, beside: Beside, keys: Sequence[str], now_us: int) -> Iterator[PartitionOutcome]:
    walkers = own_walkers()
    if walkers is not None and len(keys) > walkers.count * JUDGED_AT_ONCE // 4:
        yield from walkers.judge(lake, feed, beside, keys, now_us)
        return
    judge = PartitionJudge(lake, feed, beside)
    for at in range(0, len(keys), JUDGED_AT_ONCE):
        yield from judge.judge(keys[at : at + JUDGED_AT_ONCE], at_us=now_us)
