"""One source file into staging: every row parsed, placed in its partition, and its text kept where it is bad.

Rules are evaluated here only to know which rows need their source text; the verdict is `validate`'s.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.bars import RAW_BAR_SCHEMA, RAW_TRADE_SCHEMA
from marketdata_pipelines.domain.feeds import DataKind, Feed
from marketdata_pipelines.domain.sessions import to_us
from marketdata_pipelines.domain.validation import MISSING_TS, bar_mask, resolve_duplicates, trade_mask
from marketdata_pipelines.errors import SourceRejected
from marketdata_pipelines.pipeline.placement import Placer, key_day, row_times
from marketdata_pipelines.pipeline.staging import PartitionStaging
from marketdata_pipelines.sources.parsed import Chunk, Finding

_FIRST_US, _LAST_US = to_us(datetime.min.replace(tzinfo=UTC)), to_us(datetime.max.replace(tzinfo=UTC))
ReadFile = Callable[[], tuple[Iterable[Chunk], tuple[Finding, ...]]]


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A file parsed into staging, or why it was refused; `known_at_us` is when its reading began."""

    known_at_us: int
    staging: PartitionStaging | None
    findings: tuple[Finding, ...]
    refusal: SourceRejected | None


def stage_file(
    feed: Feed,
    name: str,
    read: ReadFile,
    known_at_us: int,
    folder: Path,
    *,
    spill: bool,
    partition: str | None = None,
) -> StagedFile:
    """Parse one file and place its rows; runs in any process.

    `known_at_us`: when the file became known. `spill` leaves all rows on disk in `folder`, for another process to
    take. `partition`: all rows are of that one, whatever their times, and there may be none. Never raises for what is
    wrong with the file: that is its refusal.
    """
    staging = PartitionStaging(folder)
    pinned = None if partition is None else key_day(partition)
    try:
        findings = _fill(feed, name, read, known_at_us, staging, pinned)
    except SourceRejected as refusal:
        staging.clear()
        return StagedFile(known_at_us, None, (), refusal)
    if spill:
        staging.spill()
    return StagedFile(known_at_us, staging, findings, None)


def _fill(
    feed: Feed, name: str, read: ReadFile, known_at_us: int, staging: PartitionStaging, pinned: int | None
) -> tuple[Finding, ...]:
    placer = Placer(feed, known_at_us)
    chunks, findings = read()
    seen: set[int] = set()
    for chunk in chunks:
        _check_kind(feed, chunk, name)
        table = _without_absurd_times(chunk.table)
        ts = row_times(table)
        if not staging.partitions():
            seen.update(ts[ts != MISSING_TS][:1].tolist())
        grid = placer.grid_for(ts)
        mask_of = bar_mask if chunk.kind is DataKind.BARS else trade_mask
        mask, placement = mask_of(table, feed, grid, known_at_us)
        staging.cover(ts[mask == 0])
        if chunk.kind is DataKind.BARS:
            mask = resolve_duplicates(table, mask, np.zeros(len(mask), np.int64)).mask
        days = placer.days(ts, placement, grid) if pinned is None else np.full(len(ts), pinned, np.int64)
        staging.add(_with_originals(chunk, table, mask), days)
    if pinned is not None:
        return findings
    nearest = None if staging.partitions() else placer.nearest_day(np.array(sorted(seen), np.int64))
    if nearest is not None:
        staging.place_waiting(nearest)
    if not staging.partitions():
        raise SourceRejected(
            f"{name} has no row whose time can be read; pin source.time_format and timezone in feeds.yaml",
            rule="unreadable_times",
        )
    return findings


def _check_kind(feed: Feed, chunk: Chunk, name: str) -> None:
    if feed.data is not None and feed.data is not chunk.kind:
        raise SourceRejected(
            f"{name} holds {chunk.kind}, feed {feed.name} is declared as {feed.data}; "
            f"set data: {chunk.kind} in feeds.yaml or ingest it into another feed",
            rule="wrong_kind",
        )


def _without_absurd_times(table: pa.Table) -> pa.Table:
    """Times before the year 1 or after 9999, which no calendar and no Python date reaches, count as unreadable."""
    ts = row_times(table)
    absurd = (ts != MISSING_TS) & ((ts < _FIRST_US) | (ts > _LAST_US))
    if not absurd.any():
        return table
    position = table.schema.get_field_index("ts")
    kept = pc.if_else(pa.array(absurd), pa.scalar(None, table.schema.field("ts").type), table["ts"])
    return table.set_column(position, table.schema.field("ts"), kept)


def _with_originals(chunk: Chunk, table: pa.Table, mask: np.ndarray) -> pa.Table:
    bad = np.flatnonzero(mask)
    texts: list[str | None] = [None] * table.num_rows
    if len(bad):
        for position, text in zip(bad, chunk.originals(bad), strict=True):
            texts[position] = text
    table = table.append_column("original", pa.array(texts, pa.string()))
    return table.select(_schema(chunk.kind).names).cast(_schema(chunk.kind))


def _schema(kind: DataKind) -> pa.Schema:
    return RAW_TRADE_SCHEMA if kind is DataKind.TRADES else RAW_BAR_SCHEMA
