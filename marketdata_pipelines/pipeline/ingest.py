"""Files into raw parts: each file content once, whole or not at all, with its place in the ledger.

Validation happens when a partition is walked (see `walk`); here rules are evaluated only to know which rows need
their source text kept.
"""

import logging
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.bars import RAW_BAR_SCHEMA, RAW_TRADE_SCHEMA
from marketdata_pipelines.domain.feeds import DataKind, Feed
from marketdata_pipelines.domain.partitions import partition_keys, period_of
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.domain.sessions import date_of_us
from marketdata_pipelines.domain.tables import RAW_BARS, RAW_TRADES
from marketdata_pipelines.domain.validation import MISSING_TS, bar_mask, resolve_duplicates, trade_mask
from marketdata_pipelines.errors import SourceRejected
from marketdata_pipelines.pipeline.placement import Placer, row_times
from marketdata_pipelines.pipeline.staging import PartitionStaging
from marketdata_pipelines.pipeline.versions import code_version
from marketdata_pipelines.sources.parsed import Chunk, Finding
from marketdata_pipelines.stores.lake.catalog import Ingest, RawPart
from marketdata_pipelines.stores.lake.lake import Lake, digest

logger = logging.getLogger(__name__)
Clock = Callable[[], int]


class IngestMode(StrEnum):
    UPSERT = "upsert"
    REPLACE_WINDOW = "replace_window"


class IngestStatus(StrEnum):
    ACCEPTED = "accepted"
    REFUSED = "refused"
    KNOWN = "known"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file content to take in: `read` gives its chunks, and is called at most once."""

    name: str
    path: str
    sha256: str
    bytes: int
    read: Callable[[], tuple[Iterable[Chunk], tuple[Finding, ...]]]


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file. `partitions` are those that changed; `message` is the cause of a refusal."""

    file: str
    status: IngestStatus
    rows: int
    partitions: tuple[str, ...]
    rule: str | None = None
    message: str | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class IngestRun:
    """How an ingest runs: its identity, clock, mode, and whether known contents are read again."""

    run_id: str
    mode: IngestMode = IngestMode.UPSERT
    restart: bool = False
    clock: Clock = lambda: time.time_ns() // 1000


def ingest_files(lake: Lake, feed: Feed, sources: Iterable[SourceFile], run: IngestRun) -> Iterator[FileReport]:
    """Take in files one after another; each is committed before its report is given.

    A refused file is recorded with its cause and leaves no rows. Holds the feed's write lock throughout.
    """
    with lake.writing(feed.name):
        for source in sources:
            yield _ingest_one(lake, feed, source, run)


def _ingest_one(lake: Lake, feed: Feed, source: SourceFile, run: IngestRun) -> FileReport:
    known = lake.catalog.latest_ingest(feed.name, source.sha256)
    if known is not None and known.parse_version == feed.parse_version and not run.restart:
        status = IngestStatus.KNOWN if known.status == IngestStatus.ACCEPTED else IngestStatus.REFUSED
        return FileReport(source.name, status, known.rows, (), known.rule, known.message)
    known_at_us = run.clock()
    record = _record(feed, source, run, known_at_us)
    folder = lake.layout.staging(feed.name)
    try:
        staging, findings = _stage(feed, source, known_at_us, folder)
    except SourceRejected as refusal:
        refused = replace(record, status=IngestStatus.REFUSED.value, rule=refusal.rule, message=str(refusal))
        changed = _replaced_partitions(lake, feed, source)
        lake.catalog.record_ingest(refused, [])
        shutil.rmtree(folder, ignore_errors=True)
        logger.info("refused %s: %s", source.name, refusal)
        return FileReport(source.name, IngestStatus.REFUSED, 0, tuple(changed), refusal.rule, str(refusal))
    report = _commit(lake, feed, source, run, record, staging, findings)
    shutil.rmtree(folder, ignore_errors=True)
    logger.info("ingested %s: %d rows into %d partitions", source.name, report.rows, len(report.partitions))
    return report


def _stage(
    feed: Feed, source: SourceFile, known_at_us: int, folder: Path
) -> tuple[PartitionStaging, tuple[Finding, ...]]:
    staging = PartitionStaging(folder)
    placer = Placer(feed, known_at_us)
    chunks, findings = source.read()
    for chunk in chunks:
        _check_kind(feed, chunk, source.name)
        ts = row_times(chunk.table)
        grid = placer.grid_for(ts)
        mask_of = bar_mask if chunk.kind is DataKind.BARS else trade_mask
        mask, placement = mask_of(chunk.table, feed, grid, known_at_us)
        if chunk.kind is DataKind.BARS:
            mask = resolve_duplicates(chunk.table, mask, np.zeros(len(mask), np.int64)).mask
        table = _with_originals(chunk, mask)
        staging.add(table, placer.days(ts, placement, grid))
    if not staging.partitions():
        raise SourceRejected(
            f"{source.name} has no row whose time can be read; pin source.time_format and source.timezone in feeds.yaml",
            rule="unreadable_times",
        )
    return staging, findings


def _check_kind(feed: Feed, chunk: Chunk, name: str) -> None:
    if feed.data is not None and feed.data is not chunk.kind:
        raise SourceRejected(
            f"{name} holds {chunk.kind}, feed {feed.name} is declared as {feed.data}; "
            f"set data: {chunk.kind} in feeds.yaml or ingest it into another feed",
            rule="wrong_kind",
        )


def _with_originals(chunk: Chunk, mask: np.ndarray) -> pa.Table:
    bad = np.flatnonzero(mask)
    texts: list[str | None] = [None] * chunk.table.num_rows
    if len(bad):
        for position, text in zip(bad, chunk.originals(bad), strict=True):
            texts[position] = text
    table = chunk.table.append_column("original", pa.array(texts, pa.string()))
    return table.select(_schema(chunk.kind).names).cast(_schema(chunk.kind))


def _commit(
    lake: Lake,
    feed: Feed,
    source: SourceFile,
    run: IngestRun,
    record: Ingest,
    staging: PartitionStaging,
    findings: tuple[Finding, ...],
) -> FileReport:
    parts, first, last = [], None, None
    for partition in staging.partitions():
        table = staging.rows_of(partition)
        parts.append(_write_part(lake, feed, source, partition, table, run.mode))
        ts = row_times(table)
        ts = ts[(ts != MISSING_TS) & (ts <= record.known_at_us)]
        if len(ts):
            first = int(ts.min()) if first is None else min(first, int(ts.min()))
            last = int(ts.max()) if last is None else max(last, int(ts.max()))
    changed = set(staging.partitions()) | set(_replaced_partitions(lake, feed, source))
    if run.mode is IngestMode.REPLACE_WINDOW and first is not None and last is not None:
        emptied = _emptied_partitions(lake, feed, first, last, set(staging.partitions()))
        empty = staging.rows_of(staging.partitions()[0]).slice(0, 0)
        parts += [_write_part(lake, feed, source, key, empty, run.mode) for key in emptied]
        changed |= set(emptied)
    accepted = replace(
        record,
        status=IngestStatus.ACCEPTED.value,
        findings=tuple((finding.rule, finding.text) for finding in findings),
        rows=staging.rows,
        first_ts_us=first,
        last_ts_us=last,
    )
    lake.catalog.record_ingest(accepted, parts)
    return FileReport(source.name, IngestStatus.ACCEPTED, staging.rows, tuple(sorted(changed)), findings=findings)


def _write_part(
    lake: Lake, feed: Feed, source: SourceFile, partition: str, table: pa.Table, mode: IngestMode
) -> RawPart:
    name = RAW_TRADES if table.schema.field("ts").type.unit == "ns" else RAW_BARS
    part_id = digest((source.sha256, feed.parse_version, mode.value, partition))
    path = lake.layout.raw_part_file(name, feed.name, partition, part_id)
    manifest: dict[str, object] = {
        "file": source.name,
        "sha256": source.sha256,
        "parse_version": feed.parse_version,
        "partition": partition,
        "rows": table.num_rows,
    }
    lake.write_raw(path, table, manifest)
    return RawPart(partition, name, part_id, lake.layout.relative(path), table.num_rows)


def _replaced_partitions(lake: Lake, feed: Feed, source: SourceFile) -> list[str]:
    """Partitions an earlier ingest of the same content (under another feed version) had brought rows for."""
    standing = lake.catalog.standing_parts(feed.name)
    return sorted({item.part.partition for item in standing if item.ingest.sha256 == source.sha256})


def _emptied_partitions(lake: Lake, feed: Feed, first: int, last: int, brought: set[str]) -> list[str]:
    margin = timedelta(days=1)
    window = partition_keys(date_of_us(first) - margin, date_of_us(last) + margin, period_of(feed.partition))
    return sorted((set(lake.catalog.raw_partitions(feed.name)) & set(window)) - brought)


def _record(feed: Feed, source: SourceFile, run: IngestRun, known_at_us: int) -> Ingest:
    return Ingest(
        feed=feed.name,
        file=source.name,
        path=source.path,
        sha256=source.sha256,
        bytes=source.bytes,
        known_at_us=known_at_us,
        run_id=run.run_id,
        mode=run.mode.value,
        status="",
        rule=None,
        message=None,
        findings=(),
        feed_version=feed.version,
        parse_version=feed.parse_version,
        calendar_version=feed_calendar(feed).version,
        code_version=code_version(),
        rows=0,
        first_ts_us=None,
        last_ts_us=None,
    )


def _schema(kind: DataKind) -> pa.Schema:
    return RAW_TRADE_SCHEMA if kind is DataKind.TRADES else RAW_BAR_SCHEMA
