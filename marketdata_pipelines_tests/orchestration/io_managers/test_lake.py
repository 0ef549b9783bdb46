"""The lake's IO manager: tables of feeds as inputs, and what it does not take."""

from pathlib import Path

import pyarrow as pa
import pytest
from dagster import AssetIn, AssetKey, AssetSpec, asset, materialize

from marketdata_pipelines.orchestration.io_managers.lake import LakeIOManager, lake_io_manager
from marketdata_pipelines.orchestration.io_managers.partitioned import WHOLE
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite


def refused(manager: LakeIOManager, key: list[str], table: pa.Table) -> str:
    @asset(key=key)
    def made() -> pa.Table:
        return table

    result = materialize([made], resources={"io_manager": manager}, raise_on_error=False)
    (failure,) = [each for each in result.all_events if each.is_step_failure]
    return str(failure.step_failure_data.user_failure_data)


def test_the_graphs_own_tables_are_inputs_like_any_other(tmp_path: Path) -> None:
    settings, seen = Settings(home=tmp_path), list[pa.Table]()
    bars = pa.table({"symbol": ["AAA", "BBB"], "close": [1.5, 2.5]})
    Lake(settings.lake).store("shares", [TableWrite("bars_1d", WHOLE, bars, "x")], {})

    @asset(ins={"bars": AssetIn(AssetKey(["shares", "daily_bars"]), metadata={"table": "bars_1d", "columns": "close"})})
    def closes(bars: pa.Table) -> None:
        seen.append(bars)

    graph = AssetSpec(["shares", "daily_bars"])
    materialize([closes, graph], resources={"io_manager": lake_io_manager(settings)})

    assert seen[0].to_pydict() == {"close": [1.5, 2.5]}


def test_what_a_feeds_own_chain_writes_is_not_an_assets_to_write(tmp_path: Path) -> None:
    manager = LakeIOManager(lake=str(tmp_path))

    told = refused(manager, ["shares", "validated_bars"], pa.table({"x": [1]}))

    assert "shares/validated_bars is written by the feed's own chain; give the asset another name" in told


@pytest.mark.parametrize(
    ("key", "table", "said"),
    [
        (["..", "b"], pa.table({"x": [1]}), "is no folder name"),
        (["a", "b"], pa.table({"x": pa.array([1], pa.decimal128(9, 2))}), "cast it to double or text"),
    ],
)
def test_names_that_leave_the_folder_and_types_that_would_change_are_refused(
    tmp_path: Path, key: list[str], table: pa.Table, said: str
) -> None:
    told = refused(LakeIOManager(lake=str(tmp_path)), key, table)

    assert said in told
