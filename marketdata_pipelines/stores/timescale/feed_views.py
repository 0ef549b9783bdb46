"""Views for people who ask in SQL: bars in quote currency with their symbol, base and rolled up."""

from collections.abc import Sequence
from datetime import timedelta

from psycopg import sql

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import DAY_US, table_name
from marketdata_pipelines.stores.timescale.locks import Connection
from marketdata_pipelines.stores.timescale.rollups import Rollup
from marketdata_pipelines.stores.timescale.templates import statement

# A daily bar is complete when its session closes.
_SESSION_CLOSE = """(
    select max(c.ts_end) from marketdata.session_clock c
    where c.feed = {feed} and c.session_date = b.st::date and c.regular
)"""


def create_views(connection: Connection, feed: Feed, rollups: Sequence[Rollup]) -> None:
    """Make or renew the feed's views: bars_<interval>, and one for each rollup whose bars are stored nowhere else."""
    schema, name = sql.Identifier(feed.name), sql.Literal(feed.name)
    view = sql.Identifier(table_name(feed.interval.name))
    connection.execute(statement("postgres", "create_bars_view", schema=schema, view=view, ts_close=_ts_close(feed)))
    for rollup in rollups:
        if rollup.timeframe == "1d":
            # The table bars_1d is the lake's own.
            continue
        names = {"view": sql.Identifier(table_name(rollup.timeframe)), "rollup": sql.Identifier(rollup.table)}
        width = sql.Literal(rollup.width)
        connection.execute(statement("postgres", "create_rollup_view", schema=schema, feed=name, width=width, **names))


def _ts_close(feed: Feed) -> sql.Composable:
    if feed.interval.is_intraday:
        return sql.SQL("b.ts + {}").format(sql.Literal(timedelta(microseconds=feed.interval.us)))
    if feed.interval.us == DAY_US:
        return sql.SQL(_SESSION_CLOSE).format(feed=sql.Literal(feed.name))
    if feed.interval.is_month:
        return sql.SQL("(b.ts + interval '1 month')")
    return sql.SQL("b.ts + {}").format(sql.Literal(timedelta(microseconds=feed.interval.us)))
