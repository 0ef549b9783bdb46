"""Putting a partition's rows into an asset's table: a leaf filled beside the table and exchanged, or rows replaced.

A large partition is loaded into a new leaf, which nobody waits for, and takes the old one's place in an instant. Where
that instant does not come, as under a query that runs for hours, its rows are replaced one by one, which waits for
nobody and leaves dead rows. All of it happens in the caller's transaction (see `user_tables`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import psycopg
import pyarrow as pa
from psycopg import sql

from marketdata_pipelines.errors import SchemaMismatch
from marketdata_pipelines.stores.timescale.copying import copy_into, encode
from marketdata_pipelines.stores.timescale.locks import Connection
from marketdata_pipelines.stores.timescale.user_layout import (
    PARTITION,
    Layout,
    UserTable,
    add_key,
    attach,
    convert,
    create_leaf,
    create_rest,
    values_in,
)
from marketdata_pipelines.stores.timescale.user_locks import had_alone

# From so many rows on a partition gets a leaf: deleting them takes as long as writing them.
_ROWS_OF_A_LEAF = 100_000
# A question that names no partition locks each leaf and its index; a server's table of locks holds 6,400 and more.
_MOST_LEAVES = 2_000
# The rest is read through when a leaf is added, and nobody can read the table meanwhile: half a second at most.
_MOST_ROWS_OF_THE_REST = 5_000_000


def wants_leaf(layout: Layout, partition: str, rows: int) -> bool:
    """Whether so many rows of a partition go into a leaf of their own, and not to the rest."""
    if layout.is_guarded:
        return False
    if layout.leaf(partition) is not None:
        return True
    if rows < _ROWS_OF_A_LEAF or len(layout.leaves) >= _MOST_LEAVES:
        return False
    return layout.rest_rows <= _MOST_ROWS_OF_THE_REST if layout.is_parted else not layout.is_bound


def wants_to_be_alone(layout: Layout, partition: str, rows: int, *, in_rest: bool) -> bool:
    """Whether writing the partition changes the table itself, or takes a strong lock after a weak one.

    `in_rest`: the partition has rows, and no leaf.
    """
    if wants_leaf(layout, partition, rows):
        return not layout.is_parted or in_rest
    return layout.leaf(partition) is None and layout.rest is None


@dataclass(frozen=True, slots=True)
class Leaves:
    """Writes one partition of a table in the connection's transaction. `pause` waits some seconds."""

    connection: Connection
    table: UserTable
    layout: Layout
    partition: str
    pause: Callable[[float], None]

    def put(self, rows: pa.Table, *, in_rest: bool) -> None:
        """Make the partition's rows these. `in_rest`: it has rows, and no leaf.

        Errors: SchemaMismatch where two rows share a key, or a part of it is null.
        """
        if wants_leaf(self.layout, self.partition, rows.num_rows):
            new = self._load(rows)
            if in_rest:
                self._delete(self._old())
            if not self._exchange(new):
                self._move(new)
        else:
            old = self._old()
            self._hold(old)
            self._delete(old)
            self._copy(old, rows)

    def _load(self, rows: pa.Table) -> str:
        """A leaf with the rows and their key, not yet part of the table."""
        leaf = create_leaf(self.connection, self.table, self.layout, self.partition)
        whole = self._whole(rows)
        names = sql.SQL(", ").join(map(sql.Identifier, whole.column_names))
        # Frozen: who began to read before, and sees nothing newer, finds these rows and not an empty leaf.
        statement = sql.SQL("copy {} ({}) from stdin (format binary, freeze)").format(self.table.beside(leaf), names)
        stream = encode(whole)
        with _refusals(self.table, self.partition):
            with self.connection.cursor() as cursor, cursor.copy(statement) as copy:
                for piece in stream:
                    copy.write(piece)
            add_key(self.connection, self.table, self.layout, leaf)
        if self.layout.key:
            # Else a question about it sorts what the key has in order. A small sample tells that, six times quicker.
            self.connection.execute("set local default_statistics_target = 10")
            columns = sql.SQL(", ").join(map(sql.Identifier, self.layout.key))
            self.connection.execute(sql.SQL("analyze {} ({})").format(self.table.beside(leaf), columns))
        return leaf

    def _exchange(self, new: str) -> bool:
        """Put the new leaf in the old one's place; false where the table stayed in use too long."""
        if self.layout.leaf(self.partition) is None and self.layout.rest is None:
            # It takes no place, and readers are not in the way.
            attach(self.connection, self.table, new, values_in(self.partition))
            return True
        # The table before its leaves, as readers lock them: who comes now waits at the table, and finds the new leaf.
        held = [self.table.name, self.layout.leaf(self.partition), self.layout.rest]
        names = [self.table.beside(name) for name in dict.fromkeys(held) if name is not None]
        try:
            return had_alone(self.connection, names, lambda: self._place(new), self.pause)
        except psycopg.errors.DependentObjectsStillExist:
            # Something was built upon the old leaf itself.
            return False

    def _place(self, new: str) -> None:
        if not self.layout.is_parted:
            convert(self.connection, self.table, self.layout)
        old = self.layout.leaf(self.partition)
        if old is not None:
            self.connection.execute(sql.SQL("drop table {}").format(self.table.beside(old)))
        attach(self.connection, self.table, new, values_in(self.partition))

    def _move(self, new: str) -> None:
        """Replace the old rows by those of the new leaf, which goes."""
        old = self._old()
        self._hold(old)
        self._delete(old)
        columns = sql.SQL(", ").join(map(sql.Identifier, self.layout.columns))
        insert = sql.SQL("insert into {} ({columns}) select {columns} from {}")
        self.connection.execute(insert.format(self.table.beside(old), self.table.beside(new), columns=columns))
        self.connection.execute(sql.SQL("drop table {}").format(self.table.beside(new)))

    def _old(self) -> str:
        """The leaf that holds the partition, or is to."""
        old = self.layout.leaf(self.partition) or self.layout.rest
        return create_rest(self.connection, self.table, self.layout) if old is None else old

    def _hold(self, leaf: str) -> None:
        # The server looks at the table for every row that goes into a leaf: locked first, it is not waited for by one
        # who holds a leaf while another holds the table and waits for the leaf.
        if leaf != self.table.name:
            self.connection.execute(sql.SQL("lock table only {} in access share mode").format(self.table.identifier()))

    def _delete(self, leaf: str) -> None:
        statement = sql.SQL("delete from {} where {} = %s")
        self.connection.execute(statement.format(self.table.beside(leaf), sql.Identifier(PARTITION)), [self.partition])

    def _copy(self, leaf: str, rows: pa.Table) -> None:
        whole = self._whole(rows)
        with _refusals(self.table, self.partition):
            copy_into(self.connection, self.table.schema, leaf, whole.column_names, whole)

    def _whole(self, rows: pa.Table) -> pa.Table:
        """The rows with their partition."""
        alike = np.zeros(rows.num_rows, np.int32)
        names = pa.DictionaryArray.from_arrays(alike, pa.array([self.partition], pa.string()))
        return rows.add_column(0, PARTITION, names)


@contextmanager
def _refusals(table: UserTable, partition: str) -> Iterator[None]:
    """Say of rows that break the key which, and what to do."""
    try:
        yield
    except psycopg.errors.UniqueViolation as error:
        key = ", ".join(table.key)
        raise SchemaMismatch(
            f"two rows of {partition} of {table.text} share one ({key}): {error.diag.message_detail}; name the columns "
            "that tell them apart in the asset's metadata `primary_key`, or write one of them"
        ) from error
    except psycopg.errors.NotNullViolation as error:
        raise SchemaMismatch(
            f"{error.diag.column_name} of {partition} of {table.text} is null in a row, and part of its key"
        ) from error
