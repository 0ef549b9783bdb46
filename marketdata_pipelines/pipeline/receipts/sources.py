"""The sources behind raw parts, looked at again: whether they are what was taken in, their rows' text, their rows.

Nothing is fetched from a vendor: its answers are in the lake. Without being asked to, no large file is read whole.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import int_values
from marketdata_pipelines.domain.repairs.records import REPAIR
from marketdata_pipelines.domain.sessions import to_us
from marketdata_pipelines.errors import MarketDataError
from marketdata_pipelines.pipeline.acquire import sample_source, simulated_files
from marketdata_pipelines.pipeline.parsing import ReadFile
from marketdata_pipelines.pipeline.receipts.origins import answer_bars, answer_text
from marketdata_pipelines.pipeline.receipts.records import SourceText, TextOrigin
from marketdata_pipelines.sources.files.compression import open_stream
from marketdata_pipelines.sources.files.excel import excel_cells
from marketdata_pipelines.sources.files.formats import EXCEL, PARQUET
from marketdata_pipelines.sources.files.listing import file_digest
from marketdata_pipelines.sources.files.placed import PlacedLines, parquet_cells, stored_container
from marketdata_pipelines.sources.files.plan import plan_file
from marketdata_pipelines.sources.files.read import read_file
from marketdata_pipelines.sources.parsed import Chunk
from marketdata_pipelines.stores.lake.catalog import Ingest, StandingPart
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.lake.origins import OriginPayload, is_origin, read_origin

Row = dict[str, object]
_SIMULATED, _SAMPLE = "simulated://", "sample://"
# Hashing this much takes a thirtieth of a second; a larger file is known by its size and time until it is verified.
HASHED_BYTES = 32 << 20
# How much unfolded text is gone through for a line that was not asked for by --verify: less than a second's work.
_UNFOLDED_LIMIT = {None: 1 << 30, "gz": 256 << 20, "zip": 256 << 20, "zst": 512 << 20, "xz": 32 << 20, "bz2": 16 << 20}
# Whole documents and workbooks up to this size are read for the text of a row.
_DOCUMENT_BYTES = 16 << 20
_KEPT_BYTES = 64 << 20
# Lines of a text file up to this size, unfolded, stay in memory: the next one costs nothing.
_KEPT_TEXT = 32 << 20


@dataclass(frozen=True, slots=True)
class SourceState:
    """Whether a source is what was taken in: `same` is None where nothing told; `text` says how it is known."""

    same: bool | None
    text: str


class RowSources:
    """Reads the sources of one feed's raw parts; keeps the last few open."""

    def __init__(self, lake: Lake, feed: Feed) -> None:
        self._lake, self._feed = lake, feed
        self._lines: Callable[[str, tuple[int, int]], PlacedLines] = lru_cache(maxsize=8)(self._open_lines)
        self._digest: Callable[[str, tuple[int, int]], str] = lru_cache(maxsize=256)(lambda path, _: file_digest(path))
        self._payloads: Callable[[str], list[OriginPayload]] = lru_cache(maxsize=16)(
            lambda name: read_origin(lake.layout, feed.name, name)
        )
        self._small: Callable[[Ingest, str, tuple[int, int]], list[Chunk]] = lru_cache(maxsize=8)(
            lambda ingest, partition, _: list(self._read(ingest, partition))
        )

    def state(self, part: StandingPart, *, limit_bytes: int | None = HASHED_BYTES) -> SourceState:
        """Whether a part's source is there and unchanged, by its SHA-256 or by size and time.

        `limit_bytes`: no larger file is hashed; None: every one is.
        """
        ingest = part.ingest
        try:
            if is_origin(ingest.path):
                count = len(self._payloads(ingest.path))
                if ingest.pulled is not None and ingest.pulled.provider == REPAIR:
                    return SourceState(True, "the repair's own record, kept in the lake, hashes match")
                return SourceState(True, f"{count} vendor answer(s) kept in the lake, hashes match")
            if _is_made(ingest.path):
                same = self._made_again(ingest, part.part.partition) is not None
                return SourceState(same, "made again" if same else "the feed makes another content today")
            return self._file_state(ingest, limit_bytes)
        except MarketDataError as error:
            return SourceState(None, str(error))

    def texts(self, part: StandingPart, rows: Sequence[Row], *, patient: bool = False) -> list[SourceText]:
        """The source text of rows of a part's raw table; `patient`: however long that takes."""
        missing = [row for row in rows if row["original"] is None]
        found = self._texts(part, missing, patient=patient) if missing else {}
        return [
            SourceText(str(row["original"]), TextOrigin.KEPT) if row["original"] is not None else found[id(row)]
            for row in rows
        ]

    def parsed(self, part: StandingPart, symbol: str) -> pa.Table | str:
        """The rows of a symbol (perhaps of others too) read again from the source; a text says why that cannot be."""
        ingest = part.ingest
        if ingest.parse_version != self._feed.parse_version:
            return f"{ingest.file}: the feed reads its sources otherwise today; ingest it again with --restart"
        try:
            if is_origin(ingest.path):
                return self._parsed_answer(ingest)
            tables = [chunk.table for chunk in self._chunks(part)]
            if not self._is_small(ingest):
                tables = [table.filter(pc.equal(table["symbol"], symbol)) for table in tables]
            return pa.concat_tables(tables)
        except MarketDataError as error:
            return str(error)

    def _file_state(self, ingest: Ingest, limit_bytes: int | None) -> SourceState:
        if "://" in ingest.path:
            if limit_bytes is not None:
                return SourceState(None, "at a URL; not looked at (--verify reads it)")
            same = self._digest(ingest.path, (0, 0)) == ingest.sha256
            return SourceState(same, "SHA-256 matches" if same else "its SHA-256 is another")
        stamp = _stamp(ingest.path)
        if stamp is None:
            return SourceState(None, "the file is not there any more")
        size, changed_ns = stamp
        if size != ingest.bytes:
            return SourceState(False, f"the file has changed: {size:,} bytes, it had {ingest.bytes:,}")
        if limit_bytes is None or size <= limit_bytes:
            same = self._digest(ingest.path, stamp) == ingest.sha256
            return SourceState(same, "SHA-256 matches" if same else "the file has changed: its SHA-256 is another")
        if changed_ns // 1000 <= ingest.known_at_us:
            return SourceState(True, "size and time unchanged; too much to hash in passing (--verify does)")
        return SourceState(None, "size unchanged, written to since; too much to hash in passing (--verify does)")

    def _texts(self, part: StandingPart, rows: Sequence[Row], *, patient: bool) -> dict[int, SourceText]:
        state = self.state(part)
        if not state.same:
            return {id(row): SourceText(None, TextOrigin.MISSING, state.text) for row in rows}
        try:
            if is_origin(part.ingest.path):
                return {id(row): self._answer_text(part.ingest, row) for row in rows}
            if _is_made(part.ingest.path):
                return self._chunk_texts(part, rows, TextOrigin.MADE_AGAIN)
            return self._file_texts(part, rows, patient=patient)
        except MarketDataError as error:
            return {id(row): SourceText(None, TextOrigin.MISSING, str(error)) for row in rows}

    def _file_texts(self, part: StandingPart, rows: Sequence[Row], *, patient: bool) -> dict[int, SourceText]:
        path, size = part.ingest.path, part.ingest.bytes
        container = stored_container(path)
        placed = {id(row): row for row in rows if row["line"] is not None}
        if container is None and len(placed) == len(rows):
            limit = None if patient else _UNFOLDED_LIMIT[_compression(path)]
            lines = self._lines(path, _stamp(path) or (0, 0)).texts({_number(row["line"]) for row in rows}, limit)
            note = "it lies too far into the file to be read in passing; --verify reads it"
            return {key: _found(lines.get(_number(row["line"])), note) for key, row in placed.items()}
        if container == PARQUET:
            cells = parquet_cells(path, [_number(row["row"]) for row in rows])
            return {id(row): _found(cells.get(_number(row["row"])), "the file has no such row") for row in rows}
        if size > _DOCUMENT_BYTES and not patient:
            note = "the file is too large to be read in passing; --verify reads it"
            return {id(row): SourceText(None, TextOrigin.MISSING, note) for row in rows}
        if container == EXCEL:
            cells = excel_cells(path, self._feed.source.sheet, {_number(row["row"]) for row in rows})
            return {id(row): _found(cells.get(_number(row["row"])), "the workbook has no such row") for row in rows}
        return self._chunk_texts(part, rows, TextOrigin.FILE)

    def _chunk_texts(self, part: StandingPart, rows: Sequence[Row], origin: TextOrigin) -> dict[int, SourceText]:
        wanted = np.array([_number(row["row"]) for row in rows], np.int64)
        texts: dict[int, str] = {}
        for chunk in self._chunks(part):
            numbers = int_values(chunk.table["row"])
            at = np.flatnonzero(np.isin(numbers, wanted))
            if len(at):
                texts |= dict(zip(numbers[at].tolist(), chunk.originals(at), strict=True))
        nothing = SourceText(None, TextOrigin.MISSING, "the source has no such row")
        return {
            id(row): SourceText(texts[number], origin) if number in texts else nothing
            for row, number in zip(rows, wanted.tolist(), strict=True)
        }

    def _answer_text(self, ingest: Ingest, row: Row) -> SourceText:
        payloads = self._payloads(ingest.path)
        provider = ingest.pulled.provider if ingest.pulled is not None else ""
        text = answer_text(provider, payloads, row, to_us(row["ts"]))  # type: ignore[arg-type]
        if text is not None:
            return SourceText(text, TextOrigin.RECORD if provider == REPAIR else TextOrigin.ANSWER)
        return SourceText(None, TextOrigin.MISSING, f"not told apart in the {len(payloads)} answer(s) of {ingest.path}")

    def _parsed_answer(self, ingest: Ingest) -> pa.Table | str:
        assert ingest.pulled is not None
        bars = answer_bars(self._feed, ingest.pulled, self._payloads(ingest.path))
        if bars is None:
            return f"{ingest.file}: only {ingest.pulled.provider}'s own client can read its answers again"
        numbered = bars.append_column("row", pa.array(np.arange(1, bars.num_rows + 1)))
        return numbered.append_column("line", pa.nulls(bars.num_rows, pa.int64()))

    def _chunks(self, part: StandingPart) -> Iterable[Chunk]:
        if not self._is_small(part.ingest):
            return self._read(part.ingest, part.part.partition)
        # A simulated partition is a content of its own; a file is read once for all of its partitions.
        partition = part.part.partition if part.ingest.path.startswith(_SIMULATED) else ""
        return self._small(part.ingest, partition, _stamp(part.ingest.path) or (0, 0))

    def _read(self, ingest: Ingest, partition: str) -> Iterable[Chunk]:
        if _is_made(ingest.path):
            read = self._made_again(ingest, partition)
            return read()[0] if read is not None else ()
        return read_file(ingest.path, self._feed, plan_file(ingest.path, self._feed))

    def _made_again(self, ingest: Ingest, partition: str) -> ReadFile | None:
        """How to read a content that is made, not kept; None where the feed makes another one today."""
        if ingest.path.startswith(_SAMPLE):
            source = sample_source(self._feed)
            return source.read if source.sha256 == ingest.sha256 else None
        made = simulated_files(self._feed, [partition], ingest.known_at_us)
        return next((source.read for source in made if source.sha256 == ingest.sha256), None)

    def _open_lines(self, path: str, _stamp: tuple[int, int]) -> PlacedLines:
        kept_bytes = min(_KEPT_TEXT, _UNFOLDED_LIMIT[_compression(path)])
        return PlacedLines(path, self._feed.source.encoding, kept_bytes=kept_bytes)

    def _is_small(self, ingest: Ingest) -> bool:
        # A URL's size is not recorded.
        return ingest.bytes <= _KEPT_BYTES and ("://" not in ingest.path or _is_made(ingest.path))


def _is_made(path: str) -> bool:
    return path.startswith((_SIMULATED, _SAMPLE))


def _found(text: str | None, note: str) -> SourceText:
    return SourceText(None, TextOrigin.MISSING, note) if text is None else SourceText(text, TextOrigin.FILE)


def _number(value: object) -> int:
    assert isinstance(value, int)
    return value


def _compression(path: str) -> str | None:
    with open_stream(path) as stream:
        return stream.compression


def _stamp(path: str) -> tuple[int, int] | None:
    """Size and time of change; None where nothing is there."""
    try:
        status = os.stat(os.path.expanduser(path))
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
