"""Files into raw parts: each file content once, whole or not at all, with its place in the ledger.

Validation happens when a partition is walked (see `walk`); here rules are evaluated only to know which rows need
their source text kept.
"""

import logging
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from multiprocessing import get_context

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.bars import RAW_BAR_SCHEMA
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import is_partition_key, partition_keys, period_of
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.domain.sessions import date_of_us
from marketdata_pipelines.domain.tables import RAW_BARS, RAW_TRADES
from marketdata_pipelines.pipeline.definitions import note_definition
from marketdata_pipelines.pipeline.parsing import ReadFile, StagedFile, stage_file
from marketdata_pipelines.pipeline.staging import PartitionStaging
from marketdata_pipelines.pipeline.versions import code_version
from marketdata_pipelines.sources.parsed import Finding
from marketdata_pipelines.stores.lake.catalog import Ingest, PulledWindow, RawPart
from marketdata_pipelines.stores.lake.deltas import NO_SYMBOL
from marketdata_pipelines.stores.lake.lake import Lake, digest

logger = logging.getLogger(__name__)
_FEW_SYMBOLS = 32
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
    """One content to take in: `read` gives its chunks, and is called at most once (maybe in another process).

    `pulled`: what a vendor was asked for. Then all rows are of that one partition, there may be none, the content is
    known only if it is what the newest pull of that window brought, and absence counts in the whole window.
    """

    name: str
    path: str
    sha256: str
    bytes: int
    read: ReadFile
    pulled: PulledWindow | None = None


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


def ingest_files(
    lake: Lake, feed: Feed, sources: Iterable[SourceFile], run: IngestRun, *, workers: int = 1
) -> Iterator[FileReport]:
    """Take in files one after another; each is committed before its report is given.

    A refused file is recorded with its cause and leaves no rows. Holds the feed's write lock throughout. With several
    workers files are parsed at once in processes of their own and committed in the order they were given.
    """
    with lake.writing(feed.name):
        note_definition(lake, feed, run.clock())
        stager = _Stager(lake, feed, run, workers)
        with stager:
            for source, known, staged in stager.stage_all(sources):
                yield _known_report(source, known) if staged is None else _settle(lake, feed, source, run, staged())


def known_ingest(lake: Lake, feed: Feed, source: SourceFile) -> Ingest | None:
    """The ingest that brought this content, if it is known.

    A vendor may go back to what it said before something else: of its answers only the last standing one is known.
    """
    known = lake.catalog.latest_ingest(feed.name, source.sha256)
    if source.pulled is None or known is None:
        return known
    standing = [part.ingest for part in lake.catalog.standing_parts(feed.name, [source.pulled.partition])]
    # A repair is no answer: what the vendor said last it still says.
    own = [each for each in standing if each.pulled and each.pulled.provider == source.pulled.provider]
    pulls = [ingest for ingest in own if ingest.pulled is not None and ingest.pulled.meets(source.pulled)]
    return known if pulls and pulls[-1].sha256 == source.sha256 else None


def _pinned(source: SourceFile) -> str | None:
    return None if source.pulled is None else source.pulled.partition


def _known_report(source: SourceFile, known: Ingest | None) -> FileReport:
    assert known is not None
    status = IngestStatus.KNOWN if known.status == IngestStatus.ACCEPTED else IngestStatus.REFUSED
    return FileReport(source.name, status, known.rows, (), known.rule, known.message)


class _Stager:
    """Parses files into staging folders of their own, in this process or in several."""

    def __init__(self, lake: Lake, feed: Feed, run: IngestRun, workers: int) -> None:
        self._lake, self._feed, self._run = lake, feed, run
        self._workers = workers
        # A killed ingest's workers may still be writing: never into the folder of the next one.
        self._folder = secrets.token_hex(4)
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> None:
        if self._workers > 1:
            self._pool = ProcessPoolExecutor(self._workers, mp_context=get_context("spawn"))

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def stage_all(
        self, sources: Iterable[SourceFile]
    ) -> Iterator[tuple[SourceFile, Ingest | None, Callable[[], StagedFile] | None]]:
        """(source, its earlier ingest, how to get it staged); the last is None for contents already taken in."""
        waiting: deque[tuple[SourceFile, Ingest | None, Callable[[], StagedFile] | None]] = deque()
        begun: set[str] = set()
        for number, source in enumerate(sources):
            known = known_ingest(self._lake, self._feed, source)
            repeated = source.sha256 in begun
            fresh = known is None or known.parse_version != self._feed.parse_version or self._run.restart
            if repeated:
                # The same content twice in one call: the first is committed by the time this one is looked at.
                yield from self._drain(waiting)
                known, fresh = known_ingest(self._lake, self._feed, source), False
            begun.add(source.sha256)
            waiting.append((source, known, self._start(source, number) if fresh else None))
            if len(waiting) > (self._workers if self._pool else 0):
                yield waiting.popleft()
        yield from self._drain(waiting)

    def _drain(self, waiting: "deque[_Waiting]") -> "Iterator[_Waiting]":
        while waiting:
            yield waiting.popleft()

    def _start(self, source: SourceFile, number: int) -> Callable[[], StagedFile]:
        known_at_us = self._run.clock()
        folder = self._lake.layout.staging(self._feed.name) / self._folder / str(number)
        if self._pool is None:
            return lambda: stage_file(
                self._feed, source.name, source.read, known_at_us, folder, spill=False, partition=_pinned(source)
            )
        return self._pool.submit(
            stage_file, self._feed, source.name, source.read, known_at_us, folder, spill=True, partition=_pinned(source)
        ).result


_Waiting = tuple[SourceFile, Ingest | None, Callable[[], StagedFile] | None]


def _settle(lake: Lake, feed: Feed, source: SourceFile, run: IngestRun, staged: StagedFile) -> FileReport:
    record = _record(feed, source, run, staged.known_at_us)
    if staged.refusal is not None:
        refusal = staged.refusal
        changed = [] if source.pulled else _replaced_partitions(lake, feed, source)
        refused = replace(record, status=IngestStatus.REFUSED.value, rule=refusal.rule, message=str(refusal))
        lake.catalog.record_ingest(refused, [])
        logger.info("refused %s: %s", source.name, refusal)
        return FileReport(source.name, IngestStatus.REFUSED, 0, tuple(changed), refusal.rule, str(refusal))
    assert staged.staging is not None
    report = _commit(lake, feed, source, run, record, staged.staging, staged.findings)
    staged.staging.clear()
    logger.info("ingested %s: %d rows into %d partitions", source.name, report.rows, len(report.partitions))
    return report


def _commit(
    lake: Lake,
    feed: Feed,
    source: SourceFile,
    run: IngestRun,
    record: Ingest,
    staging: PartitionStaging,
    findings: tuple[Finding, ...],
) -> FileReport:
    parts = [
        _write_part(lake, feed, source, partition, staging.rows_of(partition), run.mode)
        for partition in staging.partitions()
    ]
    first, last = staging.first_us, staging.last_us
    if source.pulled is not None:
        changed = {source.pulled.partition}
        # "There was nothing" is an answer too, and has to be seen to be one.
        nothing = RAW_BAR_SCHEMA.empty_table()
        parts = parts or [_write_part(lake, feed, source, source.pulled.partition, nothing, run.mode)]
    else:
        changed = set(staging.partitions()) | set(_replaced_partitions(lake, feed, source))
    if source.pulled is None and run.mode is IngestMode.REPLACE_WINDOW and first is not None and last is not None:
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
    return RawPart(partition, name, part_id, lake.layout.relative(path), table.num_rows, _few_symbols(table))


def _few_symbols(table: pa.Table) -> tuple[str, ...] | None:
    """The symbols of a part where they are few, so that a later change of others need not read it."""
    found = pc.unique(table["symbol"])
    return None if len(found) > _FEW_SYMBOLS else tuple(sorted(symbol or NO_SYMBOL for symbol in found.to_pylist()))


def _replaced_partitions(lake: Lake, feed: Feed, source: SourceFile) -> list[str]:
    """Partitions an earlier ingest of the same content (under another feed version) had brought rows for."""
    keys = lake.catalog.content_partitions(feed.name, source.sha256)
    # Under another partitioning there were other partitions, which are no more.
    return [key for key in keys if is_partition_key(key, period_of(feed.partition))]


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
        pulled=source.pulled,
    )
