"""Reading a file as chunks of raw rows: the one entry for the pipeline."""

from collections.abc import Iterator

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.errors import SourceRejected
from marketdata_pipelines.sources.files import formats
from marketdata_pipelines.sources.files.cells import CellStream
from marketdata_pipelines.sources.files.listing import file_digest, list_files
from marketdata_pipelines.sources.files.plan import plan_file
from marketdata_pipelines.sources.files.plans import FilePlan
from marketdata_pipelines.sources.files.rows import RowReader
from marketdata_pipelines.sources.files.sampling import HEAD_BYTES
from marketdata_pipelines.sources.parsed import Chunk

__all__ = ["file_digest", "list_files", "read_file"]


def read_file(path: str, feed: Feed, plan: FilePlan | None = None, *, chunk_bytes: int = 32 << 20) -> Iterator[Chunk]:
    """Stream a file's rows in file order, every data row once (bid and ask bars: one chunk each).

    Shape:   chunks of RAW_BAR_SCHEMA or RAW_TRADE_SCHEMA without `original`; a chunk covers about `chunk_bytes`.
    Times:   `ts` is the bar's open, UTC; rows of an hour that clocks repeat come in one last chunk.
    Errors:  SourceRejected at any point when the file must be refused whole: discard what came before.
    """
    plan = plan_file(path, feed) if plan is None else plan
    reader = RowReader(feed, plan)
    for cells in _cells(plan, feed, max(chunk_bytes, HEAD_BYTES)):
        yield from reader.chunks(cells)
    yield from reader.finish()
    if not reader.rows:
        raise SourceRejected(f"{path} has no rows; nothing to ingest", rule="no_rows")
    if not reader.readable_times:
        raise SourceRejected(
            f"{path}: none of its {reader.rows} times in {plan.sources['ts']} can be read as {plan.time_format}; "
            "pin `time_format` in feeds.yaml",
            rule="unreadable_times",
        )


def _cells(plan: FilePlan, feed: Feed, chunk_bytes: int) -> CellStream:
    if plan.format == formats.CSV:
        from marketdata_pipelines.sources.files.delimited import read_delimited

        return read_delimited(plan, chunk_bytes)
    if plan.format == formats.JSON_LINES:
        from marketdata_pipelines.sources.files.jsonlines import read_lines

        return read_lines(plan, chunk_bytes)
    if plan.format == formats.JSON:
        from marketdata_pipelines.sources.files.jsondocument import read_document

        return read_document(plan)
    if plan.format == formats.PARQUET:
        from marketdata_pipelines.sources.files.parquet import read_parquet

        return read_parquet(plan, chunk_bytes)
    from marketdata_pipelines.sources.files.excel import read_excel

    return read_excel(plan, feed.source.sheet)
