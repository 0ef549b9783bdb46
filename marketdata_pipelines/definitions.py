"""The Dagster entry: the graph of every feed in feeds.yaml.

Nothing is read at import; Dagster calls `defs` when it loads the code location.
"""

import logging
from datetime import UTC, datetime

import dagster as dg

from marketdata_pipelines.defs.assets import build_assets
from marketdata_pipelines.defs.jobs import build_jobs
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.logs import configure_logging
from marketdata_pipelines.orchestration.walking import OnOutcome
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.settings.feeds_file import load_feeds

logger = logging.getLogger(__name__)


def build_definitions(
    settings: Settings, *, feeds: list[Feed] | None = None, on_outcome: OnOutcome | None = None
) -> dg.Definitions:
    """The definitions of these feeds, or of all in feeds.yaml.

    Errors: SettingsInvalid naming the line of feeds.yaml that is wrong.
    """
    chosen = list(load_feeds(settings.feeds_file).values()) if feeds is None else feeds
    assets = build_assets(chosen, settings, datetime.now(UTC).date(), on_outcome)
    return dg.Definitions(assets=assets, jobs=build_jobs(assets), executor=dg.in_process_executor)


@dg.definitions
def defs() -> dg.Definitions:
    """What `dagster dev` and the daemon load."""
    settings = Settings()
    configure_logging(settings.log_level)
    return build_definitions(settings)
