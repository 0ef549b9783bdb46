from pathlib import Path

import pytest
import yaml
from dagster import Definitions
from dagster._core.workspace.load_target import WorkspaceFileTarget

from marketdata_pipelines import definitions
from marketdata_pipelines.definitions import build_definitions
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.settings.environment import Settings

PROJECT = Path(__file__).resolve().parent.parent


def test_a_broken_feeds_file_is_a_load_error_naming_the_line(tmp_path: Path) -> None:
    (tmp_path / "feeds.yaml").write_text(
        "feeds:\n  a:\n    source: landing\n    interval: 1x\n    calendar: XNYS\n", "utf-8"
    )

    with pytest.raises(SettingsInvalid, match=r"feeds\.yaml, line 4: interval is wrong: '1x' is no interval"):
        build_definitions(Settings(home=tmp_path))


def test_a_missing_feeds_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match=r"is not there; create it .* or point MARKETDATA_HOME at its folder"):
        build_definitions(Settings(home=tmp_path))


def test_no_feeds_is_an_empty_graph(tmp_path: Path) -> None:
    (tmp_path / "feeds.yaml").write_text("feeds: {}\n", "utf-8")

    assert list(build_definitions(Settings(home=tmp_path)).resolve_asset_graph().get_all_asset_keys()) == []


def test_what_dagster_loads_is_made_when_it_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "feeds.yaml").write_text("feeds:\n  a: {source: x, interval: 1m, calendar: 24/7}\n", "utf-8")
    monkeypatch.setenv("MARKETDATA_HOME", str(tmp_path))

    loaded = definitions.defs()

    assert isinstance(loaded, Definitions)
    assert len(loaded.resolve_asset_graph().get_all_asset_keys()) == 15


def test_workspace_names_the_location() -> None:
    (origin,) = WorkspaceFileTarget([str(PROJECT / "workspace.yaml")]).create_origins()

    assert origin.location_name == "marketdata_pipelines"
    assert (
        yaml.safe_load((PROJECT / "workspace.yaml").read_text("utf-8"))["load_from"][0]["python_module"]["module_name"]
        == definitions.__name__
    )
