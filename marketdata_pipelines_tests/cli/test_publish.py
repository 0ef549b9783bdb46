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
    tables = {table for table, partition in first if partition != "all"}
    assert tables == {"validated_bars", "bars_1d", "bars_2d", "bars_1w", "bars_1mo"}
    assert second == {}
    assert not any(row["changed"] for (_, partition), row in again.items() if partition != "all")


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


def test_the_views_for_dashboards_are_what_the_command_line_shows(
    marketdata: Run, filled: Path, store_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKETDATA_TIMESCALE_DSN", store_dsn)

    published = told(marketdata, filled)
    shown = json.loads(marketdata(filled, "table", "shares", "top_volume", "--json").out)
    with psycopg.connect(store_dsn) as connection:
        stored = connection.execute("select symbol, volume from shares.top_volume order by rank").fetchall()
        connection.execute("drop table shares.top_volume")
    again = told(marketdata, filled)

    views = {"daily_summary", "hourly_volume", "symbol_performance", "top_volume"}
    assert {view for view, partition in published if partition == "all"} == views
    assert stored == [(row["symbol"], row["volume"]) for row in shown]
    assert list(again) == [("top_volume", "all")]


def test_a_view_without_a_cadence_is_not_made(
    marketdata: Run, filled: Path, store_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKETDATA_TIMESCALE_DSN", store_dsn)
    publish = "    publish: {refresh_minutes: {daily_summary: off, top_volume: off}}\n"
    (filled / "feeds.yaml").write_text(FEEDS.replace("  made_up:", f"{publish}  made_up:"), "utf-8")

    published = told(marketdata, filled)

    assert {view for view, partition in published if partition == "all"} == {"hourly_volume", "symbol_performance"}


def test_nothing_to_do_is_said_with_the_reason(
    marketdata: Run, filled: Path, lake: Lake, store_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKETDATA_TIMESCALE_DSN", store_dsn)
    told(marketdata, filled)
    feed = parse_feeds(FEEDS, "feeds.yaml")["shares"]

    again = marketdata(filled, "publish", "shares")
    later = marketdata(filled, "publish", "shares", "--start", "2030-01-01", "--json")
    empty = marketdata(filled, "publish", "made_up")
    take_in(lake, feed, source_of("b.csv", minutes("C", f"{DAY} 14:30", 30)))
    waiting = marketdata(filled, "publish", "shares")

    assert (again.code, again.out, again.err) == (
        0, "", "note: nothing to do: the SQL store has what the lake has of shares\n",
    )  # fmt: skip
    assert json.loads(later.out) == []
    assert "neither the lake nor the SQL store has anything of shares in that range" in later.err
    assert "made_up has nothing in the lake yet; run: marketdata backfill made_up" in empty.err
    assert f"run: marketdata backfill shares --start {DAY} --end {DAY}" in waiting.err


def test_a_store_that_is_away_does_not_keep_the_other_from_its_bars(
    marketdata: Run, filled: Path, store_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKETDATA_TIMESCALE_DSN", store_dsn)
    monkeypatch.setenv("MARKETDATA_REDIS_URL", "redis://:hush@127.0.0.1:1/0")

    rows = told(marketdata, filled, code=1)
    answer = marketdata(filled, "publish", "shares")

    assert rows["validated_bars", DAY]["rows"] == 60
    assert answer.code == 1
    assert "marketdata: " in answer.err
    assert "127.0.0.1:1" in answer.err
    assert "hush" not in answer.err


def test_a_store_the_feed_does_not_want_is_left_out_unless_it_is_named(
    marketdata: Run, filled: Path, redis_url: str, redis_namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKETDATA_REDIS_URL", redis_url)
    monkeypatch.setenv("MARKETDATA_REDIS_NAMESPACE", redis_namespace)
    refused = FEEDS.replace("  made_up:", "    publish: {redis: false}\n  made_up:")
    (filled / "feeds.yaml").write_text(refused, "utf-8")

    unasked = marketdata(filled, "publish", "shares")
    asked = told(marketdata, filled, "--store", "redis")

    assert unasked.code == 2
    assert "shares goes to no configured store" in unasked.err
    assert unasked.err.endswith("--store redis\n")
    assert asked["validated_bars", DAY]["rows"] == 60


def test_without_a_store_it_says_what_to_set(marketdata: Run, filled: Path) -> None:
    answer = marketdata(filled, "publish", "shares")

    assert answer.code == 2
    assert "set MARKETDATA_TIMESCALE_DSN" in answer.err
    assert "MARKETDATA_REDIS_URL" in answer.err
