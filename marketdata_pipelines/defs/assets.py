"""The assets of every feed and every reference, with their checks."""

from collections.abc import Iterable, Sequence
from datetime import date

from dagster import AssetsDefinition

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.references import Reference
from marketdata_pipelines.orchestration.assets.graph import feed_graph
from marketdata_pipelines.orchestration.assets.references import reference_assets
from marketdata_pipelines.orchestration.assets.upkeep import compaction_assets
from marketdata_pipelines.settings.environment import Settings


def build_assets(feeds: Iterable[Feed], settings: Settings, today: date) -> list[AssetsDefinition]:
    """One multi-asset per feed and period."""
    return [assets for feed in feeds for assets in feed_graph(feed, settings, today)]


def build_reference_assets(
    references: Iterable[Reference], feeds: Sequence[Feed], settings: Settings
) -> list[AssetsDefinition]:
    """One asset per reference."""
    return reference_assets(references, feeds, settings)


def build_compaction_assets(feeds: Iterable[Feed], settings: Settings) -> list[AssetsDefinition]:
    """One asset per feed that merges its delta files."""
    return compaction_assets(feeds, settings)
