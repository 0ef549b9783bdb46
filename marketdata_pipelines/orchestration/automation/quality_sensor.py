"""The sensor that has the reports of a feed made once its verdicts have changed: `quality_report_sensor`.

It waits while a backfill of the feed is at work, and asks at most every few minutes: what is behind by then is done in
one run.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dagster import (
    AssetSelection,
    DagsterInstance,
    DagsterRun,
    DefaultSensorStatus,
    RunRequest,
    RunsFilter,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    sensor,
)
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from dagster._core.storage.tags import BACKFILL_ID_TAG

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import SECOND_US
from marketdata_pipelines.domain.tables import QUALITY
from marketdata_pipelines.orchestration.assets.quality_report import QUALITY_REPORT, has_reports
from marketdata_pipelines.orchestration.assets.ranges import RANGE_END_TAG, RANGE_START_TAG
from marketdata_pipelines.orchestration.automation.asking import (
    ASKED_TAG,
    PRIORITY_TAG,
    failed_attempts,
    name_of_request,
)
from marketdata_pipelines.orchestration.automation.landing_sensor import now_us
from marketdata_pipelines.orchestration.keys import FEED_TAG, asset_key
from marketdata_pipelines.orchestration.running.backfills import open_backfills
from marketdata_pipelines.pipeline.landing import Clock
from marketdata_pipelines.pipeline.quality.reporting import Behind, reports_behind
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake

SENSOR = "quality_report_sensor"
REST_SECONDS = 180
_SECONDS_BETWEEN = 30
_MOST_ATTEMPTS = 3
# Bars come first: a report waits for everything else.
_PRIORITY = "-5"
_LISTED = 1000


@dataclass(frozen=True, slots=True)
class ReportMemory:
    """The cursor: by feed the newest verdict whose reports are made, and when a run was asked for last."""

    settled: Mapping[str, int] = field(default_factory=dict)
    asked_us: Mapping[str, int] = field(default_factory=dict)

    @staticmethod
    def from_text(text: str | None) -> "ReportMemory":
        """The memory a cursor holds; an empty one for a cursor of another make."""
        try:
            values = json.loads(text or "{}")
            settled = {str(feed): int(at) for feed, at in values.get("settled", {}).items()}
            return ReportMemory(settled, {str(feed): int(at) for feed, at in values.get("asked_us", {}).items()})
        except (ValueError, TypeError, AttributeError):
            return ReportMemory()

    def text(self) -> str:
        """The cursor."""
        return json.dumps({"settled": dict(self.settled), "asked_us": dict(self.asked_us)}, separators=(",", ":"))


def quality_report_sensor(feeds: Sequence[Feed], settings: Settings, clock: Clock = now_us) -> SensorDefinition | None:
    """One sensor for the code location; None where no feed is judged."""
    judged = [feed for feed in feeds if has_reports(feed)]
    if not judged:
        return None

    @sensor(
        name=SENSOR,
        asset_selection=AssetSelection.assets(*(asset_key(feed.name, QUALITY_REPORT) for feed in judged)),
        minimum_interval_seconds=_SECONDS_BETWEEN,
        default_status=DefaultSensorStatus.RUNNING,
        description=(
            "Has the quality reports and Data Docs of a feed made once its verdicts have changed: after its backfills, "
            f"at most every {REST_SECONDS // 60} minutes."
        ),
    )
    def make_reports(context: SensorEvaluationContext) -> SensorResult:
        return ReportAsker(judged, settings, clock).tick(context.instance, context.cursor)

    return make_reports


@dataclass(frozen=True, slots=True)
class ReportAsker:
    """One look at all judged feeds."""

    feeds: Sequence[Feed]
    settings: Settings
    clock: Clock

    def tick(self, instance: DagsterInstance, cursor: str | None) -> SensorResult:
        """The runs to ask for, or why there are none."""
        memory, now = ReportMemory.from_text(cursor), self.clock()
        names = {feed.name for feed in self.feeds}
        settled = {name: at for name, at in memory.settled.items() if name in names}
        asked = {name: at for name, at in memory.asked_us.items() if name in names}
        requests, texts = [], []
        newest = self._newest(instance)
        lake = Lake(self.settings.lake)
        for feed in self.feeds:
            if newest[feed.name] == settled.get(feed.name, 0):
                continue
            waits = self._waits(instance, feed, asked.get(feed.name, 0), now)
            if waits:
                texts.append(f"{feed.name} {waits}")
                continue
            behind = reports_behind(lake, feed, self.settings)
            request = self._request(instance, feed, behind) if behind else None
            if request is not None:
                requests.append(request)
                asked[feed.name] = now
                continue
            settled[feed.name] = newest[feed.name]
            if behind:
                texts.append(f"{feed.name} failed {_MOST_ATTEMPTS} times; asked again once a verdict changes")
        reason = None if requests else SkipReason("; ".join(texts) or "every report is up to date")
        return SensorResult(run_requests=requests, skip_reason=reason, cursor=ReportMemory(settled, asked).text())

    def _newest(self, instance: DagsterInstance) -> dict[str, int]:
        """The storage id of each feed's newest verdict; 0 where it has none."""
        keys = {asset_key(feed.name, QUALITY): feed.name for feed in self.feeds}
        records = instance.get_asset_records(list(keys))
        found = dict.fromkeys(keys.values(), 0)
        for record in records:
            entry = record.asset_entry
            found[keys[entry.asset_key]] = entry.last_materialization_storage_id or 0
        return found

    def _waits(self, instance: DagsterInstance, feed: Feed, asked_us: int, now: int) -> str | None:
        if now < asked_us + REST_SECONDS * SECOND_US:
            return f"was asked for less than {REST_SECONDS} s ago"
        if open_backfills(instance, feed.name):
            return "waits for a backfill"
        unfinished = instance.get_runs(RunsFilter(statuses=list(NOT_FINISHED_STATUSES)), limit=_LISTED)
        busy = [run.run_id for run in unfinished if _is_awaited(run, feed)]
        return f"waits for run {busy[0]}" if busy else None

    def _request(self, instance: DagsterInstance, feed: Feed, behind: Behind) -> RunRequest | None:
        parts = [f"{key}={inputs}" for key, inputs in sorted(behind.partitions.items())]
        asked = name_of_request(feed, QUALITY_REPORT, *parts, *behind.months)
        failed = failed_attempts(instance, asked)
        if failed >= _MOST_ATTEMPTS:
            return None
        tags = {FEED_TAG: feed.name, ASKED_TAG: asked, PRIORITY_TAG: _PRIORITY}
        return RunRequest(
            run_key=f"{asked}-{failed + 1}", asset_selection=[asset_key(feed.name, QUALITY_REPORT)], tags=tags
        )


def _is_awaited(run: DagsterRun, feed: Feed) -> bool:
    """Whether a run makes this feed's reports, or writes many of its partitions."""
    keys = run.asset_selection or frozenset()
    if asset_key(feed.name, QUALITY_REPORT) in keys:
        return True
    own = run.tags.get(FEED_TAG) == feed.name or any(key.path[0] == feed.name for key in keys)
    is_ranged = run.tags.get(RANGE_START_TAG) != run.tags.get(RANGE_END_TAG)
    return own and (is_ranged or BACKFILL_ID_TAG in run.tags)
