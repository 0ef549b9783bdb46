"""The sensor that brings a feed's weeks and months up to date once their days have been written.

A week must not run beside its day, so it is no part of the day's tick: it is asked for when the day's run is over.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dagster import (
    DagsterInstance,
    DefaultScheduleStatus,
    DefaultSensorStatus,
    RunRequest,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    sensor,
)
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from marketdata_pipelines.domain import due
from marketdata_pipelines.domain import tables as t
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period, partition_key, partition_span, period_of
from marketdata_pipelines.orchestration.automation import asking
from marketdata_pipelines.orchestration.automation.schedules import SESSION_PRIORITY, default_status
from marketdata_pipelines.orchestration.keys import asset_key, job_name
from marketdata_pipelines.pipeline.standing import is_combined
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake

_SECONDS_BETWEEN = 30
_MOST_ATTEMPTS = 3
Partitions = Callable[[Period], Sequence[str]]


@dataclass(frozen=True, slots=True)
class _Behind:
    """The weeks or months of a feed to ask for; `waiting` ones have days in an unfinished run, or are in one."""

    keys: list[str]
    waiting: list[str]
    newest_day: int


def roll_up_name(feed: str) -> str:
    """The sensor that brings weeks and months up to date: `us_equities_1m__roll_up`."""
    return f"{feed}__roll_up"


def roll_up_periods(feed: Feed) -> list[Period]:
    """The periods that follow the feed's days; none where weeks and months share the base partitions."""
    base = period_of(feed.partition)
    found = dict.fromkeys(table_set.period for table_set in t.feed_tables(feed))
    return [period for period in found if period is not base]


def roll_up_sensor(
    feed: Feed, settings: Settings, jobs: Mapping[str, UnresolvedAssetJobDefinition]
) -> SensorDefinition | None:
    """Asks for the weeks and months whose closed days were written after they were; None where there are no such.

    `jobs`: those of the graph, by name.
    """
    periods = roll_up_periods(feed)
    if not periods:
        return None
    running = default_status(feed) is DefaultScheduleStatus.RUNNING

    @sensor(
        name=roll_up_name(feed.name),
        jobs=[jobs[job_name(feed.name, period)] for period in periods],
        minimum_interval_seconds=_SECONDS_BETWEEN,
        default_status=DefaultSensorStatus.RUNNING if running else DefaultSensorStatus.STOPPED,
        description=f"Brings the weeks and months of {feed.name} up to date once their days have been written.",
    )
    def roll_up(context: SensorEvaluationContext) -> SensorResult | SkipReason:
        assert context.repository_def is not None
        now, graph = datetime.now(UTC), context.repository_def.asset_graph
        keys = {
            table_set.period: asset_key(feed.name, table_set.name)
            for table_set in reversed(t.feed_tables(feed))
            if table_set.upstream
        }
        partitions = lambda period: asking.existing_keys(graph, keys[period], now)  # noqa: E731
        return ask_for_roll_ups(context.instance, feed, Lake(settings.lake), partitions, now, context.cursor)

    return roll_up


def ask_for_roll_ups(
    instance: DagsterInstance, feed: Feed, lake: Lake, partitions: Partitions, now: datetime, cursor: str | None
) -> SensorResult | SkipReason:
    """The runs over weeks and months that are behind their closed days, or why there are none.

    The cursor holds the newest day that is settled, so that nothing is looked through while no day is written.
    """
    now_us = asking.utc_us(now)
    state = _state(instance, feed, now_us)
    if state == cursor:
        return SkipReason(f"no day of {feed.name} has been written since the last look")
    days = [due.partition_of(feed, session) for session in due.sessions_due(feed, now_us)]
    requests: list[RunRequest] = []
    waiting: list[str] = []
    given_up: list[str] = []
    for period in roll_up_periods(feed):
        behind = _behind(instance, feed, lake, period, days, partitions)
        waiting += behind.waiting
        request = _request(instance, feed, period, behind, partitions)
        requests += [request] if request else []
        given_up += [] if request else behind.keys
    if not requests and not waiting and given_up:
        reason = f"{', '.join(given_up)} of {feed.name} failed {_MOST_ATTEMPTS} times; asked again once a day changes"
        return SensorResult(skip_reason=reason, cursor=state)
    if not requests and not waiting:
        return SensorResult(skip_reason=f"weeks and months of {feed.name} are up to date", cursor=state)
    if not requests:
        return SkipReason(f"{', '.join(sorted(waiting))} of {feed.name} wait for an unfinished run")
    return SensorResult(run_requests=requests)


def _state(instance: DagsterInstance, feed: Feed, now_us: int) -> str:
    """What may make a week fall behind: a newer day, or a session that became due."""
    records = instance.get_asset_records([asset_key(feed.name, name) for name in _day_assets(feed)])
    newest = max((record.asset_entry.last_materialization_storage_id or 0 for record in records), default=0)
    sessions = due.sessions_due(feed, now_us)
    return json.dumps([newest, sessions[-1].date.isoformat() if sessions else None])


def _day_assets(feed: Feed) -> list[str]:
    """What weeks and months are made of."""
    coarse = [table_set for table_set in t.feed_tables(feed) if table_set.period is not period_of(feed.partition)]
    return sorted({name for table_set in coarse for name in table_set.upstream})


def _behind(
    instance: DagsterInstance, feed: Feed, lake: Lake, period: Period, days: list[str], partitions: Partitions
) -> _Behind:
    base = period_of(feed.partition)
    candidates = sorted({partition_key(partition_span(day, base)[0], period) for day in days})
    written = asking.latest_ids(instance, asset_key(feed.name, _day_assets(feed)[0]), days)
    assets = [table_set for table_set in t.feed_tables(feed) if table_set.period is period]
    combined = asking.latest_ids(instance, asset_key(feed.name, assets[0].name), candidates)
    keys, newest = [], 0
    for key in candidates:
        own = [
            written[day] for day in days if partition_key(partition_span(day, base)[0], period) == key if day in written
        ]
        # A running session's day does not count: its cadence would have the week made anew every few minutes.
        if own and max(own) > combined.get(key, 0) and not _is_made(lake, feed, assets, key):
            keys.append(key)
            newest = max(newest, *own)
    if not keys:
        return _Behind([], [], 0)
    existing = set(partitions(period))
    keys = [key for key in keys if key in existing]
    busy = _busy(instance, feed, period, partitions)
    return _Behind([key for key in keys if key not in busy], [key for key in keys if key in busy], newest)


def _is_made(lake: Lake, feed: Feed, assets: list[t.TableSet], key: str) -> bool:
    return all(is_combined(lake, feed, table, key) for table_set in assets for table in table_set.tables)


def _busy(instance: DagsterInstance, feed: Feed, period: Period, partitions: Partitions) -> set[str]:
    """The weeks or months in an unfinished run, or with a day in one."""
    base = period_of(feed.partition)
    own = {key for run in asking.flights(instance, feed, period, partitions(period)) for key in run.keys}
    days = {key for run in asking.flights(instance, feed, base, partitions(base)) for key in run.keys}
    return own | {partition_key(partition_span(day, base)[0], period) for day in days}


def _request(
    instance: DagsterInstance, feed: Feed, period: Period, behind: _Behind, partitions: Partitions
) -> RunRequest | None:
    if not behind.keys:
        return None
    asked = asking.name_of_request(feed, "roll_up", period, *behind.keys, str(behind.newest_day))
    failed = asking.failed_attempts(instance, asked)
    if failed >= _MOST_ATTEMPTS:
        return None
    tags = asking.request_tags(feed, asked, SESSION_PRIORITY, behind.keys, partitions(period))
    return RunRequest(run_key=f"{asked}-{failed + 1}", job_name=job_name(feed.name, period), tags=tags)
