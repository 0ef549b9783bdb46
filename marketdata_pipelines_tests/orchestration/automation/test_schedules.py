"""The schedule of sessions, evaluated with a fixed clock on a real instance, and its runs really executed."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dagster import AssetMaterialization, DagsterRunStatus, DefaultScheduleStatus, RunRequest

from marketdata_pipelines.domain.due import next_due
from marketdata_pipelines.domain.sessions import to_us
from marketdata_pipelines.orchestration.keys import asset_key
from marketdata_pipelines_tests.builders import lake_files, minutes, source_of, take_in, utc
from marketdata_pipelines_tests.orchestration.scheduled import SIMULATED, Desk, desk_in

YEARS = """\
feeds:
  demo:
    source: {kind: simulated, symbols: [AAA], seed: 3}
    interval: 1d
    calendar: XNYS
    start: 2024-12-20
    schedule: {catch_up: 4}
"""
COIN = """\
feeds:
  demo:
    source: {kind: simulated, symbols: [AAA], seed: 3}
    interval: 1h
    calendar: 24/7
    partition: day
    start: 2024-02-01
    schedule: {catch_up: 2}
"""


@pytest.fixture
def desk(tmp_path: Path, empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with desk_in(tmp_path, empty_home, SIMULATED) as made:
        yield made


def test_a_feed_with_a_schedule_runs_by_itself(desk: Desk) -> None:
    schedule = desk.repository.get_schedule_def("demo__after_close")

    assert schedule.default_status is DefaultScheduleStatus.RUNNING
    assert schedule.execution_timezone == "America/New_York"
    assert {"15 13 * * 1,2,3,5", "15 16 * * 1-5"} & set(schedule.cron_schedule)
    assert schedule.job_name == "demo__day"


def test_after_a_downtime_of_ten_sessions_one_run_brings_them_all(desk: Desk) -> None:
    request = desk.ask("2024-05-31 20:15")

    assert desk.keys(request) == [
        "2024-05-17", "2024-05-20", "2024-05-21", "2024-05-22", "2024-05-23", "2024-05-24", "2024-05-28",
        "2024-05-29", "2024-05-30", "2024-05-31",
    ]  # fmt: skip
    assert request.tags["dagster/priority"] == "10"
    assert desk.run(request)
    assert desk.materialized("latest_bars") == desk.keys(request)
    assert desk.tick("after_close", "2024-05-31 20:15") == (
        "session 2024-05-31 of demo is here already; session 2024-06-03 is next, due 2024-06-03 16:15 America/New_York"
    )


def test_the_next_close_asks_for_its_session_only(desk: Desk) -> None:
    assert desk.run(desk.ask("2024-05-24 20:15"))

    request = desk.ask("2024-05-28 20:15")

    assert desk.keys(request) == ["2024-05-28"]


def test_a_half_day_is_asked_for_at_one_and_not_again_at_four(desk: Desk) -> None:
    assert desk.run(desk.ask("2024-07-02 20:15"))

    assert desk.keys(desk.ask("2024-07-03 17:15")) == ["2024-07-03"]

    assert desk.run(desk.ask("2024-07-03 17:15"))
    assert desk.tick("after_close", "2024-07-03 20:15") == (
        "no session of demo (calendar XNYS) is due now, and none is missing; "
        "session 2024-07-05 is next, due 2024-07-05 16:15 America/New_York"
    )


def test_a_failed_run_is_asked_for_again_under_a_key_that_was_never_used(desk: Desk) -> None:
    first = desk.ask("2024-05-31 20:15")
    desk.leave(first, DagsterRunStatus.FAILURE)

    second = desk.ask("2024-05-31 21:15")

    assert desk.keys(second) == desk.keys(first)
    assert second.run_key != first.run_key


def test_what_keeps_failing_is_left_until_the_next_close(desk: Desk) -> None:
    for _ in range(5):
        desk.leave(desk.ask("2024-05-31 20:15"), DagsterRunStatus.FAILURE)

    skipped = desk.tick("after_close", "2024-05-31 21:15")

    assert isinstance(skipped, str)
    assert "failed 5 times since the last close; asked again at the next one" in skipped
    assert "2024-06-03" in desk.keys(desk.ask("2024-06-03 20:15"))


def test_a_partition_in_an_unfinished_run_is_left_to_it(desk: Desk) -> None:
    desk.leave(desk.ask("2024-05-30 20:15"), DagsterRunStatus.STARTED)

    again = desk.tick("after_close", "2024-05-30 21:15")
    next_session = desk.ask("2024-05-31 20:15")

    assert isinstance(again, str)
    assert "is being materialized already" in again
    assert desk.keys(next_session) == ["2024-05-31"]


def test_a_day_written_while_its_session_ran_is_written_again_after_the_close(desk: Desk) -> None:
    now_us = to_us(datetime.now(UTC))
    coming = next_due(desk.feed, now_us)
    assert coming is not None
    session, due_us = coming
    key = session.date.isoformat()
    for asset in ("validated_bars", "rejected_bars", "daily_bars", "latest_bars"):
        event = AssetMaterialization(asset_key("demo", asset), partition=key)
        desk.instance.report_runless_asset_event(event)

    request = desk.ask(utc(due_us))

    assert desk.keys(request)[-1] == key


def test_scattered_gaps_are_one_run_narrowed_to_them(desk: Desk) -> None:
    request = desk.ask("2024-05-31 20:15")
    middle = RunRequest(tags={**request.tags, "marketdata/partitions": "2024-05-20..2024-05-23,2024-05-28"})
    assert desk.run(middle)

    left = desk.ask("2024-05-31 20:15")

    assert desk.keys(left) == ["2024-05-17", "2024-05-24", "2024-05-29", "2024-05-30", "2024-05-31"]
    assert desk.run(left)
    assert desk.materialized("raw_bars") == desk.keys(request)


def test_a_day_that_a_check_blocks_is_not_asked_for_every_hour(desk: Desk) -> None:
    bad = [{**row, "high": 1.0, "low": 2.0} for row in minutes("AAA", "2024-05-31 13:30", 3, step=30 * 60_000_000)]
    take_in(desk.lake, desk.feed, source_of("bad.csv", bad))
    request = desk.ask("2024-05-31 20:15")
    blocked = {**request.tags, "dagster/asset_partition_range_end": "2024-05-31", "marketdata/acquire": "false"}

    assert not desk.run(RunRequest(tags={**blocked, "marketdata/partitions": "2024-05-31"}))

    assert "2024-05-31" not in desk.keys(desk.ask("2024-05-31 21:15"))


def test_the_current_year_is_rewritten_and_the_one_before_left_alone(
    tmp_path: Path, empty_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with desk_in(tmp_path, empty_home, YEARS) as desk:
        old = desk.ask("2024-12-31 21:15")
        assert old.tags["dagster/partition"] == "2024-01-01"
        assert desk.run(old)
        before = lake_files(desk.lake)

        new = desk.ask("2025-01-02 21:15")

        assert new.tags["dagster/partition"] == "2025-01-01"
        assert desk.run(new)
        after = lake_files(desk.lake)
        rewritten = {name for name in before if before[name] != after[name]}
        # The pair of sessions and the week that reach over New Year lie where their label is.
        assert rewritten <= {"bars_2d/demo/2024-01-01.parquet", "bars_1w/demo/2024-01-01.parquet"}
        assert "validated_bars/demo/2025-01-01.parquet" in after
        assert isinstance(desk.tick("after_close", "2025-01-02 21:15"), str)


def test_round_the_clock_a_leap_day_is_asked_for_after_midnight(
    tmp_path: Path, empty_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with desk_in(tmp_path, empty_home, COIN) as desk:
        assert desk.run(desk.ask("2024-02-29 00:15"))

        request = desk.ask("2024-03-01 00:15")

        assert desk.keys(request) == ["2024-02-29"]
        assert desk.run(request)
        assert desk.materialized("latest_bars") == ["2024-02-27", "2024-02-28", "2024-02-29"]


def test_a_file_feed_is_asked_only_once_a_file_is_new(
    tmp_path: Path, empty_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    landing = SIMULATED.replace("{kind: simulated, symbols: [AAA, BBB], seed: 3}", "landing")
    with desk_in(tmp_path, empty_home, landing) as desk:
        skipped = desk.tick("after_close", "2024-05-02 20:15")
        (tmp_path / "landing").mkdir()
        (tmp_path / "landing" / "bars.csv").write_text("symbol,ts,open,high,low,close,volume\n", "utf-8")

        assert skipped == "no file has brought 2024-05-01, 2024-05-02 of demo yet, and none is new at its source"
        assert desk.keys(desk.ask("2024-05-02 21:15")) == ["2024-05-01", "2024-05-02"]
