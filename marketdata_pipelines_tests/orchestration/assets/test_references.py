"""The asset of a reference: what it takes in, what it shows, and what its check says."""

from pathlib import Path
from typing import Any

import pytest
from dagster import AssetCheckSeverity, AssetKey, AssetSpec, DagsterInstance, materialize

from marketdata_pipelines.domain.references import Reference, ReferenceKind
from marketdata_pipelines.orchestration.assets.reference_columns import reference_column_schema
from marketdata_pipelines.orchestration.assets.references import reference_assets
from marketdata_pipelines.pipeline.references import known_rows
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import make_feed

HEADER = "symbol,ex_date,kind,ratio\n"
ACTIONS = Reference("acts", ReferenceKind.CORPORATE_ACTIONS, path="reference/acts", description="From the vendor")
NAMES = Reference("names", ReferenceKind.INSTRUMENTS, owners=("a@b.example",))
FEEDS = [make_feed(name="shares", corporate_actions="acts"), make_feed(name="coins")]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def put(settings: Settings, name: str, rows: str) -> None:
    """A file below the reference's path."""
    folder = settings.folder / "reference" / "acts"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(HEADER + rows, "utf-8")


def run(settings: Settings, reference: Reference = ACTIONS) -> tuple[dict[str, Any], Any]:
    """The asset's metadata, and its check's evaluation."""
    with DagsterInstance.ephemeral() as instance:
        result = materialize(reference_assets([reference], FEEDS, settings), instance=instance)
    (event,), (check,) = result.get_asset_materialization_events(), result.get_asset_check_evaluations()
    return {name: value.value for name, value in event.materialization.metadata.items()}, check


def spec(reference: Reference, settings: Settings) -> AssetSpec:
    (made,) = reference_assets([reference], FEEDS, settings)
    (found,) = made.specs
    return found


def test_it_takes_in_what_is_new_below_its_path(settings: Settings) -> None:
    put(settings, "a.csv", "AAPL,2014-06-09,split,7\n")

    first, passed = run(settings)
    put(settings, "b.csv", "MSFT,2003-02-18,split,2\n")
    second, _ = run(settings)

    assert (first["dagster/row_count"], first["symbols"], first["new files"], first["files"]) == (1, 1, 1, 1)
    assert (second["dagster/row_count"], second["symbols"], second["new files"], second["files"]) == (2, 2, 1, 2)
    assert (second["first_date"], second["last_date"]) == ("2003-02-18", "2014-06-09")
    assert second["last known_at"] > first["last known_at"]
    assert "| AAPL | 2014-06-09 | split |" in second["preview"]
    assert second["read it"] == "marketdata reference show acts"
    assert passed.passed
    assert known_rows(Lake(settings.lake), ACTIONS).num_rows == 2


def test_nothing_new_leaves_everything_as_it_is(settings: Settings) -> None:
    put(settings, "a.csv", "AAPL,2014-06-09,split,7\n")
    run(settings)

    again, _ = run(settings)

    assert (again["dagster/row_count"], again["new files"]) == (1, 0)
    assert [record.data["status"] for record in again["what became of each file"].records] == ["known"]
    assert len(Lake(settings.lake).catalog.ingests("acts")) == 1


def test_bad_rows_and_refused_files_are_a_warning_that_shows_them(settings: Settings) -> None:
    put(settings, "a.csv", "AAPL,2014-06-09,split,7\nMSFT,someday,split,2\n")
    (settings.folder / "reference" / "acts" / "b.csv").write_bytes(b"")

    metadata, check = run(settings)

    assert (check.passed, check.severity, check.blocking) == (False, AssetCheckSeverity.WARN, False)
    assert check.description == "kept out: 2 (rows, or files as a whole)"
    shown = [(each.data["file"], each.data["line"]) for each in check.metadata["first of them"].value.records]
    assert shown == [("a.csv", 3), ("b.csv", None)]
    assert (metadata["rejected"], metadata["files refused"]) == (1, 1)


def test_a_reference_without_files_is_empty_and_fine(settings: Settings) -> None:
    metadata, check = run(settings, NAMES)

    assert (metadata["dagster/row_count"], check.passed) == (0, True)
    assert "preview" not in metadata


def test_it_says_what_it_is_and_who_uses_it(settings: Settings) -> None:
    actions, names = spec(ACTIONS, settings), spec(NAMES, settings)

    assert (actions.key, names.key) == (AssetKey(["acts", "corporate_actions"]), AssetKey(["names", "instruments"]))
    assert (actions.group_name, names.group_name) == ("acts", "names")
    assert (list(actions.owners), list(names.owners)) == (["team:market-data"], ["a@b.example"])
    assert "From the vendor" in (actions.description or "")
    assert "Named by `shares`." in (actions.description or "")
    assert "No feed names it yet." in (names.description or "")
    assert actions.partitions_def is None
    assert (actions.metadata["feeds"], names.metadata["feeds"]) == ("shares", "none")


@pytest.mark.parametrize("kind", list(ReferenceKind))
def test_every_column_of_what_is_known_is_described(tmp_path: Path, kind: ReferenceKind) -> None:
    known = known_rows(Lake(tmp_path), Reference("r", kind))

    described = reference_column_schema(kind)

    assert [column.name for column in described.columns] == known.column_names
    types = {"string": "string", "date": "date32[day]", "float64": "double"}
    assert [types[column.type] for column in described.columns] == [str(field.type) for field in known.schema]
    assert all(column.description for column in described.columns)
