"""`marketdata bars --store`: the same bars from the SQL store, and what it costs not to ask for one."""

import subprocess
import sys
from pathlib import Path

import pytest

from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines_tests.cli.conftest import Run
from marketdata_pipelines_tests.serving.queries.conftest import publish
from marketdata_pipelines_tests.store_databases import store_dsn

__all__ = ["store_dsn"]


@pytest.fixture
def published(store_dsn: str, loaded_home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The loaded folder's feed in a store that the environment names."""
    monkeypatch.setenv("MARKETDATA_TIMESCALE_DSN", store_dsn)
    reader = LakeReader(loaded_home)
    with Database(store_dsn) as database:
        database.migrate()
        publish(database, reader.lake, reader.feed("shares"))
    return store_dsn


@pytest.mark.usefixtures("published")
def test_every_store_prints_the_same_bars(marketdata: Run, loaded_home: Path) -> None:
    asked = ("bars", "shares", "--symbols", "SPY", "--format", "csv")

    answers = [marketdata(loaded_home, *asked, "--store", store) for store in ("lake", "timescale", "auto")]

    assert [answer.code for answer in answers] == [0, 0, 0]
    assert answers[0].out.count("\n") == 4
    assert len({answer.out for answer in answers}) == 1
    assert {answer.err for answer in answers} == {""}


@pytest.mark.usefixtures("published")
def test_what_comes_from_the_lake_all_the_same_is_said(marketdata: Run, loaded_home: Path) -> None:
    answer = marketdata(loaded_home, "bars", "shares", "--as-of", "2099-01-01", "--store", "auto", "--format", "csv")

    assert answer.code == 0
    assert "answered from the lake: only the lake knows what was known earlier" in answer.err


def test_a_store_that_is_not_configured_is_refused(
    marketdata: Run, loaded_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MARKETDATA_TIMESCALE_DSN", raising=False)

    answer = marketdata(loaded_home, "bars", "shares", "--store", "timescale")

    assert answer.code == 2
    assert "no SQL store is configured; set MARKETDATA_TIMESCALE_DSN, or ask the lake" in " ".join(answer.err.split())


def test_a_server_that_is_away_is_an_error_without_its_password(
    marketdata: Run, loaded_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKETDATA_TIMESCALE_DSN", "postgresql://someone:verysecret@127.0.0.1:1/nothing")

    refused = marketdata(loaded_home, "bars", "shares", "--store", "timescale")
    answered = marketdata(loaded_home, "bars", "shares", "--store", "auto", "--format", "csv")

    assert refused.code == 1
    assert "127.0.0.1:1/nothing" in refused.err
    assert answered.code == 0
    assert answered.out.count("\n") == 4
    assert "verysecret" not in refused.err + answered.err


def test_bars_of_the_lake_wait_for_no_driver(loaded_home: Path) -> None:
    program = (
        "import sys\n"
        "from marketdata_pipelines.serving.answers import LakeReader\n"
        f"LakeReader({str(loaded_home)!r}).bars('shares')\n"
        "print(sorted({'psycopg', 'redis', 'numba', 'alembic'} & set(sys.modules)))\n"
    )

    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)

    assert told.stdout.strip() == "[]"
