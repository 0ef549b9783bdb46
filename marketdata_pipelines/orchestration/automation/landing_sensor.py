"""The sensor of a feed's drop folder: `<feed>__landing`. New whole files are taken in, what they changed is derived.

The ledger decides what is done, never the cursor: losing the cursor costs a look, not a file.
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dagster import (
    AssetObservation,
    DefaultSensorStatus,
    JobDefinition,
    MetadataValue,
    RunRequest,
    RunsFilter,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    sensor,
)
from dagster._core.storage.dagster_run import FINISHED_STATUSES

from marketdata_pipelines.domain.feeds import Feed, SourceKind
from marketdata_pipelines.domain.intervals import SECOND_US
from marketdata_pipelines.domain.notices import Happening, NoticeKind
from marketdata_pipelines.domain.partitions import Period, period_of
from marketdata_pipelines.domain.tables import raw_asset
from marketdata_pipelines.errors import WorkFailed
from marketdata_pipelines.orchestration.assets.ranges import ACQUIRE_TAG
from marketdata_pipelines.orchestration.automation.claims import UNFINISHED, claimed_partitions
from marketdata_pipelines.orchestration.automation.ingest_job import ingest_job_name
from marketdata_pipelines.orchestration.automation.landing_memory import Asked, LandingMemory
from marketdata_pipelines.orchestration.keys import FEED_TAG, asset_key, job_name
from marketdata_pipelines.orchestration.running.backfills import open_periods
from marketdata_pipelines.orchestration.running.runs import close_abandoned_runs
from marketdata_pipelines.pipeline.intake import last_seq, partitions_behind, without
from marketdata_pipelines.pipeline.landing import Clock, Look, NewFile, look, names_of
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.outbox import Outbox

CONTENTS_TAG = "marketdata/contents"
OPENED_BY_TAG = "marketdata/opened_by"
_SECONDS_BETWEEN_LOOKS = 15
# The files of one run travel in its configuration.
_FILES_A_RUN = 1000
_FIRST_REST_SECONDS, _LONGEST_REST_SECONDS = 60, 3600


def has_drop_folder(feed: Feed) -> bool:
    """Whether files may land for this feed: it is fed by files below a local path."""
    return feed.source.kind is SourceKind.FILES and bool(feed.source.path) and "://" not in (feed.source.path or "")


def landing_sensor_name(feed: str) -> str:
    """The sensor that watches a feed's drop folder."""
    return f"{feed}__landing"


def now_us() -> int:
    """The clock of the sensors, UTC microseconds."""
    return time.time_ns() // 1000


def landing_sensor(feed: Feed, settings: Settings, ingest: JobDefinition, clock: Clock = now_us) -> SensorDefinition:
    """The sensor of one feed. It runs by default: whoever names a path in feeds.yaml wants its files."""

    @sensor(
        name=landing_sensor_name(feed.name),
        job=ingest,
        minimum_interval_seconds=_SECONDS_BETWEEN_LOOKS,
        default_status=DefaultSensorStatus.RUNNING,
        description=(
            f"Watches {feed.source.path} for {feed.name}: every whole new file is taken in once, and the partitions "
            "it changed are derived. Files that are being written, or are cut off, wait."
        ),
        tags={FEED_TAG: feed.name},
    )
    def watch(context: SensorEvaluationContext) -> SensorResult:
        return Watch(feed, settings, clock).tick(context)

    return watch


@dataclass(frozen=True, slots=True)
class Watch:
    """One look at one feed's drop folder."""

    feed: Feed
    settings: Settings
    clock: Clock

    def tick(self, context: SensorEvaluationContext) -> SensorResult:
        """Ask for what is to be done; the memory of it is the new cursor."""
        lake = Lake(self.settings.lake)
        memory = LandingMemory.from_text(context.cursor)
        folder = self.settings.source_path(self.feed.source.path or "")
        found = look(lake, self.feed, folder, memory.watched, self.clock)
        self._tell_unreadable(context, found)
        memory = replace(memory, watched=found.watched)
        request, memory, asked_for = self._request(context, found, memory)
        opened, memory = self._derive(context, lake, memory)
        texts = [text for text in (asked_for, opened, _summary(found)) if text]
        return SensorResult(
            run_requests=[request] if request else None,
            skip_reason=None if request else SkipReason("; ".join(texts)),
            cursor=memory.text(),
        )

    def _request(
        self, context: SensorEvaluationContext, found: Look, memory: LandingMemory
    ) -> tuple[RunRequest | None, LandingMemory, str]:
        """One run for the new files, while none is at it; a file whose run has failed goes alone, later and later."""
        job, now = ingest_job_name(self.feed.name), self.clock()
        close_abandoned_runs(context.instance, job)
        memory = memory.keeping(each.content for each in found.new)
        if not found.new:
            return None, memory, ""
        running = context.instance.get_runs(RunsFilter(job_name=job, statuses=UNFINISHED), limit=1)
        if running:
            return None, memory, f"run {running[0].run_id[:8]} is taking files in"
        batch = _batch(found.new, memory, now)
        if not batch:
            return None, memory, f"{len(found.new)} files whose run failed wait before they are tried again"
        contents = hashlib.sha256("\n".join(sorted(each.content for each in batch)).encode()).hexdigest()[:16]
        # Dagster never launches a run key twice, not even that of a run that failed.
        over = RunsFilter(job_name=job, tags={CONTENTS_TAG: contents}, statuses=FINISHED_STATUSES)
        attempt = context.instance.get_runs_count(over) + 1
        request = RunRequest(
            run_key=f"{contents}:{attempt}",
            run_config={"ops": {f"take_in_{self.feed.name}": {"config": {"files": [each.path for each in batch]}}}},
            tags={CONTENTS_TAG: contents, FEED_TAG: self.feed.name},
        )
        context.log.info(f"{len(batch)} new files: {names_of(each.path for each in batch)}")
        return request, memory.having_asked((each.content for each in batch), now), ""

    def _derive(self, context: SensorEvaluationContext, lake: Lake, memory: LandingMemory) -> tuple[str, LandingMemory]:
        """Open a backfill for the partitions that ingests left behind, unless somebody is at them."""
        seq = last_seq(lake, self.feed)
        if seq <= memory.derived_seq:
            return "", replace(memory, derived_seq=seq)
        behind = partitions_behind(lake, self.feed, memory.derived_seq)
        if not any(behind.values()):
            return "", memory.having_nothing_behind(seq)
        if not memory.may_derive(seq, self.clock()):
            return "deriving was asked for; what stays behind is asked for again later", memory
        repository = context.repository_def
        assert repository is not None
        for period in behind:
            close_abandoned_runs(context.instance, job_name(self.feed.name, period))
        claimed = claimed_partitions(context.instance, repository.asset_graph, self.feed)
        work = without(self.feed, behind, claimed)
        if not any(work.values()):
            return "others are at the partitions that changed", memory
        memory = memory.having_derived(seq, self.clock(), _rest_seconds)
        try:
            opened = open_periods(
                context.instance,
                repository.asset_graph,
                self.feed,
                work,
                title=f"{self.feed.name}: files landed ({_counted(work, self.feed)})",
                tags={OPENED_BY_TAG: landing_sensor_name(self.feed.name), ACQUIRE_TAG: "false"},
            )
        except WorkFailed as error:
            context.log.warning(str(error))
            return str(error), memory
        context.log.info(f"backfill {opened} derives {_counted(work, self.feed)}")
        return f"backfill {opened} derives {_counted(work, self.feed)}", memory

    def _tell_unreadable(self, context: SensorEvaluationContext, found: Look) -> None:
        outbox = Outbox(self.settings.outbox)
        for path, reason in found.unreadable.items():
            context.log.warning(f"{path} cannot be read: {reason}")
            context.instance.report_runless_asset_event(
                AssetObservation(
                    asset_key(self.feed.name, raw_asset(self.feed)),
                    description=f"A file in the drop folder cannot be read: {reason}",
                    metadata={"file": MetadataValue.path(path), "cause": reason},
                )
            )
            outbox.add([_unreadable(self.feed, path, reason, self.clock())])


def _unreadable(feed: Feed, path: str, reason: str, at_us: int) -> Happening:
    name = names_of([path])
    return Happening(
        id=f"unreadable {feed.name} {path} {at_us}",
        kind=NoticeKind.REFUSED,
        feed=feed.name,
        subject=name,
        text=f"it cannot be read ({reason}): {path}",
        at_us=at_us,
        advice="Give the account that runs Dagster's code the right to read it; it is then taken in by itself.",
    )


def _batch(new: Sequence[NewFile], memory: LandingMemory, now: int) -> list[NewFile]:
    untried = [each for each in new if each.content not in memory.asked]
    if untried:
        return untried[:_FILES_A_RUN]
    due = [each for each in new if _is_due(memory.asked[each.content], now)]
    return due[:1]


def _is_due(asked: Asked, now: int) -> bool:
    return now >= asked.at_us + _rest_seconds(asked.times - 1) * SECOND_US


def _rest_seconds(tries: int) -> int:
    return min(_FIRST_REST_SECONDS * 2 ** min(max(tries, 0), 20), _LONGEST_REST_SECONDS)


def _summary(found: Look) -> str:
    texts = [f"{found.known} files are taken in" if found.known else "no file has landed yet"]
    if found.waiting:
        path, why = next(iter(found.waiting.items()))
        others = f", {len(found.waiting) - 1} more wait" if len(found.waiting) > 1 else ""
        texts.append(f"{names_of([path])} waits: {why}{others}")
    return "; ".join(texts)


def _counted(work: Mapping[Period, Sequence[str]], feed: Feed) -> str:
    keys = list(work.get(period_of(feed.partition), ())) or sorted({key for keys in work.values() for key in keys})
    count = sum(len(each) for each in work.values())
    span = f"{keys[0]} … {keys[-1]}" if len(keys) > 1 else "".join(keys)
    return f"{count} partitions, {span}" if count > 1 else span
