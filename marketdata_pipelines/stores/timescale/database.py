"""Connections to the SQL store: one pool a process, opened when first needed, healed after a cut or a restart.

What is asked of a connection is its borrower's. What the database holds is made by `migrating`.
"""

import logging
import os
import select
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool, PoolTimeout

from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.stores.timescale.address import read_address, translated
from marketdata_pipelines.stores.timescale.engine import OLDEST_POSTGRES, Engine, detect
from marketdata_pipelines.stores.timescale.roles import take_writer_role

logger = logging.getLogger(__name__)

Connection = psycopg.Connection[tuple[Any, ...]]
Pool = ConnectionPool[Connection]

# What a caller waits before it is asked why none of the pool's connections is free.
_SECONDS_TO_LOOK_WHY = 0.5
_SECONDS_IDLE_IN_TRANSACTION = 600
# A host that went away without a word is noticed within about a minute, in a transfer too.
_WIRE: dict[str, str | int] = {
    "connect_timeout": 5,
    "application_name": "marketdata",
    "client_encoding": "UTF8",
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}


class Database:
    """A PostgreSQL database, with or without TimescaleDB; nothing is connected before it is needed.

    Safe to share between threads, and to use after a fork: a child opens a pool of its own.

    `timeout_seconds` bounds every statement, and the wait for a free connection.
    Errors: SettingsInvalid when `dsn` is no such address.
    """

    def __init__(self, dsn: str, *, pool_size: int = 4, timeout_seconds: float = 30) -> None:
        self.address = read_address(dsn)
        self.timeout_seconds = timeout_seconds
        self._pool_size = pool_size
        given = conninfo_to_dict(self.address.conninfo)
        self._wire = {name: value for name, value in _WIRE.items() if name not in given}
        self._lock = threading.Lock()
        self._pool: Pool | None = None
        self._engine: Engine | None = None
        self._is_suspect = False
        self._finish: weakref.finalize[[Pool], Database] | None = None
        _OPEN.add(self)

    def __repr__(self) -> str:
        return f"Database({self.address.shown})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def engine(self) -> Engine:
        """What runs there, asked when first connected and after every outage: of several servers another may answer.

        Errors: StoreUnavailable; StoreError when it is too old or the login is refused.
        """
        self._opened()
        assert self._engine is not None
        return self._engine

    @contextmanager
    def connection(
        self, what: str = "", *, autocommit: bool = False, statement_seconds: float | None = None
    ) -> Iterator[Connection]:
        """A connection for one transaction: committed at the end, rolled back by an error, then given back.

        `what` is being done, for messages. `autocommit`: each statement is a transaction of its own, as a refresh of
        a continuous aggregate demands. `statement_seconds` instead of the usual limit of a statement; 0: none.
        Times are told in UTC.

        Errors: whatever the driver raises inside becomes StoreUnavailable (trying again may help) or StoreError.
        """
        with translated(self.address, what):
            pool = self._opened(what)
            connection = self._taken(pool)
            try:
                # As its last borrower left it: readers, who ask one after the other, all want the same.
                if connection.autocommit != autocommit:
                    connection.autocommit = autocommit
                with connection:
                    if statement_seconds is not None:
                        _limit(connection, statement_seconds, is_local=not autocommit)
                    yield connection
            finally:
                try:
                    self._restore(connection, autocommit=autocommit, limited=statement_seconds is not None)
                finally:
                    if connection.closed:
                        self._is_suspect = True
                    pool.putconn(connection)

    def migrate(self) -> tuple[str, ...]:
        """Bring the database to this program's layout; several processes may at once.

        Returns the migrations applied, oldest first; none when it was up to date.

        Errors: StoreError when the login may not, the server only reads, or a newer program's layout is there.
        """
        from marketdata_pipelines.stores.timescale.migrating import is_current, migrate

        with self.connection("preparing the SQL store") as connection:
            found = is_current(connection, self.engine, self.address.shown)
            # Connections opened before the writer role owned the store work as their login.
            changed = take_writer_role(connection)
        applied = () if found else migrate(self)
        if changed or not found:
            self._opened().drain()
        return applied

    def connect(self) -> Connection:
        """A new connection outside the pool, its caller's to close. Errors: the driver's own."""
        connection = psycopg.connect(self.address.conninfo, **self._wire)  # type: ignore[arg-type]
        try:
            _configure(connection, self.timeout_seconds)
        except BaseException:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """Close every connection that is not in use; the next use opens the pool again."""
        with self._lock:
            finish = self._finish
            self._finish = self._pool = None
        if finish is not None:
            finish()

    def _opened(self, what: str = "") -> Pool:
        with self._lock:
            if self._pool is not None:
                return self._pool
            # The first connection is made here and not by the pool: its failure says at once what is wrong.
            with translated(self.address, what):
                engine = self._ask_what_runs()
            self._pool = pool = self._make_pool()
            self._finish = weakref.finalize(self, _close, pool)
            logger.info("connected to %s: %s", self.address.shown, engine.label)
            return pool

    def _make_pool(self) -> Pool:
        # Every failure it would log reaches a caller as an error, with the reason.
        logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
        return ConnectionPool(
            self.address.conninfo,
            kwargs=self._wire,
            min_size=0,
            max_size=self._pool_size,
            open=True,
            # Nothing of this object: a database that nobody holds any more closes its connections.
            configure=partial(_configure, timeout_seconds=self.timeout_seconds),
            timeout=self.timeout_seconds,
            max_idle=120.0,
            # One try: whoever waits asks for the next.
            reconnect_timeout=0.0,
            num_workers=1,
            name=f"marketdata {self.address.shown}",
        )

    def _taken(self, pool: Pool) -> Connection:
        if self._is_suspect:
            self._ask_whether_it_answers()
        try:
            return self._living(pool, min(_SECONDS_TO_LOOK_WHY, self.timeout_seconds))
        except PoolTimeout:
            self._ask_whether_it_answers()
        try:
            return self._living(pool, self.timeout_seconds)
        except PoolTimeout:
            self._ask_whether_it_answers()
            waited = f"all {self._pool_size} connections were in use for {self.timeout_seconds:g} seconds"
            raise PoolTimeout(waited) from None

    def _ask_whether_it_answers(self) -> None:
        # The pool only knows that it got no connection; the driver says why. Until it answers, nobody waits for more.
        self._is_suspect = True
        self._ask_what_runs()
        self._is_suspect = False

    def _ask_what_runs(self) -> Engine:
        with self.connect() as connection:
            engine = detect(connection)
        if not engine.is_supported:
            raise StoreError(
                f"{self.address.shown} runs {engine.label}; PostgreSQL {OLDEST_POSTGRES} or newer is needed"
            )
        self._engine = engine
        return engine

    def _living(self, pool: Pool, seconds: float) -> Connection:
        for _ in range(self._pool_size + 1):
            connection = pool.getconn(timeout=seconds)
            if _lives(connection):
                return connection
            connection.close()
            pool.putconn(connection)
            self._ask_whether_it_answers()
            # What ended one has likely ended all that lie idle.
            pool.check()
        raise PoolTimeout

    def _restore(self, connection: Connection, *, autocommit: bool, limited: bool) -> None:
        if not autocommit or connection.closed:
            return
        if connection.info.transaction_status != TransactionStatus.IDLE:
            # Left inside a statement or cut: not worth mending.
            connection.close()
            return
        if limited:
            _limit(connection, self.timeout_seconds, is_local=False)

    def _leave_to_parent(self) -> None:
        # Closing a connection here would end it for the parent, whose socket it is: it is kept, and never touched.
        if self._finish is not None:
            self._finish.detach()
            _OF_THE_PARENT.append(self._pool)
        self._lock, self._pool, self._finish = threading.Lock(), None, None


_OPEN: "weakref.WeakSet[Database]" = weakref.WeakSet()
_OF_THE_PARENT: list[Pool | None] = []


def _after_fork() -> None:
    for database in list(_OPEN):
        database._leave_to_parent()


os.register_at_fork(after_in_child=_after_fork)


def _configure(connection: Connection, timeout_seconds: float) -> None:
    connection.autocommit = True
    connection.execute(
        "select set_config('TimeZone', 'UTC', false), set_config('idle_in_transaction_session_timeout', %s, false)",
        [f"{_SECONDS_IDLE_IN_TRANSACTION}s"],
    )
    _limit(connection, timeout_seconds, is_local=False)
    take_writer_role(connection)
    connection.autocommit = False


def _lives(connection: Connection) -> bool:
    # A server that ended the connection has left a word on the socket: only then is it asked, a round trip saved.
    watch = select.poll()
    watch.register(connection.fileno(), select.POLLIN)
    if not watch.poll(0):
        return True
    try:
        ConnectionPool.check_connection(connection)
    except psycopg.Error:
        return False
    return True


def _limit(connection: Connection, seconds: float, *, is_local: bool) -> None:
    milliseconds = f"{round(seconds * 1000)}ms"
    connection.execute("select set_config('statement_timeout', %s, %s)", [milliseconds, is_local])


def _close(pool: Pool) -> None:
    pool.close()
