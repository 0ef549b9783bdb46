"""Bars of one timeframe: from which table they come, and what is done to them before they are handed out."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain import tables as t
from marketdata_pipelines.domain.feeds import Anchor, Feed
from marketdata_pipelines.domain.intervals import parse_interval
from marketdata_pipelines.domain.partitions import Period, period_of
from marketdata_pipelines.domain.tables import bar_table
from marketdata_pipelines.errors import PartitionMissing, SettingsInvalid
from marketdata_pipelines.serving.ranges import TimeRange
from marketdata_pipelines.serving.rows import PastRows, RowSource, TableRows
from marketdata_pipelines.stores.lake.duck import connect, query_text
from marketdata_pipelines.stores.lake.lake import Lake

if TYPE_CHECKING:
    from marketdata_pipelines.domain.symbology import Resolver
    from marketdata_pipelines.serving.adjusting import Adjusting

SESSIONS = ("regular", "all")


@dataclass(frozen=True, slots=True)
class BarQuestion:
    """What is asked: `symbols` and `instruments` None mean all; `session` regular or all; `fill` none or forward.

    `with_ids` asks for the column instrument_id. Prices are adjusted as `adjusting` says; None leaves them raw.
    `min_quality` is the least score of sessions whose bars are handed out; None hands out all.
    """

    timeframe: str
    symbols: tuple[str, ...] | None
    wanted: TimeRange
    session: str = "regular"
    fill: str = "none"
    instruments: tuple[str, ...] | None = None
    with_ids: bool = False
    resolver: "Resolver | None" = None
    adjusting: "Adjusting | None" = None
    min_quality: float | None = None


# Gives the raw bars of some source symbols (None: all) in place of the lake; None where the lake has to.
Select = Callable[[BarQuestion, tuple[str, ...] | None], pa.Table | None]


def answer_bars(lake: Lake, source: RowSource, question: BarQuestion, select: Select | None = None) -> pa.Table:
    """The bars of a question with the columns of `select_bars` (and `filled` when filling), sorted by (symbol, ts).

    `select` may give the raw bars that the rest is made of.
    Errors: SettingsInvalid for a timeframe the feed does not have; PartitionMissing when nothing is there.
    """
    if question.min_quality is None:
        return _answer(lake, source, question, select)
    from marketdata_pipelines.serving.quality_filter import keep_good_bars
    from marketdata_pipelines.serving.symbols import INSTRUMENT_ID

    # Whose sessions a bucket of several days is made of goes by instrument, where there are any.
    asked = question if question.resolver is None else replace(question, with_ids=True)
    found = _answer(lake, source, asked, select)
    found = keep_good_bars(lake, source.feed, question.timeframe, found, question.min_quality, question.resolver)
    named = question.with_ids or question.instruments is not None or INSTRUMENT_ID not in found.column_names
    return found if named else found.drop_columns([INSTRUMENT_ID])


def _answer(lake: Lake, source: RowSource, question: BarQuestion, select: Select | None) -> pa.Table:
    feed = source.feed
    if question.session not in SESSIONS:
        raise SettingsInvalid(f"session is {question.session!r}; allowed: {', '.join(SESSIONS)}")
    if question.resolver is None and (question.instruments is not None or question.with_ids):
        raise SettingsInvalid(
            f"{feed.name} names no instruments; give it `instruments: NAME` in feeds.yaml, with NAME under references"
        )
    if question.resolver is None and question.adjusting is None:
        found = _selected(lake, source, question, question.symbols, select)
        return found if question.fill == "none" else _filled(feed, question, found)
    return _identified(lake, source, question, select)


def _identified(lake: Lake, source: RowSource, question: BarQuestion, select: Select | None) -> pa.Table:
    """The same for a feed that names instruments, or adjusted prices."""
    from marketdata_pipelines.serving.identity import answer_identified, fill_by_instrument
    from marketdata_pipelines.serving.symbols import INSTRUMENT_ID

    bar_table(source.feed, question.timeframe)
    found = answer_identified(
        lake, source, question, lambda symbols: _selected(lake, source, question, symbols, select)
    )
    if question.fill != "none" and question.resolver is None:
        return _filled(source.feed, question, found)
    if question.fill != "none" and question.resolver is not None:
        found = fill_by_instrument(found, question.resolver, lambda rows: _filled(source.feed, question, rows))
    keeps = question.with_ids or question.instruments is not None
    return found if keeps or question.resolver is None else found.drop_columns([INSTRUMENT_ID])


def _selected(
    lake: Lake,
    source: RowSource,
    question: BarQuestion,
    symbols: tuple[str, ...] | None,
    select: Select | None,
) -> pa.Table:
    """The raw bars of some source symbols."""
    table, period = bar_table(source.feed, question.timeframe)
    found = None if select is None else select(question, symbols)
    if found is not None:
        return found
    base = table == t.VALIDATED_BARS
    with connect() as connection:
        if question.session == "all" and not base and source.feed.extended_hours is not None:
            connection.register("bars", _all_hours(lake, source, question))
        else:
            rows = rows_in_range(source, table, question.wanted, period)
            relation = rows.relation(connection, lake, "rows", symbols)
            derived = "1::bigint as bar_count, true as is_final" if base else "true as regular"
            connection.execute(f"create temp view bars as select *, {derived} from ({relation})")
        return select_bars(connection, question, symbols, regular_only=base and question.session == "regular")


def select_bars(
    connection: duckdb.DuckDBPyConnection,
    question: BarQuestion,
    symbols: tuple[str, ...] | None,
    *,
    regular_only: bool = False,
) -> pa.Table:
    """What users see of the connection's table `bars`: the question's range and these symbols, sorted."""
    parameters = {
        **question.wanted.parameters(),
        "timeframe": question.timeframe,
        "symbols": None if symbols is None else list(symbols),
        "regular_only": regular_only,
    }
    return connection.sql(query_text("select_bars"), params=parameters).to_arrow_table()


def rows_in_range(source: RowSource, table: str, wanted: TimeRange, period: Period) -> TableRows:
    """The rows of a table that a range can hold.

    Errors: PartitionMissing, with what there is and what to run, when there is nothing.
    """
    # A coarse bucket is labelled by its start, which may lie before the range's first partition.
    found = source.rows(table, *wanted.partitions(period))
    if found.keys:
        return found
    anything = source.rows(table, "", "9999-99-99").keys
    where = f"; there: {anything[0]} to {anything[-1]}" if anything else ""
    if isinstance(source, PastRows):
        first = source.first_known
        known = f"; first known {first.isoformat()}" if first else "; nothing was ever taken in"
        raise PartitionMissing(f"{source.feed.name} had no {table} in that range then{where}{known}")
    raise PartitionMissing(
        f"{source.feed.name} has no {table} in that range{where.replace('there', 'stored')}; "
        f"run: marketdata backfill {source.feed.name} --start {_start(source.feed, wanted)} --end {_end(wanted)}"
    )


def _start(feed: Feed, wanted: TimeRange) -> date | str:
    return wanted.start_date or (wanted.start_ts.date() if wanted.start_ts else feed.start or "DATE")


def _end(wanted: TimeRange) -> date | str:
    return wanted.end_date or (wanted.end_ts.date() if wanted.end_ts else "DATE")


def _filled(feed: Feed, question: BarQuestion, bars: pa.Table) -> pa.Table:
    from marketdata_pipelines.domain.filling import Fill, expected_buckets, fill_forward

    if question.fill not in list(Fill):
        raise SettingsInvalid(f"fill is {question.fill!r}; allowed: {', '.join(Fill)}")
    interval = parse_interval(question.timeframe)
    if not interval.is_intraday:
        raise SettingsInvalid(f"only intraday bars can be filled, not {question.timeframe}: closed days are no gaps")
    from marketdata_pipelines.domain.session_grid import feed_calendar

    if not bars.num_rows:
        return bars.append_column("filled", pa.array([], pa.bool_()))
    days = pc.min_max(bars["session_date"]).as_py()
    sessions = feed_calendar(feed).sessions(days["min"], days["max"])
    return fill_forward(bars, expected_buckets(sessions, interval.us, feed.anchor is Anchor.UTC))


def _all_hours(lake: Lake, source: RowSource, question: BarQuestion) -> pa.Table:
    from marketdata_pipelines.serving.extended import combine_all_hours

    if question.fill != "none":
        raise SettingsInvalid("only the regular session can be filled; leave out session all or fill")
    rows = rows_in_range(source, t.VALIDATED_BARS, question.wanted, period_of(source.feed.partition))
    return combine_all_hours(lake, source, question.timeframe, rows)
