"""Real runs through the launcher that a home's dagster.yaml names; one home and one host for all of them."""

import os
import random
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest
from dagster import DagsterRun, DagsterRunStatus, Definitions, JobDefinition, in_process_executor, job, op
from dagster._core.code_pointer import FileCodePointer
from dagster._core.errors import DagsterLaunchFailedError
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus

from marketdata_pipelines.orchestration.running import launcher as launcher_module
from marketdata_pipelines.orchestration.running.launcher import RunHost, WarmRunLauncher
from marketdata_pipelines.orchestration.running.run_worker import PROCESS_TAG
from marketdata_pipelines_tests.orchestration.live_runs import DAILY, LiveHome, live_home, origin_of
from marketdata_pipelines_tests.waiting import children_of, is_running, parent_of, wait_until, wait_until_gone

OTHER_CODE = """
import os
import dagster as dg

@dg.op
def note_parent(context) -> None:
    context.log.info(f"started by {os.getppid()}")

@dg.job(executor_def=dg.in_process_executor)
def elsewhere() -> None:
    note_parent()

defs = dg.Definitions(jobs=[elsewhere])
"""


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Stands for the package's files, which are not to change while others work with them."""
    folder = tmp_path_factory.mktemp("code")
    (folder / "module.py").write_text("", "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launcher_module, "_PACKAGE", folder)
        yield folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, code: Path) -> Iterator[LiveHome]:
    with live_home(tmp_path_factory.mktemp("launched")) as found:
        found.launcher.warm_up()
        yield found


@pytest.fixture
def launched(home: LiveHome) -> Iterator[Callable[[int], DagsterRun]]:
    """Launches runs over the first days of the feed that are in the middle of their work when returned."""
    started: list[DagsterRun] = []

    def launch(days: int) -> DagsterRun:
        run = home.new_run(home.days[:days])
        started.append(run)
        home.launch(run)
        home.wait_for_partition(run)
        return run

    yield launch
    for run in started:
        home.end(run)


def test_a_run_is_executed_by_the_process_its_tag_names(home: LiveHome) -> None:
    run = home.new_run(home.days[:5])

    pid = home.launch(run)
    status = home.wait_for_end(run)

    assert status is DagsterRunStatus.SUCCESS
    assert home.instance.get_materialized_partitions(DAILY) >= set(home.days[:5])
    found = home.instance.get_run_by_id(run.run_id)
    assert found is not None
    assert found.tags[PROCESS_TAG] == f"{socket.gethostname()}:{pid}"
    texts = [entry.message for entry in home.instance.all_logs(run.run_id)]
    assert any(f"Started process for run (pid: {pid})" in text for text in texts)
    assert files_of(home, run) == []


def test_runs_are_forked_from_one_host_and_work_side_by_side(home: LiveHome) -> None:
    one, two = home.new_run(home.days[:24]), home.new_run(home.days[:24])

    parents = [parent_of(home.launch(run)) for run in (one, two)]

    assert parents == hosts() * 2
    assert [home.wait_for_end(run) for run in (one, two)] == [DagsterRunStatus.SUCCESS] * 2


def test_a_living_run_is_running(home: LiveHome, launched: Callable[[int], DagsterRun]) -> None:
    run = launched(250)

    assert home.launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING


def test_a_terminated_run_is_cancelled_and_its_processes_end(
    home: LiveHome, launched: Callable[[int], DagsterRun]
) -> None:
    run = launched(250)
    walkers = children_of(home.pid(run))

    told = home.launcher.terminate(run.run_id)

    assert told
    assert home.wait_for_end(run) is DagsterRunStatus.CANCELED
    assert len(walkers) == 2
    wait_until_gone(*walkers)
    assert files_of(home, run) == []


@pytest.mark.parametrize("seed", range(4))
def test_a_run_can_be_cancelled_at_any_moment(home: LiveHome, seed: int) -> None:
    run = home.new_run(home.days[:250])
    pid = home.launch(run)

    # From before its first event into the midst of its work.
    Event().wait(random.Random(seed).uniform(0, 1.5))
    told = home.launcher.terminate(run.run_id)

    assert told
    wait_until_gone(pid, seconds=30)
    assert home.status(run) is DagsterRunStatus.CANCELED
    assert files_of(home, run) == []


def test_a_run_that_is_over_or_unknown_cannot_be_terminated(home: LiveHome) -> None:
    run = home.new_run(home.days[:1])
    home.launch(run)
    home.wait_for_end(run)

    assert not home.launcher.terminate(run.run_id)
    assert not home.launcher.terminate("3f2504e0-4f89-41d3-9a0c-0305e82c3301")
    assert home.status(run) is DagsterRunStatus.SUCCESS
    assert home.launcher.check_run_worker_health(run).status is WorkerStatus.SUCCESS


def test_a_killed_worker_is_seen_and_leaves_no_process(home: LiveHome, launched: Callable[[int], DagsterRun]) -> None:
    run = launched(250)
    pid = home.pid(run)
    walkers = children_of(pid)

    os.kill(pid, signal.SIGKILL)
    wait_until_gone(pid)
    health = wait_until(lambda: not_running(home, run), "that the launcher sees it")

    assert health.status is WorkerStatus.FAILED
    assert "killed, or out of memory" in str(health.msg)
    assert home.status(run) is DagsterRunStatus.STARTED
    assert len(walkers) == 2
    wait_until_gone(*walkers)


def test_a_run_whose_worker_was_killed_can_still_be_cancelled(
    home: LiveHome, launched: Callable[[int], DagsterRun]
) -> None:
    run = launched(250)
    os.kill(home.pid(run), signal.SIGKILL)
    wait_until(lambda: not_running(home, run), "that the launcher sees it")

    told = home.launcher.terminate(run.run_id)

    assert told
    assert home.status(run) is DagsterRunStatus.CANCELED


def test_of_a_worker_on_another_machine_nothing_is_known(home: LiveHome) -> None:
    run = DagsterRun("demo__day", status=DagsterRunStatus.STARTED, tags={PROCESS_TAG: "another-host:1"})
    home.instance.add_run(run)

    assert home.launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING
    assert not home.launcher.terminate(run.run_id)
    assert home.status(run) is DagsterRunStatus.CANCELING
    home.instance.report_run_canceled(run)


def test_a_run_of_other_code_goes_to_a_new_python(home: LiveHome, tmp_path: Path) -> None:
    (tmp_path / "other_code.py").write_text(OTHER_CODE, "utf-8")
    pointer = FileCodePointer(str(tmp_path / "other_code.py"), "defs", str(tmp_path))
    run = home.instance.create_run_for_job(elsewhere_here(), job_code_origin=origin_of(pointer, "elsewhere"))

    pid = home.launch(run)
    status = home.wait_for_end(run)

    texts = [entry.user_message for entry in home.instance.all_logs(run.run_id)]
    assert status is DagsterRunStatus.SUCCESS, texts
    assert f"started by {os.getpid()}" in texts
    assert any(f"(pid: {pid})" in entry.message for entry in home.instance.all_logs(run.run_id))


def elsewhere_here() -> JobDefinition:
    """The job of OTHER_CODE, for the run's record."""

    @op
    def note_parent() -> None: ...

    @job(executor_def=in_process_executor)
    def elsewhere() -> None:
        note_parent()

    return Definitions(jobs=[elsewhere]).resolve_job_def("elsewhere")


def test_a_host_that_died_is_replaced(home: LiveHome) -> None:
    (host,) = hosts()
    os.kill(host, signal.SIGKILL)
    wait_until_gone(host)
    run = home.new_run(home.days[:1])

    home.launch(run)

    assert home.wait_for_end(run) is DagsterRunStatus.SUCCESS
    assert hosts() != [host]


def test_newer_code_gets_a_new_host_and_old_work_goes_on(
    home: LiveHome, code: Path, launched: Callable[[int], DagsterRun]
) -> None:
    before = launched(60)
    (host,) = hosts()
    (code / "added.py").write_text("", "utf-8")

    after = home.new_run(home.days[:1])
    home.launch(after)

    (newer,) = hosts()
    assert newer != host
    assert home.wait_for_end(after) is DagsterRunStatus.SUCCESS
    assert home.wait_for_end(before) is DagsterRunStatus.SUCCESS


def test_files_that_are_no_code_change_nothing(home: LiveHome, code: Path) -> None:
    before = hosts()
    (code / "notes.txt").write_text("", "utf-8")

    home.launcher.warm_up()

    assert hosts() == before


def test_a_host_that_has_ended_is_an_error_that_says_so() -> None:
    host = RunHost()
    host.end()

    with pytest.raises(DagsterLaunchFailedError, match="the process that starts runs ended with code"):
        host.start({})

    assert not host.is_current()


def test_locks_lie_where_the_homes_storage_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKETDATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    named = WarmRunLauncher.from_config_value(None, {"base_dir": str(tmp_path / "named")})  # type: ignore[arg-type]
    default = WarmRunLauncher.from_config_value(None, {})  # type: ignore[arg-type]
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    at_home = WarmRunLauncher.from_config_value(None, {})  # type: ignore[arg-type]

    folders = [each._workers for each in (named, default, at_home)]

    assert folders == [tmp_path / name / "workers" for name in ("named", "data/dagster", "home")]


def not_running(home: LiveHome, run: DagsterRun) -> CheckRunHealthResult | None:
    """What the launcher says of a run once it is not RUNNING: of a killed process the last thread lets go."""
    found = home.launcher.check_run_worker_health(run)
    return None if found.status is WorkerStatus.RUNNING else found


def files_of(home: LiveHome, run: DagsterRun) -> list[str]:
    """What a run's worker has left among the locks."""
    return [path.name for path in home.workers.iterdir() if run.run_id in path.name]


def hosts() -> list[int]:
    """The hosts this process has started and that live."""
    return [pid for pid in children_of(os.getpid()) if "run_host" in _command(pid) and is_running(pid)]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
