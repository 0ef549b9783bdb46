"""The PostgreSQL server that MARKETDATA_DAGSTER_STORAGE names, as Dagster's storage needs it, and whether it answers.

What Dagster keeps there is in `postgres_storage`. No text made here holds the password.
"""

import time
from dataclasses import dataclass, field

from sqlalchemy import create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.settings.environment import Settings

VARIABLE = "MARKETDATA_DAGSTER_STORAGE"
_FORM = "postgresql://user:password@host:5432/database"
_SCHEMES = ("postgres", "postgresql", "postgresql+psycopg2")
# SQLAlchemy 2.1 takes `postgresql` for psycopg 3, with which dagster-postgres cannot NOTIFY.
_DRIVER = "postgresql+psycopg2"
_SECONDS_TO_CONNECT = 5
_SECONDS_BETWEEN_TRIES = 0.2
# What another try does not mend (SQLSTATE class 28 and "invalid catalog name", as libpq tells them).
_FINAL = ("password", "authentication", "does not exist", "no pg_hba.conf entry", "permission denied", "not permitted")


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    """A server and database; `shown` names them without the password."""

    url: str = field(repr=False)
    shown: str


def postgres_address(settings: Settings) -> PostgresAddress | None:
    """The server that keeps Dagster's runs and events; None for the files below the home.

    Errors: SettingsInvalid when the variable holds no such address.
    """
    given = settings.dagster_storage.get_secret_value().strip() if settings.dagster_storage else ""
    if not given:
        return None
    url = _parsed(given)
    if url.get_backend_name() not in ("postgres", "postgresql") or url.drivername not in _SCHEMES:
        raise _wrong(f"begins with {url.drivername}://, which is none of {', '.join(_SCHEMES)}")
    if "@" in (url.host or "") or "@" in (url.database or ""):
        raise _wrong("has an @ in its password, which must be written as %40 (: as %3A, / as %2F, % as %25)")
    if not url.database:
        raise _wrong(f"names no database on {url.host or 'its server'}")
    url = url.set(drivername=_DRIVER)
    return PostgresAddress(url.render_as_string(hide_password=False), _shown(url))


def await_server(address: PostgresAddress, patience_seconds: float = 5.0) -> str:
    """Wait until the server answers; returns its version.

    A server that is starting or not reachable is tried again until patience ends; a refused login is final.

    Errors: SettingsInvalid naming the variable, the server and what it said.
    """
    url = make_url(address.url)
    wait = {} if "connect_timeout" in url.query else {"connect_timeout": _SECONDS_TO_CONNECT}
    engine = create_engine(url, poolclass=NullPool, connect_args=wait)
    until = time.monotonic() + patience_seconds
    while True:
        try:
            with engine.connect():
                version = engine.dialect.server_version_info or ()
        except SQLAlchemyError as error:
            told = _told(error, url)
            if any(word in told for word in _FINAL) or time.monotonic() >= until:
                # Not chained: the error below repeats what was given to it.
                raise SettingsInvalid(f"{VARIABLE} names {address.shown}: {told}; {_advice(told)}") from None
            time.sleep(_SECONDS_BETWEEN_TRIES)
        else:
            return ".".join(map(str, version))


def _parsed(given: str) -> URL:
    try:
        return make_url(given)
    except (ArgumentError, ValueError):
        # Not chained: the error below repeats parts of the address, maybe of the password.
        raise _wrong("cannot be read as an address") from None


def _wrong(why: str) -> SettingsInvalid:
    return SettingsInvalid(f"{VARIABLE} {why}; give {_FORM}, or unset it to keep Dagster's history in files")


def _shown(url: URL) -> str:
    host = url.host or url.query.get("host", "the local socket")
    port = f":{url.port}" if url.port else ""
    return f"database {url.database} on {host}{port}"


def _told(error: SQLAlchemyError, url: URL) -> str:
    text = " ".join(str(getattr(error, "orig", None) or error).split())
    return text.replace(url.password, "***") if url.password else text


def _advice(told: str) -> str:
    if "password" in told or "authentication" in told:
        return "mend the user or password in it"
    if "database" in told and "does not exist" in told:
        return "create the database (createdb), or mend its name"
    return f"start the server or mend the address; unset {VARIABLE} to keep Dagster's history in files"
