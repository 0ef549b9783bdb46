"""The jobs of every feed: one per period, `us_equities_1m__day`."""

from collections.abc import Iterable

from dagster import AssetsDefinition
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from marketdata_pipelines.orchestration.assets.graph import period_jobs


def build_jobs(assets: Iterable[AssetsDefinition]) -> list[UnresolvedAssetJobDefinition]:
    """A job for each multi-asset."""
    return period_jobs(assets)
