"""Keeps what comes from sessions that score enough: bars, and the rows views are made of.

A session nobody scored never passes. Scores are of today: of an earlier instant there are none.
"""

import math
from datetime import date, timedelta
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain import tables as t
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import table_name
from marketdata_pipelines.domain.partitions import partition_key, period_of
from marketdata_pipelines.domain.quality.records import QUALITY_SCORES
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.serving.notes import with_notes
from marketdata_pipelines.serving.ranges import Moment, TimeRange
from marketdata_pipelines.stores.lake.duck import connect, query_text, relation_sql
from marketdata_pipelines.stores.lake.lake import Lake

if TYPE_CHECKING:
    from marketdata_pipelines.domain.symbology import Resolver

_SEVERAL_DAYS = ("2d", "1w", "1M")
# Longer than any bucket.
_LONGEST = timedelta(days=35)
_INSTRUMENT_ID = "instrument_id"


def least_quality(value: float | None, as_of: Moment = None) -> float | None:
    """The least score asked for, checked.

    Errors: SettingsInvalid outside 0 to 100, or together with an earlier instant.
    """
    if value is None:
        return None
    if not (math.isfinite(value) and 0 <= value <= 100):
        raise SettingsInvalid(f"min quality is {value:g}; give a score from 0 to 100")
    if as_of is not None:
        raise SettingsInvalid("scores are those of today, not of an earlier instant; leave out min quality, or as of")
    return float(value)


def keep_good_bars(
    lake: Lake, feed: Feed, timeframe: str, bars: pa.Table, least: float, resolver: "Resolver | None" = None
) -> pa.Table:
    """The bars of sessions that score at least `least`, in their order, with a note of how many were left out.

    A bar of several days passes when every session with bars of its symbol in it does; where instruments are known
    (`bars` then has instrument_id), of its instrument under any name.
    """
    if not bars.num_rows:
        return bars
    coarse = timeframe in _SEVERAL_DAYS and timeframe != feed.interval.name
    with connect() as connection:
        if coarse:
            _grade_buckets(connection, lake, feed, timeframe, bars, resolver)
        else:
            days = pc.min_max(bars["session_date"]).as_py()
            _create_scores(connection, lake, feed, days["min"], days["max"])
            connection.execute(
                "create temp view graded as select symbol as owner, session_date as label, score from scores"
            )
        places = pa.array(np.arange(bars.num_rows))
        owner = _owners(bars) if coarse else bars["symbol"].cast(pa.string())
        label = pc.cast(bars["ts"], pa.date32(), safe=False) if coarse else bars["session_date"]
        connection.register("bars", pa.table({"place": places, "owner": owner, "label": label}))
        kept = connection.sql(query_text("select_good_bars"), params={"least": least}).to_arrow_table()["place"]
        note = _note(connection, least, "bars" if coarse else "symbol-sessions")
    return with_notes(bars.take(kept), note)


def good_sessions(
    connection: duckdb.DuckDBPyConnection, lake: Lake, feed: Feed, wanted: TimeRange, relation: str, least: float
) -> tuple[str, list[str]]:
    """A relation's rows of sessions that score enough, as a SELECT, and what is to be said of those left out.

    `relation` has symbol and session_date; those before the range count for what is measured from them.
    """
    _create_scores(connection, lake, feed, None, wanted.end_date)
    connection.execute("create temp view graded as select symbol as owner, session_date as label, score from scores")
    first, last = wanted.start_date or date.min, wanted.end_date or date.max
    connection.execute(
        "create temp table bars as select distinct symbol::varchar as owner, session_date as label "
        f"from ({relation}) where session_date between '{first}' and '{last}'"
    )
    note = _note(connection, least, "symbol-sessions")
    good = f"select owner as symbol, label as session_date from graded where score >= {least!r}"
    return f"select found.* from ({relation}) as found semi join ({good}) using (symbol, session_date)", note


def _create_scores(
    connection: duckdb.DuckDBPyConnection, lake: Lake, feed: Feed, first: date | None, last: date | None
) -> None:
    """The view `scores` of symbol-sessions first..last; without rows where nothing was scored."""
    period = period_of(feed.partition)
    keys = (partition_key(first, period) if first else "", partition_key(last, period) if last else "9999-99-99")
    stored = lake.catalog.stored(QUALITY_SCORES, feed.name, *keys)
    if stored:
        relation = f"({relation_sql(lake.layout.root, stored)}) where symbol is not null"
    else:
        relation = "(select null::varchar as symbol, null::date as session_date, null::double as score) where false"
    connection.execute(
        f"create temp view scores as select symbol::varchar as symbol, session_date, score from {relation}"
    )


def _grade_buckets(
    connection: duckdb.DuckDBPyConnection,
    lake: Lake,
    feed: Feed,
    timeframe: str,
    bars: pa.Table,
    resolver: "Resolver | None",
) -> None:
    """The view `graded` of buckets: the least score of the sessions with bars in each, null where one has none."""
    from marketdata_pipelines.domain.labels import bucket_days

    labels = pc.min_max(pc.cast(bars["ts"], pa.date32(), safe=False)).as_py()
    first, last = labels["min"], labels["max"] + _LONGEST
    days = _days_with_bars(connection, lake, feed, first, last)
    if resolver is not None:
        from marketdata_pipelines.serving.symbols import with_instrument_ids

        days = with_instrument_ids(days, resolver)
    distinct = pc.unique(days["session_date"]).to_pylist()
    starts = pa.table(
        {
            "session_date": pa.array(distinct, pa.date32()),
            "label": pa.array([bucket_days(feed, day, timeframe)[0] for day in distinct], pa.date32()),
        }
    )
    connection.register("starts", starts)
    connection.register("days", days.append_column("owner", _owners(days)))
    _create_scores(connection, lake, feed, first, last)
    connection.execute(
        "create temp view graded as select days.owner, starts.label, "
        "case when count(scores.score) = count(*) then min(scores.score) end as score "
        "from days join starts using (session_date) left join scores using (symbol, session_date) group by 1, 2"
    )


def _days_with_bars(connection: duckdb.DuckDBPyConnection, lake: Lake, feed: Feed, first: date, last: date) -> pa.Table:
    """symbol and session_date of every session with bars that 1d bars, or longer ones, are made of."""
    daily, period = table_name("1d"), period_of(feed.partition)
    stores_days = any(daily in table_set.tables for table_set in t.feed_tables(feed))
    name = daily if stores_days else t.VALIDATED_BARS
    stored = lake.catalog.stored(name, feed.name, partition_key(first, period), partition_key(last, period))
    if not stored:
        return pa.table({"symbol": pa.array([], pa.string()), "session_date": pa.array([], pa.date32())})
    return connection.sql(
        f"select distinct symbol::varchar as symbol, session_date from ({relation_sql(lake.layout.root, stored)})"
    ).to_arrow_table()


def _owners(rows: pa.Table) -> pa.ChunkedArray:
    """Whose each row is: its instrument where that is known, else its symbol."""
    symbols = rows["symbol"].cast(pa.string())
    if _INSTRUMENT_ID not in rows.column_names:
        return symbols
    # An id may be spelt like another's symbol.
    ids = pc.binary_join_element_wise(rows[_INSTRUMENT_ID].cast(pa.string()), "", "\0")
    return pc.coalesce(ids, symbols)


def _note(connection: duckdb.DuckDBPyConnection, least: float, what: str) -> list[str]:
    asked, left_out, unscored = connection.sql(query_text("count_left_out"), params={"least": least}).fetchall()[0]
    if not left_out:
        return []
    told = f", {unscored:,} of them because nobody scored them" if unscored else ""
    return [f"min quality {least:g}: {left_out:,} of {asked:,} {what} left out{told}"]
