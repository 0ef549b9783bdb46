"""The schedules of a store's views: each is refreshed at its cadence, where what it is made of has changed.

What the views are made of comes from the lake's own schedules (`view_schedules`) and from backfills.
"""

from collections.abc import Iterable

from dagster import (
    AssetMaterialization,
    AssetSelection,
    DagsterInstance,
    DefaultScheduleStatus,
    RunRequest,
    RunsFilter,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SkipReason,
    TextMetadataValue,
    define_asset_job,
    in_process_executor,
    schedule,
)
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from marketdata_pipelines.domain import due
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.domain.store_tables import store_views, view_asset
from marketdata_pipelines.orchestration.assets.publishing import is_published
from marketdata_pipelines.orchestration.automation import asking
from marketdata_pipelines.orchestration.automation.view_schedules import VIEW_PRIORITY
from marketdata_pipelines.orchestration.keys import FEED_TAG, asset_key
from marketdata_pipelines.pipeline.store_views import view_range
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake

# Where nothing changed it is refreshed all the same once a day: adjustments and the calendar are not in its digest.
_LONGEST_SECONDS = 86_400.0
_LISTED = 1000


def store_view_name(feed: str, view: str, minutes: int) -> str:
    """The schedule of a store's view: `us_equities_1m__timescale_top_volume__every_5m`."""
    return f"{feed}__{view_asset(view)}__every_{minutes}m"


def store_view_job_name(feed: str, view: str) -> str:
    """The job that refreshes a store's view: `us_equities_1m__refresh_top_volume`."""
    return f"{feed}__refresh_{view}"


def store_view_jobs(feeds: Iterable[Feed], settings: Settings) -> list[UnresolvedAssetJobDefinition]:
    """A job for each view of every published feed."""
    return [
        define_asset_job(
            name=store_view_job_name(feed.name, view),
            # Without the check of its freshness, which is told without runs.
            selection=AssetSelection.assets(asset_key(feed.name, view_asset(view))).without_checks(),
            description=f"Refreshes {view} of `{feed.name}` in the store.",
            tags={FEED_TAG: feed.name},
            executor_def=in_process_executor,
        )
        for feed in feeds
        if is_published(feed, settings)
        for view in store_views(feed)
    ]


def store_view_schedules(feeds: Iterable[Feed], settings: Settings) -> list[ScheduleDefinition]:
    """One schedule for each view of every published feed that has a cadence."""
    return [
        _schedule(feed, view, minutes, settings)
        for feed in feeds
        if is_published(feed, settings)
        for view, minutes in store_views(feed).items()
        if minutes
    ]


def _schedule(feed: Feed, view: str, minutes: int, settings: Settings) -> ScheduleDefinition:
    @schedule(
        name=store_view_name(feed.name, view, minutes),
        job_name=store_view_job_name(feed.name, view),
        cron_schedule=due.view_cron(minutes),
        execution_timezone=feed_calendar(feed).zone,
        default_status=DefaultScheduleStatus.RUNNING,
        description=f"Refreshes {view} of {feed.name} in the store every {minutes} minutes, where anything changed.",
    )
    def refresh_store_view(context: ScheduleEvaluationContext) -> RunRequest | SkipReason:
        now_us = asking.utc_us(context.scheduled_execution_time)
        return ask_for_view(context.instance, Lake(settings.lake), feed, view, now_us)

    return refresh_store_view


def ask_for_view(instance: DagsterInstance, lake: Lake, feed: Feed, view: str, now_us: int) -> RunRequest | SkipReason:
    """The run that refreshes a store's view, or why there is none."""
    wanted = view_range(lake, feed, view)
    if wanted is None:
        return SkipReason(f"the lake has no {view} of {feed.name} yet")
    revision, written = last_refresh(instance, feed, view)
    if revision == wanted.inputs and now_us / 1e6 - written < _LONGEST_SECONDS:
        return SkipReason(f"{view} of {feed.name} is up to date")
    key = asset_key(feed.name, view_asset(view))
    busy = instance.get_runs(
        RunsFilter(statuses=list(NOT_FINISHED_STATUSES), tags={FEED_TAG: feed.name}), limit=_LISTED
    )
    for run in busy:
        if run.job_name == store_view_job_name(feed.name, view) or key in (run.asset_selection or ()):
            return SkipReason(f"{view} of {feed.name} is being refreshed already (run {run.run_id})")
    asked = asking.name_of_request(feed, view_asset(view), wanted.inputs, str(now_us))
    tags = {FEED_TAG: feed.name, asking.ASKED_TAG: asked, asking.PRIORITY_TAG: str(VIEW_PRIORITY)}
    return RunRequest(run_key=asked, tags=tags)


def last_refresh(instance: DagsterInstance, feed: Feed, view: str) -> tuple[str | None, float]:
    """The revision of a view's latest refresh, and when that was, seconds since 1970."""
    event = instance.get_latest_materialization_event(asset_key(feed.name, view_asset(view)))
    made: AssetMaterialization | None = None if event is None else event.asset_materialization
    if event is None or made is None:
        return None, 0.0
    told = made.metadata.get("revision")
    return (told.text if isinstance(told, TextMetadataValue) else None), event.timestamp
