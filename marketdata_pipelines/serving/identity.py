"""Bars by instrument and adjusted: a question's rows told apart by who bore a symbol, on one scale of prices.

Buckets of several days in which a bearer or the scale changes are combined anew from 1d bars: stored ones are made by
symbol, as traded.
"""

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.adjustment import Adjustment, spans_action
from marketdata_pipelines.domain.intervals import parse_interval
from marketdata_pipelines.domain.symbology import Resolver
from marketdata_pipelines.serving.adjusting import actions_by_key, adjust_answer, keyed_rows
from marketdata_pipelines.serving.bars import BarQuestion, select_bars
from marketdata_pipelines.serving.daily import daily_bars
from marketdata_pipelines.serving.instrument_buckets import buckets_by_instrument, crossing_buckets
from marketdata_pipelines.serving.notes import with_notes
from marketdata_pipelines.serving.rows import RowSource
from marketdata_pipelines.serving.symbols import (
    INSTRUMENT_ID,
    Selection,
    select,
    sorted_rows,
    split_reused,
    with_instrument_ids,
)
from marketdata_pipelines.stores.lake.duck import connect
from marketdata_pipelines.stores.lake.lake import Lake

# Longer than any bucket.
_LONGEST = timedelta(days=35)
ReadBars = Callable[[tuple[str, ...] | None], pa.Table]


def answer_identified(lake: Lake, source: RowSource, question: BarQuestion, read: ReadBars) -> pa.Table:
    """The bars of a question whose feed names instruments, or that asks for adjusted prices.

    Shape:   as `answer_bars`, with instrument_id where there are instruments; `read` gives raw bars of source symbols.
    """
    resolver = question.resolver
    first, last = _days(question)
    selection = None if resolver is None else select(resolver, question.symbols, question.instruments, first, last)
    symbols = question.symbols if selection is None else _symbols(selection)
    found = read(symbols)
    interval = parse_interval(question.timeframe)
    several_days = not interval.is_intraday and question.timeframe != "1d"
    if several_days and _is_cut(source, question, selection, found):
        found, notes = _combined(lake, source, question, selection)
    else:
        if resolver is not None:
            found = with_instrument_ids(found, resolver)
        found, notes = (
            (found, []) if question.adjusting is None else adjust_answer(lake, source, question.adjusting, found)
        )
    if selection is not None:
        found = selection.keep(found)
    return with_notes(found, notes)


def fill_by_instrument(bars: pa.Table, resolver: Resolver, fill: Callable[[pa.Table], pa.Table]) -> pa.Table:
    """Fill each bearer's bars by themselves; the rows made have their instrument too."""
    pieces = [fill(piece.drop_columns([INSTRUMENT_ID])) for piece in split_reused(bars, resolver)]
    whole = with_instrument_ids(pa.concat_tables(pieces), resolver)
    return sorted_rows(whole, "symbol", "ts")


def _symbols(selection: Selection) -> tuple[str, ...] | None:
    return None if selection.symbols is None else tuple(selection.symbols)


def _days(question: BarQuestion) -> tuple[date | None, date | None]:
    """Session dates that hold everything asked for; an instant may lie in the session of the day before or after."""
    wanted = question.wanted
    first = wanted.start_date or (wanted.start_ts.date() - timedelta(days=1) if wanted.start_ts else None)
    last = wanted.end_date or (wanted.end_ts.date() + timedelta(days=1) if wanted.end_ts else None)
    return first, last


def _is_cut(source: RowSource, question: BarQuestion, selection: Selection | None, found: pa.Table) -> bool:
    """Whether some bucket of several days has two bearers of a symbol, or two scales of prices, in it."""
    first, last = _days(question)
    if selection is not None:
        reach = (None if first is None else first, None if last is None else last + _LONGEST)
        if crossing_buckets(source.feed, selection.resolver, question.timeframe, selection.related_symbols, *reach):
            return True
    adjusting = question.adjusting
    if adjusting is None or adjusting.adjustment is Adjustment.RAW:
        return False
    keyed = keyed_rows(found, adjusting.resolver)
    flags = spans_action(keyed, actions_by_key(adjusting), adjusting.adjustment, adjusting.anchor, key=adjusting.key)
    return bool(flags.any())


def _combined(
    lake: Lake, source: RowSource, question: BarQuestion, selection: Selection | None
) -> tuple[pa.Table, list[str]]:
    """All buckets of the question from adjusted 1d bars, by instrument."""
    from marketdata_pipelines.pipeline.aggregate import aggregate_days

    first, last = _days(question)
    # A bucket is asked for by its label, its first day; its days go on after the range.
    reach = (None if first is None else first - _LONGEST, None if last is None else last + _LONGEST)
    daily = daily_bars(lake, source, *reach)
    names = list(question.symbols or ()) or None if selection is None else selection.related_symbols
    if names is not None:
        daily = daily.filter(pc.is_in(daily["symbol"].cast(pa.string()), pa.array(names, pa.string())))
    notes: list[str] = []
    if question.adjusting is not None:
        daily, notes = adjust_answer(lake, source, question.adjusting, daily)
    horizon_us = max(source.horizons().values(), default=0)
    feed = source.feed
    if selection is None:
        made = aggregate_days(feed, daily, question.timeframe, horizon_us)
        made = made.append_column(INSTRUMENT_ID, pa.nulls(made.num_rows, pa.string()))
    else:
        made = buckets_by_instrument(feed, daily, selection.resolver, question.timeframe, horizon_us)
    return _as_seen(question, made, keep_ids=selection is not None), notes


def _as_seen(question: BarQuestion, made: pa.Table, *, keep_ids: bool) -> pa.Table:
    """Buckets with the columns users see; the ids are matched again by row."""
    plain = made.append_column("regular", pa.array(np.ones(made.num_rows, bool)))
    ids = plain[INSTRUMENT_ID].cast(pa.string())
    # Two bearers may have a bucket of one symbol and time: the row's number tells them apart.
    numbered = plain.drop_columns([INSTRUMENT_ID]).set_column(
        0, "symbol", pc.binary_join_element_wise(
            plain["symbol"].cast(pa.string()), pa.array([f"{at:09d}" for at in range(made.num_rows)]), "\0"
        )
    )  # fmt: skip
    with connect() as connection:
        connection.register("bars", numbered)
        seen = select_bars(connection, question, None)
    texts = [text.rpartition("\0") for text in seen["symbol"].to_pylist()]
    seen = seen.set_column(0, "symbol", pa.array([symbol for symbol, _, _ in texts], pa.string()))
    if keep_ids:
        seen = seen.append_column(INSTRUMENT_ID, ids.take(pa.array([int(at) for _, _, at in texts], pa.int64())))
    return seen
