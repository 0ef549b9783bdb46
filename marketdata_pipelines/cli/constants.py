"""Arrow scalars made from buffers: `pa.scalar` and `pa.array` import pandas, which costs more than a short answer."""

import pyarrow as pa


def text_scalar(text: str) -> pa.Scalar:
    """A string scalar."""
    data = text.encode()
    offsets = pa.py_buffer((0).to_bytes(4, "little") + len(data).to_bytes(4, "little"))
    return pa.StringArray.from_buffers(1, offsets, pa.py_buffer(data))[0]


def zero_scalar(kind: pa.DataType) -> pa.Scalar:
    """0 of an 8-byte type, or false."""
    return pa.Array.from_buffers(kind, 1, [None, pa.py_buffer(bytes(8))])[0]
