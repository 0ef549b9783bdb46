"""The sensors that tell people: of failed and recovered runs, late and fresh tables, refused files.

Run-status sensors only put what they see into the outbox; `notifications` groups and sends, so that a channel that is
down or slow holds nothing up.
"""

import os
import shlex
from collections.abc import Mapping, Sequence

from dagster import (
    DagsterRunStatus,
    DefaultSensorStatus,
    RunStatusSensorContext,
    SensorDefinition,
    SensorEvaluationContext,
    SkipReason,
    run_status_sensor,
    sensor,
)

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import SECOND_US
from marketdata_pipelines.domain.notices import Happening, NoticeKind
from marketdata_pipelines.errors import MarketDataError
from marketdata_pipelines.notify.channels import open_channels
from marketdata_pipelines.orchestration.automation.landing_sensor import now_us
from marketdata_pipelines.orchestration.automation.run_stories import (
    ended_us,
    failure,
    recovery,
    run_subject,
    will_be_retried,
)
from marketdata_pipelines.pipeline.ingest import IngestStatus
from marketdata_pipelines.pipeline.intake import last_seq
from marketdata_pipelines.pipeline.landing import Clock
from marketdata_pipelines.pipeline.lateness import LateTable, late_tables
from marketdata_pipelines.pipeline.notices import Turn, record_failure, record_state, record_success, take_turn
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.settings.notifications_file import load_notifications
from marketdata_pipelines.stores.lake.catalog import Ingest
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.outbox import Outbox

_SECONDS_BETWEEN_RUNS, _SECONDS_BETWEEN_TURNS = 10, 30
# A tick has a minute; what is not sent in this time waits for the next one.
_BUDGET_SECONDS = 20.0
# A home whose first look comes late does not tell of the refusals of last year.
_LOOKED_BACK_SECONDS = 3600


def notification_sensors(
    feeds: Mapping[str, Feed], settings: Settings, clock: Clock = now_us
) -> list[SensorDefinition]:
    """The three sensors, for all feeds together; all run by default."""
    return [_run_failed(feeds, settings), _run_succeeded(feeds, settings), _telling(feeds, settings, clock)]


def _run_failed(feeds: Mapping[str, Feed], settings: Settings) -> SensorDefinition:
    @run_status_sensor(
        run_status=DagsterRunStatus.FAILURE,
        name="notify_run_failed",
        description="Notes every failed run, once, to be told by `notifications`; not those Dagster retries itself.",
        minimum_interval_seconds=_SECONDS_BETWEEN_RUNS,
        default_status=DefaultSensorStatus.RUNNING,
        monitor_all_code_locations=True,
    )
    def note_failure(context: RunStatusSensorContext) -> None:
        run = context.instance.get_run_by_id(context.dagster_run.run_id) or context.dagster_run
        if will_be_retried(run):
            context.log.info(f"{run.run_id} is tried again by Dagster")
            return
        outbox, subject = Outbox(settings.outbox), run_subject(run, feeds)
        happening = failure(context.instance, run, context.dagster_event, subject, settings.ui_url)
        record_failure(outbox, happening, recovery(run, subject, happening.at_us, settings.ui_url))

    return note_failure


def _run_succeeded(feeds: Mapping[str, Feed], settings: Settings) -> SensorDefinition:
    @run_status_sensor(
        run_status=DagsterRunStatus.SUCCESS,
        name="notify_run_recovered",
        description="Notes the first success of a job after a failure, to be told by `notifications`.",
        minimum_interval_seconds=_SECONDS_BETWEEN_RUNS,
        default_status=DefaultSensorStatus.RUNNING,
        monitor_all_code_locations=True,
    )
    def note_success(context: RunStatusSensorContext) -> None:
        run = context.dagster_run
        subject = run_subject(run, feeds)
        happening = recovery(run, subject, ended_us(context.instance, run), settings.ui_url)
        record_success(Outbox(settings.outbox), happening)

    return note_success


def _telling(feeds: Mapping[str, Feed], settings: Settings, clock: Clock) -> SensorDefinition:
    @sensor(
        name="notifications",
        description=(
            "Sends what is to be told through the log and the channels of notifications.yaml: failed and recovered "
            "runs, late and fresh tables, refused files. Grouped, each once; a channel that is down is tried again."
        ),
        minimum_interval_seconds=_SECONDS_BETWEEN_TURNS,
        default_status=DefaultSensorStatus.RUNNING,
    )
    def notifications(context: SensorEvaluationContext) -> SkipReason:
        notifications = load_notifications(settings.notifications_file)
        channels, outbox = open_channels(notifications.channels, os.environ), Outbox(settings.outbox)
        # What waits goes out first: trouble with looking for more must not hold it up.
        turn = take_turn(
            outbox, channels, clock, group_seconds=notifications.group_seconds, budget_seconds=_BUDGET_SECONDS
        )
        for channel, notice in turn.sent:
            context.log.info(f"{channel}: {notice.title}")
        for channel, trouble in turn.troubles:
            context.log.warning(f"{channel} did not take a notice, it is tried again: {trouble}")
        for feed in feeds.values():
            try:
                note_refusals(outbox, Lake(settings.lake), feed, clock())
                note_lateness(outbox, Lake(settings.lake), feed, clock())
            except MarketDataError as error:
                context.log.warning(f"{feed.name} could not be looked at: {error}")
        return SkipReason(_summary(turn, [channel.spec.name for channel in channels]))

    return notifications


def note_refusals(outbox: Outbox, lake: Lake, feed: Feed, now: int) -> None:
    """Files the ledger has recorded as refused since the last look, whoever brought them."""
    name = f"ledger {feed.name}"
    mark = outbox.mark(name)
    seen = int(mark or 0)
    newest = last_seq(lake, feed)
    if newest <= seen:
        return
    ingests = [each for each in lake.catalog.ingests(feed.name) if seen < each.seq <= newest]
    recent_us = 0 if mark is not None else now - _LOOKED_BACK_SECONDS * SECOND_US
    refused = [each for each in ingests if each.status == IngestStatus.REFUSED and each.known_at_us >= recent_us]
    outbox.add([_refused(feed, each) for each in refused], marks={name: str(newest)})


def note_lateness(outbox: Outbox, lake: Lake, feed: Feed, now: int) -> None:
    """Tables that have become late, or are fresh again, since the last look."""
    record_state(
        outbox,
        f"late {feed.name}",
        [_late(each, now) for each in late_tables(lake, feed, now)],
        lambda asset: _fresh(feed, asset, now),
    )


def _refused(feed: Feed, ingest: Ingest) -> Happening:
    return Happening(
        id=f"refused {feed.name} {ingest.sha256} {ingest.parse_version}",
        kind=NoticeKind.REFUSED,
        feed=feed.name,
        subject=ingest.file,
        text=f"{ingest.message or 'it was refused'} ({ingest.rule})",
        at_us=ingest.known_at_us,
        advice=f"See how it would be read: marketdata ingest {feed.name} {shlex.quote(ingest.path)} --plan",
    )


def _late(late: LateTable, now: int) -> Happening:
    return Happening(
        id=f"late {late.feed} {late.asset} {now}",
        kind=NoticeKind.LATE,
        feed=late.feed,
        subject=late.asset,
        text=late.reason,
        at_us=now,
        advice=f"Ask for it again: {late.command}",
    )


def _fresh(feed: Feed, asset: str, now: int) -> Happening:
    return Happening(
        id=f"fresh {feed.name} {asset} {now}",
        kind=NoticeKind.FRESH,
        feed=feed.name,
        subject=asset,
        text="it holds every session that is due",
        at_us=now,
    )


def _summary(turn: Turn, channels: Sequence[str]) -> str:
    titles = list(dict.fromkeys(notice.title for _, notice in turn.sent))
    sent = f"told: {', '.join(titles)}" if titles else "nothing to tell"
    down = f"; not answering: {', '.join(dict.fromkeys(name for name, _ in turn.troubles))}" if turn.troubles else ""
    return f"{sent} (channels: {', '.join(channels)}){down}"
