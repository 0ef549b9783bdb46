"""The schedules of every feed: after its sessions' closes, and its views at their cadences."""

from collections.abc import Iterable, Mapping
from datetime import date

from dagster import ScheduleDefinition, SensorDefinition
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from marketdata_pipelines.domain.due import is_scheduled
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.orchestration.automation.roll_up import roll_up_sensor
from marketdata_pipelines.orchestration.automation.schedules import after_close_schedule
from marketdata_pipelines.orchestration.automation.view_schedules import view_schedules
from marketdata_pipelines.settings.environment import Settings


def build_schedules(feeds: Iterable[Feed], settings: Settings, today: date) -> list[ScheduleDefinition]:
    """Every feed's schedules, but those of the packaged sample; stopped for feeds without a `schedule`."""
    scheduled = [feed for feed in feeds if is_scheduled(feed)]
    return [
        each
        for feed in scheduled
        for each in (after_close_schedule(feed, settings, today), *view_schedules(feed, settings))
    ]


def build_roll_ups(
    feeds: Iterable[Feed], settings: Settings, jobs: Iterable[UnresolvedAssetJobDefinition]
) -> list[SensorDefinition]:
    """The sensors by which weeks and months follow their days."""
    by_name: Mapping[str, UnresolvedAssetJobDefinition] = {job.name: job for job in jobs}
    found = [roll_up_sensor(feed, settings, by_name) for feed in feeds if is_scheduled(feed)]
    return [each for each in found if each is not None]
