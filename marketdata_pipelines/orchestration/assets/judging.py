"""The second part of a step: the verdicts on the partitions it has walked, beside the sessions before them.

How a partition is judged is in `pipeline.judging`. Later sessions that were judged beside these are judged again too.
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future

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


class Judging:
    """Judges a run's partitions some at a time while it goes on walking, so that little is left where it is stopped."""

    def __init__(self, context: AssetExecutionContext, walk: Walk, lake: Lake, keys: Sequence[str]) -> None:
        self._context, self._walk, self._lake = context, walk, lake
        self._beside, self._now_us = _beside(walk.settings, walk.feed, lake), time.time_ns() // 1000
        self._reporter = PartitionReporter(context, lambda name: name == QUALITY)
        quality = frozenset({asset_key(walk.feed.name, QUALITY)})
        self._left = remaining(context.instance, context.run, quality, keys, lake, walk.feed, walk.period)
        self._unjudged = dict.fromkeys(self._left)
        self._pending: list[str] = []
        self._sent: deque[Future[list[PartitionOutcome]]] = deque()
        self._withheld: dict[str, str] = {}

    def walked(self, key: str) -> None:
        """A partition has been walked, in order."""
        if key not in self._unjudged:
            return
        del self._unjudged[key]
        self._pending.append(key)
        if len(self._pending) >= JUDGED_AT_ONCE:
            self._send()
        while self._sent and self._sent[0].done():
            self._report(self._sent.popleft().result())

    def flush(self) -> None:
        """Judge and report what has been walked."""
        while self._sent:
            self._report(self._sent.popleft().result())
        self._judge(self._pending)
        self._pending = []

    def finish(self) -> dict[str, str]:
        """Judge what is left, and later sessions that read these; which cannot be judged, with the reason."""
        self.flush()
        self._judge([*self._unjudged])
        feed = self._walk.feed
        later = PartitionJudge(self._lake, feed, self._beside).later(self._left)
        for outcome in _judged(self._lake, feed, self._beside, later, self._now_us):
            if outcome.changed:
                self._reporter.report(outcome)
        _judge_comparing(self._context, self._walk, self._lake, self._left, self._now_us)
        return self._withheld

    def _send(self) -> None:
        walkers, chunk = own_walkers(), self._pending
        self._pending = []
        if walkers is None:
            self._judge(chunk)
        else:
            self._sent.append(walkers.submit_judging(self._lake, self._walk.feed, self._beside, chunk, self._now_us))

    def _judge(self, keys: Sequence[str]) -> None:
        self._report(_judged(self._lake, self._walk.feed, self._beside, keys, self._now_us))

    def _report(self, outcomes: Iterable[PartitionOutcome]) -> None:
        for outcome in outcomes:
            self._reporter.report(outcome)
            if outcome.blocked is not None:
                self._withheld[outcome.partition] = outcome.blocked
            elif self._walk.on_outcome is not None:
                self._walk.on_outcome(outcome)


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
