"""Rollups of a feed's bars: which there are, how they are made, and when they hold what is published.

On TimescaleDB they are continuous aggregates, refreshed after the bars' transaction; on plain PostgreSQL tables that
change with the bars. Only regular bars count. The lake's own aggregates are what they must equal (see `comparing`).
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from psycopg import sql

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import parse_interval
from marketdata_pipelines.stores.timescale.locks import Connection
from marketdata_pipelines.stores.timescale.templates import statement

TIMEFRAMES = ("5m", "1h", "1d")
BARS = "bars"


@dataclass(frozen=True, slots=True)
class Rollup:
    """One rollup: its timeframe, its table, and the table its buckets are made of."""

    timeframe: str
    table: str
    source: str

    @property
    def width(self) -> timedelta:
        return timedelta(microseconds=parse_interval(self.timeframe).us)


@dataclass(frozen=True, slots=True)
class Window:
    """The days [first, last) of the session clock that a partition covers."""

    first: date
    last: date

    @property
    def bounds(self) -> tuple[datetime, datetime]:
        """The instants [start, end) on the session clock, which has no zone."""
        return datetime.combine(self.first, time()), datetime.combine(self.last, time())


def feed_rollups(feed: Feed) -> tuple[Rollup, ...]:
    """The rollups of a feed, finest first; a feed of daily bars or coarser has none."""
    found: list[Rollup] = []
    for timeframe in TIMEFRAMES:
        if feed.interval.is_intraday and timeframe in feed.timeframes:
            found.append(Rollup(timeframe, f"rollup_{timeframe}", found[-1].table if found else BARS))
    return tuple(found)


def create_rollups(connection: Connection, feed: Feed, number: sql.SQL, *, is_timescale: bool) -> None:
    """Make the feed's rollups where they are not there; `number` is the type of prices and volumes."""
    for rollup in feed_rollups(feed):
        parts: dict[str, sql.Composable] = {**_names(feed.name, rollup), "number": number}
        if is_timescale:
            connection.execute(statement("timescale", _verb("create", rollup), **parts))
        else:
            connection.execute(statement("postgres", "create_rollup", **parts))


def replace_buckets(
    connection: Connection, feed: Feed, number: sql.SQL, window: Window, series: list[int] | None
) -> None:
    """On plain PostgreSQL: make the rollups of a window anew, of some series or of all (None)."""
    first, last = window.bounds
    values = {"first": first, "last": last, "series": series}
    for rollup in feed_rollups(feed):
        names = _names(feed.name, rollup)
        connection.execute(
            statement("postgres", "delete_buckets", table=names["rollup"], schema=names["schema"]), values
        )
        connection.execute(statement("postgres", _verb("insert", rollup), **names, number=number), values)


def refresh_buckets(connection: Connection, feed: Feed, window: Window) -> None:
    """On TimescaleDB: make the rollups of a window anew; each statement must be a transaction of its own."""
    first, last = (sql.SQL("{}::timestamp").format(sql.Literal(bound)) for bound in window.bounds)
    for rollup in feed_rollups(feed):
        name = sql.Literal(sql.Identifier(feed.name, rollup.table).as_string(connection))
        connection.execute(statement("timescale", "refresh_rollup", rollup=name, first=first, last=last))


def _verb(verb: str, rollup: Rollup) -> str:
    return f"{verb}_rollup_of_{'bars' if rollup.source == BARS else 'rollup'}"


def _names(feed_name: str, rollup: Rollup) -> dict[str, sql.Composable]:
    return {
        "schema": sql.Identifier(feed_name),
        "rollup": sql.Identifier(rollup.table),
        "finer": sql.Identifier(rollup.source),
        "width": sql.Literal(rollup.width),
    }
