"""Answers that every store makes of its bars in the same way: the first symbols of a session, and cross-sections."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.bars import TS
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import parse_interval
from marketdata_pipelines.domain.tables import bar_table
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.serving.queries.protocol import BarsRequest, CrossSectionRequest, Ranking, TopRequest
from marketdata_pipelines.serving.ranges import TimeRange

DAILY = "1d"
TOP_SCHEMA = pa.schema(
    [
        ("session_date", pa.date32()),
        ("rank", pa.int64()),
        ("symbol", pa.string()),
        *((name, pa.float64()) for name in ("open", "close", "volume", "notional", "return")),
    ]
)


def top_bars(request: TopRequest, newest: date | None) -> BarsRequest:
    """The daily bars that a ranking is made of; `newest` is the first day of the newest partition, None without any."""
    day = request.session_date
    return BarsRequest(request.feed, DAILY, None, TimeRange(start_date=day or newest, end_date=day))


def rank_bars(request: TopRequest, bars: pa.Table) -> pa.Table:
    """The first symbols of daily bars, of their newest session (TOP_SCHEMA); of equals the first by symbol."""
    if not bars.num_rows:
        return TOP_SCHEMA.empty_table()
    # Questions about bars alone do not wait for the kernels' compiler.
    from marketdata_pipelines.domain.frames import float_values

    day = request.session_date or pc.max(bars["session_date"]).as_py()
    bars = bars.filter(pc.equal(bars["session_date"], pa.scalar(day, pa.date32())))
    opens, closes, volume = (float_values(bars[name]) for name in ("open", "close", "volume"))
    with np.errstate(divide="ignore", invalid="ignore"):
        returns = np.where(opens != 0, closes / opens - 1, np.nan)
        # Without volume there is no vwap, and nothing was traded.
        notional = np.where(volume == 0, 0.0, float_values(bars["vwap"]) * volume)
    by = {Ranking.VOLUME: volume, Ranking.NOTIONAL: notional, Ranking.RETURN: returns}[request.by]
    order = np.lexsort((np.arange(len(by)), -by))
    chosen = order[~np.isnan(by[order])][: request.count]
    taken = bars.take(pa.array(chosen))
    columns = {
        "session_date": taken["session_date"],
        "rank": pa.array(np.arange(1, len(chosen) + 1)),
        **{name: taken[name] for name in ("symbol", "open", "close", "volume")},
        "notional": _known(notional[chosen]),
        "return": _known(returns[chosen]),
    }
    return pa.table(columns, schema=TOP_SCHEMA)


def section_bars(request: CrossSectionRequest) -> BarsRequest:
    """The bars among which those of a cross-section are.

    Errors: SettingsInvalid for a timeframe the feed does not have, or a time where a date is meant.
    """
    feed, timeframe, at = request.feed, request.timeframe, request.at
    bar_table(feed, timeframe)
    interval = parse_interval(timeframe)
    if interval.is_intraday != isinstance(at, datetime):
        what = "an instant like 2024-03-08T14:30:00Z" if interval.is_intraday else "a session date like 2024-03-08"
        raise SettingsInvalid(f"a cross-section of {timeframe} bars is of {what}, not of {at.isoformat()}")
    if isinstance(at, datetime):
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        # The last bucket of a session may wait one bar longer, for the closing auction.
        longest = timedelta(microseconds=interval.us + feed.interval.us)
        wanted = TimeRange(start_ts=at - longest, end_ts=at + timedelta(microseconds=1))
    else:
        label = _label(feed, timeframe, at)
        wanted = TimeRange(start_date=label, end_date=label)
    return BarsRequest(feed, timeframe, request.symbols, wanted)


def section_of(request: CrossSectionRequest, bars: pa.Table) -> pa.Table:
    """The bars that cover the instant asked for; those of a date are it already."""
    at = request.at
    if not isinstance(at, datetime):
        return bars
    moment = pa.scalar(at if at.tzinfo else at.replace(tzinfo=UTC), TS)
    return bars.filter(pc.and_(pc.less_equal(bars["ts"], moment), pc.greater(bars["ts_close"], moment)))


def _label(feed: Feed, timeframe: str, day: date) -> date:
    if timeframe == DAILY:
        return day
    # Only buckets of several days wait for the calendars.
    from marketdata_pipelines.domain.labels import bucket_days

    return bucket_days(feed, day, timeframe)[0]


def _known(values: np.ndarray) -> pa.Array:
    unknown = np.isnan(values)
    return pa.array(values, mask=unknown if unknown.any() else None)
