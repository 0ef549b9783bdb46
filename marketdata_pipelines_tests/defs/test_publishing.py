"""What publishes: everything where servers are configured, nothing where none is, and no connection to find out."""

import subprocess
import sys
from pathlib import Path

import pytest

from marketdata_pipelines.definitions import build_definitions
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines_tests.builders import make_home

FEEDS = """\
feeds:
  minutes: {source: landing, interval: 1m, calendar: 24/7, start: 2024-01-01}
  quiet: {source: landing, interval: 1m, calendar: 24/7, start: 2024-01-01, publish: {timescale: false, redis: false}}
"""
OURS = {
    "timescale_bars", "timescale_daily_bars", "timescale_weekly_bars", "timescale_monthly_bars",
    "timescale_daily_summary", "timescale_hourly_volume", "timescale_symbol_performance", "timescale_top_volume",
    "redis_bars", "cache_warmup",
}  # fmt: skip
LOADED = """
import sys
from marketdata_pipelines.definitions import build_definitions
from marketdata_pipelines.settings.environment import Settings
build_definitions(Settings()).get_repository_def().load_all_definitions()
print(sorted({"psycopg", "redis"} & set(sys.modules)))
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make_home(tmp_path / "data", FEEDS)


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses at which nobody answers."""
    monkeypatch.setenv("MARKETDATA_TIMESCALE_DSN", "postgresql://anna:hush@127.0.0.1:1/bars")
    monkeypatch.setenv("MARKETDATA_REDIS_URL", "redis://127.0.0.1:1/0")


@pytest.mark.usefixtures("servers")
def test_a_feed_has_its_assets_jobs_schedules_and_the_sensor_where_servers_are_configured(home: Path) -> None:
    repository = build_definitions(Settings(home=home)).get_repository_def()
    repository.load_all_definitions()

    keys = {key.path[-1] for key in repository.asset_graph.get_all_asset_keys() if key.path[0] == "minutes"}
    jobs = {name.removeprefix("minutes__") for name in repository.job_names if name.startswith("minutes__")}
    assert keys >= OURS
    assert jobs >= {"publish_day", "publish_week", "publish_month", "refresh_top_volume", "hot_set"}
    assert "minutes__timescale_top_volume__every_5m" in {each.name for each in repository.schedule_defs}
    assert "publish_sensor" in {each.name for each in repository.sensor_defs}


@pytest.mark.usefixtures("servers")
def test_a_feed_that_says_no_has_none_of_it(home: Path) -> None:
    repository = build_definitions(Settings(home=home)).get_repository_def()

    keys = {key.path[-1] for key in repository.asset_graph.get_all_asset_keys() if key.path[0] == "quiet"}
    assert not keys & OURS


def test_without_servers_there_is_none_of_it(home: Path) -> None:
    repository = build_definitions(Settings(home=home)).get_repository_def()

    assert not {key.path[-1] for key in repository.asset_graph.get_all_asset_keys()} & OURS
    assert "publish_sensor" not in {each.name for each in repository.sensor_defs}


@pytest.mark.usefixtures("servers")
def test_loading_the_graph_imports_no_driver_and_asks_no_server(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKETDATA_HOME", str(home))

    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)

    assert done.stdout.strip().splitlines()[-1] == "[]"
