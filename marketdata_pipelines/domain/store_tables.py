"""What serving stores hold of a feed: the assets that publish it, what each is made from, and its tables.

Names and relations only, as `tables` has them of the lake.
"""

from dataclasses import dataclass

from marketdata_pipelines.domain.feeds import DataKind, Feed
from marketdata_pipelines.domain.intervals import table_name
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.tables import (
    DAILY_BARS,
    MONTHLY_BARS,
    VALIDATED_BARS,
    WEEKLY_BARS,
    feed_tables,
)

# Timeframes a store combines from the bars by itself; what it has must equal the lake's.
ROLLUPS = ("5m", "1h", "1d")
# The trades that base bars were made of: published beside them, partition by partition.
TRADES = "trades"
_ASSETS = {
    VALIDATED_BARS: "timescale_bars",
    DAILY_BARS: "timescale_daily_bars",
    WEEKLY_BARS: "timescale_weekly_bars",
    MONTHLY_BARS: "timescale_monthly_bars",
}


@dataclass(frozen=True, slots=True)
class StoreSet:
    """One publishing asset: its name, the asset of the lake it publishes, its period, and that asset's tables."""

    name: str
    upstream: str
    period: Period
    tables: tuple[str, ...]


def store_sets(feed: Feed) -> tuple[StoreSet, ...]:
    """What a store holds of a feed's bars, finest first."""
    return tuple(
        StoreSet(_ASSETS[each.name], each.name, each.period, each.tables)
        for each in feed_tables(feed)
        if each.name in _ASSETS
    )


def has_trades(feed: Feed) -> bool:
    """Whether a store holds trades of a feed beside its bars."""
    return feed.data is DataKind.TRADES


def published_tables(feed: Feed, store_set: StoreSet) -> tuple[str, ...]:
    """The tables of a store that a publishing asset writes: those of the lake's asset, and the trades of base bars."""
    return (*store_set.tables, TRADES) if VALIDATED_BARS in store_set.tables and has_trades(feed) else store_set.tables


def store_periods(feed: Feed) -> tuple[Period, ...]:
    """The periods of these assets, the base one first."""
    return tuple(dict.fromkeys(each.period for each in store_sets(feed)))


def rollup_tables(feed: Feed) -> tuple[str, ...]:
    """The lake's tables that a store has rollups of."""
    return tuple(table_name(timeframe) for timeframe in ROLLUPS if timeframe in feed.timeframes)


def store_views(feed: Feed) -> dict[str, int]:
    """The views a store has of a feed and their cadence in minutes."""
    there = {each.name for each in feed_tables(feed)}
    return {view: minutes for view, minutes in feed.publish.refresh_minutes if view in there}


def view_asset(view: str) -> str:
    """The asset that brings a store's view up to date: `timescale_top_volume`."""
    return f"timescale_{view}"
