"""What other feeds say differently about a feed's bars, from the stored disputes of its partitions."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import period_of
from marketdata_pipelines.domain.quality.disputes import DISPUTE_SCHEMA
from marketdata_pipelines.domain.quality.records import QUALITY_DISPUTES, QUALITY_SCORES
from marketdata_pipelines.serving.notes import with_notes
from marketdata_pipelines.serving.ranges import Moment, TimeRange, time_range
from marketdata_pipelines.stores.lake.lake import Lake

_ORDER = ("symbol", "ts", "other_feed", "field")


def answer_disputes(
    lake: Lake,
    feed: Feed,
    start: Moment = None,
    end: Moment = None,
    symbols: Sequence[str] | None = None,
) -> pa.Table:
    """The disputes of a feed's bars with those of the feeds it is compared with.

    Shape:   DISPUTE_SCHEMA with symbols as text, sorted by (symbol, ts, other_feed, field).
    Bounds:  dates are session dates, both included; instants are opens, end excluded. A dispute about a stretch of bars
             is told where any of them lies in the range, by instants or by the dates of its first and last bar.
    Notes:   why there are none, where the feed names no others or was not compared yet.
    """
    wanted, period = time_range(start, end), period_of(feed.partition)
    tables = [table for _, table in lake.read_many(QUALITY_DISPUTES, feed.name, *wanted.partitions(period))]
    plain = [table.set_column(0, "symbol", table["symbol"].cast(pa.string())) for table in tables]
    nothing = DISPUTE_SCHEMA.empty_table()
    nothing = nothing.set_column(0, "symbol", nothing["symbol"].cast(pa.string()))
    found = _within(pa.concat_tables([nothing, *plain]), wanted, symbols)
    found = found.sort_by([(name, "ascending") for name in _ORDER])
    return with_notes(found, _reasons(lake, feed, wanted) if not found.num_rows else [])


def _within(table: pa.Table, wanted: TimeRange, symbols: Sequence[str] | None) -> pa.Table:
    last_date = pc.max_element_wise(table["session_date"], pc.cast(table["ts_last"], pa.date32()))
    bounds = (
        (table["ts_last"], wanted.start_ts, pc.greater_equal),
        (table["ts"], wanted.end_ts, pc.less),
        (last_date, wanted.start_date, pc.greater_equal),
        (table["session_date"], wanted.end_date, pc.less_equal),
    )
    kept = pa.array([True] * table.num_rows, pa.bool_())
    for column, bound, holds in bounds:
        if bound is not None:
            kept = pc.and_(kept, holds(column, pa.scalar(bound, column.type)))
    if symbols is not None:
        kept = pc.and_(kept, pc.is_in(table["symbol"], pa.array(list(symbols), pa.string())))
    return table.filter(kept)


def _reasons(lake: Lake, feed: Feed, wanted: TimeRange) -> list[str]:
    """Why nothing is disputed, where that is not because all agrees."""
    if not feed.quality.compare_with:
        return [
            f"{feed.name} is compared with no other feed; name some in feeds.yaml: quality: {{compare_with: [FEED]}}"
        ]
    if not lake.catalog.stored(QUALITY_SCORES, feed.name, *wanted.partitions(period_of(feed.partition))):
        return [f"no partition of that range was judged yet; run: marketdata backfill {feed.name} --start D --end D"]
    return []
