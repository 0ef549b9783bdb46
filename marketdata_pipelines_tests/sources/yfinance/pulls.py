"""Pulls of Yahoo's bars on clocks of their own: what the tests of this folder have in common."""

from pathlib import Path
from typing import Any

from marketdata_pipelines.domain.feeds import Feed, SourceKind, SourceSpec
from marketdata_pipelines.sources.pulled.caller import CallRules, ProviderCaller
from marketdata_pipelines.sources.pulled.protocol import Page, RateLimit
from marketdata_pipelines.sources.yfinance.historical import YahooHistory, open_source
from marketdata_pipelines_tests.builders import make_feed, us
from marketdata_pipelines_tests.sources.vendor_server import SteppingClock, VendorServer
from marketdata_pipelines_tests.sources.yfinance.yahoo import Row, minutes

NOW = us("2024-03-09 12:00")
# Friday's session 14:30–21:00 UTC; a minute without trades, and one whose volume Yahoo does not give.
FRIDAY: list[Row] = minutes("2024-03-08 14:30", 390)
FRIDAY[7] = (FRIDAY[7][0], None, None, None, None, None)
FRIDAY[9] = (*FRIDAY[9][:5], None)
SESSION = us("2024-03-08 14:30"), us("2024-03-08 21:00")


def yahoo_feed(server: VendorServer, interval: str = "1m", **changes: Any) -> Feed:
    spec = SourceSpec(SourceKind.YFINANCE, url=server.url, symbols=("AAPL",), timeout_seconds=0.5)
    return make_feed("XNYS", interval, name="yahoo", source=spec, **changes)


class Pull:
    """One source with its caller, on a clock of their own."""

    def __init__(self, feed: Feed, folder: Path, now_us: int = NOW) -> None:
        self.clock = SteppingClock(now_us)
        self.source: YahooHistory = open_source(feed, self.clock)
        rules = CallRules(clock=self.clock, sleep=self.clock.sleep)
        self.caller = ProviderCaller(folder / "calls.db", self.source.provider, RateLimit(10, 1.0), rules)

    def pages(self, start_us: int = SESSION[0], end_us: int = SESSION[1], symbol: str = "AAPL") -> list[Page]:
        return list(self.source.historical([symbol], start_us, end_us, self.caller))

    def rows(self, start_us: int = SESSION[0], end_us: int = SESSION[1], symbol: str = "AAPL") -> list[tuple[Any, ...]]:
        """(seconds, open, high, low, close, volume) of every page in turn."""
        found = []
        for page in self.pages(start_us, end_us, symbol):
            for row in page.bars.to_pylist():
                values = (row[name] for name in ("open", "high", "low", "close", "volume"))
                found.append((int(row["ts"].timestamp()), *values))
        return found


def with_prices(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row[4] is not None]
