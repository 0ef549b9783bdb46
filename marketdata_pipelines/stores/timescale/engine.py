"""Which engine a connection reached: PostgreSQL with a usable TimescaleDB or plain, which versions, writable or not.

What is done differently on each is decided where it is done.
"""

import re
from dataclasses import dataclass
from typing import Any

import psycopg

OLDEST_POSTGRES = 14
# Continuous aggregates over continuous aggregates came in 2.9, their mended refresh after drop_chunks in 2.14.
OLDEST_TIMESCALE = (2, 14)
# convert_to_columnstore and `timescaledb.enable_columnstore`; before that the same was called compression.
OLDEST_COLUMNSTORE = (2, 18)

_ASK = """
select current_setting('server_version_num')::int,
       coalesce((select extversion from pg_catalog.pg_extension where extname = 'timescaledb'), ''),
       coalesce(current_setting('timescaledb.license', true), ''),
       pg_catalog.pg_is_in_recovery(),
       current_setting('default_transaction_read_only')::bool
"""


@dataclass(frozen=True, slots=True)
class Engine:
    """What runs at an address.

    `is_timescale` is true only where hypertables and continuous aggregates can be used: everything else is plain
    PostgreSQL, and `remarks` say why an installed extension is left aside. `has_columnstore`: chunks can be compressed
    with convert_to_columnstore. `postgres_version` is 180004 for 18.4. `is_read_only`: a standby, or a login whose
    transactions only read.
    """

    is_timescale: bool
    postgres_version: int
    timescale_version: str = ""
    has_columnstore: bool = False
    is_read_only: bool = False
    remarks: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """For people: "TimescaleDB 2.29.2 on PostgreSQL 18.4"."""
        major, minor = divmod(self.postgres_version, 10_000)
        postgres = f"PostgreSQL {major}.{minor}"
        return f"TimescaleDB {self.timescale_version} on {postgres}" if self.is_timescale else postgres

    @property
    def is_supported(self) -> bool:
        return self.postgres_version >= OLDEST_POSTGRES * 10_000


def detect(connection: psycopg.Connection[Any]) -> Engine:
    """Ask the server what it is; one round trip, nothing is changed."""
    row = connection.execute(_ASK).fetchone()
    assert row is not None
    version, extension, licence, is_standby, only_reads = row
    return judge(version, extension, licence, is_standby=is_standby, only_reads=only_reads)


def unused_timescale(connection: psycopg.Connection[Any]) -> str:
    """The version of TimescaleDB that the server has but this database does not; empty where there is none."""
    row = connection.execute(
        "select default_version from pg_catalog.pg_available_extensions"
        " where name = 'timescaledb' and installed_version is null"
    ).fetchone()
    return str(row[0]) if row else ""


def judge(version: int, extension: str, licence: str, *, is_standby: bool, only_reads: bool) -> Engine:
    """What a server that says this of itself can be used for."""
    remarks = []
    found = _numbers(extension)
    is_timescale = bool(extension)
    if extension and licence == "apache":
        is_timescale = False
        remarks.append(
            f"TimescaleDB {extension} has the Apache-only licence, without columnstore and continuous aggregates: "
            "used as plain PostgreSQL"
        )
    elif extension and found < OLDEST_TIMESCALE:
        is_timescale = False
        remarks.append(f"TimescaleDB {extension} is older than {_dotted(OLDEST_TIMESCALE)}: used as plain PostgreSQL")
    elif extension and found < OLDEST_COLUMNSTORE:
        remarks.append(f"TimescaleDB {extension} is older than {_dotted(OLDEST_COLUMNSTORE)}: nothing is compressed")
    if version < OLDEST_POSTGRES * 10_000:
        remarks.append(f"PostgreSQL {OLDEST_POSTGRES} or newer is needed")
    if is_standby:
        remarks.append("a standby: it can be read, not published to")
    elif only_reads:
        remarks.append("transactions of this login only read: nothing can be published")
    return Engine(
        is_timescale=is_timescale,
        postgres_version=version,
        timescale_version=extension,
        has_columnstore=is_timescale and found >= OLDEST_COLUMNSTORE,
        is_read_only=is_standby or only_reads,
        remarks=tuple(remarks),
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall(r"\d+", version)[:2])


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
