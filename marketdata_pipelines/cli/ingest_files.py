"""Runs an ingest of listed files with progress."""

import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from marketdata_pipelines.cli.progress import Bar, progress_bar
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.pipeline.acquire import file_source
from marketdata_pipelines.pipeline.ingest import FileReport, IngestMode, IngestRun, SourceFile, ingest_files
from marketdata_pipelines.sources.parsed import Chunk, Finding
from marketdata_pipelines.stores.lake.lake import Lake


def take_in(
    lake: Lake, feed: Feed, paths: Sequence[str], *, mode: str, workers: int, restart: bool
) -> list[FileReport]:
    """Ingest files in order; each is committed before the next is reported."""
    run = IngestRun(run_id=f"ingest-{secrets.token_hex(6)}", mode=IngestMode(mode), restart=restart)
    reports = []
    with progress_bar("files", len(paths)) as bar:
        sources = (_counted(file_source(feed, path), bar, watch=workers == 1) for path in paths)
        for report in ingest_files(lake, feed, sources, run, workers=workers):
            reports.append(report)
            bar.advance()
            bar.tell(report.file)
    return reports


def _counted(source: SourceFile, bar: Bar, *, watch: bool) -> SourceFile:
    # Rows can only be counted where the file is read in this process.
    return replace(source, read=_CountedRead(source, bar)) if watch else source


@dataclass(frozen=True, slots=True)
class _CountedRead:
    """Reads a source and shows how many rows have come so far."""

    source: SourceFile
    bar: Bar

    def __call__(self) -> tuple[Iterable[Chunk], tuple[Finding, ...]]:
        self.bar.tell(self.source.name)
        chunks, findings = self.source.read()
        return self._chunks(chunks), findings

    def _chunks(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        rows = 0
        for chunk in chunks:
            rows += chunk.table.num_rows
            self.bar.tell(f"{self.source.name}: {rows:,} rows")
            yield chunk
