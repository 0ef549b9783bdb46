"""How answers were revised: corrections of a range, and what would have been answered differently at two instants."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from datetime import time as clock_time

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.bars import TS
from marketdata_pipelines.domain.corrections import CORRECTION_SCHEMA
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import period_of
from marketdata_pipelines.domain.tables import bar_table
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.pipeline.corrections import read_corrections
from marketdata_pipelines.pipeline.differences import DIFFERENCE_SCHEMA, DiffQuestion, differences
from marketdata_pipelines.serving.ranges import Moment, TimeRange, date_range, instant_us, time_range
from marketdata_pipelines.stores.lake.lake import Lake


def answer_corrections(
    lake: Lake,
    feed: Feed,
    start: Moment = None,
    end: Moment = None,
    symbols: Sequence[str] | None = None,
    since: Moment = None,
) -> pa.Table:
    """The corrections of a feed's bars, sorted by (symbol, ts, known_at, seq).

    Bounds:  dates are session dates, both included; instants are opens, end excluded. `since` leaves out what became
             known before (a date: before 00:00 UTC of it).
    Errors:  PartitionMissing when the file of a raw part that is needed is gone.
    """
    wanted, known = time_range(start, end), _beginning(since)
    tables = [CORRECTION_SCHEMA.empty_table()]
    for _, table in read_corrections(lake, feed, *wanted.partitions(period_of(feed.partition))):
        kept = _within(table, wanted, symbols)
        if known is not None:
            kept = kept.filter(pc.greater_equal(kept["known_at"], pa.scalar(known, TS)))
        tables.append(kept)
    return _ordered(tables, ["symbol", "ts", "known_at", "seq"])


def answer_differences(
    lake: Lake,
    feed: Feed,
    earlier: Moment,
    later: Moment = None,
    timeframe: str | None = None,
    start: Moment = None,
    end: Moment = None,
    symbols: Sequence[str] | None = None,
) -> pa.Table:
    """The bars of one timeframe that would have been answered differently, sorted by (symbol, ts), and the causes.

    Bounds:  an instant counts itself; a date means the end of that UTC day, as in `bars --as-of`; `later` left out is
             now. start and end are session dates, both included.
    Errors:  SettingsInvalid when `earlier` is the later one, or for a timeframe the feed does not have.
    """
    from_us, to_us = instant_us(earlier, "from"), instant_us(later, "to")
    to_us = time.time_ns() // 1000 if to_us is None else to_us
    if from_us is None:
        raise SettingsInvalid("an earlier date or time to compare with is needed; give from")
    if from_us > to_us:
        raise SettingsInvalid(
            f"from ({earlier}) is later than to ({later or 'now'}); give the earlier one as from "
            "(a date means the end of its UTC day)"
        )
    name = timeframe or feed.interval.name
    days = date_range(start, end)
    chosen = None if symbols is None else tuple(symbols)
    question = DiffQuestion(from_us, to_us, bar_table(feed, name)[0], name, chosen, days.start_date, days.end_date)
    return _ordered([DIFFERENCE_SCHEMA.empty_table(), *differences(lake, feed, question)], ["symbol", "ts"])


def _within(table: pa.Table, wanted: TimeRange, symbols: Sequence[str] | None) -> pa.Table:
    bounds = (
        ("ts", wanted.start_ts, pc.greater_equal),
        ("ts", wanted.end_ts, pc.less),
        ("session_date", wanted.start_date, pc.greater_equal),
        ("session_date", wanted.end_date, pc.less_equal),
    )
    for name, bound, keep in bounds:
        if bound is not None:
            table = table.filter(keep(table[name], pa.scalar(bound, table.schema.field(name).type)))
    if symbols is not None:
        table = table.filter(pc.is_in(table["symbol"].cast(pa.string()), pa.array(list(symbols), pa.string())))
    return table


def _beginning(since: Moment) -> datetime | None:
    given = time_range(since, None)
    return datetime.combine(given.start_date, clock_time(), UTC) if given.start_date else given.start_ts


def _ordered(tables: Sequence[pa.Table], keys: Sequence[str]) -> pa.Table:
    """All rows, with symbols as text: every partition has a dictionary of its own."""
    plain = [table.set_column(0, "symbol", table["symbol"].cast(pa.string())) for table in tables]
    return pa.concat_tables(plain).sort_by([(key, "ascending") for key in keys])
