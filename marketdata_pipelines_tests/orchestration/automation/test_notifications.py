"""The notifying sensors on a real instance, with real runs and local receivers."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from dagster import (
    AssetKey,
    DagsterEventType,
    DagsterRun,
    DagsterRunStatus,
    Definitions,
    SensorDefinition,
    SkipReason,
    build_run_status_sensor_context,
    build_sensor_context,
)

from marketdata_pipelines.domain.notices import NoticeKind
from marketdata_pipelines.domain.sessions import to_us
from marketdata_pipelines.orchestration.automation.notifications import (
    note_lateness,
    note_refusals,
    notification_sensors,
)
from marketdata_pipelines.orchestration.automation.run_stories import run_subject
from marketdata_pipelines.pipeline.intake import take_in
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.settings.feeds_file import parse_feeds
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.outbox import Outbox
from marketdata_pipelines_tests.builders import make_feed, us
from marketdata_pipelines_tests.notify.receivers import Hook, webhook
from marketdata_pipelines_tests.orchestration.conftest import Workshop

NOTIFICATIONS = "channels: [{kind: webhook, name: hook, url_env: HOOK_URL, timeout_seconds: 0.5}]\n"
MINUTE = 60_000_000


@dataclass
class Office:
    """A workshop whose runs are told to a local webhook; the clock runs ahead so that nothing waits for company."""

    workshop: Workshop
    settings: Settings
    hook: Hook
    now_us: int

    def sensors(self) -> dict[str, SensorDefinition]:
        feeds = {self.workshop.feed.name: self.workshop.feed}
        return {each.name: each for each in notification_sensors(feeds, self.settings, lambda: self.now_us)}

    def note(self, run_id: str) -> None:
        """Show a run's end to the sensor of its status, as the daemon does."""
        run = self.workshop.instance.get_run_by_id(run_id)
        assert run is not None
        failed = run.status is DagsterRunStatus.FAILURE
        kind = DagsterEventType.RUN_FAILURE if failed else DagsterEventType.RUN_SUCCESS
        (record,) = self.workshop.instance.get_records_for_run(run_id, of_type=kind).records
        event = record.event_log_entry.dagster_event
        assert event is not None
        name = "notify_run_failed" if failed else "notify_run_recovered"
        context = build_run_status_sensor_context(name, event, self.workshop.instance, run)
        self.sensors()[name](context)

    def tell(self, after_minutes: int = 1) -> str:
        self.now_us += after_minutes * MINUTE
        reason = self.sensors()["notifications"](build_sensor_context(self.workshop.instance))
        assert isinstance(reason, SkipReason)
        return reason.skip_message or ""

    def fail(self) -> str:
        """A run of a day that nothing has been brought for."""
        report = self.workshop.run(["2024-05-09"], acquire=False)
        assert not report.succeeded
        return report.run_id

    @property
    def posted(self) -> list[str]:
        return [each["text"] for each in self.hook.received]


@pytest.fixture
def office(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    settings = Settings(home=workshop.settings.home, ui_url="http://localhost:3000/")
    settings.notifications_file.write_text(NOTIFICATIONS, "utf-8")
    with webhook() as hook:
        monkeypatch.setenv("HOOK_URL", hook.url)
        yield Office(workshop, settings, hook, to_us(datetime.now(UTC)))


def test_a_failed_run_is_told_with_its_partition_reason_and_link(office: Office) -> None:
    run_id = office.fail()

    office.note(run_id)
    office.tell()

    (message,) = office.hook.received
    body = message["blocks"][1]["text"]["text"]
    assert message["text"] == "demo__day failed"
    assert body.startswith("demo__day 2024-05-09: 1 of 1 partitions of demo are blocked: 2024-05-09;")
    assert "marketdata backfill demo --start 2024-05-09 --end 2024-05-09" in body
    assert message["blocks"][2]["elements"][0]["text"] == f"<http://localhost:3000/runs/{run_id}|Open in Dagster>"


def test_a_failure_seen_twice_is_told_once(office: Office) -> None:
    run_id = office.fail()

    office.note(run_id)
    office.tell()
    office.note(run_id)
    office.tell(after_minutes=20)

    assert office.posted == ["demo__day failed"]


def test_the_first_success_after_a_failure_is_told_and_the_second_is_not(office: Office) -> None:
    office.note(office.fail())
    office.note(office.workshop.run(["2024-05-09"]).run_id)
    office.note(office.workshop.run(["2024-05-10"]).run_id)
    office.tell()
    office.tell(after_minutes=20)

    assert sorted(office.posted) == ["demo__day failed", "demo__day works again"]


def test_a_success_that_is_shown_before_the_failure_it_followed_ends_it_too(office: Office) -> None:
    failed, succeeded = office.fail(), office.workshop.run(["2024-05-09"]).run_id

    office.note(succeeded)
    office.note(failed)
    office.tell()

    assert sorted(office.posted) == ["demo__day failed", "demo__day works again"]


def test_a_run_that_dagster_tries_again_itself_is_not_told(office: Office) -> None:
    run_id = office.fail()
    office.workshop.instance.add_run_tags(run_id, {"dagster/will_retry": "true"})

    office.note(run_id)
    office.tell()

    assert office.posted == []


def test_a_cancelled_run_is_no_failure(office: Office) -> None:
    run = DagsterRun(job_name="demo__day", status=DagsterRunStatus.STARTED)
    office.workshop.instance.add_run(run)
    office.workshop.instance.report_run_canceled(run)
    repository = Definitions(assets=office.workshop.graph(), sensors=[*office.sensors().values()]).get_repository_def()
    sensor = office.sensors()["notify_run_failed"]

    cursor = None
    for _ in range(2):
        context = build_sensor_context(office.workshop.instance, cursor=cursor, repository_def=repository)
        cursor = sensor.evaluate_tick(context).cursor
    office.tell()

    assert office.posted == []


def test_the_daemons_own_evaluation_tells_a_run_that_failed_after_the_sensor_began(office: Office) -> None:
    repository = Definitions(assets=office.workshop.graph(), sensors=[*office.sensors().values()]).get_repository_def()
    sensor = office.sensors()["notify_run_failed"]
    cursor = sensor.evaluate_tick(build_sensor_context(office.workshop.instance, repository_def=repository)).cursor
    office.fail()

    for _ in range(2):
        context = build_sensor_context(office.workshop.instance, cursor=cursor, repository_def=repository)
        cursor = sensor.evaluate_tick(context).cursor
    office.tell()

    assert office.posted == ["demo__day failed"]


def test_a_webhook_that_is_down_is_named_and_served_later(office: Office) -> None:
    office.hook.answers = [503]
    office.note(office.fail())

    down = office.tell()
    office.hook.answers = [200]
    office.tell(after_minutes=5)

    assert down == "told: demo__day failed (channels: log, hook); not answering: hook"
    assert office.posted == ["demo__day failed"]


def test_the_same_work_has_one_name_however_it_was_launched(workshop: Workshop) -> None:
    feeds = {"demo": workshop.feed}
    selection = frozenset({AssetKey(["demo", "daily_bars"]), AssetKey(["demo", "raw_bars"])})
    by_backfill = DagsterRun(
        job_name="__ASSET_JOB",
        asset_selection=selection,
        tags={"dagster/asset_partition_range_start": "2024-05-06", "dagster/asset_partition_range_end": "2024-05-08"},
    )
    by_job = DagsterRun(job_name="demo__day", tags={"dagster/partition": "2024-05-06"})
    other = DagsterRun(job_name="tidy_up")

    subjects = [run_subject(run, feeds) for run in (by_backfill, by_job, other)]

    assert [(each.feed, each.job, each.where) for each in subjects] == [
        ("demo", "demo__day", "2024-05-06 … 2024-05-08"),
        ("demo", "demo__day", "2024-05-06"),
        ("", "tidy_up", ""),
    ]


def test_a_refused_file_is_told_once_whoever_brought_it(office: Office) -> None:
    feed, lake = make_feed(), Lake(office.settings.lake)
    path = office.settings.folder / "bad file.csv"
    path.write_text("nonsense\n1\n")
    list(take_in(lake, feed, [str(path)], run_id="run", clock=lambda: office.now_us))
    outbox = Outbox(office.settings.outbox)

    note_refusals(outbox, lake, feed, office.now_us)
    note_refusals(outbox, lake, feed, office.now_us)

    (happening,) = outbox.waiting()["feed refused"]
    assert happening.subject == "bad file.csv"
    assert happening.advice == f"See how it would be read: marketdata ingest feed '{path}' --plan"


def test_refusals_of_long_ago_are_not_told_at_the_first_look(office: Office) -> None:
    feed, lake = make_feed(), Lake(office.settings.lake)
    path = office.settings.folder / "bad.csv"
    path.write_text("nonsense\n1\n")
    list(take_in(lake, feed, [str(path)], run_id="run", clock=lambda: office.now_us - 3 * 60 * MINUTE))
    outbox = Outbox(office.settings.outbox)

    note_refusals(outbox, lake, feed, office.now_us)

    assert outbox.waiting() == {}
    assert outbox.mark("ledger feed") == "1"


def test_late_tables_are_told_when_they_become_late_and_when_they_are_fresh_again(office: Office) -> None:
    (feed,) = parse_feeds(
        "feeds:\n  demo:\n    source: {kind: simulated, symbols: [AAA], seed: 3}\n    interval: 30m\n"
        "    calendar: XNYS\n    start: 2024-05-06\n    schedule: {}\n",
        "feeds.yaml",
    ).values()
    outbox, lake, night = Outbox(office.settings.outbox), Lake(office.settings.lake), us("2024-05-06 23:00")

    note_lateness(outbox, lake, feed, us("2024-05-06 19:00"))
    early = outbox.waiting()
    note_lateness(outbox, lake, feed, night)
    note_lateness(outbox, lake, feed, night + MINUTE)
    late = outbox.waiting()
    note_lateness(outbox, lake, feed, us("2024-05-04 23:00"))
    after = outbox.waiting()

    assert early == {}
    assert {each.kind for each in late["demo late"]} == {NoticeKind.LATE}
    assert "raw_bars" in {each.subject for each in late["demo late"]}
    assert len({each.subject for each in late["demo late"]}) == len(late["demo late"])
    assert {each.subject for each in after["demo fresh"]} == {each.subject for each in late["demo late"]}
