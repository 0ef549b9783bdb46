"""Arrow columns over numpy arrays, for answers.

Not `pyarrow.array`: it imports pandas, which takes longer than most questions.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def plain(values: NDArray[Any], kind: pa.DataType) -> pa.Array:
    """Values of a fixed width as they lie in memory; every one is known."""
    return _made(values, kind, None)


def flags(values: NDArray[np.bool_]) -> pa.Array:
    """Truth values; every one is known."""
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, _bits(values)])


def known(values: NDArray[Any], kind: pa.DataType, unknown: NDArray[np.bool_]) -> pa.Array:
    """Values of a fixed width, null where unknown."""
    return _made(values, kind, _bits(~unknown) if unknown.any() else None)


def texts(codes: NDArray[np.int32], names: Sequence[str]) -> pa.Array:
    """The names that codes stand for."""
    if len(names) == 1:
        return pa.repeat(_text(names[0]), len(codes))
    encoded = [name.encode() for name in names]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    distinct = pa.StringArray.from_buffers(len(encoded), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded)))
    return distinct.take(plain(codes, pa.int32()))


def same(text: str, count: int) -> pa.Array:
    """One text as often."""
    return pa.repeat(_text(text), count)


@lru_cache(maxsize=4096)
def _text(text: str) -> pa.StringScalar:
    value = text.encode()
    ends = pa.py_buffer(np.array([0, len(value)], np.int32))
    return pa.StringArray.from_buffers(1, ends, pa.py_buffer(value))[0]


def _made(values: NDArray[Any], kind: pa.DataType, validity: pa.Buffer | None) -> pa.Array:
    assert values.dtype.isnative
    assert values.itemsize * 8 == kind.bit_width
    return pa.Array.from_buffers(kind, len(values), [validity, pa.py_buffer(np.ascontiguousarray(values))])


def _bits(values: NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(values, bitorder="little"))
