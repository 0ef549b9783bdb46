"""A venue's candles in the lake: the same files whatever went wrong on the way, and nothing new when pulled again."""

import random
from pathlib import Path

import pytest

from marketdata_pipelines.domain.feeds import Feed, SourceKind, SourceSpec
from marketdata_pipelines.domain.intervals import DAY_US
from marketdata_pipelines.pipeline.ingest import FileReport, IngestStatus
from marketdata_pipelines.pipeline.pull import PullRun, pull
from marketdata_pipelines.sources.pulled.caller import CallRules
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import lake_files, make_feed, us
from marketdata_pipelines_tests.sources.ccxt.venues import Candle, binance, candles
from marketdata_pipelines_tests.sources.vendor_server import (
    HTML_PAGE,
    Answer,
    Breakage,
    Fault,
    SteppingClock,
    VendorServer,
)

pytest.importorskip("ccxt", reason="the extra ccxt is not installed: pip install 'marketdata-pipelines[ccxt]'")

START = us("2024-03-08 00:00")
DAYS = ["2024-03-08", "2024-03-09", "2024-03-10"]
# The third day is running: a candle and a half of it are there.
NOW = START + 2 * DAY_US + 90_000_000
BOOK = candles(START // 1000, 2 * 1440 + 2, holes=range(100, 1300))
FAULTS: list[Fault] = [
    *Breakage,
    HTML_PAGE,
    Answer(b"", 500),
    Answer(b"[]]", 200),
    Answer(b'{"code":-1003,"msg":"slow down"}', 429, {"Retry-After": "3"}),
    Answer(b'{"code":-1003,"msg":"banned"}', 418, {"Retry-After": "60"}),
]


def venue_feed(server: VendorServer) -> Feed:
    spec = SourceSpec(
        SourceKind.CCXT, venue="binance", url=server.url, symbols=("BTC/USDT",), page_rows=250, timeout_seconds=0.3
    )
    return make_feed("24/7", name="crypto", source=spec)


def pull_days(server: VendorServer, lake: Lake, now_us: int = NOW, *, refetch: bool = False) -> list[FileReport]:
    clock = SteppingClock(now_us)
    rules = CallRules(clock=clock, sleep=clock.sleep, randomness=random.Random(1))
    return list(pull(lake, venue_feed(server), DAYS, PullRun("run", rules, refetch)))


def kept(lake: Lake) -> dict[str, bytes]:
    """The lake's files but the answers themselves, which tell of every try."""
    return {name: content for name, content in lake_files(lake).items() if name.startswith("raw_bars/")}


def lake_of(folder: Path, book: list[Candle]) -> dict[str, bytes]:
    with VendorServer(binance(book)) as server:
        pull_days(server, Lake(folder))
    return kept(Lake(folder))


@pytest.mark.parametrize("seed", range(4))
def test_the_lake_is_the_same_whatever_went_wrong(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    with VendorServer(binance(BOOK)) as server:
        server.fault("klines", *(chance.choice(FAULTS) for _ in range(5)))
        pull_days(server, Lake(tmp_path / "faulty"))
        assert server.faults_left == 0

    assert kept(Lake(tmp_path / "faulty")) == lake_of(tmp_path / "plain", BOOK) != {}


def test_pulled_again_nothing_changes(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with VendorServer(binance(BOOK)) as server:
        pull_days(server, lake)
        before = kept(lake)
        reports = pull_days(server, lake, refetch=True)

    assert {report.status for report in reports} == {IngestStatus.KNOWN}
    assert kept(lake) == before


def test_a_running_candle_is_left_for_the_next_pull(tmp_path: Path) -> None:
    running = [*BOOK[:-1], Candle(BOOK[-1].opened_ms, 1.0, 1.0, 1.0, 1.0, 0.5)]

    assert lake_of(tmp_path / "early", running) == lake_of(tmp_path / "plain", BOOK)
