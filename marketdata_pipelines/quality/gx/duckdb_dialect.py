"""DuckDB as Great Expectations needs it: a SQLAlchemy dialect over one open connection, and nothing more.

Each statement has a cursor of its own that holds its rows: Great Expectations fetches them after the connection went
back to the pool, where a driver whose cursor is the connection has lost them. Only reading is meant here.
Imported only by functions: SQLAlchemy takes its time.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
import sqlalchemy as sa
from sqlalchemy import pool
from sqlalchemy import types as sqltypes
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql import DOUBLE_PRECISION
from sqlalchemy.dialects.postgresql import base as postgres
from sqlalchemy.engine import default

_DIALECT = "marketdata_duckdb"
_TYPES: dict[str, sqltypes.TypeEngine[Any]] = {
    "BIGINT": sqltypes.BIGINT(),
    "INTEGER": sqltypes.INTEGER(),
    "SMALLINT": sqltypes.SMALLINT(),
    "TINYINT": sqltypes.SMALLINT(),
    "HUGEINT": sqltypes.NUMERIC(),
    "DOUBLE": DOUBLE_PRECISION(),
    "FLOAT": sqltypes.REAL(),
    "VARCHAR": sqltypes.VARCHAR(),
    "BOOLEAN": sqltypes.BOOLEAN(),
    "DATE": sqltypes.DATE(),
    "TIME": sqltypes.TIME(),
    "TIMESTAMP": sqltypes.TIMESTAMP(),
    "TIMESTAMP WITH TIME ZONE": sqltypes.TIMESTAMP(timezone=True),
}
_COLUMNS = "select column_name, data_type from duckdb_columns() where table_name = ? order by column_index"
_VIEWS = "select view_name from duckdb_views() where not internal"


@contextmanager
def engine_on(connection: duckdb.DuckDBPyConnection) -> Iterator[sa.Engine]:
    """A SQLAlchemy engine over an open connection, which stays open."""
    registry.register(_DIALECT, __name__, "DuckDbDialect")
    engine = sa.create_engine(f"{_DIALECT}://", creator=lambda: _Connection(connection), poolclass=pool.StaticPool)
    try:
        yield engine
    finally:
        engine.dispose()


class _Cursor:
    """One statement and its rows."""

    arraysize = 1
    rowcount = -1

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._rows: list[tuple[Any, ...]] = []
        self.description: Sequence[Sequence[Any]] | None = None

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        result = (
            self._connection.execute(statement, list(parameters)) if parameters else self._connection.execute(statement)
        )
        self.description = result.description or None
        self._rows = result.fetchall()[::-1]

    def executemany(self, statement: str, parameters: Sequence[Sequence[Any]]) -> None:
        for each in parameters:
            self.execute(statement, each)

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows.pop() if self._rows else None

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        return [self._rows.pop() for _ in range(min(size or 1, len(self._rows)))]

    def fetchall(self) -> list[tuple[Any, ...]]:
        rows, self._rows = self._rows[::-1], []
        return rows

    def close(self) -> None:
        self._rows = []

    def setinputsizes(self, *_: object) -> None:
        """DuckDB knows the types of its parameters."""


class _Connection:
    """What SQLAlchemy takes for a driver's connection; the caller closes the one behind it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.duckdb = connection

    def cursor(self) -> _Cursor:
        return _Cursor(self.duckdb)

    def commit(self) -> None:
        """Every statement is committed by itself."""

    def rollback(self) -> None:
        """There is nothing to take back."""

    def close(self) -> None:
        """The connection is the caller's."""


class _Driver:
    """The part of a DB-API module that SQLAlchemy asks for."""

    paramstyle = "qmark"
    apilevel = "2.0"
    threadsafety = 1
    Error = duckdb.Error
    InterfaceError = duckdb.Error
    DatabaseError = duckdb.DatabaseError
    DataError = duckdb.DataError
    OperationalError = duckdb.OperationalError
    IntegrityError = duckdb.IntegrityError
    InternalError = duckdb.InternalError
    ProgrammingError = duckdb.ProgrammingError
    NotSupportedError = duckdb.NotSupportedError


class DuckDbDialect(postgres.PGDialect):
    """PostgreSQL's SQL, which DuckDB speaks, with DuckDB's own catalog."""

    name = "duckdb"
    driver = "marketdata"
    default_paramstyle = "qmark"
    supports_statement_cache = True
    supports_server_side_cursors = False
    supports_sane_rowcount = False
    postfetch_lastrowid = False
    execution_ctx_cls: Any = default.DefaultExecutionContext
    # DuckDB hands out floats and decimals as they are.
    colspecs = {kind: own for kind, own in postgres.PGDialect.colspecs.items() if kind is not sqltypes.Numeric}  # noqa: RUF012

    @classmethod
    def import_dbapi(cls) -> Any:
        return _Driver

    def create_connect_args(self, url: sa.URL) -> Any:
        return [], {}

    def initialize(self, connection: sa.Connection) -> None:
        self.server_version_info = (14, 0)
        self.default_schema_name = "main"
        self._backslash_escapes = False

    def on_connect(self) -> None:
        return None

    def get_isolation_level(self, dbapi_connection: Any) -> Any:
        return "AUTOCOMMIT"

    def get_default_isolation_level(self, dbapi_conn: Any) -> Any:
        return "AUTOCOMMIT"

    def set_isolation_level(self, dbapi_connection: Any, level: Any) -> None:
        """There is but one."""

    def do_ping(self, dbapi_connection: Any) -> bool:
        return True

    def get_columns(self, connection: sa.Connection, table_name: str, schema: str | None = None, **_: Any) -> Any:
        rows = connection.exec_driver_sql(_COLUMNS, (str(table_name),)).fetchall()
        if not rows:
            raise sa.exc.NoSuchTableError(table_name)
        return [
            {"name": name, "type": _TYPES.get(kind, sqltypes.NullType()), "nullable": True, "default": None}
            for name, kind in rows
        ]

    def get_pk_constraint(self, connection: sa.Connection, table_name: str, schema: str | None = None, **_: Any) -> Any:
        return {"constrained_columns": [], "name": None}

    def get_table_names(self, connection: sa.Connection, schema: str | None = None, **_: Any) -> list[str]:
        return []

    def get_view_names(self, connection: sa.Connection, schema: str | None = None, **_: Any) -> list[str]:
        return [name for (name,) in connection.exec_driver_sql(_VIEWS).fetchall()]

    def has_table(self, connection: sa.Connection, table_name: str, schema: str | None = None, **_: Any) -> bool:
        return bool(connection.exec_driver_sql(_COLUMNS, (str(table_name),)).fetchall())

    def get_schema_names(self, connection: sa.Connection, **_: Any) -> list[str]:
        return ["main"]
