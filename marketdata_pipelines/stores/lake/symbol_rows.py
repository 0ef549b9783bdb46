"""The rows of a table that are of some symbols: found, left out, and put together in the table's order again.

Tables in memory only; which file holds which symbols is in `deltas`.
"""

from collections.abc import Collection, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from marketdata_pipelines.errors import SchemaMismatch
from marketdata_pipelines.stores.lake.deltas import NO_SYMBOL

SYMBOL = "symbol"
# Rejected rows lie in the order of their files (see `pipeline.validate`).
_BY_PLACE = ("file", "row", "part")
_TEXT = "original"
# Corrections of one bar lie in the order in which they came.
_BY_CAUSE = ("known_at", "seq")
_RANK = "rank"
_TIMES = ("ts", "bucket")
_OTHERS = ("session_date", "hour")


def order_of(table: str, columns: Sequence[str]) -> tuple[str, ...]:
    """The columns by which a table's rows are ordered, given its columns.

    Errors: SchemaMismatch for a table that is not made of each symbol's rows: it can only be written whole.
    """
    if SYMBOL not in columns or _RANK in columns:
        why = "has no column symbol" if SYMBOL not in columns else "ranks symbols against each other"
        raise SchemaMismatch(f"{table} {why}, so it has no rows of some symbols only; write it whole")
    if set(_BY_CAUSE) <= set(columns):
        return (SYMBOL, "ts", *_BY_CAUSE)
    if {*_BY_PLACE, _TEXT} <= set(columns):
        return _BY_PLACE
    times = [name for name in _TIMES if name in columns][:1]
    return (SYMBOL, *(times or [name for name in _OTHERS if name in columns]))


def is_of(column: pa.ChunkedArray, symbols: Collection[str]) -> NDArray[np.bool_]:
    """Which rows are of these symbols (NO_SYMBOL: those without)."""
    wanted = set(symbols)
    found = [_chunk_is_of(chunk, wanted) for chunk in column.chunks]
    return np.concatenate(found) if found else np.zeros(0, np.bool_)


def only_rows(table: pa.Table, only: Collection[str] | None, without: Collection[str]) -> pa.Table:
    """The rows of the symbols `only` (None: of all) that are of none of `without`."""
    keep: NDArray[np.bool_] | None = None
    if only is not None:
        keep = is_of(table[SYMBOL], set(only) - set(without))
    elif without:
        keep = ~is_of(table[SYMBOL], without)
    return table if keep is None or keep.all() else table.filter(pa.array(keep))


def symbols_in(table: pa.Table) -> set[str]:
    """The symbols a table has rows of, NO_SYMBOL among them where rows have none."""
    return {value or NO_SYMBOL for value in pc.unique(table[SYMBOL]).to_pylist()}


def joined(tables: Sequence[pa.Table], order: Sequence[str]) -> pa.Table:
    """Tables whose symbols differ, each in order, as one table in that order, as if it had been made whole.

    The symbols of a dictionary are those that occur, sorted, so that equal rows are written as equal bytes.
    """
    whole = pa.concat_tables([table.replace_schema_metadata(None) for table in tables])
    whole = whole.unify_dictionaries().combine_chunks()
    if tuple(order) == _BY_PLACE:
        return whole.sort_by([(name, "ascending") for name in order])
    # Each symbol's rows come from one table, in order there: only the symbols have to be ordered.
    codes, names = ordered_codes(whole[SYMBOL])
    if (codes[1:] < codes[:-1]).any():
        rows = np.argsort(codes, kind="stable")
        whole, codes = whole.take(pa.array(rows)), codes[rows]
    at = whole.schema.get_field_index(SYMBOL)
    if pa.types.is_dictionary(whole.schema.field(at).type):
        whole = whole.set_column(at, SYMBOL, _compact(codes, names))
    return whole


def ordered_codes(column: pa.ChunkedArray) -> tuple[NDArray[np.int32], list[str]]:
    """Codes in the order of a column's texts, null last; and the texts in order."""
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    names = array.dictionary.to_pylist()
    order = sorted(range(len(names)), key=lambda position: names[position])
    rank = np.empty(len(names) + 1, np.int32)
    rank[order] = np.arange(len(names), dtype=np.int32)
    rank[-1] = len(names)
    indices = array.indices.fill_null(len(names)) if array.indices.null_count else array.indices
    return rank[indices.to_numpy(zero_copy_only=False)], [names[position] for position in order]


def _chunk_is_of(chunk: pa.Array, wanted: set[str]) -> NDArray[np.bool_]:
    if not pa.types.is_dictionary(chunk.type):
        chunk = chunk.dictionary_encode()
    known = [(name or NO_SYMBOL) in wanted for name in chunk.dictionary.to_pylist()]
    flags = np.array([*known, NO_SYMBOL in wanted], np.bool_)
    indices = chunk.indices.fill_null(len(known)) if chunk.indices.null_count else chunk.indices
    return flags[indices.to_numpy(zero_copy_only=False)]


def _compact(codes: NDArray[np.int32], names: list[str]) -> pa.DictionaryArray:
    present = np.unique(codes[codes < len(names)])
    rank = np.zeros(len(names) + 1, np.int32)
    rank[present] = np.arange(len(present), dtype=np.int32)
    missing = codes == len(names)
    indices = pa.array(rank[codes], mask=missing if missing.any() else None)
    return pa.DictionaryArray.from_arrays(indices, pa.array([names[code] for code in present], pa.string()))
