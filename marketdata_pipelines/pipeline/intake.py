"""Takes the files of a drop folder into raw parts, and says which partitions that leaves behind.

One file's trouble is its own: a file that is gone, unreadable or changed meanwhile is left for a later look.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period, period_of
from marketdata_pipelines.errors import SourceError, SourceUnavailable
from marketdata_pipelines.pipeline.acquire import file_source
from marketdata_pipelines.pipeline.changes import affected_partitions, stale_partitions
from marketdata_pipelines.pipeline.ingest import FileReport, IngestRun, SourceFile, ingest_files
from marketdata_pipelines.pipeline.landing import stamp_of
from marketdata_pipelines.sources.files.wholeness import is_being_written
from marketdata_pipelines.sources.parsed import Chunk, Finding
from marketdata_pipelines.stores.lake.digests import Digests
from marketdata_pipelines.stores.lake.lake import Lake

Clock = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Left:
    """A file that was not taken in, and may be later."""

    path: str
    reason: str


def take_in(
    lake: Lake, feed: Feed, paths: Iterable[str], *, run_id: str, clock: Clock
) -> Iterator[tuple[str, FileReport | Left]]:
    """Ingest files one by one, each committed before it is reported with its path.

    Errors: PartitionConflict when another ingest into the feed holds its lock for minutes.
    """
    digests = Digests(lake.layout.digests(feed.name))
    run = IngestRun(run_id=run_id, clock=clock)
    for path in paths:
        try:
            stamp = stamp_of(path)
            if is_being_written(path):
                yield path, Left(path, "another process is writing it")
                continue
            source = file_source(feed, path)
            (report,) = ingest_files(lake, feed, [replace(source, read=_SteadyRead(source, stamp))], run)
        except FileNotFoundError:
            yield path, Left(path, "it is not there any more")
        except (OSError, SourceUnavailable) as error:
            yield path, Left(path, str(error))
        else:
            digests.remember({path: (stamp, source.sha256)})
            yield path, report


def partitions_behind(lake: Lake, feed: Feed, after_seq: int) -> dict[Period, list[str]]:
    """Of what ingests later than `after_seq` touched, the partitions whose tables are behind, by period.

    What a killed run left underived is found again here, from the ledger alone. Partitions that are behind for
    another reason (a new version of the code or the calendar) are not: nobody has asked for those.
    """
    stale = stale_partitions(lake, feed)
    base = period_of(feed.partition)
    standing = lake.catalog.standing_parts(feed.name)
    touched = {each.part.partition for each in standing if each.ingest.seq > after_seq}
    # A file read again under another definition may leave a partition it had rows for.
    touched |= set(stale[base]) - {each.part.partition for each in standing}
    reached = affected_partitions(feed, touched)
    return {period: sorted(set(keys) & set(reached.get(period, ()))) for period, keys in stale.items()}


def last_seq(lake: Lake, feed: Feed) -> int:
    """The ledger's newest sequence number of a feed; 0 for none."""
    return max((seq for seq, _ in lake.catalog.contents(feed.name).values()), default=0)


def without(
    feed: Feed, work: Mapping[Period, list[str]], claimed: Mapping[Period, frozenset[str]]
) -> dict[Period, list[str]]:
    """Work less the partitions that others are at, and less the weeks and months of days that others are at."""
    base = period_of(feed.partition)
    held = affected_partitions(feed, set(work.get(base, ())) & claimed.get(base, frozenset()))
    return {
        period: [key for key in keys if key not in claimed.get(period, frozenset()) and key not in held.get(period, ())]
        for period, keys in work.items()
    }


@dataclass(frozen=True, slots=True)
class _SteadyRead:
    """Reads a source and makes sure that the file stayed the same from its digest to its last row."""

    source: SourceFile
    stamp: str

    def __call__(self) -> tuple[Iterable[Chunk], tuple[Finding, ...]]:
        with self._steady():
            chunks, findings = self.source.read()
        return self._chunks(chunks), findings

    def _chunks(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        with self._steady():
            yield from chunks

    @contextmanager
    def _steady(self) -> Iterator[None]:
        try:
            yield
        except SourceError as error:
            self._check(error)
            raise
        self._check(None)

    def _check(self, cause: SourceError | None) -> None:
        try:
            changed = stamp_of(self.source.path) != self.stamp
        except OSError:
            changed = True
        if changed:
            raise SourceUnavailable(f"{self.source.name} changed while it was read; it is left for later") from cause
