"""The publishing sensor on a real instance, lake and database, with a clock set by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
from dagster import AssetKey, DagsterRun, DagsterRunStatus, RunRequest, SkipReason
from dagster._core.utils import make_new_run_id
from pydantic import SecretStr

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.publication import Publication
from marketdata_pipelines.domain.store_tables import store_sets
from marketdata_pipelines.orchestration.assets.ranges import PARTITION_TAG, RANGE_END_TAG, RANGE_START_TAG
from marketdata_pipelines.orchestration.automation.asking import ASKED_TAG
from marketdata_pipelines.orchestration.automation.publish_sensor import REST_SECONDS, PublishAsker, publish_sensor
from marketdata_pipelines.orchestration.running.backfills import open_backfill
from marketdata_pipelines.pipeline.hot_set import fill_hot_set
from marketdata_pipelines.pipeline.publishing import Publisher, behind_of
from marketdata_pipelines.pipeline.serving_stores import redis_store, timescale_store
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines_tests.orchestration.conftest import Workshop
from marketdata_pipelines_tests.servers import PostgresServer
from marketdata_pipelines_tests.store_databases import own_server

__all__ = ["own_server"]

DAYS = ["2024-05-02", "2024-05-03"]
AWAY = "postgresql://anna:hush@127.0.0.1:1/bars"


@dataclass
class Asking:
    """Ticks over a workshop's feed."""

    workshop: Workshop
    settings: Settings
    now_us: int = 1_715_000_000_000_000
    cursor: str | None = None
    has_views: bool = False

    @property
    def feed(self) -> Feed:
        publish = Publication() if self.has_views else Publication(refresh_minutes=())
        return replace(self.workshop.feed, publish=publish)

    def existing(self, key: AssetKey) -> Sequence[str]:
        """The partitions there are of the days; of weeks, months and days alike enough for what is asked."""
        (assets,) = [each for each in self.workshop.graph() if AssetKey(["demo", _upstream(key)]) in each.keys]
        assert assets.partitions_def is not None
        return assets.partitions_def.get_partition_keys()

    def tick(self, after_seconds: int = 0) -> tuple[Sequence[RunRequest], str]:
        """What is asked for, and why nothing is."""
        self.now_us += after_seconds * 1_000_000
        asker = PublishAsker([self.feed], self.settings, lambda: self.now_us, self.existing)
        result = asker.tick(self.workshop.instance, self.cursor)
        self.cursor = result.cursor
        reason = result.skip_reason
        return result.run_requests or [], (reason.skip_message or "") if isinstance(reason, SkipReason) else ""

    def publish(self) -> None:
        lake = Lake(self.settings.lake)
        with timescale_store(self.settings) as store:
            publisher = Publisher(lake, store, self.feed)
            publisher.ready()
            for each in store_sets(self.feed):
                assert all(done.agrees for done in publisher.publish(each, behind_of(lake, store, self.feed, each)))


def _upstream(key: AssetKey) -> str:
    return key.path[-1].replace("timescale_bars", "validated_bars").removeprefix("timescale_")


def asking(workshop: Workshop, dsn: str | None = None, redis: tuple[str, str] | None = None) -> Asking:
    settings = Settings(
        home=workshop.settings.home,
        timescale_dsn=None if dsn is None else SecretStr(dsn),
        redis_url=None if redis is None else SecretStr(redis[0]),
        redis_namespace="marketdata" if redis is None else redis[1],
    )
    return Asking(workshop, settings)


def test_what_is_behind_is_asked_for_in_one_ranged_run_until_it_is_published(
    workshop: Workshop, store_dsn: str
) -> None:
    workshop.run(DAYS)
    ticks = asking(workshop, store_dsn)

    (request,), _ = ticks.tick()
    ticks.publish()
    after, why = ticks.tick(REST_SECONDS)

    assert request.job_name == "demo__publish_day"
    assert (request.tags[RANGE_START_TAG], request.tags[RANGE_END_TAG]) == ("2024-05-01", DAYS[-1])
    assert {key.path[-1] for key in request.asset_selection or ()} == {"timescale_bars", "timescale_daily_bars"}
    assert (after, why) == ([], "every store is up to date")


def test_a_view_that_the_store_never_had_is_asked_for_without_waiting_for_its_schedule(
    workshop: Workshop, store_dsn: str
) -> None:
    workshop.run(DAYS)
    ticks = asking(workshop, store_dsn)
    ticks.publish()
    ticks.has_views = True

    first, _ = ticks.tick()
    with timescale_store(ticks.settings) as store:
        store.replace_view(ticks.feed, "top_volume", pa.table({"symbol": ["A"]}), inputs="older")
    later, _ = ticks.tick(REST_SECONDS)

    views = ["daily_summary", "hourly_volume", "symbol_performance", "top_volume"]
    assert [request.job_name for request in first] == [f"demo__refresh_{view}" for view in views]
    assert [request.job_name for request in later] == [f"demo__refresh_{view}" for view in views[:3]]


def test_a_corrected_partition_is_asked_for_again_and_alone(workshop: Workshop, store_dsn: str) -> None:
    workshop.run(DAYS)
    ticks = asking(workshop, store_dsn)
    ticks.publish()
    ticks.tick()
    lake = Lake(workshop.settings.lake)
    bars = lake.read("validated_bars", "demo", DAYS[1])
    lake.store("demo", [TableWrite("validated_bars", DAYS[1], bars.slice(1), "corrected")], {})

    (request,), _ = ticks.tick(REST_SECONDS)

    assert request.tags[PARTITION_TAG] == DAYS[1]
    assert [key.path[-1] for key in request.asset_selection or ()] == ["timescale_bars"]


def test_it_rests_after_asking_and_waits_for_backfills_and_for_runs_that_publish(
    workshop: Workshop, store_dsn: str
) -> None:
    workshop.run(DAYS)
    ticks = asking(workshop, store_dsn)
    ticks.tick()

    rested = ticks.tick(REST_SECONDS - 1)[1]
    run = DagsterRun("demo__publish_day", make_new_run_id(), status=DagsterRunStatus.STARTED)
    workshop.instance.add_run(run)
    awaited = ticks.tick(REST_SECONDS)[1]

    assert rested == "demo was asked for less than 60 s ago"
    assert awaited == f"demo waits for run {run.run_id}"


def test_a_server_that_is_away_is_left_alone_for_longer_and_longer_and_no_secret_is_told(workshop: Workshop) -> None:
    workshop.run(DAYS[:1])
    ticks = asking(workshop, AWAY)

    told = [ticks.tick(seconds) for seconds in (0, 29, 1, 59, 1)]

    assert all(not requests for requests, _ in told)
    reasons = [why for _, why in told]
    assert [why.startswith("timescale did not answer") for why in reasons] == [False, True, False, True, False]
    assert reasons[1] == "timescale did not answer 1 times; asked again in 1 s"
    assert "127.0.0.1:1" in reasons[0]
    assert not any("hush" in why for why in reasons)


def test_what_failed_three_times_is_asked_for_again_only_once_the_lake_changes(
    workshop: Workshop, store_dsn: str
) -> None:
    workshop.run(DAYS[:1])
    ticks = asking(workshop, store_dsn)
    (request,), _ = ticks.tick()
    for _ in range(3):
        tags = {ASKED_TAG: request.tags[ASKED_TAG]}
        workshop.instance.add_run(
            DagsterRun("demo__publish_day", make_new_run_id(), status=DagsterRunStatus.FAILURE, tags=tags)
        )

    given_up = ticks.tick(REST_SECONDS)
    workshop.run(DAYS[1:])
    again, _ = ticks.tick(REST_SECONDS)

    assert given_up == ([], "demo failed 3 times; asked again once the lake changes")
    assert len(again) == 1


def test_a_store_that_lost_what_it_had_is_noticed_though_the_lake_did_not_change(
    workshop: Workshop, store_dsn: str
) -> None:
    workshop.run(DAYS[:1])
    ticks = asking(workshop, store_dsn)
    ticks.publish()
    settled, _ = ticks.tick()
    with timescale_store(ticks.settings) as store:
        store.remove_partition(ticks.feed, "validated_bars", DAYS[0])

    soon, _ = ticks.tick(REST_SECONDS)
    later, _ = ticks.tick(600)

    assert (settled, soon) == ([], [])
    assert [request.tags[PARTITION_TAG] for request in later] == DAYS[:1]


def test_another_database_is_noticed_at_once(workshop: Workshop, store_dsn: str, own_server: PostgresServer) -> None:
    workshop.run(DAYS[:1])
    ticks = asking(workshop, store_dsn)
    ticks.publish()
    settled, _ = ticks.tick()
    ticks.settings = asking(workshop, own_server.url("postgres")).settings

    moved, _ = ticks.tick(REST_SECONDS)

    assert settled == []
    assert [request.job_name for request in moved] == ["demo__publish_day"]


def test_the_hot_set_is_asked_for_until_redis_names_the_newest_revisions(
    workshop: Workshop, redis_url: str, redis_namespace: str
) -> None:
    workshop.run(DAYS)
    ticks = asking(workshop, redis=(redis_url, redis_namespace))

    (request,), _ = ticks.tick()
    with redis_store(ticks.settings) as redis:
        list(fill_hot_set(Lake(workshop.settings.lake), redis, ticks.feed))
    after, _ = ticks.tick(REST_SECONDS)

    assert request.job_name == "demo__hot_set"
    assert after == []


def test_there_is_no_sensor_where_no_feed_goes_to_any_store(workshop: Workshop) -> None:
    kept_out = replace(workshop.feed, publish=Publication(timescale=False, redis=False))

    assert publish_sensor([workshop.feed], workshop.settings, []) is None
    assert publish_sensor([kept_out], asking(workshop, AWAY).settings, []) is None


def test_it_waits_for_a_backfill_of_the_feed(workshop: Workshop, store_dsn: str) -> None:
    workshop.run(DAYS[:1])
    from dagster import Definitions

    graph = Definitions(assets=workshop.graph()).resolve_asset_graph()
    open_backfill(workshop.instance, graph, workshop.feed, DAYS, title="days")

    assert asking(workshop, store_dsn).tick()[1] == "demo waits for a backfill"
