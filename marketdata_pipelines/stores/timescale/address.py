"""Where the SQL store is: the address read and shown without its secrets, and a driver's errors as ours.

Connecting is `database`'s. No text made here holds a password.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import PoolClosed, PoolTimeout

from marketdata_pipelines.errors import SettingsInvalid, StoreError, StoreUnavailable

VARIABLE = "MARKETDATA_TIMESCALE_DSN"
_FORM = "postgresql://user:password@host:5432/database"
_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2")
_SECRETS = ("password", "sslpassword")
# Ours: a server that is not what target_session_attrs asks for.
_NO_SUCH_SESSION = "session"
# Ours: a login that may connect and make no schema.
_NO_SCHEMA = "schema"
# Servers that begin, end or are full; transactions that lost against another (SQLSTATE classes and codes).
_PASSING = ("08", "40", "53300", "55P03", "57P01", "57P02", "57P03", "57P05", "25P03", _NO_SUCH_SESSION)
_WHAT_NEXT = {
    "28": "mend the user or password in the address, or the server's pg_hba.conf",
    "3D000": "create the database (createdb), or mend its name in the address",
    "3F000": "publish the feed to this store first",
    "42P01": "publish the feed to this store first",
    "42703": "an older program may have made it: publish to this store, or see marketdata doctor",
    "42501": "give the login the role marketdata_writer, or marketdata_reader where it only reads",
    _NO_SCHEMA: "give the login the role marketdata_writer, and let the database's owner run `grant create on "
    "database … to marketdata_writer`: each feed is a schema",
    "25006": "the server takes no writes: name the primary in the address, and of several servers ask for it "
    "(target_session_attrs=primary)",
    "53100": "make room on the server's disk, then publish again: what was not finished is undone",
    "53": "give the server more room, then try again: what was not finished is undone",
    "57014": "ask for less at once, or allow more time",
}
# What is worth more than to look whether the server runs: it does.
_WHAT_NEXT_OF_PASSING = {
    "53300": "wait, or let it take more connections (max_connections, or the limit of the role or database)",
    "57P03": "wait until it is up, then try again",
    _NO_SUCH_SESSION: "wait until a fail-over is done, or name a server that is what target_session_attrs asks for",
}
# What a server says before anybody is logged in has no SQLSTATE in libpq: it is known by its words.
_SAID = {
    "password": "28",
    "authentication": "28",
    "no pg_hba.conf entry": "28",
    "is not permitted to log in": "28",
    "permission denied for database": "42501",
    "does not support SSL": "28",
    "certificate": "28",
    "too many clients": "53300",
    "too many connections": "53300",
    "connection slots are reserved": "53300",
    "is starting up": "57P03",
    "is shutting down": "57P03",
    "in recovery mode": "57P03",
    "not yet accepting connections": "57P03",
    "session is read-only": _NO_SUCH_SESSION,
    "session is not read-only": _NO_SUCH_SESSION,
    "server is in hot standby mode": _NO_SUCH_SESSION,
    "server is not in hot standby mode": _NO_SUCH_SESSION,
}
# A file system that is full, or whose limits (quota, longest file) are reached: the server has a SQLSTATE for one.
_FULL = ("could not extend file", "No space left on device", "Disk quota exceeded", "File too large")
_ATTEMPT = re.compile(r"\n- host: .*?, port: .*?, hostaddr: .*?: ")


@dataclass(frozen=True, slots=True)
class Address:
    """A server and its database; `shown` is host:port/database, without login and password."""

    conninfo: str = field(repr=False)
    shown: str
    secrets: tuple[str, ...] = field(repr=False, default=())

    def without_secrets(self, text: str) -> str:
        """`text` on one line, with every secret of this address struck out."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return " ".join(text.split())


def read_address(dsn: str) -> Address:
    """The address in `dsn`: postgresql://user:password@host:port/database, with libpq's options as a query.

    Errors: SettingsInvalid saying what is wrong with it, never repeating any of it that may be secret.
    """
    scheme, parted, rest = dsn.strip().partition("://")
    if not parted or scheme not in _SCHEMES:
        raise _wrong("is not an address of that form")
    try:
        given = {name: str(value) for name, value in conninfo_to_dict(f"postgresql://{rest}").items() if value}
    except psycopg.Error:
        # Not chained: the error below repeats parts of the address, maybe of the password.
        raise _wrong("cannot be read (in a password write @ as %40, : as %3A, / as %2F, % as %25)") from None
    host, port, database = given.get("host", ""), given.get("port", ""), given.get("dbname", "")
    if "@" in host or "@" in database or (not port.replace(",", "").isdigit() and port):
        raise _wrong("has a character in its password that must be escaped (@ as %40, : as %3A, / as %2F, % as %25)")
    if not database:
        raise _wrong("names no database")
    secrets = tuple(given[name] for name in _SECRETS if name in given)
    return Address(make_conninfo(**given), f"{_places(host, port)}/{database}", secrets)


@contextmanager
def translated(address: Address, what: str = "") -> Iterator[None]:
    """Turn the driver's errors inside into StoreUnavailable (trying again may help) or StoreError.

    `what` was being done, as "publishing us_equities_1m 2024-03-08"; the message is what + where + what next.
    """
    try:
        yield
    except (psycopg.Error, PoolTimeout, PoolClosed) as error:
        raise as_store_error(error, address, what) from error


def as_store_error(error: BaseException, address: Address, what: str = "") -> StoreError:
    """The error of ours that says what `error` means for whoever called."""
    reasons = [address.without_secrets(each) for each in _reasons(error)]
    told = "; ".join(reasons)
    begin = f"{what}: {address.shown}" if what else address.shown
    code = _state(error, reasons)
    advice = next((_WHAT_NEXT[key] for key in (code, code[:2]) if key in _WHAT_NEXT), "")
    if isinstance(error, PoolClosed):
        return StoreError(f"{begin} was closed; open the database again")
    if isinstance(error, PoolTimeout):
        return StoreUnavailable(f"{begin}: {told}; wait, or allow more connections")
    if code.startswith(_PASSING) or (not code and isinstance(error, psycopg.OperationalError)):
        next_step = _WHAT_NEXT_OF_PASSING.get(code, "see that the server runs, then try again")
        return StoreUnavailable(f"{begin} did not answer: {told}; {next_step}")
    return StoreError(f"{begin} refused: {told}{'; ' if advice else ''}{advice}")


def _state(error: BaseException, reasons: list[str]) -> str:
    """The SQLSTATE, or what stands for it; empty: not known. Of several servers: one's that may yet answer."""
    code = str(getattr(error, "sqlstate", "") or "")
    if code.startswith(("XX", "58")) and any(words in reasons[0] for words in _FULL):
        return "53100"
    if code.startswith("XX") and "concurrently" in reasons[0]:
        # Two sessions met in one row of the catalogue ("tuple concurrently updated"), as refreshes and grants may.
        return "40001"
    if code == "42501" and reasons[0].startswith("permission denied for database"):
        return _NO_SCHEMA
    if code or not isinstance(error, psycopg.OperationalError):
        return code
    states = [_state_told(each) for each in reasons]
    passing = [each for each in states if not each or each.startswith(_PASSING)]
    return max(passing, key=len) if passing else states[0]


def _state_told(told: str) -> str:
    if 'database "' in told and "does not exist" in told:
        return "3D000"
    if 'role "' in told and "does not exist" in told:
        return "28"
    return next((state for words, state in _SAID.items() if words in told), "")


def _reasons(error: BaseException) -> list[str]:
    diagnosis = getattr(error, "diag", None)
    told = (diagnosis.message_primary if diagnosis else "") or str(error) or type(error).__name__
    # Of several servers, or addresses of one, each says why not: in a list after what the last has said.
    attempts = _ATTEMPT.split(told)[1:] or [told]
    return list(dict.fromkeys(map(_reason, attempts)))


def _reason(told: str) -> str:
    return told.strip().removeprefix("connection failed: ").partition("\n\tIs the server running")[0].rstrip(".")


def _places(host: str, port: str) -> str:
    hosts, ports = host.split(","), port.split(",")
    if len(ports) != len(hosts):
        ports = ports[:1] * len(hosts)
    return ",".join(_place(*each) for each in zip(hosts, ports, strict=True))


def _place(host: str, port: str) -> str:
    if not host or host.startswith("/"):
        return f"{host or 'the local socket'}{f' port {port}' if port else ''}"
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{port or 5432}"


def _wrong(why: str) -> SettingsInvalid:
    return SettingsInvalid(f"the SQL store's address {why}; give {_FORM} ({VARIABLE})")
