"""Filling a real Redis with a simulated feed's hot set, in real runs."""

from dataclasses import dataclass, replace

from dagster import AssetKey, ExecuteInProcessResult, materialize
from pydantic import SecretStr

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.publication import Publication
from marketdata_pipelines.domain.tables import LATEST_BARS, VALIDATED_BARS
from marketdata_pipelines.orchestration.assets.warmup import CACHE_WARMUP, REDIS_BARS, cache_assets
from marketdata_pipelines.pipeline.hot_set import EVERY
from marketdata_pipelines.pipeline.latest import LatestBars
from marketdata_pipelines.pipeline.serving_stores import redis_store
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.redis.keys import Group
from marketdata_pipelines_tests.orchestration.conftest import Workshop

DAYS = ["2024-05-02", "2024-05-03"]


@dataclass(frozen=True, slots=True)
class Warmth:
    """What a warming tells of itself."""

    symbols: int
    seconds: float


def settings_of(workshop: Workshop, url: str, namespace: str = "marketdata") -> Settings:
    return Settings(home=workshop.settings.home, redis_url=SecretStr(url), redis_namespace=namespace)


def fill(workshop: Workshop, settings: Settings, asset: str = REDIS_BARS) -> ExecuteInProcessResult:
    def warm(feed: Feed) -> Warmth:
        return Warmth(2, 0.0)

    assets = cache_assets([workshop.feed], settings, warm)
    key = AssetKey(["demo", asset])
    return materialize([each for each in assets if each.key == key], instance=workshop.instance, raise_on_error=False)


def test_the_hot_set_is_in_redis_under_the_lakes_revisions(
    workshop: Workshop, redis_url: str, redis_namespace: str
) -> None:
    workshop.run(DAYS)
    settings, lake = settings_of(workshop, redis_url, redis_namespace), Lake(workshop.settings.lake)

    result = fill(workshop, settings)

    stored = lake.catalog.stored_partition(VALIDATED_BARS, "demo", DAYS[1])
    latest = LatestBars(lake).of(workshop.feed)
    assert stored is not None
    assert result.success
    assert all(check.passed for check in result.get_asset_check_evaluations())
    with redis_store(settings) as redis:
        found = redis.store.get_bars("demo", VALIDATED_BARS, ["AAA"], {DAYS[1]: stored.inputs})
        last = redis.store.get_table(Group("demo", LATEST_BARS, EVERY, latest.revision))
    own = lake.read(VALIDATED_BARS, "demo", DAYS[1], symbols=["AAA"])
    assert found["AAA", DAYS[1]]["close"].to_pylist() == own["close"].to_pylist()
    assert last is not None
    assert last["symbol"].to_pylist() == ["AAA", "BBB"]


def test_what_redis_has_already_is_not_written_again(workshop: Workshop, redis_url: str, redis_namespace: str) -> None:
    workshop.run(DAYS)
    settings = settings_of(workshop, redis_url, redis_namespace)
    fill(workshop, settings)

    (event,) = fill(workshop, settings).get_asset_materialization_events()

    assert event.materialization.metadata["partitions written"].value == 0


def test_a_redis_that_is_away_ends_the_run_with_one_clear_line_and_no_secret(workshop: Workshop) -> None:
    workshop.run(DAYS[:1])

    result = fill(workshop, settings_of(workshop, "redis://:hush@127.0.0.1:1/0"))

    (failure,) = [each for each in result.all_events if each.is_step_failure]
    assert "redis_bars of demo was not done" in str(failure.step_failure_data.user_failure_data)
    assert "hush" not in str(failure.step_failure_data)


def test_warming_tells_its_figures_and_whether_it_was_in_time(workshop: Workshop, redis_url: str) -> None:
    result = fill(workshop, settings_of(workshop, redis_url), CACHE_WARMUP)

    (event,), (check,) = result.get_asset_materialization_events(), result.get_asset_check_evaluations()
    assert event.materialization.metadata["symbols"].value == 2
    assert (check.check_name, check.passed) == ("warm_in_time", True)


def test_there_is_no_such_asset_without_a_server_or_where_the_feed_says_no(workshop: Workshop) -> None:
    settings = settings_of(workshop, "redis://127.0.0.1:1/0")
    quiet = replace(workshop.feed, publish=Publication(redis=False))

    assert not cache_assets([workshop.feed], workshop.settings, lambda feed: None)
    assert not cache_assets([quiet], settings, lambda feed: None)
