"""The tables of a feed: what each asset of the graph writes, from what, and by which period.

Names and relations only; the same list builds the graph, the lake's folders and the answers.
"""

from dataclasses import dataclass

from marketdata_pipelines.domain.feeds import DataKind, Feed, PartitionBy
from marketdata_pipelines.domain.intervals import DAILY, INTRADAY, MONTHLY, WEEKLY, table_name
from marketdata_pipelines.domain.partitions import Period, period_of
from marketdata_pipelines.domain.quality.records import QUALITY_FINDINGS, QUALITY_SCORES, Level
from marketdata_pipelines.errors import SettingsInvalid

RAW_BARS, RAW_TRADES = "raw_bars", "raw_trades"
VALIDATED_BARS, REJECTED_BARS = "validated_bars", "rejected_bars"
INTRADAY_BARS, DAILY_BARS, WEEKLY_BARS, MONTHLY_BARS = "intraday_bars", "daily_bars", "weekly_bars", "monthly_bars"
DAILY_SUMMARY, HOURLY_VOLUME, SYMBOL_PERFORMANCE = "daily_summary", "hourly_volume", "symbol_performance"
TOP_VOLUME, LATEST_BARS = "top_volume", "latest_bars"
QUALITY = "quality"
VIEWS = (DAILY_SUMMARY, HOURLY_VOLUME, SYMBOL_PERFORMANCE, TOP_VOLUME, LATEST_BARS)


@dataclass(frozen=True, slots=True)
class TableSet:
    """One asset of a feed: its name, what it is derived from, its period, and the lake tables it writes."""

    name: str
    upstream: tuple[str, ...]
    period: Period
    tables: tuple[str, ...]
    text: str


def feed_tables(feed: Feed) -> tuple[TableSet, ...]:
    """The assets of a feed, upstream first; those that would stay empty are left out."""
    base = period_of(feed.partition)
    week = Period.WEEK if feed.partition is PartitionBy.DAY else base
    month = Period.MONTH if feed.partition is PartitionBy.DAY else base
    raw = raw_asset(feed)
    daily_source = DAILY_BARS if _tables(feed, DAILY) else VALIDATED_BARS
    candidates = (
        TableSet(raw, (), base, (raw,), _RAW_TEXT[raw]),
        TableSet(
            VALIDATED_BARS, (raw,), base, (VALIDATED_BARS,), "Bars that passed every row rule, sorted and unique."
        ),
        TableSet(
            REJECTED_BARS, (raw,), base, (REJECTED_BARS,), "Rows kept out, with rule ids and place in the source."
        ),
        TableSet(
            INTRADAY_BARS, (VALIDATED_BARS,), base, _tables(feed, INTRADAY), "Bars combined to 1m … 12h with VWAP."
        ),
        TableSet(DAILY_BARS, (VALIDATED_BARS,), base, _tables(feed, DAILY), "One bar a session (1d) and a pair (2d)."),
        TableSet(WEEKLY_BARS, (daily_source,), week, _tables(feed, WEEKLY), "One bar an ISO week."),
        TableSet(MONTHLY_BARS, (daily_source,), month, _tables(feed, MONTHLY), "One bar a calendar month."),
        TableSet(
            DAILY_SUMMARY, (daily_source,), base, (DAILY_SUMMARY,), "Range, returns and coverage of each session."
        ),
        TableSet(HOURLY_VOLUME, (VALIDATED_BARS,), base, _hourly(feed), "Volume by hour of the day."),
        TableSet(
            SYMBOL_PERFORMANCE, (daily_source,), base, (SYMBOL_PERFORMANCE,), "Return, range and volume by symbol."
        ),
        TableSet(TOP_VOLUME, (daily_source,), base, (TOP_VOLUME,), "Symbols ranked by traded value, each session."),
        TableSet(LATEST_BARS, (VALIDATED_BARS,), base, (LATEST_BARS,), "The last bar of each symbol."),
    )
    return tuple(candidate for candidate in candidates if candidate.tables)


def asset_sets(feed: Feed) -> tuple[TableSet, ...]:
    """Everything a feed's runs write: its tables, and the verdicts on them, which read other sessions too."""
    if feed.quality.level is Level.NONE:
        return feed_tables(feed)
    return (*feed_tables(feed), _QUALITY_SETS[period_of(feed.partition)])


def bar_table(feed: Feed, timeframe: str) -> tuple[str, Period]:
    """The table a timeframe's bars are in, and how it is partitioned.

    Errors: SettingsInvalid for a timeframe the feed does not have.
    """
    if timeframe == feed.interval.name:
        return VALIDATED_BARS, period_of(feed.partition)
    for table_set in feed_tables(feed):
        if timeframe in feed.timeframes and table_name(timeframe) in table_set.tables:
            return table_name(timeframe), table_set.period
    known = ", ".join((feed.interval.name, *feed.timeframes))
    raise SettingsInvalid(f"{feed.name} has no {timeframe!r} bars; there: {known}")


def raw_asset(feed: Feed) -> str:
    """The name of the feed's first asset."""
    return RAW_TRADES if feed.data is DataKind.TRADES else RAW_BARS


def downstream_of(feed: Feed, names: set[str]) -> set[str]:
    """These assets and everything derived from them."""
    found = set(names)
    for table_set in asset_sets(feed):
        if found & set(table_set.upstream):
            found.add(table_set.name)
    return found


def upstream_of(feed: Feed, name: str) -> set[str]:
    """An asset and everything it is derived from."""
    found = {name}
    for table_set in reversed(asset_sets(feed)):
        if table_set.name in found:
            found |= set(table_set.upstream)
    return found


_QUALITY_SETS = {
    period: TableSet(
        QUALITY,
        (VALIDATED_BARS, REJECTED_BARS),
        period,
        (QUALITY_SCORES, QUALITY_FINDINGS),
        "Scores of each symbol-session by dimension, and what was found.",
    )
    for period in Period
}
_RAW_TEXT = {
    RAW_BARS: "Rows as the source gave them, with their place in the source file.",
    RAW_TRADES: "Trades as the source gave them, with their place in the source file.",
}


def _tables(feed: Feed, timeframes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(table_name(timeframe) for timeframe in feed.timeframes if timeframe in timeframes)


def _hourly(feed: Feed) -> tuple[str, ...]:
    return (HOURLY_VOLUME,) if feed.interval.is_intraday else ()
