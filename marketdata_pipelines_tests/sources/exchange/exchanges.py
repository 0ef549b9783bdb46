"""Simulated exchanges on real sockets, feeds that pull from them, and what a pull left; nothing here asserts."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marketdata_pipelines.domain.feeds import Feed, SourceKind, SourceSpec
from marketdata_pipelines.pipeline.ingest import FileReport
from marketdata_pipelines.pipeline.pull import PullRun, pull
from marketdata_pipelines.sources.pulled.breaker import BreakerRule
from marketdata_pipelines.sources.pulled.caller import CallRules
from marketdata_pipelines.sources.pulled.retries import RetryRule
from marketdata_pipelines.sources.simulated.exchange import Exchange, ExchangeRules
from marketdata_pipelines.sources.simulated.exchange_bars import Listing
from marketdata_pipelines.sources.simulated.exchange_faults import ExchangeFault, FaultPlan
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import lake_files, make_feed, us
from marketdata_pipelines_tests.sources.exchange.servers import serving
from marketdata_pipelines_tests.sources.pulled.clocks import FakeClock

LATER = "2025-01-01 00:00"


@dataclass(frozen=True, slots=True)
class Served:
    """An exchange that is up: where, and itself."""

    url: str
    exchange: Exchange
    clock: FakeClock

    def calls(self) -> int:
        return int(str(self.exchange.stats()["calls"]))


@contextmanager
def exchange_up(
    symbols: Sequence[str] = ("A", "B"),
    *,
    calendar: str = "XNYS",
    now: str = LATER,
    faults: FaultPlan | None = None,
    calls: int | None = None,
    per_seconds: float = 1.0,
    key: str | None = None,
) -> Iterator[Served]:
    """An exchange whose market is at `now` until its clock is moved."""
    clock = FakeClock(us(now))
    rules = ExchangeRules(calls, per_seconds, faults or FaultPlan(), key, clock)
    exchange = Exchange(Listing(calendar, tuple(symbols), seed=5), rules)
    with serving(exchange.app) as url:
        yield Served(url, exchange, clock)


def pulled_feed(
    url: str, interval: str = "1m", *, calendar: str = "XNYS", symbols: Sequence[str] = ("A", "B"), **source: Any
) -> Feed:
    """A feed that pulls from an exchange, in small pages."""
    given: dict[str, Any] = {"timeout_seconds": 60.0, "page_rows": 300, "calls": 1_000, "per_seconds": 1.0, **source}
    spec = SourceSpec(SourceKind.EXCHANGE, url=url, symbols=tuple(symbols), **given)
    return make_feed(calendar, interval, source=spec)


def pull_all(
    lake: Lake, feed: Feed, keys: Sequence[str], clock: FakeClock, *, refetch: bool = False, attempts: int = 12
) -> list[FileReport]:
    """Pull partitions by the exchange's clock, which waiting moves."""
    rules = CallRules(
        RetryRule(attempts=attempts, cap_seconds=2.0),
        BreakerRule(failures=100),
        None,
        clock,
        clock.sleep,
        random.Random(1),
    )
    return list(pull(lake, feed, keys, PullRun("run", rules, refetch)))


def without_origins(lake: Lake) -> dict[str, bytes]:
    """Content of every lake file but the vendor's answers."""
    return {name: content for name, content in lake_files(lake).items() if not name.startswith("origins/")}


def ledger(lake: Lake, feed: str = "feed") -> list[tuple[object, ...]]:
    """What the ledger says, but for times and origins."""
    return [
        (i.file, i.sha256, i.bytes, i.mode, i.status, i.rows, i.first_ts_us, i.last_ts_us, i.pulled, i.parse_version)
        for i in lake.catalog.ingests(feed)
    ]


def every(kind: ExchangeFault, rate: float = 0.4, seed: int = 3) -> FaultPlan:
    """A fault of one kind in a good share of the calls, the first one among them."""
    return FaultPlan(rates=((kind, rate),), schedule=(kind,), seed=seed)


def lake_at(folder: Path) -> Lake:
    """A lake of its own."""
    return Lake(folder / "lake")
