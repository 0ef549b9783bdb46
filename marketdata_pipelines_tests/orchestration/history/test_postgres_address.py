import traceback

import pytest

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.orchestration.history.postgres_address import PostgresAddress, await_server, postgres_address
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines_tests.servers import PostgresServer

SECRET = "hunter2"


def _address(text: str) -> PostgresAddress:
    found = postgres_address(Settings(dagster_storage=text))
    assert found is not None
    return found


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_every_usual_form_is_made_the_one_that_works(scheme: str) -> None:
    address = _address(f"{scheme}://ann:{SECRET}@db.example:5433/history?sslmode=require")

    assert address.url == f"postgresql+psycopg2://ann:{SECRET}@db.example:5433/history?sslmode=require"
    assert address.shown == "database history on db.example:5433"
    assert SECRET not in repr(address)


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_variable_means_files(text: str) -> None:
    assert postgres_address(Settings(dagster_storage=text)) is None
    assert postgres_address(Settings()) is None


def test_a_local_socket_needs_no_host() -> None:
    address = _address("postgresql:///history?host=/var/run/postgresql")

    assert address.shown == "database history on /var/run/postgresql"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"mysql://ann:{SECRET}@db/history", "begins with mysql://, which is none of postgres, postgresql"),
        (f"postgresql+asyncpg://ann:{SECRET}@db/history", "begins with postgresql+asyncpg://"),
        (f"postgresql://ann:{SECRET}@db", "names no database on db"),
        (f"postgresql://ann:{SECRET}@db/", "names no database on db"),
        (f"postgresql://ann:x@{SECRET}@db/history", "has an @ in its password, which must be written as %40"),
        (f"postgresql://ann:{SECRET}/history", "cannot be read as an address"),
        (SECRET, "cannot be read as an address"),
    ],
)
def test_a_wrong_address_says_what_is_wrong_and_never_the_password(text: str, told: str) -> None:
    with pytest.raises(SettingsInvalid) as raised:
        _address(text)

    assert str(raised.value).startswith("MARKETDATA_DAGSTER_STORAGE ")
    assert told in str(raised.value)
    assert "give postgresql://user:password@host:5432/database, or unset it" in str(raised.value)
    assert SECRET not in "".join(traceback.format_exception(raised.value))


def test_a_server_that_answers_tells_its_version(postgres_url: str) -> None:
    assert await_server(_address(postgres_url)).split(".")[0].isdigit()


def test_a_server_that_is_not_there_is_named_with_what_to_do() -> None:
    with pytest.raises(SettingsInvalid) as raised:
        await_server(_address(f"postgresql://ann:{SECRET}@127.0.0.1:1/history"), 0)

    assert "MARKETDATA_DAGSTER_STORAGE names database history on 127.0.0.1:1" in str(raised.value)
    assert "start the server or mend the address" in str(raised.value)
    assert SECRET not in "".join(traceback.format_exception(raised.value))


def test_a_wrong_password_is_final_and_stays_hidden(postgres_server: PostgresServer, postgres_url: str) -> None:
    user = postgres_url.split("/")[2].split(":")[0]
    address = _address(postgres_server.url(user, user=user, password=SECRET))

    with pytest.raises(SettingsInvalid, match="password authentication failed") as raised:
        await_server(address, 60)

    assert "mend the user or password in it" in str(raised.value)
    assert SECRET not in "".join(traceback.format_exception(raised.value))


def test_a_missing_database_is_named(postgres_server: PostgresServer) -> None:
    with pytest.raises(SettingsInvalid, match="create the database"):
        await_server(_address(postgres_server.url("nowhere")), 60)


def test_an_unknown_option_is_told(postgres_server: PostgresServer) -> None:
    with pytest.raises(SettingsInvalid, match="sslmod"):
        await_server(_address(postgres_server.url("postgres") + "?sslmod=require"), 0)
