"""The SQL store's IO manager: tables for SQL users, their keys, and where its address stays."""

from typing import Any

import pandas as pd
import polars as pl
import psycopg
import pyarrow as pa
import pytest
from dagster import (
    AssetIn,
    AssetKey,
    AssetSpec,
    BackfillPolicy,
    EnvVar,
    ExecuteInProcessResult,
    MultiPartitionsDefinition,
    Output,
    PartitionsDefinition,
    StaticPartitionsDefinition,
    TimeWindowPartitionsDefinition,
    asset,
    materialize,
)
from pydantic import SecretStr

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.orchestration.assets.ranges import PARTITION_TAG, RANGE_END_TAG, RANGE_START_TAG
from marketdata_pipelines.orchestration.io_managers.frames import LazyPartitions, PolarsPartitions
from marketdata_pipelines.orchestration.io_managers.lake import lake_io_manager
from marketdata_pipelines.orchestration.io_managers.timescale import TimescaleIOManager, timescale_io_manager
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.timescale import user_leaves
from marketdata_pipelines_tests.orchestration.conftest import Workshop

# Ranges of an asset's partitions in one run are marked beta.
pytestmark = pytest.mark.filterwarnings("ignore:Parameter `backfill_policy`")
ROWS = pa.table({"name": ["a", "b"], "value": [1.5, 2.5]})
SCORES = {"primary_key": ["id"]}
HOURS = TimeWindowPartitionsDefinition(start="2024-05-02-00:00", cron_schedule="0 * * * *", fmt="%Y-%m-%d-%H:%M")
VENUES = MultiPartitionsDefinition(
    {"day": StaticPartitionsDefinition(["2024-05-02", "2024-05-03"]), "venue": StaticPartitionsDefinition(["A", "B"])}
)
FIRST = "2024-05-02-00:00"
# A partition of so many rows gets a leaf here.
MANY = 50


@pytest.fixture(autouse=True)
def small_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_leaves, "_ROWS_OF_A_LEAF", MANY)


def scores(rows: int, value: int) -> pa.Table:
    return pa.table({"id": pa.array(range(rows), pa.int64()), "value": pa.array([value] * rows, pa.float64())})


def ran(
    dsn: str, metadata: Any, partitions: PartitionsDefinition[str] | None, made: Any, *keys: str | None
) -> ExecuteInProcessResult:
    """A run that writes [research, scores]: one partition, a range from one to another, or all there is (None)."""

    @asset(
        key=["research", "scores"],
        metadata=metadata,
        partitions_def=partitions,
        backfill_policy=BackfillPolicy.single_run() if partitions else None,
    )
    def made_here() -> Output[Any]:
        return Output(made)

    manager = TimescaleIOManager(dsn=dsn)
    return materialize([made_here], resources={"io_manager": manager}, tags=tags_of(*keys), raise_on_error=False)


def read(
    dsn: str, metadata: Any, partitions: PartitionsDefinition[str] | None, annotation: Any, *keys: str | None
) -> Any:
    """What a run of such partitions is given."""
    seen = []

    def reader(rows: Any) -> None:
        seen.append({key: rows[key] for key in rows} if isinstance(rows, LazyPartitions) else rows)

    reader.__annotations__["rows"] = annotation
    work = asset(
        ins={"rows": AssetIn(AssetKey(["research", "scores"]))},
        partitions_def=partitions,
        backfill_policy=BackfillPolicy.single_run() if partitions else None,
    )(reader)
    there = AssetSpec(["research", "scores"], partitions_def=partitions, metadata=metadata)
    materialize([work, there], resources={"io_manager": TimescaleIOManager(dsn=dsn)}, tags=tags_of(*keys))
    return seen[0]


def tags_of(*keys: str | None) -> dict[str, str]:
    named = [key for key in keys if key is not None]
    if len(named) > 1:
        return {RANGE_START_TAG: named[0], RANGE_END_TAG: named[-1]}
    return {PARTITION_TAG: named[0]} if named else {}


def metadata_of(result: ExecuteInProcessResult) -> dict[str, Any]:
    (event,) = result.get_asset_materialization_events()
    return dict(event.materialization.metadata)


def write(dsn: str, key: list[str], metadata: dict[str, Any] | None = None) -> ExecuteInProcessResult:
    @asset(key=key, metadata=metadata)
    def made() -> pa.Table:
        return ROWS

    return materialize([made], resources={"io_manager": TimescaleIOManager(dsn=dsn)}, raise_on_error=False)


def test_sql_users_find_the_rows_in_a_schema_of_the_keys_first_part(store_dsn: str) -> None:
    result = write(store_dsn, ["research", "scores"], {"primary_key": ["name"]})

    (event,) = result.get_asset_materialization_events()
    with psycopg.connect(store_dsn) as connection:
        rows = connection.execute("select partition, name, value from research.scores order by name").fetchall()
    assert rows == [("all", "a", 1.5), ("all", "b", 2.5)]
    assert event.materialization.metadata["dagster/table_name"].value == "research.scores"
    assert "PostgreSQL" in str(event.materialization.metadata["store"].value)


@pytest.mark.parametrize("rows", [3, MANY], ids=["rest", "leaves"])
@pytest.mark.parametrize("partitions", [HOURS, VENUES, None], ids=["hours", "several-dimensions", "none"])
def test_partitions_of_every_kind_are_replaced_and_read_back(
    store_dsn: str, partitions: PartitionsDefinition[str] | None, rows: int
) -> None:
    keys = [None] if partitions is None else list(partitions.get_partition_keys())[:3]
    seen: dict[str | None, pa.Table] = {}

    for turn in (1, 2):
        for key in keys:
            ran(store_dsn, SCORES, partitions, scores(rows, turn), key)
    ran(store_dsn, SCORES, partitions, scores(rows, 3), keys[-1])

    for key in keys:
        seen[key] = read(store_dsn, SCORES, partitions, pa.Table, key)
    assert all(seen[key].equals(scores(rows, 2)) for key in keys[:-1])
    assert seen[keys[-1]].equals(scores(rows, 3))
    with psycopg.connect(store_dsn) as connection:
        counted = connection.execute("select count(*) from research.scores").fetchone()
    assert counted == (rows * len(keys),)


def test_what_was_written_and_what_was_the_same_is_told(store_dsn: str) -> None:
    runs = [
        ran(store_dsn, SCORES, HOURS, scores(MANY, 1), FIRST),
        ran(store_dsn, SCORES, HOURS, scores(MANY, 1), FIRST),
        ran(store_dsn, SCORES, HOURS, scores(MANY, 1).append_column("more", pa.array([True] * MANY)), FIRST),
    ]

    told = [metadata_of(each) for each in runs]
    assert [each["unchanged"].value for each in told] == [False, True, False]
    assert "columns_added" not in told[0]
    assert told[2]["columns_added"].value == ["more"]
    assert read(store_dsn, SCORES, HOURS, pa.Table, FIRST).column_names == ["id", "value", "more"]


def test_rows_that_are_refused_leave_the_partition_and_say_why(store_dsn: str) -> None:
    ran(store_dsn, SCORES, HOURS, scores(MANY, 1), FIRST)

    result = ran(store_dsn, SCORES, HOURS, pa.concat_tables([scores(MANY, 2)] * 2), FIRST)

    (failure,) = [each for each in result.all_events if each.is_step_failure]
    said = str(failure.step_failure_data.user_failure_data)
    assert f"two rows of {FIRST} of research.scores share one (id)" in said
    assert "Key (partition, id)=" in said
    assert read(store_dsn, SCORES, HOURS, pa.Table, FIRST).equals(scores(MANY, 1))


def test_a_range_of_large_partitions_is_written_in_one_run_and_read_lazily(store_dsn: str) -> None:
    keys = list(HOURS.get_partition_keys())[:3]
    frames = {key: scores(MANY + at, at) for at, key in enumerate(keys)}

    ran(store_dsn, SCORES, HOURS, frames, keys[0], keys[-1])

    found = read(store_dsn, SCORES, HOURS, LazyPartitions, keys[0], keys[-1])
    assert {key: found[key].num_rows for key in found} == {key: frame.num_rows for key, frame in frames.items()}
    assert found[keys[1]].equals(frames[keys[1]])


@pytest.mark.parametrize("rows", [3, MANY], ids=["rest", "leaves"])
def test_pandas_columns_come_back_with_the_values_they_had(store_dsn: str, rows: int) -> None:
    numbers = range(rows)
    frame = pd.DataFrame(
        {
            "id": pd.array(numbers, "int32"),
            "at": pd.to_datetime([1_700_000_000 + each for each in numbers], unit="s", utc=True).as_unit("us"),
            "local": pd.to_datetime([1_700_000_000 + each for each in numbers], unit="s").as_unit("ns"),
            "kind": pd.Categorical(["ab"[each % 2] for each in numbers]),
            "maybe": pd.array([None, *list(numbers)[1:]], "Int64"),
            "gap": [float("nan"), *[each / 4 for each in list(numbers)[1:]]],
            "good": [each % 2 == 0 for each in numbers],
        }
    )

    ran(store_dsn, SCORES, HOURS, frame, FIRST)

    found = read(store_dsn, SCORES, HOURS, pd.DataFrame, FIRST)
    expected = frame.astype({"kind": "str", "maybe": "float64", "local": "datetime64[us]"})
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)


def test_the_stores_own_schemas_are_no_place_for_assets(store_dsn: str) -> None:
    result = write(store_dsn, ["marketdata", "published"])

    (failure,) = [each for each in result.all_events if each.is_step_failure]
    assert "'marketdata' is no schema for assets" in str(failure.step_failure_data.user_failure_data)


def test_its_address_stays_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKETDATA_TIMESCALE_DSN", "postgresql://anna:hush@host/db")

    manager = timescale_io_manager(Settings())

    assert isinstance(manager.dsn, EnvVar)
    assert "hush" not in repr(manager)


def test_without_a_server_it_says_what_to_set() -> None:
    with pytest.raises(SettingsInvalid, match="set MARKETDATA_TIMESCALE_DSN"):
        timescale_io_manager(Settings(timescale_dsn=None))
    assert Settings(timescale_dsn=SecretStr("postgresql://a@b/c")).timescale_dsn is not None


def test_an_asset_reads_a_feeds_days_from_the_lake_and_becomes_a_table_of_sql_users(
    workshop: Workshop, store_dsn: str
) -> None:
    days = ["2024-05-02", "2024-05-03"]
    workshop.run(days)
    (partitions,) = [each.partitions_def for each in workshop.graph() if AssetKey(["demo", "daily_bars"]) in each.keys]
    source = AssetIn(AssetKey(["demo", "daily_bars"]), input_manager_key="lake", metadata={"table": "bars_1d"})

    @asset(
        key=["research", "ranges"],
        ins={"bars": source},
        partitions_def=partitions,
        backfill_policy=BackfillPolicy.single_run(),
        io_manager_key="timescale",
    )
    def ranges(bars: PolarsPartitions) -> Output[Any]:
        width = pl.col("high") - pl.col("low")
        return Output((day, frame.select("symbol", "ts", range=width)) for day, frame in bars.items())

    resources = {"lake": lake_io_manager(workshop.settings), "timescale": TimescaleIOManager(dsn=store_dsn)}
    tags = {RANGE_START_TAG: days[0], RANGE_END_TAG: days[1]}
    materialize([ranges, AssetSpec(["demo", "daily_bars"], partitions_def=partitions)], resources=resources, tags=tags)

    with psycopg.connect(store_dsn) as connection:
        rows = connection.execute("select partition, symbol from research.ranges order by 1, 2").fetchall()
    assert rows == [(day, symbol) for day in days for symbol in ("AAA", "BBB")]
