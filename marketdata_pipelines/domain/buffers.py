"""Arrow arrays from and to numpy by their buffers: `pa.array` and `to_numpy` import pandas, which costs a short answer.

Only the few types that short answers need; `frames` is for the kernels' columns.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marketdata_pipelines.domain.bars import SYMBOL


def joined(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """A column as one array."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    if column.num_chunks == 1:
        return column.chunk(0)
    return column.combine_chunks() if column.num_chunks else pa.nulls(0, column.type)


def integers(values: NDArray[np.int64]) -> pa.Array:
    """An int64 array without nulls; also as positions for `take`."""
    whole = np.ascontiguousarray(values, np.int64)
    return pa.Array.from_buffers(pa.int64(), len(whole), [None, pa.py_buffer(whole)])


def nullable_positions(values: NDArray[np.int64]) -> pa.Array:
    """Positions for `take`; a negative one takes null."""
    whole = np.ascontiguousarray(values, np.int64)
    return pa.Array.from_buffers(pa.int64(), len(whole), [_bits(whole >= 0), pa.py_buffer(whole)])


def booleans(values: NDArray[np.bool_]) -> pa.Array:
    """A boolean array without nulls, as `filter` wants it."""
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, _bits(values)])


def texts(values: Sequence[str | None]) -> pa.Array:
    """A string array."""
    encoded = [b"" if value is None else value.encode() for value in values]
    ends = np.zeros(len(encoded) + 1, np.int32)
    np.cumsum([len(text) for text in encoded], out=ends[1:])
    known = _bits(np.array([value is not None for value in values], bool))
    return pa.StringArray.from_buffers(len(encoded), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded)), known)


def dates(days: NDArray[np.int64], known: NDArray[np.bool_]) -> pa.Array:
    """A date array of days since 1970; null where not known."""
    whole = np.where(known, days, 0).astype(np.int32)
    return pa.Array.from_buffers(pa.date32(), len(whole), [_bits(known), pa.py_buffer(whole)])


def chosen_texts(codes: NDArray[np.int32], names: Sequence[str]) -> pa.DictionaryArray:
    """A dictionary array of `names[code]`, null for negative codes; only names that occur are in it, in their order."""
    there = np.unique(codes[codes >= 0])
    rank = np.zeros(len(names) + 1, np.int32)
    rank[there] = np.arange(len(there), dtype=np.int32)
    whole = np.ascontiguousarray(rank[codes])
    indices = pa.Array.from_buffers(pa.int32(), len(whole), [_bits(codes >= 0), pa.py_buffer(whole)])
    found = pa.DictionaryArray.from_arrays(indices, texts([names[code] for code in there.tolist()]))
    return found.cast(SYMBOL) if found.type != SYMBOL else found


def codes_of(column: pa.ChunkedArray | pa.Array) -> tuple[NDArray[np.int32], list[str]]:
    """A column of texts, dictionary or not, as codes and names; null is -1. Codes are in no order."""
    array = joined(column)
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    indices = array.indices if array.indices.type == pa.int32() else array.indices.cast(pa.int32())
    codes = _codes(indices)
    if indices.null_count:
        codes = np.where(is_known(indices), codes, np.int32(-1))
    return codes, array.dictionary.to_pylist()


def day_values(column: pa.ChunkedArray | pa.Array) -> NDArray[np.int64]:
    """A date column without nulls as days since 1970."""
    return _codes(joined(column)).astype(np.int64)


def instant_values(column: pa.ChunkedArray | pa.Array) -> NDArray[np.int64]:
    """A timestamp column without nulls in its own unit."""
    array = joined(column)
    if not len(array):
        return np.zeros(0, np.int64)
    return np.frombuffer(array.buffers()[1], np.int64)[array.offset : array.offset + len(array)]


def is_known(column: pa.ChunkedArray | pa.Array) -> NDArray[np.bool_]:
    """Which rows are not null."""
    array = joined(column)
    mask = array.buffers()[0] if len(array) else None
    if mask is None:
        return np.ones(len(array), bool)
    bits = np.unpackbits(np.frombuffer(mask, np.uint8), bitorder="little")
    return bits[array.offset : array.offset + len(array)].astype(bool)


def _codes(array: pa.Array) -> NDArray[np.int32]:
    if not len(array):
        return np.zeros(0, np.int32)
    return np.frombuffer(array.buffers()[1], np.int32)[array.offset : array.offset + len(array)]


def _bits(values: NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(values, bitorder="little"))
