"""The schedule of a feed's sessions: after each close, the partitions that are due, in one run.

Which sessions are due is decided in `domain.due`; weeks and months follow in `roll_up`, views in `view_schedules`.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from functools import partial
from zoneinfo import ZoneInfo

from dagster import (
    DagsterInstance,
    DefaultScheduleStatus,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SkipReason,
    schedule,
)

from marketdata_pipelines.domain import due
from marketdata_pipelines.domain import tables as t
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import SECOND_US
from marketdata_pipelines.domain.partitions import period_of
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.orchestration.automation import asking
from marketdata_pipelines.orchestration.keys import asset_key, job_name
from marketdata_pipelines.orchestration.running.runs import close_abandoned_runs
from marketdata_pipelines.pipeline.standing import has_new_files, is_blocked
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake

# Before backfills in the queue, which have 0.
SESSION_PRIORITY = 10
# Between two closes; each close asks again whatever happened.
MOST_RETRIES = 4
_NAMED = 5


def after_close_name(feed: str) -> str:
    """The schedule that asks for a feed's sessions: `us_equities_1m__after_close`."""
    return f"{feed}__after_close"


def after_close_schedule(feed: Feed, settings: Settings, today: date) -> ScheduleDefinition:
    """Asks, after every close of the feed's calendar, for the sessions that are due and not there yet.

    After downtime that is all that were missed, as one ranged run. In between it is evaluated hourly, to ask again
    for what failed and to find closes the calendar announced late; otherwise it says why it skips.
    """
    job = job_name(feed.name, period_of(feed.partition))

    @schedule(
        name=after_close_name(feed.name),
        job_name=job,
        cron_schedule=due.due_crons(feed, today),
        execution_timezone=feed_calendar(feed).zone,
        default_status=default_status(feed),
        description=_description(feed),
    )
    def after_close(context: ScheduleEvaluationContext) -> RunRequest | SkipReason:
        assert context.repository_def is not None
        now, graph = context.scheduled_execution_time, context.repository_def.asset_graph
        key = asset_key(feed.name, t.VALIDATED_BARS)
        source = None if feed.source.path is None else settings.source_path(feed.source.path)
        return ask_for_sessions(
            context.instance, feed, Lake(settings.lake), source, partial(asking.existing_keys, graph, key, now), now
        )

    return after_close


def default_status(feed: Feed) -> DefaultScheduleStatus:
    """Running for a feed with an enabled `schedule`; else there, to be started in the UI."""
    return DefaultScheduleStatus.RUNNING if due.is_watched(feed) else DefaultScheduleStatus.STOPPED


def ask_for_sessions(
    instance: DagsterInstance,
    feed: Feed,
    lake: Lake,
    source: str | None,
    partitions: Callable[[], Sequence[str]],
    now: datetime,
) -> RunRequest | SkipReason:
    """The run over the partitions that are due at an instant, or why there is none.

    `source`: where the files of a feed land; `partitions` lists those Dagster has by then. A partition in an
    unfinished run is left to that run, and one no file has brought is not asked for until there is a new file.
    """
    now_us = asking.utc_us(now)
    job = job_name(feed.name, period_of(feed.partition))
    close_abandoned_runs(instance, job)
    candidates = sorted({due.partition_of(feed, session) for session in due.sessions_due(feed, now_us)})
    wanted = due.due_partitions(feed, now_us, _states(instance, feed, lake, candidates))
    if wanted and not has_new_files(lake, feed, source):
        landed = set(lake.catalog.horizons(feed.name, wanted[0], wanted[-1]))
        absent, wanted = [key for key in wanted if key not in landed], [key for key in wanted if key in landed]
        if not wanted:
            return SkipReason(f"no file has brought {_names(absent)} of {feed.name} yet, and none is new at its source")
    existing = partitions() if wanted else []
    known = sorted(set(wanted) & set(existing))
    running = {key: run.run_id for run in _whole_runs(instance, feed, existing) for key in run.keys} if known else {}
    keys = [key for key in known if key not in running]
    if not keys:
        return SkipReason(_why_nothing(feed, now_us, wanted, known, running))
    asked = asking.name_of_request(feed, "after_close", *keys, _newest(feed, now_us))
    failed = asking.failed_attempts(instance, asked)
    if failed > MOST_RETRIES and due.session_due_at(feed, now_us) is None:
        return SkipReason(
            f"{_names(keys)} failed {failed} times since the last close; asked again at the next one "
            f"({_when_next(feed, now_us)}), or run: marketdata backfill {feed.name} --start {keys[0]} --end {keys[-1]}"
        )
    tags = asking.request_tags(feed, asked, SESSION_PRIORITY, keys, existing)
    return RunRequest(run_key=f"{asked}-{failed + 1}", tags=tags)


def _states(instance: DagsterInstance, feed: Feed, lake: Lake, keys: list[str]) -> dict[str, due.PartitionState]:
    written = asking.walked_us(instance, feed, _last_written(feed), keys)
    # Rejected rows are written also where a check blocks what is downstream.
    walked = asking.walked_us(instance, feed, [t.REJECTED_BARS], keys)
    states = {}
    for key in walked:
        stored = lake.catalog.stored_partition(t.VALIDATED_BARS, feed.name, key)
        blocked = is_blocked(lake, feed, key)
        at_us = walked[key] if blocked else written.get(key)
        states[key] = due.PartitionState(at_us, stored.last_ts_us if stored else None, blocked)
    return states


def _last_written(feed: Feed) -> list[str]:
    """Assets that together show a partition was walked whole: the start, the middle and the end of the chain."""
    names = [table_set.name for table_set in t.feed_tables(feed)]
    return [name for name in (t.VALIDATED_BARS, t.DAILY_BARS, t.LATEST_BARS) if name in names]


def _whole_runs(instance: DagsterInstance, feed: Feed, existing: Sequence[str]) -> list[asking.Flight]:
    """Unfinished runs that bring a partition from its source through the chain, not those of a view only."""
    found = asking.flights(instance, feed, period_of(feed.partition), existing)
    return [run for run in found if {t.raw_asset(feed), *_last_written(feed)} <= run.assets]


def _newest(feed: Feed, now_us: int) -> str:
    sessions = due.sessions_due(feed, now_us)
    return sessions[-1].date.isoformat() if sessions else ""


def _why_nothing(feed: Feed, now_us: int, wanted: list[str], known: list[str], running: dict[str, str]) -> str:
    if known:
        ids = sorted({running[key] for key in known})
        return f"{_names(known)} of {feed.name} is being materialized already (run {', '.join(ids)})"
    if wanted:
        return (
            f"{_names(wanted)} of {feed.name} has no partition in Dagster yet; "
            "it appears once the code location is loaded again"
        )
    closed = due.session_due_at(feed, now_us)
    if closed is not None:
        return f"session {closed.date} of {feed.name} is here already; {_when_next(feed, now_us)}"
    return f"no session of {feed.name} (calendar {feed.calendar.name}) is due now, and none is missing; " + _when_next(
        feed, now_us
    )


def _when_next(feed: Feed, now_us: int) -> str:
    coming = due.next_due(feed, now_us)
    if coming is None:
        return f"the calendar {feed.calendar.name} knows no session after this"
    session, at_us = coming
    zone = feed_calendar(feed).zone
    local = datetime.fromtimestamp(at_us / SECOND_US, tz=UTC).astimezone(ZoneInfo(zone))
    return f"session {session.date} is next, due {local:%Y-%m-%d %H:%M} {zone}"


def _names(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    return ", ".join(keys[:_NAMED]) + more


def _description(feed: Feed) -> str:
    minutes = due.schedule_of(feed).after_close_minutes
    return (
        f"Asks for each session of {feed.name} {minutes} minutes after its close (calendar {feed.calendar.name}, "
        "half-days included), and for the ones missed before; weeks and months follow."
    )
