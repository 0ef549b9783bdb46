"""Continuous futures: the bars of a root's contract in force as one symbol, adjusted on request.

Reads through `LakeReader.bars` only, so that whatever that understands (as of an instant, extended hours) holds here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.continuous import Adjust, Holding, OnMissing, adjusted, amounts
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import DAY_US, parse_interval
from marketdata_pipelines.domain.references import Reference
from marketdata_pipelines.domain.rolls import RollRule
from marketdata_pipelines.errors import PartitionMissing, SettingsInvalid
from marketdata_pipelines.serving.notes import answer_notes, with_notes
from marketdata_pipelines.serving.ranges import Moment, TimeRange, time_range
from marketdata_pipelines.serving.rolls import Series, read_series, roll_table, series_choice

if TYPE_CHECKING:
    from marketdata_pipelines.serving.answers import LakeReader

_SEVERAL_DAYS = ("2d", "1w", "1M")
_LONGEST_BUCKET = timedelta(days=45)


class ContinuousSeries:
    """Continuous series of the roots in a reader's feeds.

    In both methods `roll` is calendar, volume or open_interest; `sessions_before_expiry` is the calendar rule's,
    `sessions_exceeded` the others'; `months` are codes such as HMUZ; `open_interest` is a table of symbol,
    session_date (by whose close the figure was known) and open_interest. `options` go to `LakeReader.bars`.
    """

    def __init__(self, reader: "LakeReader", references: Mapping[str, Reference]) -> None:
        self._reader, self._references = reader, references

    def rolls(
        self,
        feed: str,
        root: str,
        start: Moment = None,
        end: Moment = None,
        *,
        roll: str = RollRule.VOLUME,
        rank: int = 0,
        sessions_before_expiry: int | None = None,
        sessions_exceeded: int | None = None,
        months: str | None = None,
        open_interest: pa.Table | None = None,
        **options: Any,
    ) -> pa.Table:
        """The rolls of a series, in order.

        Shape:   `rolls.ROLL_SCHEMA`; the last may be for the session after the last one stored.
        Bounds:  roll dates, both included. A session later than a roll never changes it.
        Errors:  SettingsInvalid when the feed has no such contract, or the rule lacks what it needs.
        """
        choice = series_choice(
            roll,
            rank,
            sessions_before_expiry=sessions_before_expiry,
            sessions_exceeded=sessions_exceeded,
            months=months,
            open_interest=open_interest,
        )
        return roll_table(read_series(self._reader, self._references, feed, root, choice, options), start, end)

    def bars(
        self,
        feed: str,
        root: str,
        timeframe: str | None = None,
        start: Moment = None,
        end: Moment = None,
        *,
        adjust: str = Adjust.NONE,
        on_missing: str = OnMissing.ERROR,
        roll: str = RollRule.VOLUME,
        rank: int = 0,
        sessions_before_expiry: int | None = None,
        sessions_exceeded: int | None = None,
        months: str | None = None,
        open_interest: pa.Table | None = None,
        **options: Any,
    ) -> pa.Table:
        """The bars of the contracts in force, as one symbol such as ES.v.0, sorted by ts.

        Shape:   like `LakeReader.bars`, then `contract`: whose bar it is (of a bucket across a roll, the last's).
        Bounds:  like `LakeReader.bars`; buckets of several days are made of the series' own 1d bars.
        Adjust:  the last contract of the range keeps its prices, earlier ones are brought to it roll by roll.
        Errors:  PartitionMissing when the series has no bar in the range; SettingsInvalid as for `rolls`, and where
                 the prices of a roll do not meet and `on_missing` is error.
        """
        how, missing = _chosen(Adjust, adjust, "adjust"), _chosen(OnMissing, on_missing, "on missing")
        choice = series_choice(
            roll,
            rank,
            sessions_before_expiry=sessions_before_expiry,
            sessions_exceeded=sessions_exceeded,
            months=months,
            open_interest=open_interest,
        )
        series = read_series(self._reader, self._references, feed, root, choice, options)
        definition = self._reader.feed(feed)
        question = _Question(self._reader, definition, series, timeframe or definition.interval.name, options)
        return question.answer(time_range(start, end), how, missing)


@dataclass(frozen=True, slots=True)
class _Run:
    """Bars of one symbol from a session date to another, both included."""

    held: Holding
    symbol: str
    first: date
    last: date


class _Question:
    """One series asked for in one timeframe."""

    def __init__(
        self, reader: "LakeReader", feed: Feed, series: Series, timeframe: str, options: Mapping[str, Any]
    ) -> None:
        self._reader, self._feed, self._series = reader, feed, series
        self._timeframe, self._options = timeframe, options
        self._several = timeframe in _SEVERAL_DAYS and timeframe != feed.interval.name

    def answer(self, wanted: TimeRange, adjust: Adjust, missing: OnMissing) -> pa.Table:
        pieces = list(self._pieces(self._days(wanted)))
        if not self._several:
            pieces = [(held, _between(bars, wanted)) for held, bars in pieces]
        pieces = [(held, bars) for held, bars in pieces if bars.num_rows]
        if not pieces:
            raise PartitionMissing(self._nothing_there())
        notes = [*self._series.contracts.notes, *(note for _, bars in pieces for note in answer_notes(bars))]
        bars = self._joined(pieces, adjust, missing)
        if self._several:
            bars = _between(self._combined(bars), wanted)
        symbol = pa.array([self._series.symbol] * bars.num_rows, pa.string())
        return with_notes(bars.set_column(0, "symbol", symbol), notes)

    def _days(self, wanted: TimeRange) -> list[date]:
        """The session dates whose bars are read; of several days, those of whole buckets labelled in the range."""
        first = wanted.start_date or (wanted.start_ts.date() - timedelta(days=2) if wanted.start_ts else date.min)
        last = wanted.end_date or (wanted.end_ts.date() + timedelta(days=2) if wanted.end_ts else date.max)
        days = sorted(self._series.contracts.symbols)
        if not self._several:
            return [day for day in days if first <= day <= last]
        from marketdata_pipelines.domain.labels import bucket_days

        reach = last + _LONGEST_BUCKET if date.max - last > _LONGEST_BUCKET else last
        labels = {day: bucket_days(self._feed, day, self._timeframe)[0] for day in days if first <= day <= reach}
        return [day for day, label in labels.items() if first <= label <= last]

    def _pieces(self, days: list[date]) -> Iterator[tuple[Holding, pa.Table]]:
        """The bars of each holding, of the days on which its contract has any."""
        timeframe = "1d" if self._several else self._timeframe
        runs = list(self._runs(days))
        if runs and not parse_interval(timeframe).is_intraday:
            # So few bars that one question for all is quicker than one for each contract.
            names, first, last = {run.symbol for run in runs}, runs[0].first, runs[-1].last
            found = self._reader.bars(self._feed.name, sorted(names), timeframe, first, last, **self._options)
            for run in runs:
                mine = _between(found, TimeRange(run.first, run.last))
                yield run.held, _owned(mine.filter(pc.equal(mine["symbol"], run.symbol)))
            return
        for run in runs:
            found = self._reader.bars(self._feed.name, [run.symbol], timeframe, run.first, run.last, **self._options)
            yield run.held, _owned(found)

    def _runs(self, days: list[date]) -> Iterator["_Run"]:
        """What to read: a holding's contract under one symbol, from the first day with a bar to the last."""
        symbols = self._series.contracts.symbols
        for held in self._series.held:
            own = [day for day in days if held.start <= day <= (held.end or date.max) and held.month in symbols[day]]
            for symbol, run in groupby(own, key=lambda day: symbols[day][held.month]):
                span = list(run)
                yield _Run(held, symbol, span[0], span[-1])

    def _joined(self, pieces: list[tuple[Holding, pa.Table]], adjust: Adjust, missing: OnMissing) -> pa.Table:
        """All pieces as one table, each brought to the last one's prices."""
        first, last = pieces[0][0].start, pieces[-1][0].start
        held = [each for each in self._series.held if first <= each.start <= last]
        found = amounts(held, [self._series.prices(each) for each in held], adjust, missing)
        by_start = {each.start: amount for each, amount in zip(held, found, strict=True)}
        tables = [adjusted(bars, by_start[each.start], adjust) for each, bars in pieces]
        return pa.concat_tables([table.replace_schema_metadata(None) for table in tables])

    def _combined(self, daily: pa.Table) -> pa.Table:
        """1d bars of the series as buckets of several days; final is one whose last contract's own bucket is."""
        from marketdata_pipelines.domain.frames import int_values
        from marketdata_pipelines.domain.labels import day_buckets
        from marketdata_pipelines.pipeline.aggregate import aggregate_days

        buckets = aggregate_days(self._feed, _as_aggregates(daily), self._timeframe, 0)
        group, _, _ = day_buckets(self._feed, int_values(daily["ts"]) // DAY_US, self._timeframe)
        last = np.searchsorted(group, np.arange(buckets.num_rows), "right") - 1
        # What is no price, sum or time of the bucket (the contract, its instrument) is the last day's.
        closing = daily.take(pa.array(last))
        columns = {name: (buckets if name in buckets.column_names else closing)[name] for name in daily.column_names}
        columns["timeframe"] = pa.array([self._timeframe] * buckets.num_rows, pa.string())
        columns["is_final"] = self._final(buckets, closing["contract"])
        return pa.table(columns)

    def _final(self, buckets: pa.Table, contracts: pa.ChunkedArray) -> pa.Array:
        first, last = buckets["session_date"][0].as_py(), buckets["session_date"][-1].as_py()
        names = sorted(set(contracts.to_pylist()))
        stored = self._reader.bars(self._feed.name, names, self._timeframe, first, last, **self._options)
        rows = zip(*(stored[name].to_pylist() for name in ("ts", "symbol", "is_final")), strict=True)
        final = {(ts, symbol): is_final for ts, symbol, is_final in rows}
        keys = zip(buckets["ts"].to_pylist(), contracts.to_pylist(), strict=True)
        return pa.array([final.get(key, False) for key in keys], pa.bool_())

    def _nothing_there(self) -> str:
        contracts, days = self._series.contracts, sorted(self._series.contracts.symbols)
        there = f"there: contracts {', '.join(map(str, contracts.chain))} from {days[0]} to {days[-1]}"
        return f"{self._feed.name} has no bars of {self._series.symbol} in that range; {there}"


def _owned(bars: pa.Table) -> pa.Table:
    """Bars that say whose they are."""
    return bars.append_column("contract", bars["symbol"].cast(pa.string()))


def _between(bars: pa.Table, wanted: TimeRange) -> pa.Table:
    """The bars whose session date (end included) or open (end excluded) is in the range."""
    dates, opens = bars["session_date"], bars["ts"]
    bounds = (
        (pc.greater_equal, dates, wanted.start_date),
        (pc.less_equal, dates, wanted.end_date),
        (pc.greater_equal, opens, wanted.start_ts),
        (pc.less, opens, wanted.end_ts),
    )
    inside = [compare(column, pa.scalar(bound, column.type)) for compare, column, bound in bounds if bound is not None]
    for mask in inside[1:]:
        inside[0] = pc.and_(inside[0], mask)
    return bars.filter(inside[0]) if inside else bars


def _as_aggregates(daily: pa.Table) -> pa.Table:
    """1d bars as they are shown, in AGGREGATE_SCHEMA under one symbol."""
    from marketdata_pipelines.domain.bars import AGGREGATE_SCHEMA

    typical = pc.divide(pc.add(pc.add(daily["high"], daily["low"]), daily["close"]), 3.0)
    columns = {name: daily[name] for name in daily.column_names if name in AGGREGATE_SCHEMA.names}
    columns["symbol"] = pa.array([""] * daily.num_rows, pa.string()).dictionary_encode()
    columns["notional"] = pc.multiply(pc.coalesce(daily["vwap"], typical), daily["volume"])
    columns["first_ts"] = columns["last_ts"] = daily["ts"]
    return pa.table({name: columns[name] for name in AGGREGATE_SCHEMA.names}).cast(AGGREGATE_SCHEMA)


def _chosen(kind: Any, value: str, what: str) -> Any:
    if value not in list(kind):
        raise SettingsInvalid(f"{what} is {value!r}; allowed: {', '.join(kind)}")
    return kind(value)
