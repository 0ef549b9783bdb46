"""Weeks and months follow their days: exactly the right buckets are asked for, and rewritten."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import DagsterRunStatus, RunRequest, SensorResult, SkipReason

from marketdata_pipelines.orchestration.automation.roll_up import ask_for_roll_ups
from marketdata_pipelines_tests.builders import lake_files
from marketdata_pipelines_tests.orchestration.scheduled import SIMULATED, Desk, desk_in, moment


@pytest.fixture
def desk(tmp_path: Path, empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with desk_in(tmp_path, empty_home, SIMULATED.replace("catch_up: 10", "catch_up: 6")) as made:
        yield made


def look(desk: Desk, at: str, cursor: str | None = None) -> SensorResult | SkipReason:
    return ask_for_roll_ups(desk.instance, desk.feed, desk.lake, desk.existing, moment(at), cursor)


def requests(desk: Desk, at: str) -> dict[str, RunRequest]:
    """What is asked for, by job."""
    found = look(desk, at)
    assert isinstance(found, SensorResult), found
    return {str(request.job_name): request for request in found.run_requests or []}


def run_through(desk: Desk, at: str) -> dict[str, list[str]]:
    """Run a tick's days, then what follows; the partitions of each run, by job."""
    from marketdata_pipelines.domain.partitions import Period

    days = desk.ask(at)
    assert desk.run(days)
    done = {"demo__day": desk.keys(days)}
    for job, request in requests(desk, at).items():
        assert desk.run(request)
        done[job] = desk.keys(request, Period(job.removeprefix("demo__")))
    return done


def changed(before: dict[str, bytes], after: dict[str, bytes]) -> list[str]:
    """The files that differ, without raw parts, whose names are digests."""
    names = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    return sorted(name for name in names if not name.startswith("raw_bars/"))


def days_files(*keys: str) -> list[str]:
    """The files of days: every base table of each."""
    tables = [
        "bars_12h", "bars_1d", "bars_1h", "bars_2d", "bars_2h", "bars_4h", "bars_6h", "bars_8h", "daily_summary",
        "hourly_volume", "latest_bars", "rejected_bars", "symbol_performance", "top_volume", "validated_bars",
        "quality_findings", "quality_scores", "quality_suspects", "symbol_profiles",
    ]  # fmt: skip
    return [f"{table}/demo/{key}.parquet" for table in tables for key in keys]


def test_a_month_that_ends_on_friday_is_finished_by_that_friday(desk: Desk) -> None:
    assert run_through(desk, "2024-05-30 20:15")["demo__week"] == ["2024-05-20", "2024-05-27"]
    before = lake_files(desk.lake)

    done = run_through(desk, "2024-05-31 20:15")

    assert done == {"demo__day": ["2024-05-31"], "demo__week": ["2024-05-27"], "demo__month": ["2024-05-01"]}
    weeks = ["bars_1w/demo/2024-05-27.parquet", "bars_1mo/demo/2024-05-01.parquet"]
    files = changed(before, lake_files(desk.lake))
    assert set(weeks) < set(files)
    assert set(files) - set(weeks) <= {*days_files("2024-05-31"), "bars_2d/demo/2024-05-30.parquet"}


def test_the_tuesday_after_a_monday_holiday_opens_its_week(desk: Desk) -> None:
    run_through(desk, "2024-05-24 20:15")
    before = lake_files(desk.lake)

    done = run_through(desk, "2024-05-28 20:15")

    assert done == {"demo__day": ["2024-05-28"], "demo__week": ["2024-05-27"], "demo__month": ["2024-05-01"]}
    assert "bars_1w/demo/2024-05-20.parquet" not in changed(before, lake_files(desk.lake))


def test_a_catch_up_over_a_month_end_rewrites_both_months(desk: Desk) -> None:
    done = run_through(desk, "2024-07-03 17:15")

    assert done == {
        "demo__day": ["2024-06-26", "2024-06-27", "2024-06-28", "2024-07-01", "2024-07-02", "2024-07-03"],
        "demo__week": ["2024-06-24", "2024-07-01"],
        "demo__month": ["2024-06-01", "2024-07-01"],
    }


def test_the_weeks_in_which_clocks_change_hold_their_own_days(desk: Desk) -> None:
    done = run_through(desk, "2024-11-04 21:15")

    assert done["demo__week"] == ["2024-10-28", "2024-11-04"]
    assert done["demo__month"] == ["2024-10-01", "2024-11-01"]


def test_nothing_is_asked_for_twice(desk: Desk) -> None:
    run_through(desk, "2024-05-31 20:15")

    settled = look(desk, "2024-05-31 20:16")
    assert isinstance(settled, SensorResult)
    again = look(desk, "2024-05-31 20:17", settled.cursor)

    assert settled.run_requests == []
    assert settled.skip_reason is not None
    assert isinstance(again, SkipReason)
    assert again.skip_message == "no day of demo has been written since the last look"


def test_a_week_waits_for_the_day_that_is_being_written(desk: Desk) -> None:
    assert desk.run(desk.ask("2024-05-30 20:15"))
    desk.leave(desk.ask("2024-05-31 20:15"), DagsterRunStatus.STARTED)

    found = look(desk, "2024-05-31 20:16")

    assert isinstance(found, SensorResult)
    assert [request.tags["dagster/partition"] for request in found.run_requests or []] == ["2024-05-20"]


def test_a_failed_week_is_asked_for_again_and_then_given_up(desk: Desk) -> None:
    assert desk.run(desk.ask("2024-05-31 20:15"))
    keys = set()
    for _ in range(3):
        for request in requests(desk, "2024-05-31 20:16").values():
            keys.add(request.run_key)
            desk.leave(request, DagsterRunStatus.FAILURE)

    found = look(desk, "2024-05-31 20:17")

    assert len(keys) == 6
    assert isinstance(found, SensorResult)
    assert found.skip_reason is not None
    assert "failed 3 times; asked again once a day changes" in str(found.skip_reason.skip_message)
