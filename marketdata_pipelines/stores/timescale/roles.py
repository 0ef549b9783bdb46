"""Who may do what in the SQL store: a role that reads, a role that writes and owns, and what each is granted.

Both are group roles without login: people and programs are made members of them. Rights are granted on whole schemas,
tables made later included.
"""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

READER = "marketdata_reader"
WRITER = "marketdata_writer"
CONTROL = "marketdata"

_POSTGRES_WITH_SET_OPTION = 160_000
# Roles belong to the whole server: another process, or one at another database, may have been quicker.
_MAKE = """
do $make$
begin
    create role {role} nologin;
exception
    when duplicate_object or unique_violation then null;
end
$make$
"""
_ASK = """
select session_user::text,
       exists (select from pg_catalog.pg_roles where rolname = 'marketdata_reader'),
       exists (select from pg_catalog.pg_roles where rolname = 'marketdata_writer'),
       exists (select from pg_catalog.pg_roles
                where rolname = 'marketdata_reader' and pg_catalog.pg_has_role(session_user, oid, 'member')),
       exists (select from pg_catalog.pg_roles
                where rolname = 'marketdata_writer' and pg_catalog.pg_has_role(session_user, oid, 'member')),
       exists (select from pg_catalog.pg_roles where rolname = session_user and (rolsuper or rolcreaterole)),
       exists (select from pg_catalog.pg_roles where rolname = session_user and rolsuper)
"""
_READING = (
    "grant usage on schema {schema} to {reader}",
    "grant select on all tables in schema {schema} to {reader}",
    "alter default privileges in schema {schema} grant select on tables to {reader}",
)
_WRITING = (
    "grant usage, create on schema {schema} to {writer}",
    "grant select, insert, update, delete, truncate on all tables in schema {schema} to {writer}",
    "grant usage on all sequences in schema {schema} to {writer}",
    "alter default privileges in schema {schema} grant select, insert, update, delete, truncate on tables to {writer}",
    "alter default privileges in schema {schema} grant usage on sequences to {writer}",
)


@dataclass(frozen=True, slots=True)
class Roles:
    """How a login stands to the store's two roles; `may_create`: it may make roles."""

    login: str
    has_reader: bool
    has_writer: bool
    is_reader: bool
    is_writer: bool
    may_create: bool
    is_superuser: bool

    @property
    def label(self) -> str:
        """For people: what the login works as in the store."""
        if self.is_writer:
            return f"{self.login} is a member of {WRITER}"
        return f"{self.login} is a member of {READER}" if self.is_reader else f"{self.login} works with its own rights"

    @property
    def advice(self) -> str:
        """What an administrator has to run so that both roles are there; empty where they are."""
        missing = [name for name, found in ((READER, self.has_reader), (WRITER, self.has_writer)) if not found]
        made = "; ".join(f"create role {name}" for name in missing)
        return f'let an administrator run: {made}; grant {WRITER} to "{self.login}"' if made else ""


def roles_of(connection: psycopg.Connection[Any]) -> Roles:
    """How the login of this connection stands; nothing is changed."""
    row = connection.execute(_ASK).fetchone()
    assert row is not None
    return Roles(*row)


def take_writer_role(connection: psycopg.Connection[Any]) -> bool:
    """Go on as the writer role where it owns the store and the login may: what is made then belongs to the role.

    Every member can so replace what another made, and a superuser's login does no more than the role may.
    Returns whether that changed anything.
    """
    option = "set" if connection.info.server_version >= _POSTGRES_WITH_SET_OPTION else "member"
    taken = connection.execute(
        """
        select set_config('role', rolname, false)
          from pg_catalog.pg_namespace
          join pg_catalog.pg_roles on pg_roles.oid = nspowner
         where nspname = %s and rolname = %s and rolname <> current_user
           and pg_catalog.pg_has_role(session_user, pg_roles.oid, %s)
        """,
        [CONTROL, WRITER, option],
    ).fetchone()
    return taken is not None


def make_roles(connection: psycopg.Connection[Any]) -> Roles:
    """Make the two roles where they are missing and the login may, and the login a member of the writer.

    Where it may not, the store works with the login's own rights.
    """
    roles = roles_of(connection)
    if not roles.may_create or (roles.has_reader and roles.has_writer):
        return roles
    for name in (READER, WRITER):
        connection.execute(sql.SQL(_MAKE).format(role=sql.Identifier(name)))
    if not roles.is_superuser:
        # A superuser needs no membership; others made the role and may therefore grant it.
        connection.execute(_composed("grant {writer} to {login}", login=roles.login))
    return roles_of(connection)


def make_control_schema(connection: psycopg.Connection[Any], roles: Roles) -> None:
    """Make the control schema, owned by the writer role where that can be, and go on as it.

    The writer also needs the right to make a schema for each feed, which only the database's owner can give.
    """
    database = connection.info.dbname
    if roles.is_writer:
        row = connection.execute(
            "select has_database_privilege(session_user, %s, 'create with grant option')", [database]
        ).fetchone()
        if row and row[0]:
            connection.execute(_composed("grant create on database {database} to {writer}", database=database))
    connection.execute(_composed("create schema if not exists {control}"))
    if roles.is_writer and _writer_can_create(connection, database):
        connection.execute(_composed("alter schema {control} owner to {writer}"))
    take_writer_role(connection)


def grant_schema(connection: psycopg.Connection[Any], schema: str) -> None:
    """Let readers read and writers write everything in `schema`, now and later; without the roles nothing is done.

    Only the schema's owner can: call it where the schema is made.
    """
    roles = roles_of(connection)
    statements = (_READING if roles.has_reader else ()) + (_WRITING if roles.has_writer else ())
    for statement in statements:
        connection.execute(_composed(statement, schema=schema))


def grant_late(connection: psycopg.Connection[Any]) -> tuple[str, ...]:
    """Grant the store's schemas that this login owns and the reader cannot enter: the roles came after the schemas.

    Returns the schemas granted, nearly always none.
    """
    found = connection.execute(
        """
        select nspname::text
          from pg_catalog.pg_namespace
          join pg_catalog.pg_roles on rolname = %s
         where (nspname = %s or nspname in (select feed from marketdata.feeds))
           and pg_catalog.pg_has_role(current_user, nspowner, 'usage')
           and not has_schema_privilege(pg_roles.oid, pg_namespace.oid, 'usage')
        """,
        [READER, CONTROL],
    ).fetchall()
    schemas = tuple(sorted(name for (name,) in found))
    for schema in schemas:
        grant_schema(connection, schema)
    return schemas


def _writer_can_create(connection: psycopg.Connection[Any], database: str) -> bool:
    row = connection.execute("select has_database_privilege(%s, %s, 'create')", [WRITER, database]).fetchone()
    return bool(row and row[0])


def _composed(statement: str, **names: str) -> sql.Composed:
    known = {"reader": READER, "writer": WRITER, "control": CONTROL} | names
    return sql.SQL(statement).format(**{name: sql.Identifier(value) for name, value in known.items()})
