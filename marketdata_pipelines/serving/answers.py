"""Answers read from the lake: bars, views, rejected rows, gaps, SQL. Read-only, without Dagster.

What only some questions need (the kernels' compiler, calendars) is imported when one is asked: `bars` stays quick.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain import tables as t
from marketdata_pipelines.domain.feeds import Anchor, Feed
from marketdata_pipelines.domain.intervals import parse_interval, table_name
from marketdata_pipelines.domain.partitions import Period, period_of
from marketdata_pipelines.errors import PartitionMissing, SettingsInvalid, StoreError
from marketdata_pipelines.serving.ranges import Moment, TimeRange, date_range, time_range
from marketdata_pipelines.serving.rejections import rejected_rows
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.settings.feeds_file import load_feeds
from marketdata_pipelines.stores.lake.catalog import Stored
from marketdata_pipelines.stores.lake.duck import connect, create_view, query_text, relation_sql
from marketdata_pipelines.stores.lake.lake import Lake

if TYPE_CHECKING:
    pass

_FLAT = ("superseded", "deleted")
_REJECTED_COLUMNS = ["file", "line", "row", "symbol", "ts", "rules", "original"]


class LakeReader:
    """Everything that can be asked of one lake.

    Times in answers are UTC; a bar's `ts` is its open. Dates in a range are session dates, both included.
    """

    def __init__(self, home: Path | str | None = None) -> None:
        settings = Settings() if home is None else Settings(home=Path(home))
        self._settings = settings
        self.feeds = load_feeds(settings.feeds_file)
        self.lake = Lake(settings.lake)

    def feed(self, name: str) -> Feed:
        """A feed by name.

        Errors: SettingsInvalid naming the feeds there are.
        """
        if name not in self.feeds:
            known = ", ".join(self.feeds) or "none yet"
            raise SettingsInvalid(f"feed {name!r} is not in {self._settings.feeds_file}; there: {known}")
        return self.feeds[name]

    def bars(
        self,
        feed: str,
        symbols: Sequence[str] | None = None,
        timeframe: str | None = None,
        start: Moment = None,
        end: Moment = None,
        *,
        session: str = "regular",
        fill: str = "none",
    ) -> pa.Table:
        """Bars of one timeframe, sorted by (symbol, ts).

        Shape:   symbol, timeframe, ts, ts_close, session_date, open, high, low, close, volume, vwap, trade_count,
                 bar_count, is_final (and `filled` when filling was asked for).
        Bounds:  dates are session dates, both included; datetimes are opens, end excluded. `session="all"` adds the
                 extended hours: stored for the feed's own interval, combined when asked for coarser ones up to 1d.
        Errors:  SettingsInvalid for a timeframe the feed does not have; PartitionMissing when nothing is stored.
        """
        definition = self.feed(feed)
        name = timeframe or definition.interval.name
        table, period = self._bar_table(definition, name)
        wanted = time_range(start, end)
        base = table == t.VALIDATED_BARS
        if session not in ("regular", "all"):
            raise SettingsInvalid(f"session is {session!r}; allowed: regular, all")
        parameters = {
            **_range_parameters(wanted),
            "timeframe": name,
            "symbols": _listed(symbols),
            "regular_only": base and session == "regular",
        }
        if session == "all" and not base and definition.extended_hours is not None:
            return self._all_hours(definition, name, wanted, parameters, fill)
        stored = self._stored(table, definition, wanted, period)
        relation = relation_sql(self.lake.layout.root, stored)
        if base:
            relation = f"select *, 1::bigint as bar_count, true as is_final from ({relation})"
        else:
            relation = f"select *, true as regular from ({relation})"
        with connect() as connection:
            connection.execute(f"create view bars as {relation}")
            found = connection.sql(query_text("select_bars"), params=parameters).to_arrow_table()
        return found if fill == "none" else self._filled(definition, name, found, fill)

    def table(self, feed: str, view: str, start: Moment = None, end: Moment = None) -> pa.Table:
        """A view over the range (dates are session dates, both included).

        Errors: SettingsInvalid for a name that is no view of the feed; PartitionMissing when nothing is stored.
        """
        definition = self.feed(feed)
        names = [table_set.name for table_set in t.feed_tables(definition) if table_set.name in t.VIEWS]
        if view not in names:
            raise SettingsInvalid(f"{view!r} is no view of {feed}; there: {', '.join(names)}")
        wanted = date_range(start, end)
        source = {t.HOURLY_VOLUME: t.VALIDATED_BARS, t.SYMBOL_PERFORMANCE: t.DAILY_SUMMARY}.get(view, view)
        history = wanted if view != t.DAILY_SUMMARY else TimeRange(end_date=wanted.end_date)
        stored = self._stored(source, definition, history, period_of(definition.partition))
        parameters: dict[str, object] = {"start_date": wanted.start_date, "end_date": wanted.end_date}
        if view == t.HOURLY_VOLUME:
            parameters["zone"] = self._zone(definition)
        with connect() as connection:
            create_view(connection, source, self.lake.layout.root, stored)
            return connection.sql(query_text(f"select_{view}"), params=parameters).to_arrow_table()

    def rejected(self, feed: str, start: Moment = None, end: Moment = None, *, superseded: bool = False) -> pa.Table:
        """Rows kept out, with their place in the source, their rules and their text; then whole files.

        Shape:   file, line, row, symbol, ts, rules, original. `line` and `row` are null where a rule is about the
                 whole file: refused, or accepted with a guess that should be pinned.
        Bounds:  a range leaves out rows of other partitions and everything about whole files. Rows that a later
                 ingest replaced are listed only with `superseded`.
        """
        definition = self.feed(feed)
        return rejected_rows(self.lake, definition, time_range(start, end), superseded=superseded)

    def gaps(
        self, feed: str, start: Moment = None, end: Moment = None, symbols: Sequence[str] | None = None
    ) -> pa.Table:
        """Minutes, and whole sessions, without a bar between each symbol's first and last.

        Shape:   symbol, session_date, first_missing, last_missing, minutes, kind.
        """
        from marketdata_pipelines.serving.missing import missing_bars

        return missing_bars(self.lake, self.feed(feed), date_range(start, end), _listed(symbols))

    def sql(self, query: str) -> pa.Table:
        """Run a DuckDB query with every table as a view.

        `bars_5m` is that table of all feeds with a column `feed`; `us_equities_1m.bars_5m` is one feed's.
        Errors: StoreError with DuckDB's reason and the tables there are.
        """
        with connect() as connection:
            self._create_views(connection, query)
            try:
                return connection.sql(query).to_arrow_table()
            except duckdb.Error as error:
                known = ", ".join(sorted({table for table, *_ in self.lake.catalog.tables()}))
                raise StoreError(
                    f"the query failed: {error}; tables: {known}; feeds: {', '.join(self.feeds)}"
                ) from error

    def _create_views(self, connection: duckdb.DuckDBPyConnection, query: str) -> None:
        words = {word.lower() for word in re.findall(r"\w+", query)}
        by_table: dict[str, list[str]] = {}
        for table, feed, _, _, _ in self.lake.catalog.tables():
            if table not in words:
                continue
            stored = self.lake.catalog.stored(table, feed)
            relation = relation_sql(self.lake.layout.root, stored)
            if feed in words:
                connection.execute(f'create schema if not exists "{feed}"')
                connection.execute(f'create view "{feed}"."{table}" as {relation}')
            named = relation_sql(self.lake.layout.root, stored, {"feed": feed})
            by_table.setdefault(table, []).append(named)
        for table, relations in by_table.items():
            connection.execute(f'create view "{table}" as ' + "\nunion all by name\n".join(relations))

    def _bar_table(self, feed: Feed, timeframe: str) -> tuple[str, Period]:
        base = period_of(feed.partition)
        if timeframe == feed.interval.name:
            return t.VALIDATED_BARS, base
        for table_set in t.feed_tables(feed):
            if timeframe in feed.timeframes and table_name(timeframe) in table_set.tables:
                return table_name(timeframe), table_set.period
        known = ", ".join((feed.interval.name, *feed.timeframes))
        raise SettingsInvalid(f"{feed.name} has no {timeframe!r} bars; there: {known}")

    def _stored(self, table: str, feed: Feed, wanted: TimeRange, period: Period) -> list[Stored]:
        first, last = wanted.partitions(period)
        # A coarse bucket is labelled by its start, which may lie before the range's first partition.
        stored = self.lake.catalog.stored(table, feed.name, first, last)
        if not stored:
            anything = self.lake.catalog.stored(table, feed.name)
            where = f"; stored: {anything[0].partition} to {anything[-1].partition}" if anything else ""
            start = wanted.start_date or (wanted.start_ts.date() if wanted.start_ts else feed.start or "DATE")
            end = wanted.end_date or (wanted.end_ts.date() if wanted.end_ts else "DATE")
            raise PartitionMissing(
                f"{feed.name} has no {table} in that range{where}; "
                f"run: marketdata backfill {feed.name} --start {start} --end {end}"
            )
        return stored

    def _filled(self, feed: Feed, timeframe: str, bars: pa.Table, fill: str) -> pa.Table:
        from marketdata_pipelines.domain.filling import Fill, expected_buckets, fill_forward

        if fill not in list(Fill):
            raise SettingsInvalid(f"fill is {fill!r}; allowed: {', '.join(Fill)}")
        interval = parse_interval(timeframe)
        if not interval.is_intraday:
            raise SettingsInvalid(f"only intraday bars can be filled, not {timeframe}: closed days are no gaps")
        from marketdata_pipelines.domain.session_grid import feed_calendar

        if not bars.num_rows:
            return bars.append_column("filled", pa.array([], pa.bool_()))
        days = pc.min_max(bars["session_date"]).as_py()
        sessions = feed_calendar(feed).sessions(days["min"], days["max"])
        return fill_forward(bars, expected_buckets(sessions, interval.us, feed.anchor is Anchor.UTC))

    def _all_hours(
        self, feed: Feed, timeframe: str, wanted: TimeRange, parameters: dict[str, object], fill: str
    ) -> pa.Table:
        from marketdata_pipelines.serving.extended import combine_all_hours

        if fill != "none":
            raise SettingsInvalid("only the regular session can be filled; leave out session all or fill")
        stored = self._stored(t.VALIDATED_BARS, feed, wanted, period_of(feed.partition))
        bars = combine_all_hours(self.lake, feed, timeframe, [item.partition for item in stored])
        with connect() as connection:
            connection.register("bars", bars)
            return connection.sql(query_text("select_bars"), params=parameters).to_arrow_table()

    def _zone(self, feed: Feed) -> str:
        from marketdata_pipelines.domain.session_grid import feed_calendar

        return feed_calendar(feed).zone


def _listed(symbols: Sequence[str] | None) -> list[str] | None:
    """One symbol may be given as it is."""
    if symbols is None:
        return None
    return [symbols] if isinstance(symbols, str) else list(symbols)


def _range_parameters(wanted: TimeRange) -> dict[str, object]:
    return {
        "start_ts": wanted.start_ts,
        "end_ts": wanted.end_ts,
        "start_date": wanted.start_date,
        "end_date": wanted.end_date,
    }
