"""Finding the values of rows that differ in length in a binary COPY stream; compiled, so imported only when needed."""

import numba as nb
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Starts = NDArray[np.int64]
Sizes = NDArray[np.int32]


@nb.njit(cache=True, nogil=True)
def _size_at(body: Bytes, at: int) -> int:
    size = (np.int64(body[at]) << 24) | (np.int64(body[at + 1]) << 16) | (np.int64(body[at + 2]) << 8) | body[at + 3]
    return size - (np.int64(1) << 32) if size >= np.int64(1) << 31 else size


@nb.njit(cache=True, nogil=True)
def count_rows(body: Bytes, columns: int) -> int:
    """How many rows there are; -1 where one has another number of columns, or goes beyond the end."""
    at, rows, end = 0, 0, len(body)
    while at < end:
        if at + 2 > end or (np.int64(body[at]) << 8 | body[at + 1]) != columns:
            return -1
        at += 2
        for _ in range(columns):
            if at + 4 > end:
                return -1
            size = _size_at(body, at)
            if size < -1:
                return -1
            at += 4 + max(size, 0)
        if at > end:
            return -1
        rows += 1
    return rows


@nb.njit(cache=True, nogil=True)
def find_values(body: Bytes, starts: Starts, sizes: Sizes) -> None:
    """Where each value begins and how many bytes it has (-1: null), by [column, row]."""
    at = 0
    for row in range(starts.shape[1]):
        at += 2
        for column in range(starts.shape[0]):
            size = _size_at(body, at)
            starts[column, row] = at + 4
            sizes[column, row] = size
            at += 4 + max(size, 0)


@nb.njit(cache=True, nogil=True)
def gather_texts(body: Bytes, starts: Starts, sizes: Sizes, values: Bytes) -> None:
    """The bytes of a column's values, one after the other."""
    to = 0
    for row in range(len(starts)):
        for byte in range(sizes[row]):
            values[to] = body[starts[row] + byte]
            to += 1


@nb.njit(cache=True, nogil=True)
def gather_fixed(body: Bytes, starts: Starts, sizes: Sizes, values: Bytes, width: int) -> None:
    """The bytes of values of one width; those of nulls stay as they are."""
    for row in range(len(starts)):
        if sizes[row] == width:
            for byte in range(width):
                values[row * width + byte] = body[starts[row] + byte]
