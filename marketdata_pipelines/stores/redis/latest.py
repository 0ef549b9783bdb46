"""The last bar of each symbol of a feed, in one hash: packed records, read for hundreds of symbols in one question.

One key holds a feed's, so that they are read at once on a cluster too, and without a list of symbols. Which record may
replace which is decided on the server (see `scripts`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from marketdata_pipelines.domain.bars import BAR_SCHEMA
from marketdata_pipelines.errors import SchemaMismatch
from marketdata_pipelines.stores.redis.client import RedisClient
from marketdata_pipelines.stores.redis.keys import escape, unescape
from marketdata_pipelines.stores.redis.scripts import GET_LATEST, PUT_LATEST
from marketdata_pipelines.stores.redis.values import symbol_runs

LATEST_SCHEMA = pa.schema([*BAR_SCHEMA, ("partition", pa.string()), ("revision", pa.string())])
# Lua hands at most some 8,000 values to a call.
_SYMBOLS_AT_ONCE = 4_000
_COLUMNS = [field for field in BAR_SCHEMA if field.name != "symbol"]
# `partition`, `horizon` and `state` are what the scripts look at; `known` has a bit for each column that is not null.
_RECORD = np.dtype(
    [
        ("partition", "S16"),
        ("horizon", "S20"),
        ("state", "S1"),
        ("revision", "S32"),
        ("known", "<u2"),
        *((field.name, "<f8" if field.type == pa.float64() else "<i8") for field in _COLUMNS),
    ]
)
_PLAIN_NAMES = re.compile(r"[A-Za-z0-9_.\- ]+").fullmatch
# An escaped text never ends in a bare percent sign.
_NAMELESS = "%"


@dataclass(frozen=True, slots=True)
class LatestPart:
    """What a partition says of the last bars. `newest`: no later partition has bars of these symbols.

    `complete`: the bars are of all symbols the partition has. `horizon_us`: up to when the publisher knew, as in
    `store.Revision`.
    """

    partition: str
    revision: str
    horizon_us: int
    newest: bool
    complete: bool


def put_latest(client: RedisClient, key: str, part: LatestPart, bars: pa.Table, ttl_seconds: int) -> int:
    """Put each symbol's last bar of `bars`; how many were put, the others being older than what is there.

    Shape:  the columns of BAR_SCHEMA, sorted by (symbol, ts).
    Errors: ValueError for a partition over 16 or a revision over 32 bytes; SchemaMismatch, BarsNotSorted;
            the client's own.
    """
    absent = sorted(set(BAR_SCHEMA.names) - set(bars.column_names))
    if absent:
        raise SchemaMismatch(f"last bars need the columns of bars; missing: {', '.join(absent)}")
    head = _head(part)
    symbols, starts = symbol_runs(bars)
    records = _pack(part, bars.take(pa.array(starts[1:] - 1)))
    size = _RECORD.itemsize
    pairs: list[Any] = []
    for number, symbol in enumerate(symbols):
        pairs += (_field(symbol), records[number * size : (number + 1) * size])
    flags = (str(int(part.newest)), str(int(part.complete)))
    told: Any = client.eval(PUT_LATEST, 1, key, str(ttl_seconds), head, *flags, *pairs)
    return int(told)


def get_latest(client: RedisClient, key: str, symbols: Sequence[str] | None) -> pa.Table:
    """The last bars that are there: LATEST_SCHEMA, in the order of `symbols`; None: all, by symbol.

    A symbol without a row is not known here, which says nothing about whether it has bars.
    """
    if symbols is None:
        told: Any = client.hgetall(key)
        known = {_symbol(name): record for name, record in told.items() if len(record) == _RECORD.itemsize}
        names = sorted(known)
        return _unpack(names, b"".join(known[name] for name in names))
    records: list[bytes] = []
    for start in range(0, len(symbols), _SYMBOLS_AT_ONCE):
        asked = _fields(symbols[start : start + _SYMBOLS_AT_ONCE])
        said: Any = client.eval(GET_LATEST, 1, key, str(_RECORD.itemsize), asked)
        records.append(said)
    return _unpack(list(symbols), b"".join(records))


def _head(part: LatestPart) -> bytes:
    partition, revision = part.partition.encode(), part.revision.encode()
    if len(partition) > 16 or len(revision) > 32:
        raise ValueError(f"{part.partition!r} has over 16 bytes, or its revision {part.revision!r} over 32")
    return partition.ljust(16, b"\0") + b"%020d" % max(part.horizon_us, 0)


def _pack(part: LatestPart, rows: pa.Table) -> bytes:
    records = np.zeros(rows.num_rows, _RECORD)
    records["partition"], records["revision"] = part.partition.encode(), part.revision.encode()
    records["horizon"], records["state"] = b"%020d" % max(part.horizon_us, 0), b"L"
    for bit, field in enumerate(_COLUMNS):
        column = rows.column(field.name).combine_chunks()
        records["known"] |= column.is_valid().to_numpy(zero_copy_only=False).astype(np.uint16) << bit
        records[field.name] = _numbers(column, field.type).fill_null(0).to_numpy()
    return records.tobytes()


def _unpack(symbols: list[str], packed: bytes) -> pa.Table:
    records = np.frombuffer(packed, _RECORD)
    there = np.flatnonzero(records["state"] == b"L")
    records = records[there]
    names = symbols if len(there) == len(symbols) else [symbols[place] for place in there]
    columns = [pa.array(names, pa.string()).dictionary_encode()]
    lacking = ~records["known"]
    lacking_anywhere = int(np.bitwise_or.reduce(lacking))
    for bit, field in enumerate(_COLUMNS):
        unknown = lacking & (1 << bit) != 0 if lacking_anywhere & (1 << bit) else None
        columns.append(_values(records[field.name], unknown, field.type))
    texts = (pa.array(records[name].tolist(), pa.binary()).cast(pa.string()) for name in ("partition", "revision"))
    return pa.table([*columns, *texts], schema=LATEST_SCHEMA)


def _numbers(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if kind == pa.float64():
        return column
    return (column.cast(pa.int32()) if kind == pa.date32() else column).cast(pa.int64())


def _values(numbers: npt.NDArray[Any], unknown: npt.NDArray[np.bool_] | None, kind: pa.DataType) -> pa.Array:
    # Arrow's casts cost more than all the rest for a few hundred rows.
    if kind == pa.bool_():
        return pa.array(numbers != 0, mask=unknown)
    if kind == pa.date32():
        return pa.array(numbers.astype(np.int32), mask=unknown).view(kind)
    return pa.array(np.ascontiguousarray(numbers), mask=unknown).view(kind)


def _fields(symbols: Sequence[str]) -> str:
    joined = " ".join(symbols)
    if _PLAIN_NAMES(joined) and joined.count(" ") == len(symbols) - 1 and "" not in symbols:
        return joined
    return " ".join([_field(symbol) for symbol in symbols])


def _field(symbol: str) -> str:
    return escape(symbol) or _NAMELESS


def _symbol(field: bytes) -> str:
    name = field.decode()
    return "" if name == _NAMELESS else unescape(name)
