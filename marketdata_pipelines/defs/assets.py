"""The assets of every feed, with their checks."""

from collections.abc import Iterable
from datetime import date

from dagster import AssetsDefinition

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.orchestration.assets_factory import feed_assets
from marketdata_pipelines.orchestration.partitions import feed_partitions
from marketdata_pipelines.orchestration.walking import OnOutcome
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake


def build_assets(
    feeds: Iterable[Feed], settings: Settings, today: date, on_outcome: OnOutcome | None = None
) -> list[AssetsDefinition]:
    """One multi-asset per feed and period; partitions begin where the feed or its raw data does."""
    catalog = Lake(settings.lake).catalog
    assets = []
    for feed in feeds:
        earliest = next(iter(catalog.raw_partitions(feed.name)), None)
        assets += feed_assets(feed, feed_partitions(feed, earliest, today), settings, on_outcome)
    return assets
