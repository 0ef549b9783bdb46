"""Backfilling a feed that is pulled from a vendor, through the graph."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from marketdata_pipelines.sources.simulated.exchange_faults import ExchangeFault, FaultPlan
from marketdata_pipelines.stores.lake.catalog import Catalog
from marketdata_pipelines_tests.builders import make_home, utc
from marketdata_pipelines_tests.cli.conftest import Run
from marketdata_pipelines_tests.sources.exchange.exchanges import Served, exchange_up

FEEDS = """
feeds:
  pulled:
    source: {{kind: exchange, url: "{url}", symbols: [A, B], calls: 20, per_seconds: 1, attempts: 2, page_rows: 500}}
    interval: 1m
    calendar: XNYS
    start: 2024-07-01
"""
WEEK = ("--start", "2024-07-01", "--end", "2024-07-05")


@pytest.fixture
def served() -> Iterator[Served]:
    today = utc(time.time_ns() // 1000)
    with exchange_up(now=today) as up:
        yield up


@pytest.fixture
def home(served: Served, tmp_path: Path) -> Path:
    return make_home(tmp_path / "home", FEEDS.format(url=served.url))


def test_a_dry_run_counts_calls_and_time_and_calls_nobody(marketdata: Run, home: Path, served: Served) -> None:
    answer = marketdata(home, "backfill", "pulled", *WEEK, "--dry-run", "--json")
    shown = marketdata(home, "backfill", "pulled", *WEEK, "--dry-run")

    days, weeks, _ = json.loads(answer.out)
    # Two pages a day, one for the half-day.
    assert (answer.code, days["partitions"], days["vendor_calls"]) == (0, 4, 7)
    assert "vendor_calls" not in weeks
    assert "vendor calls" in shown.out
    assert served.calls() == 0
    assert not (home / "lake").exists()


def test_a_range_is_pulled_derived_and_answered_and_again_nothing_is_called(
    marketdata: Run, home: Path, served: Served
) -> None:
    answer = marketdata(home, "backfill", "pulled", *WEEK, "--json")
    calls = served.calls()
    again = marketdata(home, "backfill", "pulled", *WEEK, "--json")
    none = served.calls()
    marketdata(home, "backfill", "pulled", *WEEK, "--refetch", "--json")

    assert (answer.code, json.loads(answer.out)["rejected"], json.loads(answer.out)["bars"]["1d"]) == (0, 0, 8)
    assert (again.code, calls, none, served.calls()) == (0, 7, 7, 14)
    weeks = marketdata(home, "bars", "pulled", "--timeframe", "1w", "--symbols", "A", "--json")
    assert [bar["bar_count"] for bar in json.loads(weeks.out)] == [4 * 390 - 180 - 3]
    assert len(Catalog(home / "lake" / "catalog.sqlite").ingests("pulled")) == 4


def test_a_vendor_that_is_down_fails_the_run_and_says_how_to_go_on(marketdata: Run, tmp_path: Path) -> None:
    faults = FaultPlan(schedule=(None,) * 4 + (ExchangeFault.ERROR,) * 2)
    with exchange_up(now=utc(time.time_ns() // 1000), faults=faults) as served:
        home = make_home(tmp_path / "home", FEEDS.format(url=served.url))

        answer = marketdata(home, "backfill", "pulled", *WEEK)

    assert answer.code == 1
    told = " ".join((answer.out + answer.err).split())
    assert "exchange stopped at partition 2024-07-03 of pulled" in told
    assert "marketdata backfill pulled --start 2024-07-03 --end 2024-07-05" in told
    assert Catalog(home / "lake" / "catalog.sqlite").raw_partitions("pulled") == ["2024-07-01", "2024-07-02"]
