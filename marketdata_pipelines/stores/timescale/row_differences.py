"""Two tables of rows by (symbol, ts) compared value by value; where the tables come from is the caller's."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marketdata_pipelines.domain.aggregation import Ints
from marketdata_pipelines.domain.frames import float_values, int_values
from marketdata_pipelines.stores.timescale.records import Difference

_KEY = ("symbol", "ts")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def row_differences(
    table: str, store: pa.Table, other: pa.Table, tolerances: Mapping[str, float], limit: int
) -> list[Difference]:
    """Differences in order of (symbol, ts), at most `limit`.

    Shape:   the same columns on both sides, `symbol` plain strings; a (symbol, ts) may be there twice in `store`: the
             second is told as a bar of its own.
    Numbers: equal to the bit, or relatively to within the tolerance of their column.
    """
    keys = _keys(store, other)
    found = list(_only_on_one_side(table, store, other, *keys))
    _, mine, theirs = np.intersect1d(*keys, return_indices=True)
    for name in store.column_names:
        if name not in _KEY:
            unequal = _unequal(store[name], other[name], mine, theirs, tolerances.get(name, 0.0))
            # Of many, only as many as may be told are looked at closer.
            for here, there in zip(mine[unequal][:limit].tolist(), theirs[unequal][:limit].tolist(), strict=True):
                symbol, ts = store["symbol"][here].as_py(), _instant(store, here)
                values = store[name][here].as_py(), other[name][there].as_py()
                found.append(Difference(table, symbol, ts, name, *values))
    found.sort(key=lambda difference: (difference.symbol, difference.ts))
    return found[:limit]


def _only_on_one_side(table: str, store: pa.Table, other: pa.Table, mine: Ints, theirs: Ints) -> Iterator[Difference]:
    _, first = np.unique(mine, return_index=True)
    twice = np.setdiff1d(np.arange(len(mine)), first)
    for here in (*np.flatnonzero(~np.isin(mine, theirs)).tolist(), *twice.tolist()):
        yield Difference(
            table, store["symbol"][here].as_py(), _instant(store, here), "bar", _summary(store, here), None
        )
    for there in np.flatnonzero(~np.isin(theirs, mine)).tolist():
        bar = _summary(other, there)
        yield Difference(table, other["symbol"][there].as_py(), _instant(other, there), "bar", None, bar)


def _keys(store: pa.Table, other: pa.Table) -> tuple[Ints, Ints]:
    """One number for each (symbol, ts), the same on both sides and in their order."""
    symbols = pa.concat_arrays([*store["symbol"].chunks, *other["symbol"].chunks, pa.array([], pa.string())])
    codes = np.unique(np.array(symbols.to_pylist(), object), return_inverse=True)[1]
    instants = np.concatenate((int_values(store["ts"]), int_values(other["ts"])))
    distinct, ranks = np.unique(instants, return_inverse=True)
    keys: Ints = codes.astype(np.int64) * max(len(distinct), 1) + ranks
    return keys[: store.num_rows], keys[store.num_rows :]


def _unequal(
    store: pa.ChunkedArray, other: pa.ChunkedArray, mine: Ints, theirs: Ints, tolerance: float
) -> NDArray[np.bool_]:
    null = store.is_null().to_numpy()[mine] != other.is_null().to_numpy()[theirs]
    if pa.types.is_floating(store.type):
        here, there = float_values(store)[mine], float_values(other)[theirs]
        unequal = (here != there) & ~(np.isnan(here) & np.isnan(there))
        if tolerance:
            with np.errstate(invalid="ignore"):
                unequal &= ~(np.abs(here - there) <= tolerance * np.maximum(np.abs(here), np.abs(there)))
    elif pa.types.is_boolean(store.type):
        unequal = store.to_numpy()[mine] != other.to_numpy()[theirs]
    else:
        unequal = int_values(store)[mine] != int_values(other)[theirs]
    found: NDArray[np.bool_] = unequal | null
    return found


def _instant(rows: pa.Table, at: int) -> datetime:
    return _EPOCH + timedelta(microseconds=rows["ts"][at].cast(pa.int64()).as_py())


def _summary(rows: pa.Table, at: int) -> str:
    return "/".join(repr(rows[name][at].as_py()) for name in ("open", "high", "low", "close", "volume"))
