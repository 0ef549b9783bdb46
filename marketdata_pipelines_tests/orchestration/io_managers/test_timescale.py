"""The SQL store's IO manager: tables for SQL users, their keys, and where its address stays."""

from typing import Any

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
    Output,
    asset,
    materialize,
)
from pydantic import SecretStr

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.orchestration.assets.ranges import RANGE_END_TAG, RANGE_START_TAG
from marketdata_pipelines.orchestration.io_managers.frames import PolarsPartitions
from marketdata_pipelines.orchestration.io_managers.lake import lake_io_manager
from marketdata_pipelines.orchestration.io_managers.timescale import TimescaleIOManager, timescale_io_manager
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines_tests.orchestration.conftest import Workshop

# Ranges of an asset's partitions in one run are marked beta.
pytestmark = pytest.mark.filterwarnings("ignore:Parameter `backfill_policy`")
ROWS = pa.table({"name": ["a", "b"], "value": [1.5, 2.5]})


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
