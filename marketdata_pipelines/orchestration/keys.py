"""Names of the graph: asset keys, groups, kinds, owners and jobs, the same for whoever meets an asset by key."""

import re
from collections.abc import Sequence

from dagster import AssetKey

from marketdata_pipelines.domain.feeds import Feed, SourceKind
from marketdata_pipelines.domain.intervals import TIMEFRAMES, table_name
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.tables import REJECTED_BARS, VALIDATED_BARS, VIEWS, TableSet, raw_asset

LOCATION = "marketdata_pipelines"
# Names the feed of a run or backfill.
FEED_TAG = "marketdata/feed"
DEFAULT_OWNER = "team:market-data"
_EMAIL = re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
_TIMEFRAMES = {table_name(timeframe): timeframe for timeframe in TIMEFRAMES}
# Dagster shows an icon for these names.
_FORMAT_KINDS = {"csv": "csv", "tsv": "csv", "json": "json", "jsonl": "json", "parquet": "parquet", "excel": "excel"}


def asset_key(feed: str, asset: str) -> AssetKey:
    """The key of one asset of a feed: `[feed, asset]`."""
    return AssetKey([feed, asset])


def asset_name(key: AssetKey) -> str:
    """The asset's name without its feed."""
    return key.path[-1]


def job_name(feed: str, period: Period) -> str:
    """The job that materializes a feed's assets of one period: `us_equities_1m__day`."""
    return f"{feed}__{period}"


def step_name(job: str) -> str:
    """The op of a job's one step; Dagster wants it to differ from the job's name."""
    return f"walk_{job}"


def job_of_step(step: str) -> str:
    """The job a step belongs to."""
    return step.removeprefix("walk_")


def asset_kinds(feed: Feed, asset: str) -> set[str]:
    """What the asset is stored as and comes from (Dagster shows at most three)."""
    if asset != raw_asset(feed):
        return {"parquet", "duckdb"}
    if feed.source.kind is SourceKind.FILES:
        return {"parquet", _FORMAT_KINDS.get(feed.source.format or "", "file")}
    return {"parquet", str(feed.source.kind)}


def asset_owners(feed: Feed) -> list[str]:
    """Owners in Dagster's form: e-mail addresses as they are, anything else as a team."""
    return owner_names(feed.owners)


def owner_names(owners: Sequence[str]) -> list[str]:
    """Owners in Dagster's form; the default one where nobody is named."""
    named = owners or (DEFAULT_OWNER,)
    return [owner if _EMAIL.match(owner) or owner.startswith("team:") else f"team:{owner}" for owner in named]


def asset_tags(feed: Feed) -> dict[str, str]:
    """Tags to filter the graph by."""
    return {
        "asset_class": str(feed.asset_class),
        "interval": str(feed.interval),
        "calendar": re.sub(r"[^A-Za-z0-9_.-]", "_", feed.calendar.name),
        "source": str(feed.source.kind),
    }


def asset_text(feed: Feed, table_set: TableSet) -> str:
    """The asset's description: what it holds, its tables, the feed it belongs to, and how its rows are read."""
    lines = [table_set.text]
    if table_set.tables != (table_set.name,):
        lines.append(f"Tables: {', '.join(f'`{name}`' for name in table_set.tables)}.")
    about = f": {feed.description}" if feed.description else ""
    lines.append(f"Feed `{feed.name}`{about} ({feed.interval} bars, calendar {feed.calendar.name}).")
    command = read_command(feed.name, table_set.name, table_set.tables[0])
    if command is not None:
        lines.append(f"Partitioned by {table_set.period}. Read it: `{command}`")
    return "\n\n".join(lines)


def read_command(feed: str, asset: str, table: str) -> str | None:
    """The command that shows the rows of one of an asset's tables; raw rows have none."""
    if asset == REJECTED_BARS:
        return f"marketdata rejected {feed}"
    if asset in VIEWS:
        return f"marketdata table {feed} {asset}"
    if asset == VALIDATED_BARS:
        return f"marketdata bars {feed} --session all"
    timeframe = _TIMEFRAMES.get(table)
    return None if timeframe is None else f"marketdata bars {feed} --timeframe {timeframe}"
