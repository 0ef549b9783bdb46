from urllib.parse import quote

import psycopg
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from marketdata_pipelines.errors import SettingsInvalid, StoreError, StoreUnavailable
from marketdata_pipelines.stores.timescale.address import read_address, translated


def test_an_address_is_shown_without_login_and_password() -> None:
    address = read_address("postgresql://ann:s3cr3t@db.example.org:6432/market")

    assert address.shown == "db.example.org:6432/market"
    assert "s3cr3t" not in repr(address)
    assert "ann" not in repr(address)


@pytest.mark.parametrize(
    ("dsn", "shown"),
    [
        ("postgres://db.example.org/market", "db.example.org:5432/market"),
        ("postgresql+psycopg://u@db.example.org/market", "db.example.org:5432/market"),
        ("postgresql://[::1]:5433/market", "[::1]:5433/market"),
        ("postgresql://one:5432,two:5433/market?target_session_attrs=primary", "one:5432,two:5433/market"),
        ("postgresql:///market", "the local socket/market"),
        ("postgresql:///market?host=/run/pg&port=5433", "/run/pg port 5433/market"),
        (" postgresql://h/market\n", "h:5432/market"),
    ],
)
def test_every_form_of_address_is_read(dsn: str, shown: str) -> None:
    assert read_address(dsn).shown == shown


def test_escaped_characters_of_a_password_reach_the_server_as_they_are() -> None:
    address = read_address("postgresql://u:p%40ss%3A%2F%25%20'\"\\@h/market?sslmode=require")

    given = conninfo_to_dict(address.conninfo)

    assert given["password"] == "p@ss:/% '\"\\"
    assert given["sslmode"] == "require"


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u:p@55word@h/market",
        "postgresql://u:55word/x@h/market",
        "postgresql://u:55word/x@h:5432/market",
        "postgresql://u:12/55word@h/market",
        "postgresql://u:55word%zz@h/market",
        "postgresql://u:55word@[h/market",
        "postgresql://u:55word@h:port/market",
        "postgresql://u:55word@h",
        "postgresql://u:55word@h/market?nonsense=55word",
        "mysql://u:55word@h/market",
        "host=h password=55word dbname=market",
        "u:55word@h/market",
        "",
    ],
)
def test_a_wrong_address_is_refused_without_repeating_any_of_it(dsn: str) -> None:
    with pytest.raises(SettingsInvalid, match="postgresql://user:password@host:5432/database") as caught:
        read_address(dsn)

    assert "55word" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "MARKETDATA_TIMESCALE_DSN" in str(caught.value)


def test_a_secret_is_struck_out_of_whatever_a_server_says() -> None:
    address = read_address("postgresql://u:55word@h/market?sslpassword=k3y")

    with pytest.raises(StoreError) as caught, translated(address, "reading bars"):
        raise psycopg.ProgrammingError("wrong: 55word\nand k3y")

    assert str(caught.value) == "reading bars: h:5432/market refused: wrong: *** and ***"


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (psycopg.errors.AdminShutdown("ends"), StoreUnavailable, "did not answer"),
        (psycopg.errors.CannotConnectNow("starting up"), StoreUnavailable, "did not answer"),
        (psycopg.errors.SerializationFailure("lost"), StoreUnavailable, "did not answer"),
        (psycopg.errors.DeadlockDetected("lost"), StoreUnavailable, "did not answer"),
        (psycopg.errors.TooManyConnections("full"), StoreUnavailable, "did not answer"),
        (psycopg.OperationalError("server closed the connection unexpectedly"), StoreUnavailable, "did not answer"),
        (psycopg.errors.QueryCanceled("timeout"), StoreError, "ask for less at once"),
        (psycopg.errors.DiskFull("no space left"), StoreError, "make room on the server's disk"),
        (psycopg.errors.ReadOnlySqlTransaction("read-only"), StoreError, "name the primary"),
        (psycopg.errors.InsufficientPrivilege("denied"), StoreError, "marketdata_writer"),
        (psycopg.errors.InsufficientPrivilege("permission denied for database x"), StoreError, "run `grant create on"),
        (psycopg.errors.UndefinedTable("no table"), StoreError, "publish the feed"),
        (psycopg.OperationalError('FATAL: password authentication failed for user "u"'), StoreError, "mend the user"),
        (psycopg.OperationalError('FATAL: role "u" does not exist'), StoreError, "mend the user"),
        (psycopg.OperationalError('FATAL: database "d" does not exist'), StoreError, "createdb"),
        (psycopg.errors.UniqueViolation("twice"), StoreError, "refused: twice"),
        (psycopg.OperationalError("FATAL: sorry, too many clients already"), StoreUnavailable, "let it take more"),
        (psycopg.OperationalError("FATAL: remaining connection slots are reserved for"), StoreUnavailable, "take more"),
        (psycopg.OperationalError('FATAL: too many connections for role "u"'), StoreUnavailable, "limit of the role"),
        (psycopg.OperationalError("FATAL: the database system is starting up"), StoreUnavailable, "until it is up"),
        (psycopg.OperationalError("failed: session is read-only"), StoreUnavailable, "until a fail-over is done"),
        (psycopg.errors.InternalError_('could not extend file "x": File too large'), StoreError, "make room on"),
        (psycopg.errors.IoError('could not write to file "x": Disk quota exceeded'), StoreError, "make room on"),
        (psycopg.errors.InternalError_("cache lookup failed"), StoreError, "refused: cache lookup failed"),
        (psycopg.errors.InternalError_("tuple concurrently updated"), StoreUnavailable, "then try again"),
    ],
)
def test_an_error_says_whether_trying_again_helps(error: psycopg.Error, kind: type[StoreError], told: str) -> None:
    with pytest.raises(StoreError) as caught, translated(read_address("postgresql://h/market"), "reading"):
        raise error

    assert type(caught.value) is kind
    assert told in str(caught.value)
    assert str(caught.value).startswith("reading: h:5432/market ")


def of_several(*reasons: str) -> psycopg.OperationalError:
    """What the driver raises when no server of an address takes the connection."""
    each = [f"- host: 'h{at}', port: '5432', hostaddr: '10.0.0.{at}': {why}" for at, why in enumerate(reasons)]
    heading = "Multiple connection attempts failed. All failures were:"
    return psycopg.OperationalError("\n".join([reasons[-1], heading, *each]))


AWAY = "connection failed: connection to h failed: Connection refused\n\tIs the server running on that host?"
WRONG = 'connection failed: connection to g failed: FATAL: password authentication failed for user "u"'


@pytest.mark.parametrize(
    ("reasons", "kind", "told"),
    [
        ([AWAY, AWAY], StoreUnavailable, "did not answer: connection to h failed: Connection refused; see that the"),
        (
            [AWAY, WRONG],
            StoreUnavailable,
            'h failed: Connection refused; connection to g failed: FATAL: .* "u"; see th',
        ),
        ([WRONG, WRONG], StoreError, 'refused: connection to g failed: FATAL: password .* "u"; mend the user'),
        (["to h failed: session is read-only", AWAY], StoreUnavailable, "read-only; connection to h .*; wait until a"),
    ],
)
def test_each_of_several_servers_says_why_not_and_one_that_may_come_back_decides(
    reasons: list[str], kind: type[StoreError], told: str
) -> None:
    with pytest.raises(StoreError, match=told) as caught, translated(read_address("postgresql://h/market"), "reading"):
        raise of_several(*reasons)

    assert type(caught.value) is kind


@settings(phases=(Phase.explicit, Phase.generate), max_examples=200, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_any_escaped_password_reaches_the_server(password: str) -> None:
    address = read_address(f"postgresql://u:{quote(password, safe='')}@h/market")

    assert conninfo_to_dict(address.conninfo)["password"] == password
    assert address.shown == "h:5432/market"
    assert address.without_secrets(f"said {password}").count("***") >= 1


@settings(phases=(Phase.explicit, Phase.generate), max_examples=300, deadline=None)
@given(st.text("s3#@:/?%&=,[]' \\", min_size=4))
def test_any_password_that_is_not_escaped_is_never_shown(password: str) -> None:
    try:
        told = read_address(f"postgresql://u:{password}@h/market").shown
    except SettingsInvalid as error:
        told = str(error).replace("(in a password write @ as %40, : as %3A, / as %2F, % as %25)", "")

    assert password not in told
