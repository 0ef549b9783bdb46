"""The sensor by which serving stores follow the lake: `publish_sensor`.

It compares the lake's index with each store's ledger and asks for what is behind, so that after an ingest and its walk
nobody has to publish by hand. It waits for backfills and for runs that are at work, and leaves a server alone that
does not answer, for longer and longer.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dagster import (
    AssetKey,
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
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from dagster._core.storage.tags import BACKFILL_ID_TAG

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import SECOND_US
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.store_tables import StoreSet, store_sets, store_views, view_asset
from marketdata_pipelines.errors import MarketDataError, SettingsInvalid
from marketdata_pipelines.orchestration.assets.publishing import is_published, publish_job_name
from marketdata_pipelines.orchestration.assets.ranges import RANGE_END_TAG, RANGE_START_TAG, partition_tags
from marketdata_pipelines.orchestration.assets.warmup import REDIS_BARS, is_cached, redis_job_name
from marketdata_pipelines.orchestration.automation import asking
from marketdata_pipelines.orchestration.automation.landing_sensor import now_us
from marketdata_pipelines.orchestration.automation.publish_memory import Away, PublishMemory
from marketdata_pipelines.orchestration.automation.store_view_schedules import store_view_job_name
from marketdata_pipelines.orchestration.keys import FEED_TAG, asset_key
from marketdata_pipelines.orchestration.running.backfills import open_backfills
from marketdata_pipelines.pipeline.hot_set import hot_set_behind
from marketdata_pipelines.pipeline.landing import Clock
from marketdata_pipelines.pipeline.publishing import partitions_behind
from marketdata_pipelines.pipeline.serving_stores import redis_store, timescale_store
from marketdata_pipelines.pipeline.store_views import views_missing
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake, digest

SENSOR = "publish_sensor"
REST_SECONDS = 60
TIMESCALE, REDIS = "timescale", "redis"
_SECONDS_BETWEEN = 30
_SETTLED_SECONDS = 600
_MOST_ATTEMPTS = 3
# After the sessions themselves, before backfills and reports.
_PRIORITY = 3
_LISTED = 1000
# The partitions an asset has in Dagster, of those named.
Existing = Callable[[AssetKey], Sequence[str]]
# By publishing asset its partitions that are behind, with the digest of what the lake has.
Behind = Mapping[str, Mapping[str, str]]


def publish_sensor(
    feeds: Sequence[Feed], settings: Settings, jobs: Iterable[UnresolvedAssetJobDefinition], clock: Clock = now_us
) -> SensorDefinition | None:
    """One sensor for the code location; None where no feed goes to any store. `jobs`: those that publish."""
    published = [feed for feed in feeds if is_published(feed, settings) or is_cached(feed, settings)]
    if not published:
        return None

    @sensor(
        name=SENSOR,
        jobs=list(jobs),
        minimum_interval_seconds=_SECONDS_BETWEEN,
        default_status=DefaultSensorStatus.RUNNING,
        description="Has partitions published to the serving stores once the lake has them otherwise than the stores.",
    )
    def publish(context: SensorEvaluationContext) -> SensorResult:
        assert context.repository_def is not None
        graph, now = context.repository_def.asset_graph, datetime.now(UTC)
        asker = PublishAsker(published, settings, clock, lambda key: asking.existing_keys(graph, key, now))
        return asker.tick(context.instance, context.cursor)

    return publish


@dataclass(frozen=True, slots=True)
class PublishAsker:
    """One look at all published feeds."""

    feeds: Sequence[Feed]
    settings: Settings
    clock: Clock
    existing: Existing

    def tick(self, instance: DagsterInstance, cursor: str | None) -> SensorResult:
        """The runs to ask for, or why there are none."""
        look = _Look(self, instance, PublishMemory.from_text(cursor), self.clock())
        for feed in self.feeds:
            if is_published(feed, self.settings):
                look.at(feed, TIMESCALE, self._timescale_behind)
            if is_cached(feed, self.settings):
                look.at(feed, REDIS, self._redis_behind)
        return look.result()

    def _timescale_behind(self, lake: Lake, feed: Feed) -> Behind:
        with timescale_store(self.settings) as store:
            missing = {view_asset(view): {view: inputs} for view, inputs in views_missing(lake, store, feed).items()}
            return {**partitions_behind(lake, store, feed), **missing}

    def _redis_behind(self, lake: Lake, feed: Feed) -> Behind:
        with redis_store(self.settings) as redis:
            behind = hot_set_behind(lake, redis.store, feed)
        return {REDIS_BARS: behind} if behind else {}


class _Look:
    """What one tick finds, feed by feed and store by store."""

    def __init__(self, asker: PublishAsker, instance: DagsterInstance, memory: PublishMemory, now: int) -> None:
        self._asker, self._instance, self._now = asker, instance, now
        self._lake = Lake(asker.settings.lake)
        # Reading twenty years of index takes a while: not while nobody has written into it.
        # A store may lose what it had, or be another one: it is asked again now and then though the lake is the same.
        self._since = [str(now // (_SETTLED_SECONDS * SECOND_US)), _place(asker.settings)]
        self._written = digest([*self._since, *_touched(self._lake.layout.catalog)])
        names = {f"{feed.name} {store}" for feed in asker.feeds for store in (TIMESCALE, REDIS)}
        self._settled = {name: state for name, state in memory.settled.items() if name in names}
        self._asked = {name: at for name, at in memory.asked_us.items() if name in names}
        self._away = dict(memory.away)
        self._requests: list[RunRequest] = []
        self._texts: list[str] = []

    def at(self, feed: Feed, store: str, behind_of: Callable[[Lake, Feed], Behind]) -> None:
        """Look at one feed and one store."""
        name, away = f"{feed.name} {store}", self._away.get(store, Away())
        written, _, known = self._settled.get(name, "").partition(" ")
        if written == self._written:
            return
        index = sorted(self._lake.catalog.stored_inputs(feed.name).items())
        state = digest([*self._since, *(f"{at}={of}" for at, of in index)])
        if known == state:
            self._settled[name] = f"{self._written} {state}"
            return
        if self._now < away.until_us:
            seconds = (away.until_us - self._now) // SECOND_US
            self._texts.append(f"{store} did not answer {away.failures} times; asked again in {seconds} s")
            return
        waits = self._waits(feed, store, self._asked.get(name, 0))
        if waits:
            self._texts.append(f"{feed.name} {waits}")
            return
        try:
            behind = behind_of(self._lake, feed)
        except MarketDataError as error:
            self._away[store] = away.again(self._now)
            self._texts.append(str(error))
            return
        self._away.pop(store, None)
        self._ask(feed, store, name, state, behind)

    def result(self) -> SensorResult:
        """Everything that was found."""
        texts = dict.fromkeys(self._texts)
        reason = None if self._requests else SkipReason("; ".join(texts) or "every store is up to date")
        memory = PublishMemory(self._settled, self._asked, self._away)
        return SensorResult(run_requests=self._requests, skip_reason=reason, cursor=memory.text())

    def _ask(self, feed: Feed, store: str, name: str, state: str, behind: Behind) -> None:
        if store == REDIS:
            wanted = self._redis_requests(feed, behind)
        else:
            wanted = [*self._period_requests(feed, behind), *self._view_requests(feed, behind)]
        asked = [request for request in wanted if request is not None]
        if asked:
            self._requests += asked
            self._asked[name] = self._now
            return
        self._settled[name] = f"{self._written} {state}"
        if wanted:
            self._texts.append(f"{feed.name} failed {_MOST_ATTEMPTS} times; asked again once the lake changes")

    def _redis_requests(self, feed: Feed, behind: Behind) -> list[RunRequest | None]:
        parts = [f"{key}={inputs}" for each in behind.values() for key, inputs in sorted(each.items())]
        return [self._request(feed, redis_job_name(feed.name), [], parts, {})] if parts else []

    def _view_requests(self, feed: Feed, behind: Behind) -> list[RunRequest | None]:
        """The first refresh of views a store has never had; their schedules do the others."""
        return [
            self._request(feed, store_view_job_name(feed.name, view), [], [f"{view}={inputs}"], {})
            for view in store_views(feed)
            for inputs in behind.get(view_asset(view), {}).values()
        ]

    def _period_requests(self, feed: Feed, behind: Behind) -> list[RunRequest | None]:
        """One ranged run a period."""
        by_period: dict[Period, list[StoreSet]] = {}
        for each in store_sets(feed):
            if behind.get(each.name):
                by_period.setdefault(each.period, []).append(each)
        found: list[RunRequest | None] = []
        for period, sets in by_period.items():
            existing = self._asker.existing(asset_key(feed.name, sets[0].name))
            wanted = {key for each in sets for key in behind[each.name]}
            keys = [key for key in existing if key in wanted]
            if not keys:
                continue
            parts = [f"{each.name} {key}={behind[each.name].get(key)}" for each in sets for key in keys]
            tags = partition_tags(keys, existing)
            names = [each.name for each in sets]
            found.append(self._request(feed, publish_job_name(feed.name, period), names, parts, tags))
        return found

    def _request(
        self, feed: Feed, job: str, names: Sequence[str], parts: Sequence[str], tags: Mapping[str, str]
    ) -> RunRequest | None:
        asked = asking.name_of_request(feed, job, *parts)
        failed = asking.failed_attempts(self._instance, asked)
        if failed >= _MOST_ATTEMPTS:
            return None
        own = {FEED_TAG: feed.name, asking.ASKED_TAG: asked, asking.PRIORITY_TAG: str(_PRIORITY)}
        selection = [asset_key(feed.name, name) for name in names]
        return RunRequest(
            run_key=f"{asked}-{failed + 1}-{self._now}", job_name=job, asset_selection=selection or None,
            tags={**own, **tags},
        )  # fmt: skip

    def _waits(self, feed: Feed, store: str, asked_us: int) -> str | None:
        if self._now < asked_us + REST_SECONDS * SECOND_US:
            return f"was asked for less than {REST_SECONDS} s ago"
        if open_backfills(self._instance, feed.name):
            return "waits for a backfill"
        unfinished = self._instance.get_runs(RunsFilter(statuses=list(NOT_FINISHED_STATUSES)), limit=_LISTED)
        busy = [run.run_id for run in unfinished if _is_awaited(run, feed, store)]
        return f"waits for run {busy[0]}" if busy else None


def _place(settings: Settings) -> str:
    """The server and database that bars go to, without login and password; empty where there is no such address."""
    from marketdata_pipelines.stores.timescale.address import read_address

    if settings.timescale_dsn is None:
        return ""
    try:
        return read_address(settings.timescale_dsn.get_secret_value()).shown
    except SettingsInvalid:
        return ""


def _touched(catalog: Path) -> list[str]:
    """When the catalog's files were written last."""
    found = []
    for path in (catalog, catalog.with_name(f"{catalog.name}-wal")):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        found.append(f"{path.name} {status.st_mtime_ns} {status.st_size}")
    return found


def _is_awaited(run: DagsterRun, feed: Feed, store: str) -> bool:
    """Whether a run publishes this feed, or writes many of its partitions."""
    keys = run.asset_selection or frozenset()
    own = run.tags.get(FEED_TAG) == feed.name or any(key.path[0] == feed.name for key in keys)
    jobs = {redis_job_name(feed.name)}
    if store == TIMESCALE:
        jobs = {publish_job_name(feed.name, period) for period in Period}
        jobs |= {store_view_job_name(feed.name, view) for view in store_views(feed)}
    if run.job_name in jobs:
        return True
    is_ranged = run.tags.get(RANGE_START_TAG) != run.tags.get(RANGE_END_TAG)
    return own and (is_ranged or BACKFILL_ID_TAG in run.tags)
