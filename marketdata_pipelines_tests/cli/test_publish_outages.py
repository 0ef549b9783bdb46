"""`marketdata publish` to a server that goes away in the middle, or refuses: its code, its line, the lake as it was."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from marketdata_pipelines.settings.feeds_file import parse_feeds
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import lake_files, minutes, source_of, take_in, walk_stale
from marketdata_pipelines_tests.cli.conftest import FEEDS, Run
from marketdata_pipelines_tests.faulty_servers import FaultyServer, faulty_server
from marketdata_pipelines_tests.servers import PostgresServer, start_standby
from marketdata_pipelines_tests.store_databases import command, new_database

DAYS = ("2024-03-05", "2024-03-06", "2024-03-07", "2024-03-08")
ROWS = {day: 2 * count for day, count in zip(DAYS, (40, 380, 25, 60), strict=True)}


@dataclass(frozen=True, slots=True)
class Publishing:
    """A walked lake, and `marketdata publish` of it to an address."""

    run: Run
    home: Path
    lake: Lake

    def to(self, dsn: str, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str, str]:
        monkeypatch.setenv("MARKETDATA_TIMESCALE_DSN", dsn)
        answer = self.run(self.home, "publish", "shares", "--json")
        return answer.code, answer.out, answer.err


@pytest.fixture
def publishing(marketdata: Run, home: Callable[[str], Path], lake: Lake) -> Publishing:
    folder = home(FEEDS)
    feed = parse_feeds(FEEDS, "feeds.yaml")["shares"]
    rows = [row for day in DAYS for symbol in "AB" for row in minutes(symbol, f"{day} 14:30", ROWS[day] // 2)]
    take_in(lake, feed, source_of("a.csv", rows))
    walk_stale(lake, feed)
    return Publishing(marketdata, folder, lake)


@pytest.fixture(scope="module")
def faulty(postgres_server: PostgresServer) -> Iterator[FaultyServer]:
    with faulty_server() as server:
        yield server


def stored_rows(dsn: str) -> dict[str, int]:
    """How many bars the store has of each day."""
    with psycopg.connect(dsn) as connection:
        found = connection.execute("select session_date::text, count(*) from shares.bars_1m group by 1").fetchall()
    return dict(found)


def ledger(dsn: str) -> dict[str, int]:
    """How many bars the store says it has of each day."""
    with psycopg.connect(dsn) as connection:
        question = "select partition, rows from marketdata.published where tbl = 'validated_bars'"
        return dict(connection.execute(question).fetchall())


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_a_server_that_goes_away_in_the_middle_is_one_line_and_another_run_does_the_rest(
    publishing: Publishing, faulty: FaultyServer, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    faulty.resume()
    before = lake_files(publishing.lake)
    # What a whole run sends, tables and all.
    faulty.wire.arm(None)
    code, _, _ = publishing.to(faulty.url(faulty.new_database()), monkeypatch)
    sent = faulty.wire.sent
    database = faulty.new_database()
    faulty.wire.arm(int(sent * share), faulty.kill)

    away, printed, told = publishing.to(faulty.url(database), monkeypatch)
    faulty.resume()
    part, noted = stored_rows(faulty.direct_url(database)), ledger(faulty.direct_url(database))
    again, rest, _ = publishing.to(faulty.url(database), monkeypatch)

    assert (code, away, again) == (0, 1, 0)
    assert printed == ""
    (line,) = [each for each in told.splitlines() if each.startswith("marketdata: ")]
    assert f"{faulty.place}/{database} did not answer: " in line
    assert line.endswith("; see that the server runs, then try again")
    assert part == noted
    assert part.items() <= ROWS.items()
    assert {row["partition"] for row in json.loads(rest) if row["table"] == "validated_bars"} == ROWS.keys() - part
    assert stored_rows(faulty.direct_url(database)) == ledger(faulty.direct_url(database)) == ROWS
    assert lake_files(publishing.lake) == before


def test_a_server_that_is_back_at_once_is_not_noticed(
    publishing: Publishing, faulty: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty.resume()
    database = faulty.new_database()
    faulty.wire.arm(50_000, faulty.kill_and_resume)

    code, _, told = publishing.to(faulty.url(database), monkeypatch)

    assert not faulty.wire.is_armed
    assert (code, "marketdata: " in told) == (0, False)
    assert stored_rows(faulty.direct_url(database)) == ROWS


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (
            "alter role {login} password 'another'",
            'password authentication failed for user "{login}"; mend the user or password in the address',
        ),
        ("alter role {login} nologin", 'role "{login}" is not permitted to log in; mend the user or password'),
        (
            "alter role {login} connection limit 0",
            'too many connections for role "{login}"; wait, or let it take more connections',
        ),
        (
            "alter database {database} connection limit 0",
            'too many connections for database "{database}"; wait, or let it take more connections',
        ),
        (
            "alter role {login} set default_transaction_read_only = on",
            "cannot be written (transactions of this login only read: nothing can be published)",
        ),
        (
            "revoke all on database {database} from public",
            "User does not have CONNECT privilege; give the login the role marketdata_writer",
        ),
    ],
)
def test_a_refusal_is_one_line_that_says_why_and_what_to_do_without_the_password(
    publishing: Publishing,
    postgres_server: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
    statement: str,
    told: str,
) -> None:
    with new_database(postgres_server.url("postgres")) as owners:
        database = owners.rpartition("/")[2]
        login = f"loader_{database}"
        named = {"login": login, "database": database}
        command(owners, f"create role {login} login password 'h0sh'", statement.format(**named))
        try:
            code, printed, err = publishing.to(postgres_server.url(database, user=login, password="h0sh"), monkeypatch)
        finally:
            command(owners, f"drop role {login}")

    (line,) = [each for each in err.splitlines() if each.startswith("marketdata: ")]
    assert (code, printed) == (1, "")
    assert f"127.0.0.1:{postgres_server.port}/{database}" in line
    assert told.format(**named) in line
    assert "h0sh" not in err


def test_a_database_that_is_not_there_and_one_that_only_follows_another_are_named(
    publishing: Publishing, faulty: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty.resume()
    database = faulty.new_database()
    standby = start_standby(faulty.server, faulty.server.folder.parent / "standby")
    try:
        code, _, told = publishing.to(standby.url(database), monkeypatch)
        missing, _, told_missing = publishing.to(standby.url("nothing_here"), monkeypatch)
    finally:
        standby.kill()

    assert (code, missing) == (1, 1)
    assert "cannot be written (a standby: it can be read, not published to)" in told
    assert 'database "nothing_here" does not exist; create the database (createdb)' in told_missing
