"""The assets of every feed, with their checks."""

from collections.abc import Iterable
from datetime import date

from dagster import AssetsDefinition

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.orchestration.assets.graph import feed_graph
from marketdata_pipelines.settings.environment import Settings


def build_assets(feeds: Iterable[Feed], settings: Settings, today: date) -> list[AssetsDefinition]:
    """One multi-asset per feed and period."""
    return [assets for feed in feeds for assets in feed_graph(feed, settings, today)]
