"""The rows of one stored partition, read from its files: the whole one and its deltas, merged as they are read."""

from collections.abc import Collection, Sequence
from pathlib import Path

import pyarrow as pa

from marketdata_pipelines.errors import SchemaMismatch
from marketdata_pipelines.stores.lake.parquet import read_columns, read_file
from marketdata_pipelines.stores.lake.stored import Stored
from marketdata_pipelines.stores.lake.symbol_rows import SYMBOL, joined, order_of


def read_stored(
    root: Path,
    stored: Stored,
    columns: Sequence[str] | None = None,
    *,
    only: Collection[str] | None = None,
    without: Collection[str] = (),
) -> pa.Table:
    """The rows of the symbols `only` (None: of all) that are of none of `without`, in the table's order.

    Errors: PartitionMissing when a file is not there, StoreError when one cannot be read.
    """
    if not stored.deltas:
        if only is None and not without:
            return read_file(root / stored.path, columns)
        return _chosen(read_file(root / stored.path, _with(columns, (SYMBOL,)), only=only, without=without), columns)
    wanted = None if only is None else frozenset(only) - frozenset(without)
    # Oldest first: when the whole file is the one that replaced it, the deltas are gone and this is noticed.
    first, *deltas = stored.files
    known = None if columns is None else _with(columns, order_of(stored.tbl, read_columns(root / first.path)))
    tables = [read_file(root / first.path, known, only=wanted, without=first.gone | frozenset(without))]
    for file in deltas:
        table = read_file(root / file.path, known, only=wanted, without=file.gone | frozenset(without))
        tables.append(table.select(tables[0].column_names))
    return _chosen(joined(tables, order_of(stored.tbl, tables[0].column_names)), columns)


def merged_rows(table: str, before: pa.Table, rows: pa.Table) -> pa.Table:
    """A table's rows of other symbols with the new rows of some, as if the table had been made whole.

    Errors: SchemaMismatch when the columns differ: the stored table is from another release.
    """
    plain = before.replace_schema_metadata(None)
    if not plain.schema.equals(rows.schema.remove_metadata()):
        if set(plain.column_names) != set(rows.column_names):
            raise SchemaMismatch(
                f"{table} is stored with the columns {', '.join(plain.column_names)} and its new rows have "
                f"{', '.join(rows.column_names)}; write it whole"
            )
        plain = plain.select(rows.column_names).cast(rows.schema.remove_metadata())
    return joined([plain, rows], order_of(table, rows.column_names))


def _with(columns: Sequence[str] | None, needed: Sequence[str]) -> list[str] | None:
    return None if columns is None else list(dict.fromkeys([*columns, *needed]))


def _chosen(table: pa.Table, columns: Sequence[str] | None) -> pa.Table:
    return table if columns is None else table.select(list(columns))
