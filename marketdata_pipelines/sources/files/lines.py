"""Cutting a byte stream into blocks of whole physical lines.

Every `\\n`, `\\r\\n` and lone `\\r` ends a line, also mixed in one file. What a line means is not decided here.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from marketdata_pipelines.sources.files.encoding import Readable

LONGEST_LINE = 64 << 10
_LF, _CR = 10, 13
_ORIGINAL_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class LineBlock:
    """Consecutive lines: line i is `data[starts[i]:ends[i]]`, without its terminator.

    `first_line` is the 1-based physical number of line 0.
    """

    data: bytes
    starts: np.ndarray
    ends: np.ndarray
    first_line: int

    def line(self, index: int) -> bytes:
        return self.data[int(self.starts[index]) : int(self.ends[index])]

    def texts(self, indices: np.ndarray) -> list[str]:
        """The lines as text, shortened to 2,000 characters; bytes that are not UTF-8 show as U+FFFD."""
        found = []
        for start, end in zip(self.starts[indices].tolist(), self.ends[indices].tolist(), strict=True):
            piece = self.data[start : min(end, start + 4 * _ORIGINAL_CHARACTERS)]
            found.append(piece.decode("utf-8", "replace")[:_ORIGINAL_CHARACTERS])
        return found


def split_lines(data: bytes, first_line: int = 1) -> LineBlock:
    """All lines of `data`; a last line without terminator counts."""
    array = np.frombuffer(data, np.uint8)
    if b"\r" not in data:
        ends = np.flatnonzero(array == _LF)
        starts = np.concatenate(([0], ends[:-1] + 1)) if len(ends) else ends
        after = int(ends[-1]) + 1 if len(ends) else 0
    else:
        returns = np.flatnonzero(array == _CR)
        following = array[np.minimum(returns + 1, len(array) - 1)]
        lone = returns[(following != _LF) | (returns == len(array) - 1)]
        stops = np.union1d(np.flatnonzero(array == _LF), lone)
        starts = np.concatenate(([0], stops[:-1] + 1))
        before = np.maximum(stops - 1, 0)
        paired = (array[stops] == _LF) & (array[before] == _CR) & (stops > starts)
        ends = stops - paired
        after = int(stops[-1]) + 1
    if after < len(data):
        starts, ends = np.append(starts, after), np.append(ends, len(data))
    return LineBlock(data, starts.astype(np.int64), ends.astype(np.int64), first_line)


def read_blocks(stream: Readable, chunk_bytes: int) -> Iterator[LineBlock]:
    """Blocks of about `chunk_bytes`, each ending at the end of a line.

    A line longer than a block keeps its first 128 KiB and loses the rest: it is rejected anyway.
    """
    chunk_bytes = max(chunk_bytes, 1 << 10)
    carry, line = b"", 1
    while piece := stream.read(chunk_bytes):
        data = carry + piece
        cut = _last_line_end(data)
        if cut == 0:
            carry = data if len(data) <= max(chunk_bytes, 4 * LONGEST_LINE) else data[: 2 * LONGEST_LINE]
            continue
        carry = data[cut:]
        block = split_lines(data[:cut] if carry else data, line)
        line += len(block.starts)
        yield block
    if carry:
        yield split_lines(carry, line)


def _last_line_end(data: bytes) -> int:
    """The offset after the last terminator; a `\\r` at the very end may be half of a `\\r\\n` and is left."""
    return max(data.rfind(b"\n"), data.rfind(b"\r", 0, len(data) - 1)) + 1
