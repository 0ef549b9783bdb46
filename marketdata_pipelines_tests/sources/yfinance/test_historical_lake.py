"""Yahoo's bars in the lake: the same files whatever went wrong on the way, and nothing new when pulled again."""

import random
from pathlib import Path
from typing import Any

import pytest

from marketdata_pipelines.domain.feeds import Feed, SourceKind, SourceSpec
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.pipeline.ingest import FileReport, IngestStatus
from marketdata_pipelines.pipeline.pull import PullRun, pull
from marketdata_pipelines.sources.pulled.caller import CallRules
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.lake.layout import VALIDATED
from marketdata_pipelines_tests.builders import column, lake_files, make_feed, us, utc, walk_keys
from marketdata_pipelines_tests.sources.vendor_server import (
    HTML_PAGE,
    Answer,
    Breakage,
    Fault,
    SteppingClock,
    VendorServer,
)
from marketdata_pipelines_tests.sources.yfinance.yahoo import Row, Yahoo, minutes, refusal

pytest.importorskip(
    "yfinance", reason="the extra yfinance is not installed: pip install 'marketdata-pipelines[yfinance]'"
)

NOW = us("2024-03-08 15:00") + 20_000_000
# A whole Thursday, and Friday's first half-hour with the row Yahoo puts beside the running minute.
BOOK: list[Row] = [
    *minutes("2024-03-07 14:30", 390),
    *minutes("2024-03-08 14:30", 31),
    (NOW // 1_000_000, 1.0, 1.0, 1.0, 1.0, 0),
]
BOOK[5] = (BOOK[5][0], None, None, None, None, None)
FAULTS: list[Fault] = [
    *Breakage,
    HTML_PAGE,
    Answer(b"", 500),
    Answer(b'{"chart":', 200),
    Answer(b"Edge: Too Many Requests", 429, {"Retry-After": "3"}),
    Answer(b"", 999),
    refusal("internal-error", "try again", 200),
]


def yahoo_feed(server: VendorServer, interval: str = "1m") -> Feed:
    spec = SourceSpec(SourceKind.YFINANCE, url=server.url, symbols=("AAPL",), timeout_seconds=0.3)
    return make_feed("XNYS", interval, name="yahoo", source=spec)


def pull_keys(feed: Feed, lake: Lake, *keys: str, now_us: int = NOW, **options: Any) -> list[FileReport]:
    clock = SteppingClock(now_us)
    rules = CallRules(clock=clock, sleep=clock.sleep, randomness=random.Random(1))
    return list(pull(lake, feed, keys, PullRun("run", rules, **options)))


def kept(lake: Lake) -> dict[str, bytes]:
    """The lake's files but the answers themselves, which tell of every try."""
    return {name: content for name, content in lake_files(lake).items() if name.startswith("raw_bars/")}


@pytest.mark.parametrize("seed", range(4))
def test_the_lake_is_the_same_whatever_went_wrong(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    for name in ("plain", "faulty"):
        with VendorServer(Yahoo({"AAPL": BOOK})) as server:
            if name == "faulty":
                server.fault("/v8/finance/chart", *(chance.choice(FAULTS) for _ in range(5)))
            pull_keys(yahoo_feed(server), Lake(tmp_path / name), "2024-03-07", "2024-03-08")
            assert server.faults_left == 0

    assert kept(Lake(tmp_path / "faulty")) == kept(Lake(tmp_path / "plain"))
    assert len(kept(Lake(tmp_path / "plain"))) == 2


def test_pulled_again_nothing_changes(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with VendorServer(Yahoo({"AAPL": BOOK})) as server:
        pull_keys(yahoo_feed(server), lake, "2024-03-07")
        before = kept(lake)
        reports = pull_keys(yahoo_feed(server), lake, "2024-03-07", refetch=True)

    assert [report.status for report in reports] == [IngestStatus.KNOWN]
    assert kept(lake) == before


def test_daily_bars_fill_their_year(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    days = minutes("2024-03-04 14:30", 5, step=86_400)
    with VendorServer(Yahoo({"AAPL": days})) as server:
        feed = yahoo_feed(server, "1d")
        pull_keys(feed, lake, "2024-01-01", now_us=us("2024-03-08 15:00"))
        walk_keys(lake, feed, Period.YEAR, ["2024-01-01"])

    # Friday's session goes on.
    found = lake.read(VALIDATED, feed.name, "2024-01-01")
    assert [utc(ts.value) for ts in found["ts"]] == [f"2024-03-0{day} 00:00" for day in range(4, 8)]
    assert column(found, "close") == [row[4] for row in days[:4]]
