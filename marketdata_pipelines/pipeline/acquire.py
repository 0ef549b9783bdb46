"""Brings a source's data into raw parts: files from a path, simulated days, the packaged sample.

One way in for all sources: everything becomes a `SourceFile` and goes through `ingest`.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from marketdata_pipelines.domain.feeds import Feed, SourceKind
from marketdata_pipelines.domain.partitions import partition_span, period_of
from marketdata_pipelines.errors import SettingsInvalid, SourceUnavailable
from marketdata_pipelines.pipeline.ingest import FileReport, IngestRun, IngestStatus, SourceFile, ingest_files
from marketdata_pipelines.sources.files.listing import file_digest, list_files
from marketdata_pipelines.sources.files.plan import plan_file
from marketdata_pipelines.sources.files.read import read_file
from marketdata_pipelines.sources.parsed import Chunk, Finding
from marketdata_pipelines.sources.sample import read_sample, sample_files
from marketdata_pipelines.sources.simulated.history import historical
from marketdata_pipelines.stores.lake.lake import Lake

OnFile = Callable[[FileReport], None]


@dataclass(frozen=True, slots=True)
class AcquireReport:
    """What acquiring brought: the files that were new, and a line of text for each that needs attention."""

    files: tuple[FileReport, ...]

    @property
    def partitions(self) -> tuple[str, ...]:
        return tuple(sorted({key for report in self.files for key in report.partitions}))

    @property
    def messages(self) -> tuple[str, ...]:
        refused = [report for report in self.files if report.status is IngestStatus.REFUSED]
        return tuple(f"refused {report.file}: {report.message}" for report in refused)


def acquire(
    lake: Lake, feed: Feed, source_path: str | None, keys: Sequence[str], *, run_id: str, now_us: int
) -> AcquireReport:
    """Bring what the feed's source has for these partitions, as far as it is new.

    A folder of files is taken in whole (its files do not say their partitions); nothing there yet is no error.
    """
    run = IngestRun(run_id=run_id, clock=lambda: now_us)
    if feed.source.kind is SourceKind.FILES:
        sources = landed_files(feed, source_path)
    elif feed.source.kind is SourceKind.SIMULATED:
        sources = simulated_days(feed, keys, now_us)
    else:
        sources = sample_sources(feed)
    return AcquireReport(tuple(ingest_files(lake, feed, sources, run)))


def landed_files(feed: Feed, source_path: str | None) -> Iterator[SourceFile]:
    """The files below a feed's own path; none where the folder is missing or the feed names no path."""
    if source_path is None or ("://" not in source_path and "*" not in source_path and not os.path.exists(source_path)):
        return
    try:
        paths = list_files(source_path)
    except SourceUnavailable:
        return
    for path in paths:
        yield file_source(feed, path)


def file_source(feed: Feed, path: str) -> SourceFile:
    """One file as a source.

    Errors: SourceUnavailable when it cannot be read.
    """
    sha256, size = file_digest(path)
    name = path.rstrip("/").rsplit("/", 1)[-1]

    def read() -> tuple[Iterable[Chunk], tuple[Finding, ...]]:
        plan = plan_file(path, feed)
        return read_file(path, feed, plan), plan.findings

    return SourceFile(name, path, sha256, size, read)


def simulated_days(feed: Feed, keys: Sequence[str], now_us: int) -> Iterator[SourceFile]:
    """The simulated exchange's days of these partitions, as far as they are over."""
    period = period_of(feed.partition)
    for key in keys:
        start, end = partition_span(key, period)
        for day in historical(feed, start, end):
            if day.complete_us <= now_us:
                yield SourceFile(day.name, f"simulated://{feed.name}/{day.name}", day.sha256, day.bytes, lambda d=day: ([d.chunk], ()))


def sample_sources(feed: Feed) -> Iterator[SourceFile]:
    """The packaged sample's files.

    Errors: SourceUnavailable when the package is not installed.
    """
    for sample in sample_files():
        sha256 = hashlib.sha256(sample.content).hexdigest()
        yield SourceFile(
            sample.name, f"sample://{sample.name}", sha256, len(sample.content), lambda s=sample: (read_sample(feed, s), ())
        )


def check_is_files(feed: Feed) -> None:
    """Errors: SettingsInvalid when files cannot be ingested into this feed."""
    if feed.source.kind is not SourceKind.FILES:
        raise SettingsInvalid(
            f"{feed.name} is fed by {feed.source.kind}, not by files; ingest into a feed whose source is of kind files"
        )
