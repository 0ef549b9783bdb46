"""PostgreSQL's binary COPY format: its frame, and which Arrow type is which of its types. No rows are made here."""

from enum import StrEnum

import numpy as np
import pyarrow as pa

from marketdata_pipelines.errors import StoreError

# Signature, no flags, no extension; a field count of -1 ends a stream.
SIGNATURE = b"PGCOPY\n\xff\r\n\x00"
HEADER = SIGNATURE + b"\x00" * 8
TRAILER = b"\xff\xff"
# The length that says: null.
NULL = -1
# Its times count from 2000-01-01.
PG_EPOCH_US = 946_684_800_000_000
PG_EPOCH_DAYS = 10_957


class Kind(StrEnum):
    """A type of PostgreSQL, by its own name."""

    INT2 = "int2"
    INT4 = "int4"
    INT8 = "int8"
    FLOAT4 = "float4"
    FLOAT8 = "float8"
    BOOL = "bool"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TIMESTAMPTZ = "timestamptz"
    TEXT = "text"


# numpy's code of each fixed width type's bytes.
CODES = {
    Kind.INT2: ">i2",
    Kind.INT4: ">i4",
    Kind.INT8: ">i8",
    Kind.FLOAT4: ">f4",
    Kind.FLOAT8: ">f8",
    Kind.BOOL: "u1",
    Kind.DATE: ">i4",
    Kind.TIMESTAMP: ">i8",
    Kind.TIMESTAMPTZ: ">i8",
}
_ARROW = {
    pa.int16(): Kind.INT2,
    pa.int32(): Kind.INT4,
    pa.int64(): Kind.INT8,
    pa.float32(): Kind.FLOAT4,
    pa.float64(): Kind.FLOAT8,
    pa.bool_(): Kind.BOOL,
    pa.date32(): Kind.DATE,
    pa.timestamp("us"): Kind.TIMESTAMP,
    pa.string(): Kind.TEXT,
    pa.large_string(): Kind.TEXT,
}


def kind_of(field: pa.Field) -> Kind:
    """What a column's values are in PostgreSQL.

    Errors: StoreError naming the column and its type when they are nothing there.
    """
    held = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if pa.types.is_timestamp(held) and held.unit == "us" and held.tz is not None:
        return Kind.TIMESTAMPTZ
    kind = _ARROW.get(held)
    if kind is None or (kind is not Kind.TEXT and held is not field.type):
        known = ", ".join(str(arrow) for arrow in _ARROW)
        raise StoreError(f"column {field.name} is {field.type}, which the store cannot hold; cast it to one of {known}")
    return kind


def width_of(kind: Kind) -> int:
    """How many bytes each value of a fixed width type has."""
    return np.dtype(CODES[kind]).itemsize
