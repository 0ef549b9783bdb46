"""The store's own tables brought to this program's layout: numbered SQL files in order, by Alembic, forward only.

The files are stores/sql/postgres/NNNN_*.sql. What a feed needs is made when the feed is first published.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import ModuleType
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.stores.timescale.address import translated
from marketdata_pipelines.stores.timescale.engine import Engine
from marketdata_pipelines.stores.timescale.roles import (
    CONTROL,
    grant_late,
    grant_schema,
    make_control_schema,
    make_roles,
)

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

    from marketdata_pipelines.stores.timescale.database import Database

logger = logging.getLogger(__name__)

VERSION_TABLE = "schema_version"
# What the advisory lock is called; any number that nobody else takes in this database.
_LOCK = 7_246_113_052


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the layout: `version` is the file's number, `after` that of the step before."""

    version: str
    name: str
    after: str | None
    text: str


@cache
def migrations() -> tuple[Migration, ...]:
    """Every step this program knows, oldest first."""
    folder = files("marketdata_pipelines.stores.sql").joinpath("postgres")
    found = sorted(path.name for path in folder.iterdir() if path.name[:4].isdigit() and path.name.endswith(".sql"))
    steps: list[Migration] = []
    for name in found:
        text = folder.joinpath(name).read_text("utf-8")
        steps.append(Migration(name[:4], name.removesuffix(".sql"), steps[-1].version if steps else None, text))
    return tuple(steps)


def newest_version() -> str:
    """The layout this program works with."""
    return migrations()[-1].version


def stored_version(connection: psycopg.Connection[Any]) -> str | None:
    """The layout the database has; None where nothing was ever migrated."""
    row = connection.execute("select to_regclass(%s)", [f"{CONTROL}.{VERSION_TABLE}"]).fetchone()
    if row is None or row[0] is None:
        return None
    found = connection.execute(
        sql.SQL("select version_num from {}").format(sql.Identifier(CONTROL, VERSION_TABLE))
    ).fetchone()
    return str(found[0]) if found else None


def is_current(connection: psycopg.Connection[Any], engine: Engine, where: str) -> bool:
    """Whether the layout is this program's; roles that came after it are granted what is there.

    Errors: StoreError when the layout is newer than this program.
    """
    if _missing(stored_version(connection), where):
        return False
    if not engine.is_read_only:
        grant_late(connection)
    return True


def migrate(database: "Database") -> tuple[str, ...]:
    """Apply what is missing, in one transaction; processes that come at once wait for the first.

    Returns the names of the migrations applied.

    Errors: StoreError when the login may not, the server only reads, or the layout is newer than this program.
    """
    what = "preparing the SQL store"
    if database.engine.is_read_only:
        told = "; ".join(database.engine.remarks)
        raise StoreError(
            f"{what}: {database.address.shown} cannot be written ({told}); "
            "name the primary's address, or a login that may write"
        )
    with translated(database.address, what), _alembic_context(database) as context:
        connection = context.opts["driver_connection"]
        connection.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
        missing = _missing(stored_version(connection), database.address.shown)
        if missing:
            make_control_schema(connection, make_roles(connection))
            context.run_migrations(connection=connection)
            grant_schema(connection, CONTROL)
    names = tuple(step.name for step in missing)
    logger.info("applied %s to %s", ", ".join(names) or "nothing", database.address.shown)
    return names


def _missing(version: str | None, where: str) -> tuple[Migration, ...]:
    known = [step.version for step in migrations()]
    if version is None:
        return migrations()
    if version not in known:
        raise StoreError(
            f"the layout of the SQL store at {where} is {version}, newer than this program's {known[-1]}; "
            "update marketdata-pipelines (layouts only go forward)"
        )
    return migrations()[known.index(version) + 1 :]


@contextmanager
def _alembic_context(database: "Database") -> Iterator["MigrationContext"]:
    """Alembic on a connection and in a transaction of its own, with the SQL files as its revisions."""
    # Imported here: an up-to-date store, which is nearly always, need not pay for it.
    import sqlalchemy as db
    from alembic.runtime.migration import MigrationContext
    from alembic.script import Script, ScriptDirectory
    from sqlalchemy.pool import NullPool

    class SqlScripts(ScriptDirectory):
        """Revisions made from SQL files instead of Python ones."""

        def _load_revisions(self) -> Iterator[Script]:
            for step in migrations():
                yield Script(_as_module(step), step.version, step.name)

    scripts = SqlScripts(str(files("marketdata_pipelines.stores.sql").joinpath("postgres")))
    engine = db.create_engine("postgresql+psycopg://", creator=database.connect, poolclass=NullPool)
    try:
        with engine.begin() as alembics:
            options = {
                "fn": lambda revision, _: scripts._upgrade_revs("head", revision),
                "version_table": VERSION_TABLE,
                "version_table_schema": CONTROL,
                "driver_connection": alembics.connection.driver_connection,
            }
            yield MigrationContext.configure(alembics, opts=options)
    except db.exc.DBAPIError as error:
        # What Alembic runs itself comes wrapped.
        raise error.orig or error from error


def _as_module(step: Migration) -> ModuleType:
    def upgrade(connection: psycopg.Connection[Any]) -> None:
        # Without parameters a file's statements go to the server as they are, all at once.
        connection.execute(step.text.encode())

    module = ModuleType(step.name)
    vars(module).update(revision=step.version, down_revision=step.after, upgrade=upgrade)
    return module
