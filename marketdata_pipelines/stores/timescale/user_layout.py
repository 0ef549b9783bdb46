"""How an asset's table lies in the SQL store: its columns, key and leaves, made, extended and brought to leaves here.

A table is parted by its column `partition`: each large partition is a leaf of its own, which can be exchanged whole;
all others share one leaf, the rest. A table of the first layout has no leaves: it is its own rest, until a large
partition comes. Rows are written by `user_leaves`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import pyarrow as pa
from psycopg import sql

from marketdata_pipelines.errors import SchemaMismatch
from marketdata_pipelines.stores.timescale.locks import Connection, lock_key
from marketdata_pipelines.stores.timescale.roles import grant_schema
from marketdata_pipelines.stores.timescale.user_types import declared

PARTITION = "partition"
LEDGER = "__partitions"
_LEDGER_COLUMNS = ["partition", "rows", "revision", "written_at"]
LONGEST_NAME = 63
# Ten hex digits and "__" are as long as LEDGER: where that fits, a leaf's name does.
_LEAF_DIGITS = 10
# `is_guarded`: what a leaf made beside the table would not have, or not do. `is_bound`: what would stay with the old
# table, were another put in its place.
_LOOK_SQL = """
select c.relkind::text,
       coalesce(pg_get_partkeydef(c.oid), '') = 'LIST (partition)',
       to_regclass(%(ledger)s) is not null,
       c.relhastriggers or c.relchecks > 0 or c.relrowsecurity or not pg_has_role(c.relowner, 'usage'),
       exists (select from pg_inherits i where c.oid in (i.inhparent, i.inhrelid))
       or exists (select from pg_description s where s.classoid = 'pg_class'::regclass and s.objoid = c.oid)
       or exists (select from pg_attribute a where a.attrelid = c.oid and a.attacl is not null)
       or exists (select from pg_depend d
                   where d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid
                     and d.classid not in ('pg_class'::regclass, 'pg_type'::regclass,
                                           'pg_constraint'::regclass, 'pg_attrdef'::regclass))
  from pg_class c
 where c.oid = to_regclass(%(name)s)
"""
_COLUMNS_SQL = """
select a.attname, format_type(a.atttypid, null)
from pg_attribute a
where a.attrelid = to_regclass(%s) and a.attnum > 0 and not a.attisdropped
order by a.attnum
"""
_KEY_SQL = """
select a.attname
from pg_index i join unnest(i.indkey) with ordinality k(attnum, place) on true
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
where i.indrelid = to_regclass(%s) and i.indisprimary
order by k.place
"""
# A bound has no columns, so that no leaf needs to be opened to tell it.
_LEAVES_SQL = """
select c.relname, pg_get_expr(c.relpartbound, 0), c.reltuples::bigint
from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent = to_regclass(%s)
"""
_GRANTS_SQL = """
select case when a.grantee <> 0 then pg_get_userbyid(a.grantee)::text end, a.privilege_type, a.is_grantable
from pg_class c, aclexplode(c.relacl) a
where c.oid = to_regclass(%s) and a.grantee <> c.relowner
"""


@dataclass(frozen=True, slots=True)
class UserTable:
    """Where an asset's rows are, and by which columns a partition's rows are told apart; none: by nothing."""

    schema: str
    name: str
    key: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return f"{self.schema}.{self.name}"

    def identifier(self, suffix: str = "") -> sql.Identifier:
        return self.beside(self.name + suffix)

    def beside(self, name: str) -> sql.Identifier:
        """Another table of the same schema."""
        return sql.Identifier(self.schema, name)

    def regclass(self, suffix: str = "") -> str:
        return ".".join('"' + part.replace('"', '""') + '"' for part in (self.schema, self.name + suffix))


@dataclass(frozen=True, slots=True)
class Layout:
    """A table as it is there: types by column, `partition` among them, and its key with it.

    `leaves` are names by bound. `is_guarded`: it has triggers, checks or row security, which rows must come by, or is
    another's. `is_bound`: something depends on the very table, as views do.
    """

    columns: Mapping[str, str]
    key: tuple[str, ...]
    is_parted: bool
    is_guarded: bool
    is_bound: bool
    leaves: Mapping[str, str] = field(default_factory=dict)
    rest_rows: int = 0

    def leaf(self, partition: str) -> str | None:
        """The leaf that holds this partition alone."""
        return self.leaves.get(_bound(partition))

    @property
    def rest(self) -> str | None:
        """The leaf of all partitions that have none of their own."""
        return self.leaves.get("DEFAULT")

    def declaration(self, name: str) -> sql.Composed:
        not_null = sql.SQL(" not null") if name in (PARTITION, *self.key) else sql.SQL("")
        return sql.SQL("{} {}{}").format(sql.Identifier(name), _word(self.columns[name]), not_null)


def look(connection: Connection, table: UserTable) -> Layout | None:
    """The table as it is; None where there is none. No lock on it is taken.

    Errors: SchemaMismatch for a table that was not made here.
    """
    names = {"name": table.regclass(), "ledger": table.regclass(LEDGER)}
    found = connection.execute(_LOOK_SQL, names).fetchone()
    if found is None:
        return None
    kind, is_by_partition, has_ledger, is_guarded, is_bound = found
    columns: dict[str, str] = dict(connection.execute(_COLUMNS_SQL, [table.regclass()]).fetchall())
    if PARTITION not in columns or not has_ledger or not (kind == "r" or (kind == "p" and is_by_partition)):
        raise SchemaMismatch(f"{table.text} is there already and was not made for an asset; give the asset another key")
    leaves, rest_rows = {"DEFAULT": table.name}, 0
    if kind == "p":
        rows = connection.execute(_LEAVES_SQL, [table.regclass()]).fetchall()
        leaves = {bound: name for name, bound, _ in rows}
        rest_rows = max((count for _, bound, count in rows if bound == "DEFAULT"), default=0)
    key = tuple(name for (name,) in connection.execute(_KEY_SQL, [table.regclass()]))
    return Layout(columns, key, kind == "p", is_guarded, is_bound, leaves, rest_rows)


def create(connection: Connection, table: UserTable, schema: pa.Schema) -> Layout:
    """Make the table, without leaves, its ledger, and its schema where that is missing.

    Errors: SchemaMismatch where the ledger's name is taken.
    """
    exists = connection.execute("select 1 from pg_namespace where nspname = %s", [table.schema]).fetchone()
    if exists is None:
        # Another asset's writer may make it at the same moment.
        connection.execute("select pg_advisory_xact_lock(%s)", [lock_key("schema", table.schema)])
        connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(table.schema)))
        grant_schema(connection, table.schema)
    columns = {PARTITION: "text", **{each.name: declared(each.type) for each in schema}}
    key = (PARTITION, *table.key) if table.key else ()
    layout = Layout(columns, key, is_parted=True, is_guarded=False, is_bound=False)
    _create_parted(connection, table, layout)
    _create_ledger(connection, table)
    return layout


def add_columns(connection: Connection, table: UserTable, schema: pa.Schema, names: Sequence[str]) -> None:
    """Give the table more columns, null in the rows that are there."""
    added = [
        sql.SQL("add column {} {}").format(sql.Identifier(name), _word(declared(schema.field(name).type)))
        for name in names
    ]
    connection.execute(sql.SQL("alter table {} {}").format(table.identifier(), sql.SQL(", ").join(added)))


def create_leaf(connection: Connection, table: UserTable, layout: Layout, partition: str | None) -> str:
    """A table of the same columns beside the table, without key and not yet a part of it; its name.

    `partition` is all that it may hold; None: it is to be the rest. Nothing here locks the table itself: who holds a
    weak lock on it and asks for a strong one waits for its like.
    """
    parts = [layout.declaration(each) for each in layout.columns]
    if partition is not None:
        # What the server has checked row by row it needs not look through while the leaf is attached.
        check = sql.SQL("check ({} = {})").format(sql.Identifier(PARTITION), sql.Literal(partition))
        parts.append(check)
    name = _leaf_name(connection, table, partition)
    connection.execute(sql.SQL("create table {} ({})").format(table.beside(name), sql.SQL(", ").join(parts)))
    return name


def add_key(connection: Connection, table: UserTable, layout: Layout, leaf: str) -> None:
    """Give a leaf its key, after its rows: sorting them once is quicker than to place each."""
    if layout.key:
        key = sql.SQL(", ").join(map(sql.Identifier, layout.key))
        connection.execute(sql.SQL("alter table {} add primary key ({})").format(table.beside(leaf), key))


def create_rest(connection: Connection, table: UserTable, layout: Layout) -> str:
    """Make the leaf of all small partitions; its name."""
    name = create_leaf(connection, table, layout, None)
    add_key(connection, table, layout, name)
    if not layout.key:
        connection.execute(sql.SQL("create index on {} ({})").format(table.beside(name), sql.Identifier(PARTITION)))
    attach(connection, table, name, sql.SQL("default"))
    return name


def attach(connection: Connection, table: UserTable, leaf: str, bound: sql.Composable) -> None:
    """Make a leaf part of the table: `bound` is `default` or what `values_in` gives."""
    statement = sql.SQL("alter table {} attach partition {} {}")
    connection.execute(statement.format(table.identifier(), table.beside(leaf), bound))


def values_in(partition: str) -> sql.Composed:
    return sql.SQL("for values in ({})").format(sql.Literal(partition))


def convert(connection: Connection, table: UserTable, layout: Layout) -> str:
    """Put a parted table in the place of one of the first layout, which becomes its rest; the rest's name.

    Rights stay. The caller has the table alone, and knows that nothing else is bound to it.
    """
    grants = connection.execute(_GRANTS_SQL, [table.regclass()]).fetchall()
    rest = _leaf_name(connection, table, None)
    rename = sql.SQL("alter table {} rename to {}").format(table.identifier(), sql.Identifier(rest))
    connection.execute(rename)
    _create_parted(connection, table, layout)
    attach(connection, table, rest, sql.SQL("default"))
    for grantee, privilege, may_grant in grants:
        statement = sql.SQL("grant {} on {} to {}{}").format(
            _word(privilege),
            table.identifier(),
            sql.SQL("public") if grantee is None else sql.Identifier(grantee),
            sql.SQL(" with grant option") if may_grant else sql.SQL(""),
        )
        connection.execute(statement)
    return rest


def _create_parted(connection: Connection, table: UserTable, layout: Layout) -> None:
    parts = [layout.declaration(each) for each in layout.columns]
    if layout.key:
        key = sql.SQL(", ").join(map(sql.Identifier, layout.key))
        parts.append(sql.SQL("primary key ({})").format(key))
    connection.execute(
        sql.SQL("create table {} ({}) partition by list ({})").format(
            table.identifier(), sql.SQL(", ").join(parts), sql.Identifier(PARTITION)
        )
    )


def _create_ledger(connection: Connection, table: UserTable) -> None:
    there = [name for name, _ in connection.execute(_COLUMNS_SQL, [table.regclass(LEDGER)])]
    if there and there != _LEDGER_COLUMNS:
        raise SchemaMismatch(
            f"{table.text} keeps its partitions in {table.text}{LEDGER}, which is there already and was not made for "
            "it; give the asset another key"
        )
    if there:
        # Of a table that somebody dropped.
        connection.execute(sql.SQL("drop table {}").format(table.identifier(LEDGER)))
    connection.execute(
        sql.SQL(
            "create table {} (partition text primary key, rows bigint not null, revision text not null, "
            "written_at timestamptz not null default now())"
        ).format(table.identifier(LEDGER))
    )


def _leaf_name(connection: Connection, table: UserTable, partition: str | None) -> str:
    """A name no other table has: the old leaf of a partition is still there while the new one is made."""
    row = connection.execute("select pg_current_xact_id()::text").fetchone()
    assert row is not None
    digest = blake2b("\x1f".join((partition or "", *row)).encode(), digest_size=_LEAF_DIGITS // 2)
    return f"{table.name}__{digest.hexdigest()}"


def _bound(partition: str) -> str:
    """A leaf's bound as the server tells it."""
    return "FOR VALUES IN ('" + partition.replace("'", "''") + "')"


def _word(name: str) -> sql.SQL:
    """A type or privilege by the server's own name."""
    return sql.SQL(name)
