"""Arrow columns as text: the one form of times, numbers and booleans that CSV and JSON share.

Times are ISO 8601 UTC with Z and a fraction only where there is one; floats the shortest text that reads back as the
same number, whole ones without `.0`.
"""

from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from marketdata_pipelines.cli.constants import zero_scalar

_DAY_S = 86_400
_Number = TypeVar("_Number", np.int64, np.float64)
# Beyond this Arrow switches to exponents even where all digits fit.
_PLAIN_LIMIT = 1e10
_INTEGER_LIMIT = 1e16


def text_cells(column: pa.Array) -> pa.Array:
    """A column as strings, null where unknown.

    Errors: pa.ArrowException for types no answer has (lists, structs).
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return text_cells(column.dictionary).take(column.indices)
    if pa.types.is_timestamp(kind):
        return _instants(column)
    if pa.types.is_float64(kind):
        return _floats(column)
    return column if pa.types.is_string(kind) else column.cast(pa.string())


def _floats(column: pa.Array) -> pa.Array:
    texts = column.cast(pa.string())
    values = _values(column, np.float64)
    large = np.abs(values) >= _PLAIN_LIMIT
    if not large.any():
        return texts
    plain = [_large_float(value) for value in values[large].tolist()]
    return pc.replace_with_mask(texts, pa.array(large), pa.array(plain, pa.string()))


def _values(column: pa.Array, kind: type[_Number]) -> NDArray[_Number]:
    """The numbers of an 8-byte column, null as 0. (`to_numpy` imports pandas.)"""
    whole = column.fill_null(zero_scalar(column.type)) if column.null_count else column
    return np.frombuffer(whole.buffers()[1], kind)[whole.offset : whole.offset + len(whole)]


def _large_float(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < _INTEGER_LIMIT else repr(value)


def _instants(column: pa.Array) -> pa.Array:
    per_second = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}[column.type.unit]
    seconds, fraction = np.divmod(_values(column.view(pa.int64()), np.int64), per_second)
    texts = _whole_seconds(seconds)
    if fraction.any():
        at = fraction != 0
        whole = texts.filter(pa.array(at)).to_pylist()
        exact = [
            _with_fraction(text, part, per_second) for text, part in zip(whole, fraction[at].tolist(), strict=True)
        ]
        texts = pc.replace_with_mask(texts, pa.array(at), pa.array(exact, pa.string()))
    return pc.if_else(column.is_valid(), texts, pa.nulls(1, pa.string())[0]) if column.null_count else texts


def _whole_seconds(seconds: NDArray[np.int64]) -> pa.Array:
    """`2013-10-04T13:30:00Z` of seconds since 1970: dates and times of day are each written once and put together."""
    days, of_day = np.divmod(seconds, _DAY_S)
    distinct, where = np.unique(days, return_inverse=True)
    dates = np.datetime_as_string(distinct.astype("datetime64[D]")).astype("S10")
    whole = np.empty(len(seconds), np.dtype([("date", "S10"), ("t", "S1"), ("time", "S8"), ("z", "S1")]))
    whole["date"], whole["t"], whole["z"] = dates[where], b"T", b"Z"
    moments, at = np.unique(of_day, return_inverse=True)
    clock = np.datetime_as_string(moments.astype("datetime64[s]"), unit="s")
    whole["time"] = np.array([text[11:] for text in clock.tolist()], "S8")[at]
    width = whole.dtype.itemsize
    offsets = np.arange(0, (len(seconds) + 1) * width, width, dtype=np.int32)
    return pa.StringArray.from_buffers(len(seconds), pa.py_buffer(offsets), pa.py_buffer(whole))


def _with_fraction(text: str, fraction: int, per_second: int) -> str:
    digits = len(str(per_second)) - 1
    return f"{text[:-1]}.{fraction:0{digits}d}".rstrip("0") + "Z"
