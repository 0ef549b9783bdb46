"""Lossless scaled decimals: how float columns are stored, and the one way they are read back.

A float column is stored as DECIMAL(18, scale) when every value proves to be an integer / 10**scale exactly, else
as double. Scales differ from file to file, so a file's decimals are turned into float64 before anything joins them
with another file's. pyarrow's own decimal -> float64 cast is not exact and is used nowhere.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

MAX_SCALE = 9
_PRECISION = 18
_EXACT = float(2**53)
_SAMPLE = 512
# Shape (scales, 1, 1): against columns of values.
_POWERS = 10.0 ** np.arange(MAX_SCALE + 1).reshape(-1, 1, 1)


def encode_table(table: pa.Table) -> pa.Table:
    """Replace each float64 column by scaled decimals where that is lossless.

    NaN and infinities (raw rows hold what the source said) keep their column double.
    """
    positions = [at for at, field in enumerate(table.schema) if pa.types.is_float64(field.type)]
    arrays = [_whole(table.column(at)) for at in positions]
    values = [_known(array) for array in arrays]
    if 0 < table.num_rows <= _SAMPLE and positions:
        scales = _first_scales(np.stack(values))
    else:
        scales = [_lossless_scale(column) for column in values]
    for at, array, column, scale in zip(positions, arrays, values, scales, strict=True):
        if scale is not None:
            encoded = _encoded(array, column, scale)
            table = table.set_column(at, pa.field(table.schema.field(at).name, encoded.type), encoded)
    return table


def decode_table(table: pa.Table) -> pa.Table:
    """Replace each decimal column by the exact float64 values it was made from."""
    for position, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type):
            chunks = [decode_decimals(chunk) for chunk in table.column(position).chunks]
            table = table.set_column(position, field.name, pa.chunked_array(chunks, pa.float64()))
    return table


def encode_floats(column: pa.ChunkedArray) -> pa.Array:
    """Encode one float64 column; nulls stay null."""
    array = _whole(column)
    values = _known(array)
    scale = _lossless_scale(values)
    return array if scale is None else _encoded(array, values, scale)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _known(array: pa.Array) -> NDArray[np.float64]:
    """The values, null as 0."""
    return array.fill_null(0.0).to_numpy(zero_copy_only=False) if array.null_count else array.to_numpy()


def _encoded(array: pa.Array, values: NDArray[np.float64], scale: int) -> pa.Array:
    data = pa.py_buffer(np.ascontiguousarray(_scaled(values, scale)))
    validity = pa.array(array.is_valid().to_numpy(zero_copy_only=False)).buffers()[1] if array.null_count else None
    return pa.Array.from_buffers(pa.decimal64(_PRECISION, scale), len(array), [validity, data])


def decode_decimals(array: pa.Array) -> pa.Array:
    """Decode one decimal chunk to float64: integer / 10**scale, correctly rounded, hence exact."""
    scale = array.type.scale
    if pa.types.is_decimal64(array.type):
        integers = pa.Array.from_buffers(pa.int64(), len(array), array.buffers(), array.null_count, array.offset)
        values = integers.fill_null(0).to_numpy(zero_copy_only=False) if array.null_count else integers.to_numpy()
    elif pa.types.is_decimal128(array.type):
        words = np.frombuffer(array.buffers()[1], np.int64).reshape(-1, 2)
        values = words[array.offset : array.offset + len(array), 0]
    else:
        raise ValueError(f"cannot decode {array.type}; the lake writes decimals of at most 18 digits")
    floats = values / 10.0**scale if scale else values.astype(np.float64)
    return pa.array(floats, mask=array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None)


def _lossless_scale(values: NDArray[np.float64]) -> int | None:
    if not np.isfinite(values).all() or np.signbit(values[values == 0]).any():
        return None
    step = max(len(values) // _SAMPLE, 1)
    scale = _first_scale(values[::step], 0)
    return None if scale is None else _first_scale(values, scale)


def _first_scale(values: NDArray[np.float64], start: int) -> int | None:
    if start == 0 and len(values) <= _SAMPLE:
        return _first_scales(values[None, :])[0]
    for scale in range(start, MAX_SCALE + 1):
        if _is_lossless(values, scale):
            return scale
    return None


def _first_scales(columns: NDArray[np.float64]) -> list[int | None]:
    """The smallest lossless scale of each row of an array; all at once, for a call costs more than few values."""
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = np.rint(columns * _POWERS)
        lossless = ((np.abs(scaled) < _EXACT) & (scaled / _POWERS == columns)).all(axis=2)
    lossless &= ~((columns == 0) & np.signbit(columns)).any(axis=1)
    first = lossless.argmax(axis=0)
    return [int(scale) if lossless[scale, at] else None for at, scale in enumerate(first)]


def _is_lossless(values: NDArray[np.float64], scale: int) -> bool:
    with np.errstate(over="ignore"):
        scaled = np.rint(values * 10.0**scale)
    return bool((np.abs(scaled) < _EXACT).all() and (scaled / 10.0**scale == values).all())


def _scaled(values: NDArray[np.float64], scale: int) -> NDArray[np.int64]:
    return np.rint(values * 10.0**scale).astype(np.int64)
