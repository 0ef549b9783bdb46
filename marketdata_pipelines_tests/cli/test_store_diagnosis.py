"""What doctor finds of the serving stores."""

import itertools
from pathlib import Path

import psycopg
import pytest

from marketdata_pipelines.cli.diagnosis import Finding, State
from marketdata_pipelines.cli.store_diagnosis import diagnose_stores
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.migrating import newest_version
from marketdata_pipelines_tests.redis_servers import start_redis
from marketdata_pipelines_tests.store_databases import command, store_database, store_dsn

__all__ = ["store_database", "store_dsn"]


@pytest.fixture(autouse=True)
def _no_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MARKETDATA_TIMESCALE_DSN", raising=False)
    monkeypatch.delenv("MARKETDATA_REDIS_URL", raising=False)


def _findings(tmp_path: Path, **values: str | int | None) -> dict[str, Finding]:
    return {found.what: found for found in diagnose_stores(Settings(home=tmp_path, **values))}


def test_stores_that_nobody_configured_are_well(tmp_path: Path) -> None:
    found = _findings(tmp_path)

    assert found["sql store"] == Finding("sql store", State.OK, "none: MARKETDATA_TIMESCALE_DSN is not set")
    assert found["redis"] == Finding("redis", State.OK, "none: MARKETDATA_REDIS_URL is not set")


def test_an_empty_database_waits_for_its_first_publication(tmp_path: Path, store_dsn: str) -> None:
    found = _findings(tmp_path, timescale_dsn=store_dsn)

    assert found["sql store"].state is State.OK
    assert "PostgreSQL " in found["sql store"].text
    assert found["sql store"].text.endswith(" answers")
    assert found["sql store layout"].state is State.NOTE
    assert found["sql store layout"].text == "nothing is published there yet"


def test_an_extension_that_the_database_lacks_is_noted(tmp_path: Path, store_dsn: str) -> None:
    with psycopg.connect(store_dsn, autocommit=True) as connection:
        connection.execute("drop extension if exists timescaledb cascade")
        there = connection.execute("select from pg_available_extensions where name = 'timescaledb'").fetchall()

    notes = [found for found in diagnose_stores(Settings(home=tmp_path, timescale_dsn=store_dsn)) if found.advice]

    told = "is on that server, but not in this database: used as plain PostgreSQL"
    assert any(told in note.text for note in notes) == bool(there)
    assert any("create extension timescaledb" in note.advice for note in notes) == bool(there)


def test_a_store_in_use_is_told_with_engine_layout_and_role(
    tmp_path: Path, store_dsn: str, store_database: Database
) -> None:
    found = _findings(tmp_path, timescale_dsn=store_dsn)

    assert store_database.engine.label in found["sql store"].text
    assert found["sql store layout"] == Finding("sql store layout", State.OK, f"{newest_version()}, up to date")
    assert found["sql store roles"] == Finding("sql store roles", State.OK, "postgres is a member of marketdata_writer")


@pytest.mark.parametrize(
    ("version", "state", "advice"),
    [("0001", State.NOTE, "the next publication brings it up to date"), ("0999", State.BROKEN, "update marketdata")],
)
def test_another_layout_than_this_programs_is_told(
    tmp_path: Path, store_dsn: str, store_database: Database, version: str, state: State, advice: str
) -> None:
    command(store_dsn, f"update marketdata.schema_version set version_num = '{version}'")

    found = _findings(tmp_path, timescale_dsn=store_dsn)["sql store layout"]

    assert found.state is state
    assert advice in found.advice


def test_a_database_that_only_reads_is_noted(tmp_path: Path, store_dsn: str) -> None:
    dsn = f"{store_dsn}?options=-c%20default_transaction_read_only%3Don"

    notes = [found.text for found in diagnose_stores(Settings(home=tmp_path, timescale_dsn=dsn))]

    assert "transactions of this login only read: nothing can be published" in notes


def test_a_server_that_does_not_answer_is_broken_and_its_password_hidden(tmp_path: Path) -> None:
    found = _findings(tmp_path, timescale_dsn="postgresql://ann:hunter2@127.0.0.1:1/market")

    assert found["sql store"].state is State.BROKEN
    assert "127.0.0.1:1/market did not answer" in found["sql store"].text
    assert "hunter2" not in found["sql store"].text


def test_an_address_that_cannot_be_read_is_broken_and_hidden(tmp_path: Path) -> None:
    found = _findings(tmp_path, timescale_dsn="postgresql://ann:hunt@er2@host/market")

    assert found["sql store"].state is State.BROKEN
    assert "must be escaped" in found["sql store"].text
    assert "er2" not in found["sql store"].text


def test_a_redis_that_answers_is_told(tmp_path: Path, redis_url: str) -> None:
    found = _findings(tmp_path, redis_url=redis_url)["redis"]

    assert found.state is State.OK
    assert found.text.startswith("Redis ")
    assert "standalone" in found.text


@pytest.mark.parametrize(
    ("options", "budget", "state", "told", "advice"),
    [
        ((), None, State.NOTE, "0.0 MB in this namespace, without a budget; Redis has no maxmemory", "set one"),
        ((), 64, State.OK, "0.0 MB in this namespace of a budget of 64.0 MB", ""),
        (("100mb", "noeviction"), None, State.NOTE, "Redis refuses to write once it holds", "set maxmemory-policy"),
        (("100mb", "noeviction"), 64, State.OK, "of a budget of 64.0 MB", ""),
        (("100mb", "noeviction"), 200, State.NOTE, "Redis refuses to write", "or a budget below it"),
        (("100mb", "allkeys-lru"), None, State.OK, "without a budget", ""),
    ],
)
def test_what_redis_may_take_and_does_when_full_is_told(
    tmp_path: Path, options: tuple[str, ...], budget: int | None, state: State, told: str, advice: str
) -> None:
    limits = tuple(itertools.chain(*zip(("--maxmemory", "--maxmemory-policy"), options, strict=False)))
    server = start_redis(tmp_path / "redis", *limits)

    found = _findings(tmp_path, redis_url=server.url, redis_mb=budget)["redis memory"]
    server.stop()

    assert found.state is state
    assert told in found.text
    assert advice in found.advice
    assert bool(found.advice) == bool(advice)


def test_a_redis_that_does_not_answer_is_broken_and_its_password_hidden(tmp_path: Path) -> None:
    found = _findings(tmp_path, redis_url="redis://:hunter2@127.0.0.1:1/0")["redis"]

    assert found.state is State.BROKEN
    assert "127.0.0.1:1" in found.text
    assert "hunter2" not in found.text
