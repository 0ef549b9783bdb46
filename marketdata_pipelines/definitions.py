"""The Dagster entry: the graph of every feed in feeds.yaml.

Nothing is read at import; Dagster calls `defs` when it loads the code location.
"""

from datetime import UTC, datetime

import dagster as dg

from marketdata_pipelines.defs.assets import build_assets
from marketdata_pipelines.defs.jobs import build_jobs
from marketdata_pipelines.logs import configure_logging
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.settings.feeds_file import load_feeds


def build_definitions(settings: Settings) -> dg.Definitions:
    """The definitions of all feeds.

    Errors: SettingsInvalid naming the line of feeds.yaml that is wrong.
    """
    feeds = load_feeds(settings.feeds_file).values()
    assets = build_assets(feeds, settings, datetime.now(UTC).date())
    return dg.Definitions(assets=assets, jobs=build_jobs(assets), executor=dg.in_process_executor)


@dg.definitions
def defs() -> dg.Definitions:
    """What `dagster dev`, the daemon and the web server load."""
    settings = Settings()
    configure_logging(settings.log_level)
    return build_definitions(settings)
