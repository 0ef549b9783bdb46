"""The freshness checks of every watched feed, and the sensor that keeps them told."""

from collections.abc import Sequence

from dagster import AssetChecksDefinition, SensorDefinition

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.orchestration.automation.freshness import freshness_checks, freshness_sensor
from marketdata_pipelines.settings.environment import Settings


def build_freshness_checks(feeds: Sequence[Feed], settings: Settings) -> list[AssetChecksDefinition]:
    """`is_fresh` of every table of the feeds with an enabled `schedule`."""
    found = [freshness_checks(feed, settings) for feed in feeds]
    return [each for each in found if each is not None]


def build_freshness_sensors(feeds: Sequence[Feed], settings: Settings) -> list[SensorDefinition]:
    """One sensor for the code location; none where no feed is watched."""
    found = freshness_sensor(feeds, settings)
    return [] if found is None else [found]
