"""Repairs into raw parts of their own, and back out again: nothing that was taken in is ever changed.

A repair is an ingest like any other: it has a place in the ledger and counts from its `known_at` on, so that an answer
as of before it stays as it was. What comes in later about the same bars stands over it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.bars import RAW_BAR_SCHEMA
from marketdata_pipelines.domain.feeds import DataKind, Feed
from marketdata_pipelines.domain.partitions import partition_span, period_of
from marketdata_pipelines.domain.quality.events import QualityEvent, QualityEventKind
from marketdata_pipelines.domain.repairs.records import REPAIR, Repair, instant
from marketdata_pipelines.domain.rules import mask_to_rules
from marketdata_pipelines.domain.sessions import EPOCH
from marketdata_pipelines.domain.validation import bar_mask
from marketdata_pipelines.errors import BarsInvalid, StoreError
from marketdata_pipelines.pipeline.coarse import CoarseBars
from marketdata_pipelines.pipeline.ingest import FileReport, IngestMode, IngestRun, SourceFile, ingest_files
from marketdata_pipelines.pipeline.placement import row_times
from marketdata_pipelines.pipeline.quality.events import note_repair
from marketdata_pipelines.pipeline.repairs.documents import file_name, repair_id, write_record
from marketdata_pipelines.pipeline.versions import code_version
from marketdata_pipelines.sources.parsed import Chunk, Finding, TableChunk
from marketdata_pipelines.stores.lake.catalog import Ingest, PulledWindow
from marketdata_pipelines.stores.lake.lake import Lake

Clock = Callable[[], int]
_UNDONE = "undone"


class RepairStatus(StrEnum):
    """What became of a repair that was to be applied or undone."""

    APPLIED = "applied"
    KNOWN = "applied already"
    OVERLAPS = "left: a surer repair is about the same bars; ask again after this one"
    ADVICE = "not applied: it changes no bars"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What became of one; `partition` is the one whose bars it is about, None for advice and what was left."""

    id: str
    status: RepairStatus
    partition: str | None
    rows: int


def apply_repairs(
    lake: Lake, feed: Feed, repairs: Iterable[Repair], *, run_id: str, clock: Clock
) -> Iterator[RepairReport]:
    """Make each repair a raw part of its partition, the surest first; each is committed before it is reported.

    One that stands already is left as it is; one that shares bars with one applied here is left for later.

    Errors: BarsInvalid when a row would be rejected again; nothing at all is written then.
    """
    ordered = sorted(repairs, key=lambda repair: (-repair.confidence, repair.id))
    chosen, reports = _choose(lake, feed, ordered)
    for repair in chosen:
        check_repair(lake, feed, repair, clock())
    yield from reports
    for repair in chosen:
        mode = IngestMode.REPLACE_WINDOW if repair.replaces else IngestMode.UPSERT
        run = IngestRun(run_id=run_id, mode=mode, restart=True, clock=clock)
        report: FileReport
        (report,) = ingest_files(lake, feed, [_source(lake, repair, clock())], run)
        # Beside the ledger, which is what counts: this log tells people.
        note_repair(lake, feed.name, repair.partition, _event(repair), clock())
        yield RepairReport(repair.id, RepairStatus.APPLIED, repair.partition, report.rows)


def check_repair(lake: Lake, feed: Feed, repair: Repair, now_us: int) -> None:
    """Errors: BarsInvalid when a row of the repair breaks a row rule, or belongs to another partition."""
    rows = repair.rows
    if not rows.num_rows:
        return
    grid = CoarseBars(lake, feed).grid(repair.partition)
    mask, placement = bar_mask(_raw_rows(rows), feed, grid, now_us)
    first, last = ((day - EPOCH).days for day in partition_span(repair.partition, period_of(feed.partition)))
    inside = placement.session >= 0
    days = grid.dates[np.maximum(placement.session, 0)] if len(grid.dates) else np.zeros(len(mask), np.int32)
    elsewhere = inside & ((days < first) | (days > last))
    bad = np.flatnonzero((mask != 0) | elsewhere)
    if len(bad):
        at = int(bad[0])
        why = mask_to_rules(int(mask[at])) or "it belongs to another partition"
        symbol, ts = rows["symbol"][at].as_py(), instant(int(row_times(rows)[at]))
        raise BarsInvalid(
            f"repair {repair.id} of {feed.name} would bring {len(bad)} rows that are rejected again, such as {symbol} "
            f"{ts} ({why}); nothing was written: leave it out"
        )


def undo_repair(lake: Lake, feed: Feed, wanted: str, *, run_id: str, clock: Clock) -> RepairReport:
    """Withdraw an applied repair: from now on its bars are again what they were without it.

    Errors: StoreError naming the repairs that stand when it is none of them.
    """
    with lake.writing(feed.name):
        standing = standing_repairs(lake, feed)
        if wanted not in standing:
            known = ", ".join(sorted(standing)) or "none"
            raise StoreError(f"no repair {wanted} of {feed.name} is applied; applied: {known}")
        ingest, partition = standing[wanted]
        withdrawn = replace(
            ingest,
            seq=0,
            rows=0,
            first_ts_us=None,
            last_ts_us=None,
            known_at_us=max(clock(), ingest.known_at_us + 1),
            run_id=run_id,
            message=_UNDONE,
            code_version=code_version(),
        )
        lake.catalog.record_ingest(withdrawn, [])
    undone = QualityEvent(QualityEventKind.REPAIRED, detail=f"{wanted} {_UNDONE}")
    note_repair(lake, feed.name, partition, undone, withdrawn.known_at_us)
    return RepairReport(wanted, RepairStatus.UNDONE, partition, 0)


def known_reports(lake: Lake, feed: Feed, ids: Collection[str]) -> list[RepairReport]:
    """Of these repairs those that stand already."""
    known = standing_repairs(lake, feed) if ids else {}
    return [RepairReport(name, RepairStatus.KNOWN, known[name][1], 0) for name in ids if name in known]


def standing_repairs(lake: Lake, feed: Feed, partitions: Sequence[str] | None = None) -> dict[str, tuple[Ingest, str]]:
    """The repairs that count, by id in the order they came: their ingest and partition."""
    return {
        repair_id(each.ingest.file): (each.ingest, each.part.partition)
        for each in lake.catalog.standing_parts(feed.name, partitions)
        if each.ingest.pulled is not None and each.ingest.pulled.provider == REPAIR
    }


def _event(repair: Repair) -> QualityEvent:
    symbol = repair.symbols[0] if len(repair.symbols) == 1 else None
    detail = f"{repair.id} {repair.kind}, rows {repair.count}: {repair.evidence}"
    return QualityEvent(QualityEventKind.REPAIRED, repair.session, repair.rule, symbol, detail)


def _choose(lake: Lake, feed: Feed, ordered: Sequence[Repair]) -> tuple[list[Repair], list[RepairReport]]:
    known = standing_repairs(lake, feed, sorted({repair.partition for repair in ordered}))
    chosen: list[Repair] = []
    reports = []
    for repair in ordered:
        if repair.advice is not None:
            reports.append(RepairReport(repair.id, RepairStatus.ADVICE, None, 0))
        elif repair.id in known:
            reports.append(RepairReport(repair.id, RepairStatus.KNOWN, repair.partition, 0))
        elif any(_overlap(repair, other) for other in chosen):
            reports.append(RepairReport(repair.id, RepairStatus.OVERLAPS, None, 0))
        else:
            chosen.append(repair)
    return chosen, reports


def _overlap(one: Repair, other: Repair) -> bool:
    """Whether two repairs may be about the same bars: of a symbol and partition, at the same times."""
    if one.partition != other.partition or not set(one.symbols) & set(other.symbols):
        return False
    if one.last_us < other.first_us or other.last_us < one.first_us:
        return False
    if one.replaces or other.replaces:
        return True
    return bool(np.intersect1d(row_times(one.rows), row_times(other.rows)).size)


def _source(lake: Lake, repair: Repair, now_us: int) -> SourceFile:
    window = PulledWindow(
        partition=repair.partition,
        provider=REPAIR,
        start_us=repair.first_us,
        end_us=repair.last_us + 1,
        symbols=tuple(sorted(repair.symbols)),
        # It speaks for its own bars only: no pull counts as answered, or as outlived, because of it.
        complete=False,
        settled=False,
    )
    path = write_record(lake, repair, now_us)
    read = _RepairRead(TableChunk(DataKind.BARS, _raw_rows(repair.rows).drop_columns(["original"])))
    return SourceFile(file_name(repair.id), path, repair.sha256, repair.rows.nbytes, read, window)


@dataclass(frozen=True, slots=True)
class _RepairRead:
    chunk: TableChunk

    def __call__(self) -> tuple[Iterable[Chunk], tuple[Finding, ...]]:
        return [self.chunk], ()


def _raw_rows(rows: pa.Table) -> pa.Table:
    """Rows of a repair as RAW_BAR_SCHEMA; a row's place is its number in the repair, it has no line."""
    count = rows.num_rows
    own = rows.drop_columns(["file", "line", "row", "part", "was"])
    own = own.append_column("row", pa.array(np.arange(1, count + 1)))
    for name in ("line", "rules", "original"):
        own = own.append_column(name, pa.nulls(count, RAW_BAR_SCHEMA.field(name).type))
    return own.select(RAW_BAR_SCHEMA.names).cast(RAW_BAR_SCHEMA)
