"""The contract of every IO manager: real runs that write frames and read them back from the place they were kept."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from dagster import (
    AssetExecutionContext,
    AssetIn,
    AssetKey,
    AssetsDefinition,
    AssetSelection,
    BackfillPolicy,
    DagsterInstance,
    ExecuteInProcessResult,
    Output,
    StaticPartitionsDefinition,
    asset,
    materialize,
)

from marketdata_pipelines.errors import PartitionMissing
from marketdata_pipelines.orchestration.assets.ranges import PARTITION_TAG, RANGE_END_TAG, RANGE_START_TAG
from marketdata_pipelines.orchestration.io_managers.frames import LazyPartitions, PandasPartitions, PolarsPartitions
from marketdata_pipelines.orchestration.io_managers.lake import LakeIOManager
from marketdata_pipelines.orchestration.io_managers.partitioned import PartitionedIOManager

# Ranges of an asset's partitions in one run are marked beta.
pytestmark = pytest.mark.filterwarnings("ignore:Parameter `backfill_policy`")
DAYS = ["2024-05-01", "2024-05-02", "2024-05-03"]
PARTITIONS = StaticPartitionsDefinition(DAYS)
KEY = ["research", "signals"]
READER = AssetSelection.assets(AssetKey(["research", "reader"]))
Seen = dict[str, Any]


def signals(day: str, *symbols: str, strength: float = 1.5) -> pa.Table:
    ts = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return pa.table(
        {
            "symbol": pa.array(symbols, pa.string()),
            "ts": pa.array([ts] * len(symbols), pa.timestamp("us", tz="UTC")),
            "strength": pa.array([strength + place for place in range(len(symbols))], pa.float64()),
            "rank": pa.array([None if place else 1 for place in range(len(symbols))], pa.int32()),
            "good": pa.array([True] * len(symbols), pa.bool_()),
            "as_of": pa.array([date(2024, 5, 9)] * len(symbols), pa.date32()),
        }
    )


def writes(made: Any, *, partitioned: bool = True, metadata: dict[str, Any] | None = None) -> AssetsDefinition:
    @asset(
        key=KEY,
        partitions_def=PARTITIONS if partitioned else None,
        backfill_policy=BackfillPolicy.single_run() if partitioned else None,
        metadata=metadata,
    )
    def write(context: AssetExecutionContext) -> Output[Any]:
        return Output(made(context) if callable(made) else made)

    return write


def run(
    manager: PartitionedIOManager, *assets: AssetsDefinition, days: list[str] | None = None, **more: Any
) -> ExecuteInProcessResult:
    tags = {}
    if days is not None:
        tags = {PARTITION_TAG: days[0]} if len(days) == 1 else {RANGE_START_TAG: days[0], RANGE_END_TAG: days[-1]}
    return materialize(list(assets), resources={"io_manager": manager}, tags=tags, **more)


def reads(seen: Seen, annotation: Any, *, partitioned: bool = True, **how: Any) -> AssetsDefinition:
    def read(frame: Any) -> None:
        if isinstance(frame, Mapping):
            seen["keys"] = list(frame)
            seen["frames"] = {key: frame[key] for key in frame}
        else:
            seen["frame"] = frame

    read.__annotations__["frame"] = annotation
    return asset(
        key=["research", "reader"],
        ins={"frame": AssetIn(key=KEY, **how)},
        partitions_def=PARTITIONS if partitioned else None,
        backfill_policy=BackfillPolicy.single_run() if partitioned else None,
    )(read)


def refused(result: ExecuteInProcessResult) -> str:
    (failure,) = [each for each in result.all_events if each.is_step_failure]
    return str(failure.step_failure_data.user_failure_data) + str(failure.step_failure_data.error)


def test_a_partition_comes_back_as_it_was_written(manager: PartitionedIOManager) -> None:
    seen: Seen = {}
    table = signals(DAYS[0], "AAA", "BBB")

    run(manager, writes(table), reads(seen, pa.Table), days=DAYS[:1])

    assert seen["frame"].equals(table)


def test_a_range_is_written_by_a_generator_one_partition_at_a_time(manager: PartitionedIOManager) -> None:
    begun: list[str] = []
    seen: Seen = {}

    def parts(context: AssetExecutionContext) -> Iterator[tuple[str, pa.Table]]:
        for day in context.partition_keys:
            begun.append(day)
            yield day, signals(day, "AAA")

    run(manager, writes(parts), days=DAYS)
    run(manager, writes(None), reads(seen, LazyPartitions), days=DAYS, selection=READER)

    assert begun == DAYS
    assert seen["keys"] == DAYS
    assert all(seen["frames"][day].equals(signals(day, "AAA")) for day in DAYS)


def test_writing_a_partition_again_replaces_its_rows_and_no_others(manager: PartitionedIOManager) -> None:
    seen: Seen = {}
    run(manager, writes({day: signals(day, "AAA", "BBB") for day in DAYS}), days=DAYS)

    run(manager, writes(signals(DAYS[1], "CCC", strength=9.0)), days=DAYS[1:2])

    run(manager, writes(None), reads(seen, LazyPartitions), days=DAYS, selection=READER)
    assert [seen["frames"][day]["symbol"].to_pylist() for day in DAYS] == [["AAA", "BBB"], ["CCC"], ["AAA", "BBB"]]


def test_a_pandas_frame_comes_back_as_one(manager: PartitionedIOManager) -> None:
    seen, frame = Seen(), pd.DataFrame({"symbol": ["AAA", "BBB"], "strength": [1.5, 2.5]})

    run(manager, writes(frame), reads(seen, pd.DataFrame), days=DAYS[:1])

    assert seen["frame"].equals(frame)


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [(PandasPartitions, pd.DataFrame), (PolarsPartitions, pl.DataFrame), (dict[str, pd.DataFrame], pd.DataFrame)],
)
def test_several_partitions_are_frames_of_the_kind_that_is_asked_for(
    tmp_path: Path, annotation: Any, kind: type
) -> None:
    manager, seen = LakeIOManager(lake=str(tmp_path)), Seen()
    run(manager, writes({day: signals(day, "AAA") for day in DAYS}), days=DAYS)

    run(manager, writes(None), reads(seen, annotation), days=DAYS, selection=READER)

    assert seen["keys"] == DAYS
    assert all(type(frame) is kind for frame in seen["frames"].values())


def test_a_polars_frame_is_a_table_of_the_same_rows(manager: PartitionedIOManager) -> None:
    table, seen = signals(DAYS[0], "AAA", "BBB"), Seen()

    run(manager, writes(pl.from_arrow(table)), reads(seen, pl.LazyFrame), days=DAYS[:1])

    assert seen["frame"].collect().to_dicts() == table.to_pylist()


def test_an_asset_without_partitions_is_one_table(manager: PartitionedIOManager) -> None:
    table, seen = signals(DAYS[0], "AAA"), Seen()

    run(manager, writes(table, partitioned=False), reads(seen, pa.Table, partitioned=False))

    assert seen["frame"].equals(table)


def test_a_partition_without_rows_is_there_and_one_never_written_is_named(manager: PartitionedIOManager) -> None:
    seen, missing = Seen(), Seen()
    run(manager, writes(signals(DAYS[0])), days=DAYS[:1])

    run(manager, writes(None), reads(seen, pa.Table), days=DAYS[:1], selection=READER)
    result = run(
        manager, writes(None), reads(missing, pa.Table), days=DAYS[1:2], selection=READER,
        raise_on_error=False,
    )  # fmt: skip

    assert seen["frame"].num_rows == 0
    assert "research/signals has nothing stored for 2024-05-02; materialize it first" in refused(result)


def test_partitions_that_are_not_there_may_be_left_out(manager: PartitionedIOManager) -> None:
    seen = Seen()
    run(manager, writes(signals(DAYS[1], "AAA")), days=DAYS[1:2])

    reader = reads(seen, LazyPartitions, metadata={"allow_missing_partitions": True})
    run(manager, writes(None), reader, days=DAYS, selection=READER)

    assert seen["keys"] == [DAYS[1]]


def test_a_partition_is_read_only_when_it_is_asked_for(manager: PartitionedIOManager) -> None:
    failures: list[str] = []
    run(manager, writes(signals(DAYS[0], "AAA")), days=DAYS[:1])

    @asset(ins={"frames": AssetIn(key=KEY)}, partitions_def=PARTITIONS, backfill_policy=BackfillPolicy.single_run())
    def reader(frames: LazyPartitions) -> None:
        assert frames[DAYS[0]].num_rows == 1
        with pytest.raises(PartitionMissing) as error:
            frames[DAYS[2]]
        failures.append(str(error.value))

    run(manager, writes(None), reader, days=DAYS, selection=AssetSelection.assets(reader))

    assert failures == ["research/signals has nothing stored for 2024-05-03; materialize it first"]


def test_rows_symbols_and_revision_are_told_of_each_partition(manager: PartitionedIOManager) -> None:
    with DagsterInstance.ephemeral() as instance:
        tables = {DAYS[0]: signals(DAYS[0], "AAA"), DAYS[1]: signals(DAYS[1], "AAA", "BBB")}
        run(manager, writes(tables), days=DAYS[:2], instance=instance)
        run(manager, writes(tables), days=DAYS[:2], instance=instance)

        events = instance.fetch_materializations(AssetKey(KEY), limit=10).records

    told = {each.partition_key: each.asset_materialization.metadata for each in events[:2]}  # type: ignore[union-attr]
    before = {each.partition_key: each.asset_materialization.metadata for each in events[2:]}  # type: ignore[union-attr]
    rows = {day: (told[day]["dagster/row_count"].value, told[day]["symbols"].value) for day in DAYS[:2]}
    assert rows == {DAYS[0]: (1, 1), DAYS[1]: (2, 2)}
    assert told[DAYS[0]]["revision"] != told[DAYS[1]]["revision"]
    assert told[DAYS[0]]["revision"] == before[DAYS[0]]["revision"]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (None, "returned None"),
        (7, "returned int"),
        ([1, 2], "returned an iterator of int"),
        ({DAYS[0]: signals(DAYS[0], "AAA")}, "returned nothing for 2024-05-02"),
        (
            {**{day: signals(day, "AAA") for day in DAYS}, "2024-05-09": signals(DAYS[0])},
            "'2024-05-09', which this run",
        ),
        (signals(DAYS[0], "AAA"), "one frame for 3 partitions"),
    ],
)
def test_what_is_no_frame_of_the_runs_partitions_is_refused_with_the_reason(
    tmp_path: Path, made: object, said: str
) -> None:
    result = run(LakeIOManager(lake=str(tmp_path)), writes(made), days=DAYS, raise_on_error=False)

    assert said in refused(result)
