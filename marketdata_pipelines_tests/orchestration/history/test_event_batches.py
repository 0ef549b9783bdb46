"""Row for row what Dagster's own storage writes, and read back through Dagster's own questions."""

import asyncio
import logging
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from dagster import (
    AssetCheckEvaluation,
    AssetCheckKey,
    AssetCheckSeverity,
    AssetKey,
    AssetMaterialization,
    AssetRecordsFilter,
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    MetadataValue,
)
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationPlanned,
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.events import StepMaterializationData
from dagster._core.events.log import EventLogEntry
from dagster._core.loader import LoadingContextForTest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage
from dagster._core.storage.partition_status_cache import get_partition_subsets
from hypothesis import given, settings
from hypothesis import strategies as st

from marketdata_pipelines.orchestration.history.storage import HomeEventLogStorage
from marketdata_pipelines_tests.orchestration.conftest import Workshop

RUN = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
BARS, DAILY = AssetKey(["demo", "validated_bars"]), AssetKey(["demo", "daily_bars"])
ORDERED = AssetCheckKey(BARS, "ordered")
AT = 1_715_000_000.25
Rows = list[tuple[Any, ...]]


def entry(kind: DagsterEventType, data: Any, *, run_id: str = RUN, at: float = AT) -> EventLogEntry:
    """An event of a run's step as the reporter makes them."""
    event = DagsterEvent(kind.value, "demo__day", step_kind_value="COMPUTE", event_specific_data=data, message="told")
    return EventLogEntry(  # type: ignore[no-untyped-call]
        error_info=None, level=logging.DEBUG, user_message="told", run_id=run_id, timestamp=at,
        step_key="demo__day", job_name="demo__day", dagster_event=event,
    )  # fmt: skip


def made(key: AssetKey, partition: str | None, *, run_id: str = RUN, at: float = AT, rows: int = 3) -> EventLogEntry:
    metadata = {"dagster/row_count": MetadataValue.int(rows), "note": MetadataValue.md("| a |\n| - |\n| „ü“ |")}
    item = AssetMaterialization(key, partition=partition, metadata=metadata)
    return entry(DagsterEventType.ASSET_MATERIALIZATION, StepMaterializationData(item), run_id=run_id, at=at)


def judged(
    partition: str | None, *, passed: bool = True, run_id: str = RUN, at: float = AT, target: int | None = None,
    name: str = "ordered",
) -> EventLogEntry:  # fmt: skip
    stored = target and AssetCheckEvaluationTargetMaterializationData(storage_id=target, run_id=run_id, timestamp=at)
    severity = AssetCheckSeverity.ERROR if passed else AssetCheckSeverity.WARN
    evaluation = AssetCheckEvaluation(
        BARS, name, passed, {"rows": MetadataValue.int(2)}, target_materialization_data=stored or None,
        severity=severity, description="two rows", blocking=True, partition=partition,
    )  # fmt: skip
    return entry(DagsterEventType.ASSET_CHECK_EVALUATION, evaluation, run_id=run_id, at=at)


def planned(*, run_id: str = RUN) -> EventLogEntry:
    data = AssetCheckEvaluationPlanned(asset_key=BARS, check_name="ordered")
    return entry(DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED, data, run_id=run_id)


@dataclass(frozen=True, slots=True)
class Both:
    """Dagster's storage and ours, fed alike."""

    theirs: SqliteEventLogStorage
    ours: HomeEventLogStorage
    folder: Path

    def store(self, events: Sequence[EventLogEntry]) -> list[int]:
        """One by one with Dagster's, at once with ours; ids of ours."""
        for event in events:
            self.theirs.store_event(event)
        return self.ours.store_partition_events(events)

    def plan(self, event: EventLogEntry) -> None:
        self.theirs.store_event(event)
        SqliteEventLogStorage.store_event(self.ours, event)

    def rows(self, shard: str, query: str) -> tuple[Rows, Rows]:
        """The same query on both storages' file."""
        return self._read("theirs", shard, query), self._read("ours", shard, query)

    def _read(self, who: str, shard: str, query: str) -> Rows:
        with closing(sqlite3.connect(self.folder / who / f"{shard}.db")) as connection:
            return connection.execute(query).fetchall()


EVENTS = "select id, run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition from event_logs"
ASSETS = """select asset_key, last_materialization, last_run_id, asset_details, wipe_timestamp,
    last_materialization_timestamp, tags, cached_status_data from asset_keys order by asset_key"""
CHECKS = """select asset_key, check_name, partition, run_id, execution_status, evaluation_event,
    evaluation_event_timestamp, evaluation_event_storage_id, materialization_event_storage_id
    from asset_check_executions order by id"""


def make_both(folder: Path) -> Both:
    return Both(SqliteEventLogStorage(str(folder / "theirs")), HomeEventLogStorage(str(folder / "ours")), folder)


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    storages = make_both(tmp_path)
    yield storages
    storages.theirs.dispose()
    storages.ours.dispose()


def assert_alike(both: Both, *runs: str) -> None:
    """Every row of every table that Dagster fills; ids too, as both began empty."""
    for run_id in runs:
        theirs, ours = both.rows(run_id, EVENTS)
        assert ours == theirs
        assert len(ours) > 0
    for query in (EVENTS, ASSETS, CHECKS):
        theirs, ours = both.rows("index", query)
        assert ours == theirs


def test_a_partitions_events_are_the_rows_dagster_writes(both: Both) -> None:
    ids = both.store([made(BARS, "2024-05-06"), made(DAILY, "2024-05-06")])

    both.store([judged("2024-05-06", target=ids[0]), judged("2024-05-06", passed=False, name="full")])

    assert ids == [1, 2]
    assert_alike(both, RUN)
    assert len(both.rows("index", CHECKS)[1]) == 2


@pytest.mark.parametrize("passed", [True, False])
def test_a_planned_check_is_updated_not_repeated(both: Both, passed: bool) -> None:
    both.plan(planned())
    both.store([judged(None, passed=passed)])

    assert_alike(both, RUN)
    ((*_, status, _, _, _, _),) = both.rows("index", CHECKS)[1]
    assert status == ("SUCCEEDED" if passed else "FAILED")


def test_a_planned_check_without_partition_is_not_taken_for_a_partitions(both: Both) -> None:
    both.plan(planned())
    both.store([judged("2024-05-06")])

    assert_alike(both, RUN)
    assert [row[2] for row in both.rows("index", CHECKS)[1]] == [None, "2024-05-06"]


def test_an_asset_made_again_names_the_last(both: Both) -> None:
    other = str(uuid.uuid4())
    both.store([made(BARS, "2024-05-06"), made(BARS, "2024-05-07", at=AT + 1)])
    both.store([made(BARS, "2024-05-06", run_id=other, at=AT + 60)])

    assert_alike(both, RUN, other)
    ((_, _, last_run, *_),) = both.rows("index", ASSETS)[1]
    assert last_run == other


def test_a_check_judged_twice_in_one_run_keeps_the_last(both: Both) -> None:
    both.store([judged("2024-05-06", passed=False)])
    both.store([judged("2024-05-06", at=AT + 1)])

    assert_alike(both, RUN)
    assert [row[4] for row in both.rows("index", CHECKS)[1]] == ["SUCCEEDED"]


def test_runs_judge_apart(both: Both) -> None:
    other = str(uuid.uuid4())
    both.store([judged("2024-05-06")])
    both.store([judged("2024-05-06", run_id=other)])

    assert_alike(both, RUN, other)
    assert [row[3] for row in both.rows("index", CHECKS)[1]] == [RUN, other]


def test_a_batch_continues_what_dagster_wrote_and_the_other_way_round(both: Both) -> None:
    both.plan(made(BARS, "2024-05-06"))
    both.store([made(BARS, "2024-05-07", at=AT + 1)])
    both.plan(made(BARS, "2024-05-08", at=AT + 2))

    assert_alike(both, RUN)


@settings(max_examples=15)
@given(data=st.data())
def test_any_sequence_of_events_gives_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    days = st.sampled_from(["2024-05-06", "2024-05-07", "Zürich", None])
    moments = st.floats(0, 4e9, allow_nan=False)
    events: list[st.SearchStrategy[EventLogEntry]] = [
        st.builds(made, st.sampled_from([BARS, DAILY]), days, at=moments, rows=st.integers(0, 9)),
        st.builds(judged, days, passed=st.booleans(), at=moments, target=st.none() | st.integers(1, 99)),
    ]
    batches = data.draw(st.lists(st.lists(st.one_of(events), min_size=1, max_size=4), min_size=1, max_size=3))
    both = make_both(tmp_path_factory.mktemp("storages"))

    for batch in batches:
        both.store(batch)

    assert_alike(both, RUN)
    both.theirs.dispose()
    both.ours.dispose()


@pytest.fixture
def tell(workshop: Workshop) -> Callable[..., list[int]]:
    """Stores events as one batch of the workshop's instance."""
    storage = workshop.instance.event_log_storage
    assert isinstance(storage, HomeEventLogStorage)
    return lambda *events: storage.store_partition_events(events)


def test_dagster_finds_materializations_by_partition(workshop: Workshop, tell: Callable[..., list[int]]) -> None:
    first = tell(made(BARS, "2024-05-06"), made(DAILY, "2024-05-06"))
    tell(made(BARS, "2024-05-07", at=AT + 1, rows=9))

    query = AssetRecordsFilter(BARS, asset_partitions=["2024-05-07"])
    (found,) = workshop.instance.fetch_materializations(query, limit=5).records
    (earlier,) = workshop.instance.fetch_materializations(
        AssetRecordsFilter(BARS, asset_partitions=["2024-05-06"]), limit=5
    ).records
    latest = workshop.instance.get_latest_materialization_event(BARS)

    assert earlier.storage_id == first[0]
    assert (found.partition_key, found.run_id, found.timestamp) == ("2024-05-07", RUN, AT + 1)
    assert found.asset_materialization is not None
    assert found.asset_materialization.metadata["dagster/row_count"].value == 9
    assert latest is not None
    assert latest.get_dagster_event().partition == "2024-05-07"


def test_dagster_finds_the_latest_verdict_of_a_partition(workshop: Workshop, tell: Callable[..., list[int]]) -> None:
    (target,) = tell(made(BARS, "2024-05-06"))
    tell(judged("2024-05-06", passed=False, target=target), judged("2024-05-07", target=target))

    storage = workshop.instance.event_log_storage
    found = {
        key: storage.get_latest_asset_check_execution_by_key([ORDERED], PartitionKeyFilter(key=key))[ORDERED]
        for key in ("2024-05-06", "2024-05-07")
    }

    assert {key: record.status for key, record in found.items()} == {
        "2024-05-06": AssetCheckExecutionRecordStatus.FAILED,
        "2024-05-07": AssetCheckExecutionRecordStatus.SUCCEEDED,
    }
    evaluation = found["2024-05-06"].event.get_dagster_event().asset_check_evaluation_data  # type: ignore[union-attr]
    assert evaluation.target_materialization_data is not None
    assert evaluation.target_materialization_data.storage_id == target
    assert storage.get_latest_asset_check_execution_by_key([ORDERED], PartitionKeyFilter(key="2024-05-08")) == {}


def test_dagsters_cached_status_of_partitions_counts_them(workshop: Workshop, tell: Callable[..., list[int]]) -> None:
    tell(made(BARS, "2024-05-06"))
    first = materialized_subset(workshop)

    tell(made(BARS, "2024-05-07"), made(BARS, "2024-05-08"))

    assert first == ["2024-05-06"]
    # From the cache as it was, brought up to date by the ids of the events.
    assert materialized_subset(workshop) == ["2024-05-06", "2024-05-07", "2024-05-08"]


def materialized_subset(workshop: Workshop) -> list[str]:
    instance: DagsterInstance = workshop.instance
    (partitions,) = [assets.partitions_def for assets in workshop.graph() if BARS in assets.keys]
    loading = LoadingContextForTest(instance)
    subset = asyncio.run(get_partition_subsets(instance, loading, BARS, instance, partitions))[0]
    return [] if subset is None else sorted(subset.get_partition_keys())
