"""The job that takes in the files of a feed's drop folder: `<feed>__ingest`. Which files, its sensor decides.

Deriving tables from what came is not here: the sensor asks for exactly the partitions that changed.
"""

import time

from dagster import (
    AssetObservation,
    Config,
    Failure,
    JobDefinition,
    MetadataValue,
    OpExecutionContext,
    Out,
    TableRecord,
    in_process_executor,
    job,
    op,
)
from pydantic import Field

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.tables import raw_asset
from marketdata_pipelines.errors import MarketDataError
from marketdata_pipelines.orchestration.keys import FEED_TAG, asset_key
from marketdata_pipelines.pipeline.ingest import FileReport, IngestStatus
from marketdata_pipelines.pipeline.intake import Left, take_in
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.sources.files.listing import list_files
from marketdata_pipelines.stores.lake.lake import Lake

_LISTED = 200


class FilesToTakeIn(Config):
    """The files of one run; none stands for all files of the drop folder."""

    files: list[str] = Field(default_factory=list)


def ingest_job_name(feed: str) -> str:
    """The job that takes files into a feed."""
    return f"{feed}__ingest"


def ingest_job(feed: Feed, settings: Settings) -> JobDefinition:
    """The job of one feed whose source is a folder of files."""

    @op(
        name=f"take_in_{feed.name}",
        description="Each file whole or not at all, each content once; a refused file is recorded with its cause.",
        out=Out(list[str], description="The partitions that changed."),
        pool=feed.name,
    )
    def take_in_files(context: OpExecutionContext, config: FilesToTakeIn) -> list[str]:
        return _take_in(context, feed, settings, config.files)

    @job(
        name=ingest_job_name(feed.name),
        description=f"Takes files from the drop folder of {feed.name} ({feed.source.path}) into raw parts.",
        tags={FEED_TAG: feed.name},
        executor_def=in_process_executor,
    )
    def ingest() -> None:
        take_in_files()

    return ingest


def _take_in(context: OpExecutionContext, feed: Feed, settings: Settings, files: list[str]) -> list[str]:
    lake = Lake(settings.lake)
    records: list[dict[str, str | int]] = []
    partitions: set[str] = set()
    try:
        chosen = files or list_files(settings.source_path(feed.source.path or ""))
        for path, report in take_in(lake, feed, chosen, run_id=context.run_id, clock=lambda: time.time_ns() // 1000):
            records.append(_record(context, feed, path, report))
            partitions |= set(report.partitions) if isinstance(report, FileReport) else set()
    except MarketDataError as error:
        raise Failure(
            f"{feed.name} stopped after {len(records)} files, which are taken in and stay: {error}", allow_retries=False
        ) from error
    rows = [TableRecord(record) for record in records[:_LISTED]]
    context.add_output_metadata(
        {
            "files": len(records),
            "rows": sum(int(record["rows"]) for record in records),
            "partitions": len(partitions),
            **({"what became of each": MetadataValue.table(rows)} if rows else {}),
        }
    )
    return sorted(partitions)


def _record(context: OpExecutionContext, feed: Feed, path: str, report: FileReport | Left) -> dict[str, str | int]:
    if isinstance(report, Left):
        context.log.info(f"{path} is left for later: {report.reason}")
        return {"file": path, "status": "left", "rows": 0, "partitions": 0, "note": report.reason}
    if report.status is IngestStatus.REFUSED:
        context.log.warning(f"{feed.name} refused {report.file} ({report.rule}): {report.message}")
        context.log_event(
            AssetObservation(
                asset_key(feed.name, raw_asset(feed)),
                description=f"{report.file} was refused: {report.message}",
                metadata={"file": MetadataValue.path(path), "rule": report.rule or "", "cause": report.message or ""},
            )
        )
    else:
        context.log.info(
            f"{report.file}: {report.status}, {report.rows} rows, {len(report.partitions)} partitions changed"
        )
    return {
        "file": path,
        "status": str(report.status),
        "rows": report.rows,
        "partitions": len(report.partitions),
        "note": report.message or "",
    }
