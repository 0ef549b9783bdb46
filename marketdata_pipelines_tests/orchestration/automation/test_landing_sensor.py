"""A drop folder's sensor on a real instance: a file once, whatever happens, and exactly what it changed derived."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import AssetKey, DagsterEventType, DagsterRun, DagsterRunStatus, EventLogRecord, RunRequest

from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.orchestration.automation.ingest_job import ingest_job_name
from marketdata_pipelines.orchestration.automation.landing_sensor import CONTENTS_TAG
from marketdata_pipelines.orchestration.running.run_worker import PROCESS_TAG
from marketdata_pipelines.stores.outbox import Outbox
from marketdata_pipelines_tests.orchestration.landings import FRIDAY, MONDAY, Landing, end_backfill, open_landing


@pytest.fixture
def landing(tmp_path: Path, empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Landing]:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    shutil.copytree(empty_home, tmp_path / "dagster")
    yield from open_landing(tmp_path)


def files_of(requests: list[RunRequest]) -> list[list[str]]:
    configs = [request.run_config["ops"]["take_in_shares"]["config"]["files"] for request in requests]
    return [[Path(path).name for path in config] for config in configs]


def observation_text(record: EventLogRecord) -> str | None:
    """What an observation says."""
    event = record.event_log_entry.dagster_event
    assert event is not None
    return event.asset_observation_data.asset_observation.description


def test_a_file_is_taken_in_once_and_exactly_what_it_changed_is_derived(landing: Landing) -> None:
    landing.write("a.csv", FRIDAY)

    requests = landing.settled()
    launched = [landing.launch(request) for request in requests]
    after_ingest = landing.requests()
    derived = landing.derive()
    quiet = [landing.tick() for _ in range(3)]

    assert files_of(requests) == [["a.csv"]]
    assert launched == [True]
    assert after_ingest == []
    assert derived == [{Period.DAY: ["2024-03-08"], Period.WEEK: ["2024-03-04"], Period.MONTH: ["2024-03-01"]}]
    assert all(not tick.run_requests for tick in quiet)
    assert landing.open_backfills() == []
    assert landing.lake.read("bars_1d", "shares", "2024-03-08").num_rows == 1


def test_the_backfill_leaves_the_folder_alone_and_says_who_asked(landing: Landing) -> None:
    landing.write("a.csv", FRIDAY)
    landing.launch(landing.settled()[0])
    landing.tick()

    (backfill,) = landing.open_backfills()

    assert backfill.title == "shares: files landed (3 partitions, 2024-03-08)"
    assert backfill.tags["marketdata/acquire"] == "false"
    assert backfill.tags["marketdata/opened_by"] == "shares__landing"


def test_nothing_is_asked_for_while_a_run_is_taking_files_in(landing: Landing) -> None:
    landing.write("a.csv", FRIDAY)
    (request,) = landing.settled()
    running = DagsterRun(job_name=ingest_job_name("shares"), status=DagsterRunStatus.STARTED)
    landing.instance.add_run(running)

    assert landing.reason().startswith(f"run {running.run_id[:8]} is taking files in")
    assert request.run_key is not None


def test_a_failed_ingest_is_asked_for_again_under_a_new_key_after_a_rest(landing: Landing) -> None:
    landing.write("a.csv", FRIDAY)
    (first,) = landing.settled()
    failed = DagsterRun(
        job_name=ingest_job_name("shares"),
        status=DagsterRunStatus.FAILURE,
        tags={**first.tags, "dagster/run_key": first.run_key or ""},
    )
    landing.instance.add_run(failed)

    too_soon = landing.requests()
    (second,) = landing.requests(after_seconds=60)

    assert too_soon == []
    assert first.run_key is not None
    assert second.run_key == first.run_key.replace(":1", ":2")
    assert landing.launch(second)


def test_a_file_that_fails_every_run_does_not_hold_the_others_up(landing: Landing) -> None:
    landing.write("poison.csv", FRIDAY)
    (first,) = landing.settled()
    landing.instance.add_run(
        DagsterRun(job_name=ingest_job_name("shares"), status=DagsterRunStatus.FAILURE, tags=dict(first.tags))
    )
    landing.write("good.csv", MONDAY)

    assert files_of(landing.settled()) == [["good.csv"]]


def test_a_lost_cursor_costs_a_look_and_no_file(landing: Landing) -> None:
    landing.write("a.csv", FRIDAY)
    landing.launch(landing.settled()[0])
    landing.tick()
    landing.derive()

    landing.cursor = None
    requests = landing.settled()

    assert requests == []
    assert landing.open_backfills() == []


def test_a_lost_cursor_does_not_stop_a_file_that_was_left_by_a_run_that_succeeded(landing: Landing) -> None:
    path = landing.write("a.csv", FRIDAY)
    (first,) = landing.settled()
    with open(path, "a"):
        assert landing.launch(first)

    landing.cursor = None
    (second,) = landing.settled()

    assert landing.launch(second)
    assert [each.file for each in landing.lake.catalog.ingests("shares")] == ["a.csv"]


def test_a_kill_between_ingest_and_derive_heals_at_the_next_look(landing: Landing) -> None:
    path = landing.write("a.csv", FRIDAY, MONDAY)
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from marketdata_pipelines.pipeline.intake import take_in\n"
        "from marketdata_pipelines.settings.feeds_file import load_feeds\n"
        "from marketdata_pipelines.stores.lake.lake import Lake\n"
        "home, path = Path(sys.argv[1]), sys.argv[2]\n"
        "(feed,) = load_feeds(home / 'feeds.yaml').values()\n"
        "for _ in take_in(Lake(home / 'lake'), feed, [path], run_id='r', clock=lambda: 1_800_000_000_000_000):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(landing.settings.folder), str(path)])

    requests = landing.settled()
    derived = landing.derive()

    assert killed.returncode == -9
    assert requests == []
    assert derived == [
        {
            Period.DAY: ["2024-03-08", "2024-03-11"],
            Period.WEEK: ["2024-03-04", "2024-03-11"],
            Period.MONTH: ["2024-03-01"],
        }
    ]


def test_a_derive_whose_process_was_killed_is_asked_for_again(landing: Landing) -> None:
    landing.write("a.csv", FRIDAY)
    landing.launch(landing.settled()[0])
    landing.tick()
    (backfill,) = landing.open_backfills()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    lost = DagsterRun(
        job_name="shares__day",
        status=DagsterRunStatus.STARTED,
        tags={PROCESS_TAG: f"{socket.gethostname()}:{gone.pid}", "dagster/partition": "2024-03-08"},
    )
    landing.instance.add_run(lost)
    end_backfill(landing.instance, backfill, succeeded=False)

    landing.tick()
    resting = landing.open_backfills()
    landing.tick(after_seconds=60)

    assert resting == []
    assert len(landing.open_backfills()) == 1
    ended = landing.instance.get_run_by_id(lost.run_id)
    assert ended is not None
    assert ended.status is DagsterRunStatus.FAILURE


def test_partitions_somebody_is_at_are_left_to_them(landing: Landing) -> None:
    landing.write("a.csv", FRIDAY, MONDAY)
    landing.launch(landing.settled()[0])
    running = DagsterRun(
        job_name="shares__day", status=DagsterRunStatus.STARTED, tags={"dagster/partition": "2024-03-08"}
    )
    landing.instance.add_run(running)

    landing.tick()

    (backfill,) = landing.open_backfills()
    assert landing.targets(backfill) == {Period.DAY: ["2024-03-11"], Period.WEEK: ["2024-03-11"]}


def test_a_file_that_lands_while_a_backfill_is_open_gets_one_of_its_own(landing: Landing) -> None:
    landing.write("a.csv", FRIDAY)
    landing.launch(landing.settled()[0])
    landing.tick()
    landing.write("b.csv", MONDAY)
    landing.launch(landing.settled()[0])

    landing.tick()

    newest, oldest = landing.open_backfills()
    assert landing.targets(oldest)[Period.DAY] == ["2024-03-08"]
    assert landing.targets(newest) == {Period.DAY: ["2024-03-11"], Period.WEEK: ["2024-03-11"]}
    landing.derive()
    landing.tick(after_seconds=60)
    assert landing.derive() == []


def test_a_refused_file_is_recorded_observed_and_not_asked_for_again(landing: Landing) -> None:
    (landing.folder / "bad.csv").write_text("nonsense\n1\n2\n")
    (request,) = landing.settled()

    succeeded = landing.launch(request)
    again = landing.settled()

    (ingest,) = landing.lake.catalog.ingests("shares")
    observed = landing.instance.fetch_observations(AssetKey(["shares", "raw_bars"]), limit=10).records
    assert succeeded
    assert (ingest.status, ingest.file) == ("refused", "bad.csv")
    assert [observation_text(record) for record in observed] == [f"bad.csv was refused: {ingest.message}"]
    assert again == []
    assert landing.open_backfills() == []


def test_an_unreadable_file_is_observed_and_noted_once(landing: Landing) -> None:
    (landing.folder / "loop.csv").symlink_to(landing.folder / "loop.csv")

    for _ in range(4):
        landing.tick()

    observed = landing.instance.fetch_observations(AssetKey(["shares", "raw_bars"]), limit=10).records
    waiting = Outbox(landing.settings.outbox).waiting()
    assert len(observed) == 1
    assert [each.subject for each in waiting["shares refused"]] == ["loop.csv"]


def test_data_from_before_the_loaded_partitions_says_what_to_do(landing: Landing) -> None:
    landing.write("old.csv", "SPY,2023-03-08 09:30:00,10.5,10.75,10.25,10.6,100\n")
    landing.launch(landing.settled()[0])

    assert "appears once the code location is loaded again" in landing.reason()


def test_the_reason_says_what_waits_and_why(landing: Landing) -> None:
    landing.write("a.csv", FRIDAY)

    assert landing.reason() == "no file has landed yet; a.csv waits: it has just come or changed"


def test_run_keys_are_the_contents(landing: Landing) -> None:
    landing.write("a.csv", FRIDAY)

    (request,) = landing.settled()

    assert request.run_key == f"{request.tags[CONTENTS_TAG]}:1"
    assert request.tags["marketdata/feed"] == "shares"


def test_the_ingest_jobs_run_shows_what_became_of_each_file(landing: Landing) -> None:
    landing.write("a.csv", FRIDAY)
    (landing.folder / "bad.csv").write_text("nonsense\n1\n2\n")
    landing.launch(landing.settled()[0])

    (run,) = landing.instance.get_runs()
    outputs = landing.instance.get_records_for_run(run.run_id, of_type=DagsterEventType.STEP_OUTPUT).records

    event = outputs[0].event_log_entry.dagster_event
    assert event is not None
    metadata = event.step_output_data.metadata
    assert (metadata["files"].value, metadata["rows"].value, metadata["partitions"].value) == (2, 1, 1)
