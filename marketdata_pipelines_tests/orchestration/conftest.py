"""A small simulated feed in a home of its own, and runs of it through the real chain."""

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dagster import AssetKey, AssetsDefinition, DagsterInstance
from dagster._core.loader import LoadingContextForTest
from dagster._core.storage.partition_status_cache import get_partition_subsets

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.tables import feed_tables
from marketdata_pipelines.orchestration.assets.graph import feed_graph
from marketdata_pipelines.orchestration.assets.walking import OnOutcome
from marketdata_pipelines.orchestration.history.instance import instance_for
from marketdata_pipelines.orchestration.running.runs import RunReport, run_partitions
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.settings.feeds_file import load_feeds

FEEDS = """\
feeds:
  demo:
    source: {kind: simulated, symbols: [AAA, BBB], seed: 3}
    interval: 30m
    calendar: XNYS
    partition: day
    start: 2024-05-01
"""


@dataclass(frozen=True, slots=True)
class Workshop:
    """A home with one feed and an open instance."""

    settings: Settings
    feed: Feed
    instance: DagsterInstance

    def run(
        self,
        keys: list[str],
        period: Period = Period.DAY,
        assets: list[str] | None = None,
        *,
        on_outcome: OnOutcome | None = None,
        acquire: bool = True,
    ) -> RunReport:
        names = [each.name for each in feed_tables(self.feed) if each.period is period] if assets is None else assets
        return run_partitions(
            self.settings, self.feed, period, keys, names,
            on_outcome=on_outcome, acquire=acquire, instance=self.instance,
        )  # fmt: skip

    def graph(self) -> list[AssetsDefinition]:
        return feed_graph(self.feed, self.settings, datetime.now(UTC).date())

    def materialized(self, asset: str) -> list[str]:
        return sorted(self.instance.get_materialized_partitions(AssetKey(["demo", asset])))

    def failed(self, asset: str) -> list[str]:
        """The partitions the UI shows as failed."""
        key = AssetKey(["demo", asset])
        (partitions,) = [assets.partitions_def for assets in self.graph() if key in assets.keys]
        loading = LoadingContextForTest(self.instance)
        subset = asyncio.run(get_partition_subsets(self.instance, loading, key, self.instance, partitions))[1]
        return [] if subset is None else sorted(subset.get_partition_keys())


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Dagster home without runs; making one takes longer than most tests, copying it does not."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME", raising=False)
        instance_for(Settings(home=folder)).dispose()
    return folder / "dagster"


@pytest.fixture
def workshop(tmp_path: Path, empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workshop]:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    (tmp_path / "feeds.yaml").write_text(FEEDS, "utf-8")
    shutil.copytree(empty_home, tmp_path / "dagster")
    settings = Settings(home=tmp_path)
    with instance_for(settings) as instance:
        yield Workshop(settings, load_feeds(settings.feeds_file)["demo"], instance)


@pytest.fixture
def home_on_server(tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("MARKETDATA_DAGSTER_STORAGE", postgres_url)
    (tmp_path / "feeds.yaml").write_text(FEEDS, "utf-8")
    return tmp_path


@pytest.fixture
def on_server(home_on_server: Path) -> Iterator[Workshop]:
    """A workshop whose Dagster keeps everything in PostgreSQL."""
    settings = Settings(home=home_on_server)
    with instance_for(settings) as instance:
        yield Workshop(settings, load_feeds(settings.feeds_file)["demo"], instance)
