"""`marketdata publish`: what it brings to real servers, what it prints and how it ends."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from marketdata_pipelines.settings.feeds_file import parse_feeds
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import minutes, source_of, take_in, walk_stale
from marketdata_pipelines_tests.cli.conftest import FEEDS, Run
from marketdata_pipelines_tests.store_databases import store_dsn

__all__ = ["store_dsn"]

DAY = "2024-03-08"


@pytest.fixture
def filled(home: Callable[[str], Path], lake: Lake) -> Path:
    """A data folder with a walked day of two symbols."""
    folder = home(FEEDS)
    feed = parse_feeds(FEEDS, "feeds.yaml")["shares"]
    rows = [row for symbol in "AB" for row in minutes(symbol, f"{DAY} 14:30", 30)]
    take_in(lake, feed, source_of("a.csv", rows))
    walk_stale(lake, feed)
    return folder


def told(marketdata: Run, home: Path, *arguments: str, code: int = 0) -> dict[tuple[str, str], dict[str, Any]]:
    answer = marketdata(home, "publish", "shares", *arguments, "--json")
    assert answer.code == code, answer.err
    return {(row["table"], row["partition"]): row for row in json.loads(answer.out)}


def test_it_publishes_what_is_behind_and_then_nothing(
    marketdata: Run, filled: Path, store_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKETDATA_TIMESCALE_DSN", store_dsn)

    first = told(marketdata, filled)
    second = told(marketdata, filled)
    again = told(marketdata, filled, "--start", DAY, "--end", DAY)

    bars = first["validated_bars", DAY]
    assert (bars["store"], bars["rows"], bars["changed"], bars["problem"]) == ("timescale", 60, True, None)
    assert {table for table, _ in first} == {"validated_bars", "bars_1d", "bars_2d", "bars_1w", "bars_1mo"}
    assert second == {}
    assert not any(row["changed"] for row in again.values())


def test_rows_that_were_changed_in_the_store_are_mended_by_asking_for_their_dates(
    marketdata: Run, filled: Path, store_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKETDATA_TIMESCALE_DSN", store_dsn)
    told(marketdata, filled)
    with psycopg.connect(store_dsn) as connection:
        connection.execute("delete from shares.bars where st = (select max(st) from shares.bars)")

    mended = told(marketdata, filled, "--start", DAY)

    assert mended["validated_bars", DAY]["changed"]
    assert mended["validated_bars", DAY]["problem"] is None


def test_the_hot_set_goes_to_redis(
    marketdata: Run, filled: Path, redis_url: str, redis_namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKETDATA_REDIS_URL", redis_url)
    monkeypatch.setenv("MARKETDATA_REDIS_NAMESPACE", redis_namespace)

    first = told(marketdata, filled)
    second = told(marketdata, filled, "--store", "redis")

    assert first["validated_bars", DAY]["rows"] == 60
    assert first["latest", "all"]["rows"] == 2
    assert second == {}


def test_a_server_that_is_away_is_one_line_without_its_password(
    marketdata: Run, filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKETDATA_REDIS_URL", "redis://:hush@127.0.0.1:1/0")

    answer = marketdata(filled, "publish", "shares")

    assert answer.code == 1
    assert answer.err.startswith("marketdata: ")
    assert "127.0.0.1:1" in answer.err
    assert "hush" not in answer.err


def test_without_a_store_it_says_what_to_set(marketdata: Run, filled: Path) -> None:
    answer = marketdata(filled, "publish", "shares")

    assert answer.code == 2
    assert "set MARKETDATA_TIMESCALE_DSN" in answer.err
    assert "MARKETDATA_REDIS_URL" in answer.err
