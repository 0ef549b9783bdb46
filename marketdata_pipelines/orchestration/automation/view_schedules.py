"""The schedules of a feed's views: while a session runs, each view is brought up to date at its own cadence.

Views whose cadences meet are one run, asked for by the schedule of the shortest cadence that is on: the others skip.
A view is made of its partition's validated bars, so what is asked for depends on where new bars come from. A vendor
has them: the tick asks for the whole chain from raw bars to the views, as nothing else would fetch a running session.
Files and other ingests have been taken in by the time anybody looks: the tick asks for what is behind, and the source
is left alone. The other assets of the partition follow after the close.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from dagster import (
    AssetCheckKey,
    DagsterInstance,
    DefaultScheduleStatus,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SkipReason,
    schedule,
)
from dagster._core.scheduler.instigation import InstigatorStatus, InstigatorType

from marketdata_pipelines.domain import due
from marketdata_pipelines.domain import tables as t
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import SECOND_US
from marketdata_pipelines.domain.partitions import period_of
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.domain.sessions import Session
from marketdata_pipelines.orchestration.assets.ranges import ACQUIRE_TAG
from marketdata_pipelines.orchestration.automation import asking
from marketdata_pipelines.orchestration.automation.schedules import default_status
from marketdata_pipelines.orchestration.keys import asset_key, job_name
from marketdata_pipelines.pipeline.standing import is_derived, is_validated, is_walked
from marketdata_pipelines.quality.checks import check_specs
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake

# After sessions that have closed, before backfills.
VIEW_PRIORITY = 5
Cadences = Mapping[str, int]


def view_name(feed: str, view: str, minutes: int) -> str:
    """The schedule of a view: `us_equities_1m__daily_summary__every_60m`."""
    return f"{feed}__{view}__every_{minutes}m"


def view_schedules(feed: Feed, settings: Settings) -> list[ScheduleDefinition]:
    """One schedule for each view the feed has and its schedule gives a cadence."""
    views = {table_set.name for table_set in t.feed_tables(feed)} & set(t.VIEWS)
    cadences = {view: minutes for view, minutes in due.schedule_of(feed).view_minutes if view in views and minutes}
    return [_view_schedule(feed, view, cadences, settings) for view in cadences]


def _view_schedule(feed: Feed, view: str, cadences: Cadences, settings: Settings) -> ScheduleDefinition:
    minutes = cadences[view]

    @schedule(
        name=view_name(feed.name, view, minutes),
        job_name=job_name(feed.name, period_of(feed.partition)),
        cron_schedule=due.view_cron(minutes),
        execution_timezone=feed_calendar(feed).zone,
        default_status=default_status(feed),
        description=f"Brings {view} of {feed.name} up to date every {minutes} minutes while a session runs.",
    )
    def refresh_view(context: ScheduleEvaluationContext) -> RunRequest | SkipReason:
        assert context.repository_def is not None
        now, graph = context.scheduled_execution_time, context.repository_def.asset_graph
        session = due.running_session(feed, asking.utc_us(now))
        if session is None:
            return SkipReason(f"no session of {feed.name} (calendar {feed.calendar.name}) is running")
        views = views_together(context.instance, feed, view, cadences, now)
        if views[0] != view:
            leader = view_name(feed.name, views[0], cadences[views[0]])
            return SkipReason(f"{view} is part of what {leader} asks for at this time")
        found = ask_for_views(context.instance, feed, views, Lake(settings.lake), session, now)
        key = due.partition_of(feed, session)
        # Asked last: it takes a third of a second where there are twenty years of days.
        if isinstance(found, SkipReason) or asking.existing_among(graph, asset_key(feed.name, view), [key], now):
            return found
        return SkipReason(f"{key} of {feed.name} has no partition in Dagster yet; reload the code location")

    return refresh_view


def views_together(
    instance: DagsterInstance, feed: Feed, view: str, cadences: Cadences, now: datetime
) -> tuple[str, ...]:
    """A view and those whose cadence meets it at an instant and whose schedule is on; the shortest cadence first."""
    states = {
        state.instigator_name: state.status
        for state in instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE)
    }

    def is_on(other: str) -> bool:
        status = states.get(view_name(feed.name, other, cadences[other]))
        if status is None or status is InstigatorStatus.DECLARED_IN_CODE:
            return default_status(feed) is DefaultScheduleStatus.RUNNING
        return status is InstigatorStatus.RUNNING

    local = now.astimezone(ZoneInfo(feed_calendar(feed).zone))
    minute = local.hour * 60 + local.minute
    meeting = [other for other in cadences if minute % cadences[other] == 0 and (other == view or is_on(other))]
    return tuple(sorted(meeting, key=lambda other: (cadences[other], other))) if view in meeting else (view,)


def ask_for_views(
    instance: DagsterInstance, feed: Feed, views: Sequence[str], lake: Lake, session: Session, now: datetime
) -> RunRequest | SkipReason:
    """The run that brings views of a running session's partition up to date, or why there is none."""
    now_us, key = asking.utc_us(now), due.partition_of(feed, session)
    for run in asking.flights(instance, feed, period_of(feed.partition), [key]):
        if key in run.keys and run.assets & {t.VALIDATED_BARS, *views}:
            return SkipReason(f"{key} of {feed.name} is being written already (run {run.run_id})")
    assets = _behind(instance, feed, views, lake, session, now_us)
    if not assets:
        return SkipReason(f"nothing new in {key} of {feed.name} since {_last_written(instance, feed, views, key)}")
    return _request(feed, views, assets, key, now_us)


def _behind(
    instance: DagsterInstance, feed: Feed, views: Sequence[str], lake: Lake, session: Session, now_us: int
) -> frozenset[str]:
    """The assets to write: the chain down to the views, as far as it is behind."""
    key = due.partition_of(feed, session)
    chain = frozenset(name for view in views for name in t.upstream_of(feed, view)) | {t.REJECTED_BARS}
    if feed.is_pulled and _may_have_bars(instance, feed, key, session, now_us):
        return chain
    if not is_walked(lake, feed, key):
        return chain - {t.raw_asset(feed)}
    if not is_validated(lake, feed, key):
        return frozenset()
    return frozenset(view for view in views if not is_derived(lake, feed, view, key))


def _may_have_bars(instance: DagsterInstance, feed: Feed, key: str, session: Session, now_us: int) -> bool:
    """Whether a bar has been completed since the vendor was last asked."""
    if not feed.interval.is_intraday:
        return False
    completed_us = now_us // feed.interval.us * feed.interval.us
    asked_us = asking.walked_us(instance, feed, [t.raw_asset(feed)], [key]).get(key, session.open)
    return completed_us > max(asked_us, session.open)


def _last_written(instance: DagsterInstance, feed: Feed, views: Sequence[str], key: str) -> str:
    at_us = asking.walked_us(instance, feed, views, [key]).get(key)
    if at_us is None:
        return "the session opened"
    return f"{datetime.fromtimestamp(at_us / SECOND_US, tz=UTC):%Y-%m-%d %H:%M:%S} UTC"


def _request(feed: Feed, views: Sequence[str], assets: frozenset[str], key: str, now_us: int) -> RunRequest:
    asked = asking.name_of_request(feed, *views, key, str(now_us))
    tags = asking.request_tags(feed, asked, VIEW_PRIORITY, [key], [key])
    if t.raw_asset(feed) not in assets:
        tags[ACQUIRE_TAG] = "false"
    checks = [AssetCheckKey(asset_key(feed.name, spec.asset), spec.name) for spec in check_specs(feed)]
    return RunRequest(
        run_key=asked,
        tags=tags,
        asset_selection=[asset_key(feed.name, name) for name in sorted(assets)],
        # Named, because a selection of assets alone brings every check there is on them, freshness too.
        asset_check_keys=[check for check in checks if check.asset_key.path[-1] in assets],
    )
