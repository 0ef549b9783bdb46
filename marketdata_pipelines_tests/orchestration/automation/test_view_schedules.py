"""The cadences of views: what they ask for while a session runs, and when they leave it."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import DefaultScheduleStatus, RunRequest
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
)
from dagster._core.test_utils import mock_workspace_from_repos

from marketdata_pipelines_tests.builders import minutes, source_of, take_in, us
from marketdata_pipelines_tests.orchestration.scheduled import Desk, desk_in

FILES = """\
feeds:
  demo:
    source: {kind: files}
    interval: 30m
    calendar: XNYS
    partition: day
    start: 2024-05-01
    schedule: {views: {top_volume: off, latest_bars: 1m}}
"""
PULLED = """\
feeds:
  demo:
    source: {kind: exchange, url: "http://127.0.0.1:9", symbols: [AAA]}
    interval: 30m
    calendar: XNYS
    partition: day
    start: 2024-05-01
"""
NOON = "2024-05-31 16:00"


@pytest.fixture
def desk(tmp_path: Path, empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with desk_in(tmp_path, empty_home, FILES) as made:
        yield made


@pytest.fixture
def pulled(tmp_path: Path, empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with desk_in(tmp_path, empty_home, PULLED) as made:
        yield made


def bring(desk: Desk, name: str, start: str, count: int) -> None:
    """Bars of half an hour that come in while the session of 2024-05-31 runs."""
    rows = minutes("AAA", start, count, step=30 * 60_000_000)
    take_in(desk.lake, desk.feed, source_of(name, rows), known_at=us(start) + count * 30 * 60_000_000)


def asked(request: RunRequest | str) -> list[str]:
    """The assets a tick asks for."""
    assert isinstance(request, RunRequest), request
    return sorted(key.path[-1] for key in request.asset_selection or [])


def stop(desk: Desk, name: str) -> None:
    """Leave a schedule stopped, as a person does in the UI."""
    with warnings.catch_warnings():
        # Dagster asks for a property of its own that it has deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        workspace = mock_workspace_from_repos([desk.repository])
    (entry,) = workspace.code_location_entries.values()
    assert entry.code_location is not None
    (repository,) = entry.code_location.get_repositories().values()
    remote = repository.get_schedule(f"demo__{name}")
    state = InstigatorState(
        remote.get_remote_origin(),
        InstigatorType.SCHEDULE,
        InstigatorStatus.STOPPED,
        ScheduleInstigatorData(remote.cron_schedule, None),
    )
    desk.instance.add_instigator_state(state)


def test_each_view_has_a_schedule_named_by_its_cadence(desk: Desk) -> None:
    names = {found.name: found.cron_schedule for found in desk.repository.schedule_defs}

    assert {name: cron for name, cron in names.items() if "every" in name} == {
        "demo__daily_summary__every_60m": "0 * * * *",
        "demo__hourly_volume__every_15m": "*/15 * * * *",
        "demo__latest_bars__every_1m": "* * * * *",
        "demo__symbol_performance__every_30m": "*/30 * * * *",
    }


def test_without_a_schedule_key_they_are_there_and_stopped(pulled: Desk) -> None:
    statuses = {found.default_status for found in pulled.repository.schedule_defs}

    assert len(pulled.repository.schedule_defs) == 6
    assert statuses == {DefaultScheduleStatus.STOPPED}


def test_new_rows_of_the_running_session_are_validated_down_to_the_view(desk: Desk) -> None:
    bring(desk, "morning.csv", "2024-05-31 13:30", 4)

    request = desk.tick("latest_bars__every_1m", "2024-05-31 15:31")

    assert isinstance(request, RunRequest)
    assert asked(request) == ["latest_bars", "rejected_bars", "validated_bars"]
    assert desk.keys(request) == ["2024-05-31"]
    assert request.tags["marketdata/acquire"] == "false"
    assert sorted({key.name for key in request.asset_check_keys or []}) == [
        "every_row_has_a_reason", "not_empty_when_open", "ohlc_consistent", "one_row_a_key",
        "quality_rules", "rows_conserved", "sorted_and_unique",
    ]  # fmt: skip


def test_views_whose_cadences_meet_are_one_run(desk: Desk) -> None:
    bring(desk, "morning.csv", "2024-05-31 13:30", 4)

    whole = desk.tick("latest_bars__every_1m", NOON)

    assert asked(whole) == [
        "daily_bars", "daily_summary", "hourly_volume", "latest_bars", "rejected_bars", "symbol_performance",
        "validated_bars",
    ]  # fmt: skip
    assert desk.tick("daily_summary__every_60m", NOON) == (
        "daily_summary is part of what demo__latest_bars__every_1m asks for at this time"
    )


def test_a_view_whose_schedule_was_stopped_is_left_out_and_leads_nobody(desk: Desk) -> None:
    bring(desk, "morning.csv", "2024-05-31 13:30", 4)
    stop(desk, "latest_bars__every_1m")
    stop(desk, "daily_summary__every_60m")

    request = desk.tick("hourly_volume__every_15m", NOON)

    assert asked(request) == [
        "daily_bars", "hourly_volume", "rejected_bars", "symbol_performance", "validated_bars",
    ]  # fmt: skip


def test_only_the_views_that_are_behind_are_asked_for(desk: Desk) -> None:
    bring(desk, "morning.csv", "2024-05-31 13:30", 4)
    first = desk.tick("latest_bars__every_1m", "2024-05-31 15:31")
    assert isinstance(first, RunRequest)
    assert desk.run(first)

    assert asked(desk.tick("latest_bars__every_1m", "2024-05-31 15:45")) == ["hourly_volume"]
    skipped = desk.tick("latest_bars__every_1m", "2024-05-31 15:46")
    assert isinstance(skipped, str)
    assert skipped.startswith("nothing new in 2024-05-31 of demo since 20")


def test_later_rows_make_the_view_anew(desk: Desk) -> None:
    bring(desk, "morning.csv", "2024-05-31 13:30", 4)
    first = desk.tick("latest_bars__every_1m", NOON)
    assert isinstance(first, RunRequest)
    assert desk.run(first)
    bring(desk, "noon.csv", "2024-05-31 15:30", 2)

    second = desk.tick("latest_bars__every_1m", "2024-05-31 16:31")

    assert isinstance(second, RunRequest)
    assert desk.run(second)
    assert desk.lake.read("latest_bars", "demo", "2024-05-31")["ts"].to_pylist()[0].hour == 16


def test_outside_the_session_and_its_delay_nothing_is_asked_for(desk: Desk) -> None:
    bring(desk, "morning.csv", "2024-05-31 13:30", 4)

    closed = "no session of demo (calendar XNYS) is running"
    for at in ("2024-05-31 13:29", "2024-05-31 20:15", "2024-06-01 16:00", "2024-05-27 16:00", "2024-07-03 17:15"):
        assert desk.tick("latest_bars__every_1m", at) == closed
    assert asked(desk.tick("latest_bars__every_1m", "2024-05-31 20:14"))


def test_a_vendor_is_asked_for_the_whole_chain(pulled: Desk) -> None:
    request = pulled.tick("top_volume__every_5m", NOON)

    assert asked(request) == ["daily_bars", "raw_bars", "rejected_bars", "top_volume", "validated_bars"]
    assert isinstance(request, RunRequest)
    assert "marketdata/acquire" not in request.tags


def test_a_vendor_is_not_asked_before_the_first_bar_is_complete(pulled: Desk) -> None:
    skipped = pulled.tick("top_volume__every_5m", "2024-05-31 13:55")

    assert skipped == "nothing new in 2024-05-31 of demo since the session opened"


def test_while_a_run_writes_the_partition_no_other_is_asked_for(pulled: Desk) -> None:
    request = pulled.tick("top_volume__every_5m", NOON)
    assert isinstance(request, RunRequest)
    job = pulled.repository.get_job("demo__day")
    run = pulled.instance.create_run_for_job(
        job_def=job, tags=dict(request.tags), asset_selection=set(request.asset_selection or [])
    )

    assert pulled.tick("latest_bars__every_5m", "2024-05-31 16:05") == (
        f"2024-05-31 of demo is being written already (run {run.run_id})"
    )
    assert "is being materialized" not in str(pulled.tick("after_close", "2024-05-31 20:15"))
