"""The simulated feeds these tests ask for."""

from datetime import time

from marketdata_pipelines.domain.feeds import (
    Anchor,
    AssetClass,
    CalendarSpec,
    DataKind,
    Feed,
    SourceKind,
    SourceSpec,
    default_anchor,
    default_asset_class,
    default_partition,
)
from marketdata_pipelines.domain.intervals import parse_interval

CME_BREAK = ((time(16), time(17)),)


def simulated_feed(
    calendar: str = "XNYS",
    interval: str = "1m",
    *,
    symbols: tuple[str, ...] = ("AAA", "BBB", "CCC"),
    symbol_count: int = 0,
    seed: int = 7,
    faults: tuple[tuple[str, float], ...] = (),
    data: DataKind = DataKind.BARS,
    asset_class: AssetClass | None = None,
    anchor: Anchor | None = None,
    breaks: tuple[tuple[time, time], ...] = (),
    extended_hours: tuple[time, time] | None = None,
) -> Feed:
    width = parse_interval(interval)
    return Feed(
        name="demo_us",
        source=SourceSpec(SourceKind.SIMULATED, symbols=symbols, symbol_count=symbol_count, seed=seed, faults=faults),
        interval=width,
        calendar=CalendarSpec(calendar, breaks=breaks),
        asset_class=asset_class or default_asset_class(calendar),
        data=data,
        anchor=anchor or default_anchor(calendar),
        partition=default_partition(width),
        extended_hours=extended_hours,
    )
