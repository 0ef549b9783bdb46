"""A home with a drop folder, its sensor and its graph on a real instance; nothing here asserts."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from dagster import (
    DagsterInstance,
    Definitions,
    RepositoryDefinition,
    RunRequest,
    SensorResult,
    SkipReason,
    build_sensor_context,
)
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.storage.tags import BACKFILL_ID_TAG, RUN_KEY_TAG

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.sessions import to_us
from marketdata_pipelines.domain.tables import feed_tables
from marketdata_pipelines.orchestration.assets.graph import feed_graph, period_jobs
from marketdata_pipelines.orchestration.automation.ingest_job import ingest_job
from marketdata_pipelines.orchestration.automation.landing_sensor import Watch, landing_sensor
from marketdata_pipelines.orchestration.history.instance import instance_for
from marketdata_pipelines.orchestration.running.runs import run_partitions
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.settings.feeds_file import load_feeds
from marketdata_pipelines.stores.lake.lake import Lake

FEEDS = """\
feeds:
  shares:
    source: {kind: files, path: landing, timezone: America/New_York}
    asset_class: equity
    interval: 1m
    calendar: XNYS
    start: 2024-03-01
"""
HEADER = "symbol,timestamp,open,high,low,close,volume\n"
FRIDAY, MONDAY = (f"SPY,{day} 09:30:00,10.5,10.75,10.25,10.6,100\n" for day in ("2024-03-08", "2024-03-11"))
SECOND = 1_000_000


@dataclass
class Landing:
    """One feed's drop folder. `tick` is one look of its sensor, as the daemon makes it; time is set by hand."""

    settings: Settings
    feed: Feed
    instance: DagsterInstance
    repository: RepositoryDefinition
    now_us: int = field(default_factory=lambda: to_us(datetime.now(UTC)))
    cursor: str | None = None

    @property
    def folder(self) -> Path:
        return self.settings.folder / "landing"

    @property
    def lake(self) -> Lake:
        return Lake(self.settings.lake)

    def write(self, name: str, *lines: str) -> Path:
        path = self.folder / name
        path.write_text(HEADER + "".join(lines), "utf-8")
        return path

    def tick(self, after_seconds: int = 15) -> SensorResult:
        self.now_us += after_seconds * SECOND
        context = build_sensor_context(self.instance, cursor=self.cursor, repository_def=self.repository)
        result = Watch(self.feed, self.settings, lambda: self.now_us).tick(context)
        self.cursor = result.cursor
        return result

    def requests(self, after_seconds: int = 15) -> list[RunRequest]:
        return list(self.tick(after_seconds).run_requests or [])

    def settled(self) -> list[RunRequest]:
        """What two looks ask for."""
        return [*self.requests(), *self.requests()]

    def reason(self, after_seconds: int = 15) -> str:
        skipped = self.tick(after_seconds).skip_reason
        return (skipped.skip_message or "") if isinstance(skipped, SkipReason) else ""

    def launch(self, request: RunRequest) -> bool:
        """Run what a tick asked for, as the daemon does: never twice for one run key."""
        run_key = request.run_key or ""
        if any(run.tags.get(RUN_KEY_TAG) == run_key for run in self.instance.get_runs()):
            return False
        job = self.repository.get_job(f"{self.feed.name}__ingest")
        result = job.execute_in_process(
            run_config=request.run_config,
            instance=self.instance,
            tags={**request.tags, RUN_KEY_TAG: run_key},
            raise_on_error=False,
        )
        return result.success

    def open_backfills(self) -> list[PartitionBackfill]:
        return [each for each in self.instance.get_backfills() if each.status is BulkActionStatus.REQUESTED]

    def targets(self, backfill: PartitionBackfill) -> dict[Period, list[str]]:
        """What a backfill is to write, by period."""
        subsets = backfill.get_asset_backfill_data(self.repository.asset_graph).target_subset
        keys = {key.path[-1]: subset for key, subset in subsets.partitions_subsets_by_asset_key.items()}
        return {
            each.period: sorted(keys[each.name].get_partition_keys())
            for each in feed_tables(self.feed)
            if each.name in keys
        }

    def derive(self) -> list[dict[Period, list[str]]]:
        """Do what the open backfills ask for, as the daemon does; returns it."""
        done = []
        for backfill in self.open_backfills():
            work = self.targets(backfill)
            for period, keys in work.items():
                names = [each.name for each in feed_tables(self.feed) if each.period is period]
                run_partitions(
                    self.settings, self.feed, period, keys, names,
                    acquire=False, tags={BACKFILL_ID_TAG: backfill.backfill_id}, instance=self.instance,
                )  # fmt: skip
            end_backfill(self.instance, backfill)
            done.append(work)
        return done


def end_backfill(instance: DagsterInstance, backfill: PartitionBackfill, *, succeeded: bool = True) -> None:
    """A backfill is over, as the daemon says it."""
    status = BulkActionStatus.COMPLETED_SUCCESS if succeeded else BulkActionStatus.COMPLETED_FAILED
    instance.update_backfill(backfill._replace(status=status))


def open_landing(home: Path, feeds: str = FEEDS) -> Iterator[Landing]:
    """A home made ready, and its instance for as long as it is used."""
    (home / "feeds.yaml").write_text(feeds, "utf-8")
    (home / "landing").mkdir()
    settings = Settings(home=home)
    (feed,) = load_feeds(settings.feeds_file).values()
    assets = feed_graph(feed, settings, datetime.now(UTC).date())
    ingest = ingest_job(feed, settings)
    definitions = Definitions(
        assets=assets, jobs=[*period_jobs(assets), ingest], sensors=[landing_sensor(feed, settings, ingest)]
    )
    with instance_for(settings) as instance:
        yield Landing(settings, feed, instance, definitions.get_repository_def())
