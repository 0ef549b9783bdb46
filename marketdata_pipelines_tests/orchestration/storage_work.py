"""Programs for processes that write into a home's storage at the same time; nothing here asserts."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

# argv: run id, count. Writes that many log lines of a run.
NOTE = """
import sys, time
from dagster._core.events.log import EventLogEntry
from marketdata_pipelines.orchestration.history.instance import instance_for
from marketdata_pipelines.settings.environment import Settings

run_id, count = sys.argv[1], int(sys.argv[2])
with instance_for(Settings()) as instance:
    for number in range(count):
        instance.event_log_storage.store_event(EventLogEntry(
            error_info=None, level=10, user_message=f"event {number}", run_id=run_id, timestamp=time.time()))
"""
# argv: run id, first day, count. Reports a partition's materialization and verdict as the graph does, and prints it
# once it is stored.
PARTITIONS = """
import datetime, sys, time
from dagster import AssetCheckEvaluation, AssetKey, AssetMaterialization, DagsterEventType
from dagster._core.events import DagsterEvent, StepMaterializationData
from dagster._core.events.log import EventLogEntry
from marketdata_pipelines.orchestration.history.instance import instance_for
from marketdata_pipelines.settings.environment import Settings

KEY = AssetKey(["demo", "raw_bars"])
run_id, first, count = sys.argv[1], datetime.date.fromisoformat(sys.argv[2]), int(sys.argv[3])

def entry(kind, data):
    return EventLogEntry(error_info=None, level=10, user_message="", run_id=run_id, timestamp=time.time(),
                         dagster_event=DagsterEvent(kind.value, "job", event_specific_data=data))

with instance_for(Settings()) as instance:
    for number in range(count):
        day = (first + datetime.timedelta(days=number)).isoformat()
        made = StepMaterializationData(AssetMaterialization(KEY, partition=day))
        verdict = AssetCheckEvaluation(KEY, "ordered", True, {}, partition=day)
        instance.event_log_storage.store_partition_events([
            entry(DagsterEventType.ASSET_MATERIALIZATION, made),
            entry(DagsterEventType.ASSET_CHECK_EVALUATION, verdict)])
        print(day, flush=True)
"""


def start_process(home: Path, program: str, arguments: Sequence[str]) -> subprocess.Popen[str]:
    """Run a program on a home; its standard output is a pipe of lines."""
    environment = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        env={**environment, "MARKETDATA_HOME": str(home)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def run_processes(home: Path, program: str, each: Sequence[Sequence[str]], timeout_seconds: float = 240) -> list[int]:
    """Run a program as often as there are arguments, all at once; their exit codes."""
    processes = [start_process(home, program, arguments) for arguments in each]
    codes = []
    for process in processes:
        try:
            process.communicate(timeout=timeout_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        codes.append(process.returncode)
    return codes
