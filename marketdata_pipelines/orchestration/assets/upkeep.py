"""The compaction asset of each feed: merges the delta files of its tables when it is asked to.

It has no partitions and no edges: rows never change by it, so nothing is late because of it, and no backfill of the
feed's tables includes it.
"""

from collections.abc import Iterable
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetsDefinition,
    MaterializeResult,
    TableColumn,
    TableSchema,
    asset,
)

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.orchestration.assets.metadata import records_table
from marketdata_pipelines.orchestration.keys import asset_key, asset_owners, asset_tags
from marketdata_pipelines.pipeline.upkeep import Compacted, compact, with_deltas
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake

COMPACTION = "compaction"
NO_DELTAS_LEFT = "no_deltas_left"
_LISTED = 100
_COLUMNS = {
    "table": ("string", "The table whose delta files were merged."),
    "partition": ("string", "The partition: first day of its period."),
    "rows": ("int64", "Its rows, before and after."),
    "files_before": ("int64", "Files it was read from; now it is one."),
    "bytes_before": ("int64", "Their bytes."),
    "bytes_after": ("int64", "Bytes of the one file."),
}


def compaction_assets(feeds: Iterable[Feed], settings: Settings) -> list[AssetsDefinition]:
    """One asset a feed: `[feed, compaction]`."""
    return [_compaction_asset(feed, settings) for feed in feeds]


def _compaction_asset(feed: Feed, settings: Settings) -> AssetsDefinition:
    key = asset_key(feed.name, COMPACTION)

    @asset(
        key=key,
        description=_text(feed),
        group_name=feed.name,
        kinds={"parquet"},
        owners=asset_owners(feed),
        tags=asset_tags(feed),
        metadata={
            "dagster/column_schema": TableSchema(
                [TableColumn(name, type=kind, description=text) for name, (kind, text) in _COLUMNS.items()]
            )
        },
        check_specs=[
            AssetCheckSpec(NO_DELTAS_LEFT, asset=key, description="Every partition of the feed's tables is one file.")
        ],
    )
    def merge_deltas(context: AssetExecutionContext) -> MaterializeResult:  # type: ignore[type-arg] # Dagster knows the plain class only.
        lake = Lake(settings.lake)
        done = []
        for each in compact(lake, feed):
            context.log.info(f"{feed.name} {each.table} {each.partition}: {each.files_before} files merged")
            done.append(each)
        return MaterializeResult(asset_key=key, metadata=_metadata(done), check_results=[_check(lake, feed)])

    return merge_deltas


def _metadata(done: list[Compacted]) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "partitions": len(done),
        "files before": sum(each.files_before for each in done),
        "bytes before": sum(each.bytes_before for each in done),
        "bytes after": sum(each.bytes_after for each in done),
    }
    if done:
        rows = [{name: getattr(each, name) for name in _COLUMNS} for each in done[:_LISTED]]
        metadata["merged"] = records_table(rows)
    return metadata


def _check(lake: Lake, feed: Feed) -> AssetCheckResult:
    left = with_deltas(lake, feed.name)
    return AssetCheckResult(
        check_name=NO_DELTAS_LEFT,
        passed=not left,
        severity=AssetCheckSeverity.WARN,
        description=f"written beside while it ran: {len(left)} partitions" if left else None,
        metadata={"partitions with deltas": len(left)},
    )


def _text(feed: Feed) -> str:
    return "\n\n".join(
        [
            "Merges the delta files of the feed's tables, so that each partition is read from one file again. No row "
            "changes, and nothing waits for it: the lake merges by itself where there are many.",
            f"On the command line: `marketdata lake compact {feed.name}`; what there is: `marketdata lake status "
            f"{feed.name}`",
        ]
    )
