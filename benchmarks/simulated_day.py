"""The simulated day the benchmarks share: which feed, which date."""

from datetime import date

from marketdata_pipelines.domain.feeds import (
    Anchor,
    AssetClass,
    CalendarSpec,
    Feed,
    PartitionBy,
    SourceKind,
    SourceSpec,
)
from marketdata_pipelines.domain.intervals import parse_interval

DAY = date(2024, 7, 2)


def benchmark_feed(symbols: int, anchor: Anchor) -> Feed:
    """A feed of simulated New York minute bars, cut on sessions or on UTC."""
    return Feed(
        name="bench",
        source=SourceSpec(kind=SourceKind.SIMULATED, symbol_count=symbols, seed=1),
        interval=parse_interval("1m"),
        calendar=CalendarSpec("XNYS"),
        asset_class=AssetClass.EQUITY,
        data=None,
        anchor=anchor,
        partition=PartitionBy.DAY,
    )
