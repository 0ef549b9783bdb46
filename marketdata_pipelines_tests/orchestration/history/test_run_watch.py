import os
import queue
import uuid
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.dagster_run import DagsterRunStatus

from marketdata_pipelines.orchestration.history import run_watch
from marketdata_pipelines.orchestration.history.instance import instance_for
from marketdata_pipelines.orchestration.history.storage import HomeEventLogStorage
from marketdata_pipelines.settings.environment import Settings

_SECONDS = 20


def note(instance: DagsterInstance, run_id: str, text: str) -> None:
    entry = EventLogEntry(None, 20, text, run_id, 1.0)  # type: ignore[no-untyped-call] # Dagster leaves it untyped.
    instance.event_log_storage.store_event(entry)


class Heard:
    """Keeps what a listener is told."""

    def __init__(self, answer: DagsterRunStatus | None = None) -> None:
        self.texts: queue.Queue[str] = queue.Queue()
        self._answer = answer

    def __call__(self, entry: EventLogEntry, _cursor: str) -> Any:
        self.texts.put(entry.user_message)
        return self._answer

    def next(self) -> str:
        return self.texts.get(timeout=_SECONDS)


def test_events_are_heard_while_their_writer_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing is read unless a file changed: the run's own does not.
    monkeypatch.setattr(run_watch, "_SECONDS_RESTLESS", 0.0)
    settings, run_id, heard = Settings(home=tmp_path), str(uuid.uuid4()), Heard()
    with instance_for(settings) as page, instance_for(settings) as worker:
        page.watch_event_logs(run_id, None, heard)
        found = []
        for number in range(5):
            note(worker, run_id, f"event {number}")
            found.append(heard.next())
        page.end_watch_event_logs(run_id, heard)

    assert found == [f"event {number}" for number in range(5)]


def test_only_events_after_the_cursor_are_heard_and_each_once(tmp_path: Path) -> None:
    settings, run_id, heard = Settings(home=tmp_path), str(uuid.uuid4()), Heard()
    with instance_for(settings) as instance:
        for text in ("old", "older"):
            note(instance, run_id, text)
        cursor = instance.event_log_storage.get_records_for_run(run_id).cursor

        instance.watch_event_logs(run_id, cursor, heard)
        note(instance, run_id, "new")
        first = heard.next()
        note(instance, run_id, "newest")
        second = heard.next()

    assert (first, second) == ("new", "newest")
    assert heard.texts.empty()


def test_a_listener_that_says_the_run_is_over_hears_no_more(tmp_path: Path) -> None:
    settings, run_id = Settings(home=tmp_path), str(uuid.uuid4())
    over, going_on = Heard(DagsterRunStatus.SUCCESS), Heard()
    with instance_for(settings) as instance:
        instance.watch_event_logs(run_id, None, over)
        instance.watch_event_logs(run_id, None, going_on)
        note(instance, run_id, "first")
        firsts = over.next(), going_on.next()
        note(instance, run_id, "second")
        second = going_on.next()

    assert (firsts, second) == (("first", "first"), "second")
    assert over.texts.empty()


def test_a_listener_that_fails_does_not_keep_others_from_hearing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings, run_id, heard = Settings(home=tmp_path), str(uuid.uuid4()), Heard()

    def fail(_entry: EventLogEntry, _cursor: str) -> None:
        raise ValueError("no more pages")

    with instance_for(settings) as instance:
        instance.watch_event_logs(run_id, None, fail)
        instance.watch_event_logs(run_id, None, heard)
        note(instance, run_id, "first")
        found = heard.next()

    assert found == "first"
    assert "a listener to run" in caplog.text


def test_a_run_that_has_not_begun_is_waited_for_without_making_its_file(tmp_path: Path) -> None:
    settings, run_id, heard = Settings(home=tmp_path), str(uuid.uuid4()), Heard()
    with instance_for(settings) as instance:
        storage = instance.event_log_storage
        assert isinstance(storage, HomeEventLogStorage)
        other = str(uuid.uuid4())
        instance.watch_event_logs(run_id, None, heard)
        instance.watch_event_logs(other, None, Heard())
        note(instance, run_id, "begun")
        found = heard.next()
        there = os.path.exists(storage.path_for_shard(other))

    assert (found, there) == ("begun", False)
