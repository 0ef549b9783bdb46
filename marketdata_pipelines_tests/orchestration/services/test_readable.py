import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.orchestration.services.readable import LineReader, readable_line

RUN = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
STAMP = "2024-05-08 10:11:12 +0000"


def test_a_line_keeps_its_time_and_text() -> None:
    line = f"{STAMP} - dagster.daemon.SensorDaemon - INFO - Launching run for feed_landing"

    assert readable_line(line) == "10:11:12 Launching run for feed_landing"


@pytest.mark.parametrize(
    ("level", "shown"),
    [("INFO", ""), ("WARNING", "warning: "), ("ERROR", "error: "), ("CRITICAL", "error: ")],
)
def test_only_levels_that_matter_are_named(level: str, shown: str) -> None:
    line = f"{STAMP} - dagster.daemon.QueuedRunCoordinatorDaemon - {level} - the queue stands"

    assert readable_line(line) == f"10:11:12 {shown}the queue stands"


def test_a_runs_line_names_the_run_shortly() -> None:
    line = f"{STAMP} - dagster - WARNING - demo__day - {RUN} - demo__day - demo 2024-05-07 is blocked: empty"

    assert readable_line(line) == "10:11:12 warning: run 3f2504e0: demo 2024-05-07 is blocked: empty"


def test_only_dagsters_own_logger_writes_lines_of_runs() -> None:
    line = f"{STAMP} - other - INFO - demo__day - {RUN} - demo__day - done"

    assert readable_line(line) == f"10:11:12 demo__day - {RUN} - demo__day - done"


@pytest.mark.parametrize(
    "line",
    [
        f"{STAMP} - dagster - DEBUG - demo__day - {RUN} - 17 - demo__day - STEP_START - Started",
        f"{STAMP} - dagster.daemon.SensorDaemon - INFO - Checking for new runs for the following: a",
        f"{STAMP} - dagster.daemon.MonitoringDaemon - INFO - Collected 2 runs for monitoring",
        f"{STAMP} - dagster.daemon - ERROR - Another SENSOR daemon is still sending heartbeats",
    ],
)
def test_what_repeats_all_the_time_is_not_shown(line: str) -> None:
    assert readable_line(line) is None


@pytest.mark.parametrize(
    "line",
    [
        "Traceback (most recent call last):",
        '  File "runs.py", line 3, in run',
        "ValueError: no such feed",
        "INFO:     Uvicorn running on http://127.0.0.1:3000",
        "",
    ],
)
def test_lines_of_another_form_stay_as_they_are(line: str) -> None:
    assert readable_line(line) == line


def test_dashes_in_a_message_are_part_of_it() -> None:
    line = f"{STAMP} - dagster.daemon - INFO - one - two - three"

    assert readable_line(line) == "10:11:12 one - two - three"


@given(st.text())
def test_any_line_is_answered_with_a_line_or_nothing(line: str) -> None:
    shown = readable_line(line)

    assert shown is None or isinstance(shown, str)


def test_the_traceback_of_a_run_is_left_to_the_log_file() -> None:
    run = "us_equities_1m__day - 0123abcd-0000-0000-0000-000000000000 - walk_us_equities_1m__day"
    read = LineReader()

    shown = [
        read(f"{STAMP} - dagster - ERROR - {run} - STEP_FAILURE - it broke"),
        read("Traceback (most recent call last):"),
        read('  File "walk.py", line 1, in walk'),
        read(f"{STAMP} - dagster.daemon.SensorDaemon - ERROR - a sensor broke"),
        read("Traceback (most recent call last):"),
    ]

    assert shown == [
        "10:11:12 error: run 0123abcd: STEP_FAILURE - it broke",
        None,
        None,
        "10:11:12 error: a sensor broke",
        "Traceback (most recent call last):",
    ]
