"""What a run's own process does: show that it lives, and execute the run.

A worker holds a lock on its file as long as it lives, however it ends; the file names its process. That is how the
launcher, in whatever process, sees it and stops it (see `launcher`).
"""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from marketdata_pipelines.orchestration.running.liveness import is_held

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

# Names a run's process: `host:pid`.
PROCESS_TAG = "marketdata/process"
_SECONDS_OF_A_LOOK = 0.5
# A new worker makes its file a moment before it holds it.
_SECONDS_TO_BEGIN = 60.0


@contextmanager
def living(workers: Path, run_id: str) -> Iterator[None]:
    """Hold the run's lock and name this process in it; removed at a regular end.

    Errors: Timeout when another process works on the run.
    """
    workers.mkdir(parents=True, exist_ok=True)
    # Whoever looks holds the lock for a moment too.
    lock = FileLock(_lock_file(workers, run_id), timeout=_SECONDS_OF_A_LOOK, poll_interval=0.01)
    with lock:
        process = _process_file(workers, run_id)
        process.write_text(str(os.getpid()), "ascii")
        try:
            yield
        finally:
            process.unlink(missing_ok=True)
            # While it is held: nobody else's is removed.
            _lock_file(workers, run_id).unlink(missing_ok=True)


def is_living(workers: Path, run_id: str) -> bool:
    """Whether a process of this machine works on the run."""
    return is_held(_lock_file(workers, run_id))


def living_workers(workers: Path) -> list[int]:
    """The processes of this machine that work on runs."""
    found = []
    for path in workers.glob("*.pid"):
        if is_living(workers, path.stem):
            with suppress(OSError, ValueError):
                found.append(int(path.read_text("ascii")))
    return found


def remove_traces(workers: Path) -> None:
    """Remove the files of workers that were killed, a minute after they began at the earliest."""
    for path in workers.glob("*.lock"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _SECONDS_TO_BEGIN and not is_held(path):
                path.with_suffix(".pid").unlink(missing_ok=True)
                path.unlink(missing_ok=True)


def interrupt(workers: Path, run_id: str) -> bool:
    """Ask the run's worker to stop as Ctrl-C does; whether there was one."""
    if not is_living(workers, run_id):
        return False
    try:
        os.kill(int(_process_file(workers, run_id).read_text("ascii")), signal.SIGINT)
    except (OSError, ValueError):
        return False
    return True


def work(run_id: str, instance_ref: str, workers: str) -> None:
    """Execute a run that is in the instance; its events are all there is to see of it."""
    from marketdata_pipelines.pipeline.walkers import Walkers
    from marketdata_pipelines.settings.environment import Settings

    count = Settings().walkers
    # Now, while this process is one thread: it will not be any more when the run's step begins.
    with Walkers(count) if count > 1 else nullcontext():
        _execute(run_id, instance_ref, workers)


def _execute(run_id: str, instance_ref: str, workers: str) -> None:
    from dagster._cli.api import _execute_run_command_body
    from dagster._cli.utils import get_instance_for_cli
    from dagster._core.instance import InstanceRef
    from dagster._serdes import deserialize_value
    from dagster._utils.interrupts import capture_interrupts

    reference = deserialize_value(instance_ref, InstanceRef)
    # Who is seen to live is interrupted; from then on Dagster must be the one to hear of it.
    with (
        capture_interrupts(),
        living(Path(workers), run_id),
        get_instance_for_cli(instance_ref=reference) as instance,
    ):
        _execute_run_command_body(run_id, instance, lambda _event: None, set_exit_code_on_failure=False)
        cancelled = _cancelled_run(instance, run_id)
        if cancelled is not None:
            instance.report_run_canceled(cancelled)


def _cancelled_run(instance: "DagsterInstance", run_id: str) -> "DagsterRun | None":
    """The run if it was cancelled as it began, and Dagster left it be, or took the interrupt for a failure.

    The event of its start makes a run that is being cancelled one that has started, for Dagster.
    """
    from dagster import DagsterEventType, DagsterRunStatus

    ended = instance.get_run_by_id(run_id)
    if ended is None or ended.status not in (DagsterRunStatus.CANCELING, DagsterRunStatus.FAILURE):
        return None
    asked = instance.get_records_for_run(run_id, of_type=DagsterEventType.RUN_CANCELING, limit=1).records
    return ended if asked else None


def _lock_file(workers: Path, run_id: str) -> Path:
    return workers / f"{run_id}.lock"


def _process_file(workers: Path, run_id: str) -> Path:
    return workers / f"{run_id}.pid"


if __name__ == "__main__":
    work(sys.argv[1], sys.stdin.read(), sys.argv[2])
