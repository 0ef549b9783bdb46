"""Brings a source's data into raw parts: files from a path, simulated days, the packaged sample, vendors' history.

One way in for all sources: everything becomes a `SourceFile` and goes through `ingest` (vendors' answers in `pull`).
"""

import hashlib
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.feeds import DataKind, Feed, SourceKind
from marketdata_pipelines.domain.partitions import partition_span, period_of
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.errors import SettingsInvalid, SourceUnavailable
from marketdata_pipelines.pipeline.ingest import FileReport, IngestRun, IngestStatus, SourceFile, ingest_files
from marketdata_pipelines.pipeline.pull import PullRun, pull
from marketdata_pipelines.sources.files.listing import file_digest, list_files
from marketdata_pipelines.sources.files.plan import plan_file
from marketdata_pipelines.sources.files.read import read_file
from marketdata_pipelines.sources.files.wholeness import is_in_the_making
from marketdata_pipelines.sources.parsed import Chunk, Finding
from marketdata_pipelines.sources.pulled.caller import CallRules
from marketdata_pipelines.sources.sample import SAMPLE_NAME, read_sample, sample_bytes
from marketdata_pipelines.sources.simulated.historical import historical
from marketdata_pipelines.stores.lake.lake import Lake

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AcquireReport:
    """What acquiring brought: every file looked at."""

    files: tuple[FileReport, ...]

    @property
    def partitions(self) -> tuple[str, ...]:
        """The partitions that changed."""
        return tuple(sorted({key for report in self.files for key in report.partitions}))

    @property
    def messages(self) -> tuple[str, ...]:
        """A line for each file that needs attention."""
        refused = [report for report in self.files if report.status is IngestStatus.REFUSED]
        return tuple(f"refused {report.file}: {report.message}" for report in refused)


def acquire(
    lake: Lake,
    feed: Feed,
    source_path: str | None,
    keys: Sequence[str],
    *,
    run_id: str,
    now_us: int,
    refetch: bool = False,
    rules: CallRules | None = None,
) -> AcquireReport:
    """Bring what the feed's source has for these partitions, as far as it is new.

    A folder of files is taken in whole (its files do not say their partitions); nothing there yet is no error.
    A vendor is asked by `rules` (real time when left out), for what it was asked before too when `refetch`.
    """
    if feed.is_pulled:
        pulled = PullRun(run_id, rules or CallRules(), refetch)
        return AcquireReport(tuple(pull(lake, feed, keys, pulled)))
    run = IngestRun(run_id=run_id, clock=lambda: now_us)
    if feed.source.kind is SourceKind.FILES:
        sources = landed_files(feed, source_path, now_us)
    elif feed.source.kind is SourceKind.SIMULATED:
        sources = simulated_files(feed, keys, now_us)
    else:
        sources = iter([sample_source(feed)])
    return AcquireReport(tuple(ingest_files(lake, feed, sources, run)))


def landed_files(feed: Feed, source_path: str | None, now_us: int) -> Iterator[SourceFile]:
    """The files below a feed's own path; none where the feed names no path or nothing is there yet.

    A file that is being written is left for a later run.
    """
    if source_path is None:
        return
    try:
        paths = list_files(source_path)
    except SourceUnavailable:
        if "://" in source_path:
            raise
        return
    for path in paths:
        if is_in_the_making(path, now_us):
            logger.info("%s is being written; it is left for a later run", path)
        else:
            yield file_source(feed, path)


def file_source(feed: Feed, path: str) -> SourceFile:
    """One file as a source.

    Errors: SourceUnavailable when it cannot be read.
    """
    name = path.rstrip("/").rsplit("/", 1)[-1]
    if "://" not in path:
        # A receipt leads back to it from wherever it is asked for.
        path = os.path.abspath(path)
    size = os.path.getsize(path) if "://" not in path else 0
    return SourceFile(name, path, file_digest(path), size, _FileRead(path, feed))


@dataclass(frozen=True, slots=True)
class _FileRead:
    path: str
    feed: Feed

    def __call__(self) -> tuple[Iterable[Chunk], tuple[Finding, ...]]:
        plan = plan_file(self.path, self.feed)
        return read_file(self.path, self.feed, plan), plan.findings


def simulated_files(feed: Feed, keys: Sequence[str], now_us: int) -> Iterator[SourceFile]:
    """The simulated exchange's sessions of these partitions that are over by now.

    One file a partition once all its sessions are over, one a session until then.
    """
    period = period_of(feed.partition)
    for key in keys:
        sessions = feed_calendar(feed).sessions(*partition_span(key, period))
        over = [session.date for session in sessions if session.close <= now_us]
        groups = [over] if len(over) == len(sessions) else [[day] for day in over]
        for days in groups:
            if days:
                yield _simulated_file(feed, key if len(groups) == 1 else days[0].isoformat(), days)


def _simulated_file(feed: Feed, label: str, days: list[date]) -> SourceFile:
    name = f"{feed.name}-{label}.csv"
    identity = f"{feed.parse_version} {name} {days[0]} {days[-1]}"
    digest = hashlib.sha256(identity.encode()).hexdigest()
    return SourceFile(name, f"simulated://{name}", digest, 0, _SimulatedRead(feed, tuple(days)))


@dataclass(frozen=True, slots=True)
class _SimulatedRead:
    feed: Feed
    days: tuple[date, ...]

    def __call__(self) -> tuple[Iterable[Chunk], tuple[Finding, ...]]:
        return self._chunks(), ()

    def _chunks(self) -> Iterator[Chunk]:
        offset = 0
        for day in self.days:
            for simulated in historical(self.feed, day, day):
                yield simulated.chunk if offset == 0 else _Shifted(simulated.chunk, offset)
                offset += simulated.table.num_rows


@dataclass(frozen=True, slots=True)
class _Shifted:
    """A chunk whose rows continue those of the chunks before it."""

    chunk: Chunk
    offset: int

    @property
    def kind(self) -> DataKind:
        return self.chunk.kind

    @property
    def table(self) -> pa.Table:
        table = self.chunk.table
        for name in ("row", "line"):
            position = table.schema.get_field_index(name)
            table = table.set_column(position, name, pc.add(table[name], self.offset))
        return table

    def originals(self, positions: np.ndarray) -> Sequence[str]:
        return self.chunk.originals(positions)


def sample_source(feed: Feed) -> SourceFile:
    """The packaged sample as one file.

    Errors: SourceUnavailable when the package is not installed.
    """
    content = sample_bytes()
    return SourceFile(
        SAMPLE_NAME, f"sample://{SAMPLE_NAME}", hashlib.sha256(content).hexdigest(), len(content), _SampleRead(feed)
    )


@dataclass(frozen=True, slots=True)
class _SampleRead:
    feed: Feed

    def __call__(self) -> tuple[Iterable[Chunk], tuple[Finding, ...]]:
        return read_sample(self.feed), ()


def check_is_files(feed: Feed) -> None:
    """Errors: SettingsInvalid when files cannot be ingested into this feed."""
    if feed.source.kind is not SourceKind.FILES:
        raise SettingsInvalid(
            f"{feed.name} is fed by {feed.source.kind}, not by files; ingest into a feed whose source is of kind files"
        )
