"""The statements of reads: which table bars of a timeframe come from, and the conditions on its rows.

What becomes of the rows is `read_rows`' and `read_answers`'; the ledger of what is published is read in `reading`.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from psycopg import sql

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import INTRADAY, Interval, parse_interval
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.tables import VALIDATED_BARS, bar_table, feed_tables
from marketdata_pipelines.stores.timescale.read_bounds import (
    ReadRange,
    clock_bounds,
    date_bounds,
    instant_bounds,
    on_sessions,
)
from marketdata_pipelines.stores.timescale.templates import statement

BASE = "bars"
_ROLLED_UP = ("5m", "1h")
_DAY_ROLLUP = "rollup_1d"
_OF_ASKED = "b.series_id = any(array(select series_id from asked))"
_COLUMNS = (
    "series_id", "st", "ts", "open", "high", "low", "close", "volume", "vwap", "trade_count", "regular",
)  # fmt: skip
_ON_CLOCK = """
join marketdata.session_clock as c
  on c.feed = %(feed)s and c.regular and c.session_date = b.st::date and b.st >= c.clock_start and b.st < c.clock_end
"""


@dataclass(frozen=True, slots=True)
class Which:
    """What kinds of conditions a statement has; the values are bound when it is executed."""

    feed: Feed
    timeframe: str
    wanted: ReadRange
    some_symbols: bool
    regular_only: bool = True
    rolled: bool = True


def bucket_source(feed: Feed, timeframe: str, *, rolled: bool) -> str:
    """The table that intraday bars of a timeframe are cheapest read from: the coarsest that they are made of.

    `rolled`: whether the rollups are up to date; else only the feed's own bars are.
    """
    width = parse_interval(timeframe).us
    finer = [name for name in _ROLLED_UP if name in feed.timeframes and width % parse_interval(name).us == 0]
    return f"rollup_{finer[-1]}" if finer and rolled else BASE


@lru_cache(maxsize=64)
def table_period(feed: Feed, table: str) -> Period:
    """How a table of the feed is partitioned."""
    return next(each.period for each in feed_tables(feed) if table in each.tables)


@lru_cache(maxsize=256)
def ledger_table(feed: Feed, timeframe: str) -> str:
    """The table in whose name a timeframe's bars are published: rollups come with the feed's own bars.

    Errors: SettingsInvalid for a timeframe the feed does not have.
    """
    table, _ = bar_table(feed, timeframe)
    return VALIDATED_BARS if timeframe in INTRADAY else table


def bars_query(which: Which) -> sql.Composed:
    """Rows of the feed's own bars, or of the buckets of an intraday timeframe, in the ticks of their series."""
    feed, wanted = which.feed, which.wanted
    if which.timeframe == feed.interval.name:
        where = [*_asked(which), *clock_bounds(feed, wanted), *instant_bounds(wanted), *_regular(which)]
        return statement("postgres", "read_base_bars", table=_table(feed, BASE), where=_all(where))
    bucket = parse_interval(which.timeframe)
    source = bucket_source(feed, which.timeframe, rolled=which.rolled)
    where = [*_asked(which), *clock_bounds(feed, wanted, bucket)]
    if source == f"rollup_{which.timeframe}":
        return statement("postgres", "read_rollup_bars", table=_table(feed, source), where=_all(where))
    if source == BASE:
        where.append(sql.SQL("b.regular"))
    return statement(
        "postgres",
        "combine_base_bars" if source == BASE else "combine_rollup_bars",
        table=_table(feed, source),
        where=_all(where),
        bucket=_bucket(feed, bucket),
        clock=sql.SQL(_ON_CLOCK if on_sessions(feed) else ""),
    )


def totals_query(which: Which) -> sql.Composed:
    """One row a series over the range: from whole sessions of the rollup where the range is one of dates."""
    feed, wanted = which.feed, which.wanted
    by_dates = wanted.start_ts is None and wanted.end_ts is None
    rolled_up = feed.interval.is_intraday and which.rolled and which.regular_only
    where = [*_asked(which), *clock_bounds(feed, wanted)]
    if by_dates and rolled_up:
        return statement("postgres", "read_total_rollups", table=_table(feed, _DAY_ROLLUP), where=_all(where))
    where += [*instant_bounds(wanted), *_regular(which)]
    return statement("postgres", "read_total_bars", table=_table(feed, BASE), where=_all(where))


def newest_query(feed: Feed) -> sql.Composed:
    """The bars among which is the last one of each series."""
    columns = sql.SQL(", ").join(sql.Identifier("r", column) for column in _COLUMNS)
    # Only bars before the open lie behind later ones on the session clock.
    name = "read_newest_of_all_hours" if on_sessions(feed) and feed.extended_hours else "read_newest_bars"
    newest = sql.SQL(", ").join(sql.Identifier("newest", column) for column in _COLUMNS)
    return statement("postgres", name, table=_table(feed, BASE), columns=columns, newest=newest)


def packed(query: sql.Composed) -> sql.Composed:
    """The rows of a query and their series in one row (see stores/sql/postgres/read_packed_bars.sql)."""
    return statement("postgres", "read_packed_bars", asked=asked_query(), bars=query)


def packed_buckets(query: sql.Composed) -> sql.Composed:
    """As `packed`, with the clock and the ledger of the range (see stores/sql/postgres/read_packed_buckets.sql)."""
    clock, known = statement("postgres", "read_session_clock"), statement("postgres", "read_known_partitions")
    return statement("postgres", "read_packed_buckets", packed=packed(query), clock=clock, known=known)


def streamed(query: sql.Composed) -> sql.Composed:
    """The rows of a query, to be copied out (see stores/sql/postgres/read_streamed_bars.sql)."""
    return statement("postgres", "read_streamed_bars", asked=asked_query(), bars=query)


def asked_query() -> sql.Composed:
    return statement("postgres", "read_asked_series")


def coarse_query(feed: Feed, table: str, wanted: ReadRange, *, some_symbols: bool) -> sql.Composed:
    """The bars of a stored coarse table, one row a symbol."""
    where = [*instant_bounds(wanted), *date_bounds(wanted)]
    if some_symbols:
        where.append(sql.SQL("b.symbol = any(%(symbols)s::text[])"))
    return statement("postgres", "read_coarse_bars", table=_table(feed, table), where=_all(where))


@lru_cache(maxsize=256)
def packed_text(which: Which, kind: str) -> str:
    """The text of a packed statement, which is made once: `kind` is bars, buckets, totals or newest."""
    if kind == "buckets":
        return packed_buckets(bars_query(which)).as_string()
    query = {"bars": bars_query, "totals": totals_query}[kind](which) if kind != "newest" else newest_query(which.feed)
    return packed(query).as_string()


def _table(feed: Feed, name: str) -> sql.Identifier:
    return sql.Identifier(feed.name, name)


def _asked(which: Which) -> list[sql.Composable]:
    return [sql.SQL(_OF_ASKED)] if which.some_symbols else []


def _regular(which: Which) -> list[sql.Composable]:
    return [sql.SQL("b.regular")] if which.regular_only else []


def _bucket(feed: Feed, bucket: Interval) -> sql.Composed:
    origin = sql.SQL("c.clock_start" if on_sessions(feed) else "timestamp 'epoch'")
    return sql.SQL("date_bin({}, b.st, {})").format(sql.Literal(timedelta(microseconds=bucket.us)), origin)


def _all(conditions: list[sql.Composable]) -> sql.Composable:
    return sql.SQL("\n  and ").join(conditions) if conditions else sql.SQL("true")
