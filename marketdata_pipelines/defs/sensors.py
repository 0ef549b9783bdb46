"""The sensors of every feed, the jobs they ask for, and the sensors that tell people."""

from collections.abc import Sequence

from dagster import JobDefinition, SensorDefinition

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.orchestration.automation.gap_sensor import gap_sensor
from marketdata_pipelines.orchestration.automation.ingest_job import ingest_job, ingest_job_name
from marketdata_pipelines.orchestration.automation.landing_sensor import has_drop_folder, landing_sensor
from marketdata_pipelines.orchestration.automation.notifications import notification_sensors
from marketdata_pipelines.settings.environment import Settings


def build_ingest_jobs(feeds: Sequence[Feed], settings: Settings) -> list[JobDefinition]:
    """A job for each feed that has a drop folder."""
    return [ingest_job(feed, settings) for feed in feeds if has_drop_folder(feed)]


def build_sensors(
    feeds: Sequence[Feed], settings: Settings, ingest_jobs: list[JobDefinition]
) -> list[SensorDefinition]:
    """A landing sensor for each drop folder, a gap sensor for each feed, and the ones that tell people."""
    jobs = {job.name: job for job in ingest_jobs}
    named = [(feed, jobs.get(ingest_job_name(feed.name))) for feed in feeds]
    landing = [landing_sensor(feed, settings, job) for feed, job in named if job is not None]
    gaps = [gap_sensor(feed, settings) for feed in feeds]
    return [*landing, *gaps, *notification_sensors({feed.name: feed for feed in feeds}, settings)]
