"""The Dagster entry: the graph of every feed in feeds.yaml.

Nothing is read at import; Dagster calls `defs` when it loads the code location.
"""

from datetime import UTC, datetime

import dagster as dg

from marketdata_pipelines.defs.assets import build_assets, build_compaction_assets, build_reference_assets
from marketdata_pipelines.defs.freshness_sensors import build_freshness_checks, build_freshness_sensors
from marketdata_pipelines.defs.jobs import build_jobs
from marketdata_pipelines.defs.publishing import (
    build_cache_assets,
    build_publish_jobs,
    build_publish_sensors,
    build_publishing,
    build_store_checks,
    build_store_schedules,
    build_store_views,
)
from marketdata_pipelines.defs.quality import build_quality_reports, build_quality_sensors
from marketdata_pipelines.defs.schedules import build_roll_ups, build_schedules
from marketdata_pipelines.defs.sensors import build_ingest_jobs, build_sensors
from marketdata_pipelines.logs import configure_logging
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.settings.feeds_file import load_feeds
from marketdata_pipelines.settings.references_file import load_references


def build_definitions(settings: Settings) -> dg.Definitions:
    """The definitions of all feeds.

    Errors: SettingsInvalid naming the line of feeds.yaml that is wrong.
    """
    feeds = list(load_feeds(settings.feeds_file).values())
    references = load_references(settings.feeds_file).values()
    today = datetime.now(UTC).date()
    assets = build_assets(feeds, settings, today)
    jobs = build_jobs(assets)
    ingest_jobs = build_ingest_jobs(feeds, settings)
    publishing = build_publishing(feeds, settings, today)
    publish_jobs = build_publish_jobs(feeds, settings, publishing)
    return dg.Definitions(
        assets=[
            *assets,
            *build_compaction_assets(feeds, settings),
            *build_quality_reports(feeds, settings),
            *build_reference_assets(references, feeds, settings),
            *publishing,
            *build_store_views(feeds, settings),
            *build_cache_assets(feeds, settings),
        ],
        asset_checks=[*build_freshness_checks(feeds, settings), *build_store_checks(feeds, settings)],
        jobs=[*jobs, *ingest_jobs, *publish_jobs],
        schedules=[*build_schedules(feeds, settings, today), *build_store_schedules(feeds, settings)],
        sensors=[
            *build_sensors(feeds, settings, ingest_jobs),
            *build_roll_ups(feeds, settings, jobs),
            *build_freshness_sensors(feeds, settings),
            *build_quality_sensors(feeds, settings),
            *build_publish_sensors(feeds, settings, publish_jobs),
        ],
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What `dagster dev`, the daemon and the web server load."""
    settings = Settings()
    configure_logging(settings.log_level)
    return build_definitions(settings)
