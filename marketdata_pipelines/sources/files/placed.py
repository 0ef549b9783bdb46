"""The source text of single rows of a file, by physical line or by data row, without parsing the file.

What a row means is decided in `read`; here its text is fetched, and a file too large for that is given up in time.
"""

import json
from collections.abc import Collection, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from marketdata_pipelines.errors import SourceRejected
from marketdata_pipelines.sources.files.compression import open_seekable, open_stream
from marketdata_pipelines.sources.files.encoding import Readable, Utf8Stream, canonical_encoding, detect_encoding
from marketdata_pipelines.sources.files.formats import container_format
from marketdata_pipelines.sources.files.lines import LONGEST_LINE, LineBlock, split_lines

_HEAD_BYTES = 64 << 10
_PIECE_BYTES = 4 << 20
_KEPT_BYTES = 32 << 20
_LONGEST_TEXT = 2_000


class PlacedLines:
    """The physical lines of one text file, numbered from 1 as `lines.read_blocks` numbers them."""

    def __init__(
        self,
        path: str,
        encoding: str | None = None,
        *,
        kept_bytes: int = _KEPT_BYTES,
        piece_bytes: int = _PIECE_BYTES,
    ) -> None:
        """`encoding` None: recognised from the first bytes, as for reading the file.

        A file of up to `kept_bytes` stays in memory; a larger one is gone through by `piece_bytes` for every question.
        Errors: SourceUnavailable, SourceRejected(compression_damaged).
        """
        self._path, self._encoding = path, canonical_encoding(encoding) if encoding else None
        self._kept_bytes, self._piece_bytes = kept_bytes, piece_bytes
        self._whole = self._kept()

    def texts(self, numbers: Collection[int], limit_bytes: int | None = None) -> dict[int, str]:
        """The lines with these numbers, shortened to 2,000 characters.

        `limit_bytes`: how much unfolded text may be gone through; lines behind it are left out.
        """
        if self._whole is not None:
            return _lines_of(self._whole, numbers)
        return self._streamed(set(numbers), limit_bytes)

    def _kept(self) -> LineBlock | None:
        with open_stream(self._path) as stream:
            text = self._text(stream)
            pieces: list[bytes] = []
            size = 0
            while size <= self._kept_bytes:
                piece = text.read(self._piece_bytes)
                if not piece:
                    return split_lines(b"".join(pieces))
                pieces.append(piece)
                size += len(piece)
        return None

    def _streamed(self, wanted: set[int], limit_bytes: int | None) -> dict[int, str]:
        found: dict[int, str] = {}
        carry, line, gone = b"", 1, 0
        with open_stream(self._path) as stream:
            text = self._text(stream)
            while len(found) < len(wanted) and (limit_bytes is None or gone < limit_bytes):
                piece = text.read(self._piece_bytes)
                gone += len(piece)
                data = carry + piece
                cut = _last_line_end(data) if piece else len(data)
                ended, carry = data[:cut], data[cut:]
                if len(carry) > max(self._piece_bytes, 4 * LONGEST_LINE):
                    # A line longer than a block keeps its beginning, as for reading the file.
                    carry = carry[: 2 * LONGEST_LINE]
                count = _line_ends(ended)
                if not piece and ended and not ended.endswith((b"\n", b"\r")):
                    count += 1
                inside = [number for number in wanted if line <= number < line + count]
                if inside:
                    found |= _lines_of(split_lines(ended, line), inside)
                line += count
                if not piece:
                    break
        return found

    def _text(self, stream: Readable) -> Utf8Stream:
        head = stream.read(_HEAD_BYTES)
        return Utf8Stream(_Rejoined(head, stream), self._encoding or detect_encoding(head))


class _Rejoined:
    """A stream whose first bytes were looked at already."""

    def __init__(self, head: bytes, rest: Readable) -> None:
        self._head, self._rest = head, rest

    def read(self, size: int, /) -> bytes:
        if not self._head:
            return self._rest.read(size)
        taken, self._head = self._head[:size], self._head[size:]
        return taken


def stored_container(path: str) -> str | None:
    """`parquet` or `excel` by a file's first bytes, unfolded; None for text."""
    with open_stream(path) as stream:
        return container_format(stream.read(16))


def parquet_cells(path: str, rows: Sequence[int]) -> dict[int, str]:
    """Data rows of a Parquet file with all of its columns, written as JSON; only their row groups are read.

    Errors: SourceUnavailable, SourceRejected(container_damaged).
    """
    found: dict[int, str] = {}
    with open_seekable(path) as stream:
        try:
            with pq.ParquetFile(stream) as file:
                sizes = [file.metadata.row_group(at).num_rows for at in range(file.metadata.num_row_groups)]
                starts = np.cumsum([0, *sizes])
                for group in range(len(sizes)):
                    inside = [row for row in rows if starts[group] < row <= starts[group + 1]]
                    if inside:
                        taken = file.read_row_group(group).take(
                            pa.array([row - 1 - int(starts[group]) for row in inside])
                        )
                        found |= dict(zip(inside, _written(taken), strict=True))
        except (pa.ArrowException, OSError, ValueError) as error:
            raise SourceRejected(
                f"{path} is Parquet that is cut off or damaged ({error}); fetch it again", rule="container_damaged"
            ) from error
    return found


def _written(rows: pa.Table) -> list[str]:
    return [json.dumps(row, default=str)[:_LONGEST_TEXT] for row in rows.to_pylist()]


def _lines_of(block: LineBlock, numbers: Collection[int]) -> dict[int, str]:
    last = block.first_line + len(block.starts)
    inside = sorted(number for number in numbers if block.first_line <= number < last)
    texts = block.texts(np.array(inside, np.int64) - block.first_line)
    return dict(zip(inside, texts, strict=True))


def _line_ends(data: bytes) -> int:
    r"""How many of `\n`, `\r\n` and lone `\r` there are."""
    if b"\r" not in data:
        return data.count(b"\n")
    return data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n")


def _last_line_end(data: bytes) -> int:
    r"""The offset after the last terminator; a `\r` at the very end may be half of a `\r\n` and is left."""
    return max(data.rfind(b"\n"), data.rfind(b"\r", 0, len(data) - 1)) + 1
