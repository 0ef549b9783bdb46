"""The report asset of every judged feed, and the sensor that asks for it."""

from collections.abc import Iterable, Sequence

from dagster import AssetsDefinition, SensorDefinition

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.orchestration.assets.quality_report import quality_report_assets
from marketdata_pipelines.orchestration.automation.quality_sensor import quality_report_sensor
from marketdata_pipelines.settings.environment import Settings


def build_quality_reports(feeds: Iterable[Feed], settings: Settings) -> list[AssetsDefinition]:
    """One asset per judged feed."""
    return quality_report_assets(feeds, settings)


def build_quality_sensors(feeds: Sequence[Feed], settings: Settings) -> list[SensorDefinition]:
    """One sensor for the code location; none where no feed is judged."""
    found = quality_report_sensor(feeds, settings)
    return [] if found is None else [found]
