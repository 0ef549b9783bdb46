"""What publishes feeds to the serving stores that are configured; nothing where none is."""

from collections.abc import Iterable, Sequence
from datetime import date

import pyarrow as pa
from dagster import AssetChecksDefinition, AssetsDefinition, ScheduleDefinition, SensorDefinition
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.orchestration.assets.publishing import publish_jobs, publishing_assets
from marketdata_pipelines.orchestration.assets.store_views import store_view_assets
from marketdata_pipelines.orchestration.assets.warmup import cache_assets, redis_jobs
from marketdata_pipelines.orchestration.automation.publish_sensor import publish_sensor
from marketdata_pipelines.orchestration.automation.store_freshness import (
    store_freshness_checks,
    store_freshness_sensor,
)
from marketdata_pipelines.orchestration.automation.store_view_schedules import store_view_jobs, store_view_schedules
from marketdata_pipelines.settings.environment import Settings


def build_publishing(feeds: Sequence[Feed], settings: Settings, today: date) -> list[AssetsDefinition]:
    """The assets that fill a store with a feed's bars, one a period."""
    return publishing_assets(feeds, settings, today)


def build_store_views(feeds: Sequence[Feed], settings: Settings) -> list[AssetsDefinition]:
    """The assets of the store's views for dashboards."""

    def rows(feed: Feed, view: str, first: date, last: date) -> pa.Table:
        from marketdata_pipelines.serving.answers import LakeReader

        return LakeReader(settings.home).table(feed.name, view, first, last)

    return store_view_assets(feeds, settings, rows)


def build_cache_assets(feeds: Sequence[Feed], settings: Settings) -> list[AssetsDefinition]:
    """The assets that fill Redis."""

    def warm(feed: Feed) -> object:
        from marketdata_pipelines.serving.cache.warming import warm_feed

        return warm_feed(settings, feed)

    return cache_assets(feeds, settings, warm)


def build_publish_jobs(
    feeds: Sequence[Feed], settings: Settings, assets: Iterable[AssetsDefinition]
) -> list[UnresolvedAssetJobDefinition]:
    """A job for each publishing multi-asset, each view and each hot set."""
    return [*publish_jobs(assets), *store_view_jobs(feeds, settings), *redis_jobs(feeds, settings)]


def build_store_schedules(feeds: Sequence[Feed], settings: Settings) -> list[ScheduleDefinition]:
    """The cadences of the store's views."""
    return store_view_schedules(feeds, settings)


def build_publish_sensors(
    feeds: Sequence[Feed], settings: Settings, jobs: Iterable[UnresolvedAssetJobDefinition]
) -> list[SensorDefinition]:
    """By which stores follow the lake, and late views are told; none where no store is configured."""
    found = (publish_sensor(feeds, settings, jobs), store_freshness_sensor(feeds, settings))
    return [each for each in found if each is not None]


def build_store_checks(feeds: Sequence[Feed], settings: Settings) -> list[AssetChecksDefinition]:
    """`is_fresh` of the store's views."""
    return store_freshness_checks(feeds, settings)
