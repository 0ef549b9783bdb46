"""Answers read from the lake: bars, views, rejected rows, gaps, SQL. Read-only, without Dagster.

What only some questions need (the kernels' compiler, calendars) is imported when one is asked: `bars` stays quick.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.serving.bars import BarQuestion, answer_bars
from marketdata_pipelines.serving.knowledge import Knowledge, anchor_of
from marketdata_pipelines.serving.notes import with_notes
from marketdata_pipelines.serving.quality_filter import least_quality
from marketdata_pipelines.serving.queries.opening import Stores
from marketdata_pipelines.serving.ranges import Moment, date_range, day_of, instant_us, time_range
from marketdata_pipelines.serving.rejections import rejected_rows
from marketdata_pipelines.serving.rows import PastRows, RowSource, StoredRows, past_notes
from marketdata_pipelines.serving.table_views import query_views
from marketdata_pipelines.serving.views import ViewQuestion, answer_view
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.settings.feeds_file import load_feeds
from marketdata_pipelines.settings.references_file import load_references
from marketdata_pipelines.stores.lake.duck import asked_again
from marketdata_pipelines.stores.lake.lake import Lake

if TYPE_CHECKING:
    from marketdata_pipelines.pipeline.receipts.records import Receipt
    from marketdata_pipelines.serving.cache.tiers import CacheTiers
    from marketdata_pipelines.serving.quality_summary import QualitySummary


class LakeReader:
    """Everything that can be asked of one lake.

    Times in answers are UTC; a bar's `ts` is its open. Dates in a range are session dates, both included.
    """

    def __init__(self, home: Path | str | None = None) -> None:
        settings = Settings() if home is None else Settings(home=Path(home))
        self.settings = settings
        self.feeds = load_feeds(settings.feeds_file)
        self.lake = Lake(settings.lake)
        self._references = load_references(settings.feeds_file)
        self._knowledge = Knowledge(self.lake, self._references)
        self.stores = Stores(settings, self.lake)

    def feed(self, name: str) -> Feed:
        """A feed by name.

        Errors: SettingsInvalid naming the feeds there are.
        """
        if name not in self.feeds:
            known = ", ".join(self.feeds) or "none yet"
            raise SettingsInvalid(f"feed {name!r} is not in {self.settings.feeds_file}; there: {known}")
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
        as_of: Moment = None,
        adjustment: str = "raw",
        adjust_as_of: Moment = None,
        instruments: Sequence[str] | None = None,
        instrument_ids: bool = False,
        min_quality: float | None = None,
        store: str | None = None,
    ) -> pa.Table:
        """Bars of one timeframe, sorted by (symbol, ts).

        Shape:   symbol, timeframe, ts, ts_close, session_date, open, high, low, close, volume, vwap, trade_count,
                 bar_count, is_final (and `filled` when filling was asked for).
        Bounds:  dates are session dates, both included; datetimes are opens, end excluded. `session="all"` adds the
                 extended hours: stored for the feed's own interval, combined when asked for coarser ones up to 1d.
        As of:   what was known at that instant (a date: by the end of that UTC day), derived by today's code.
        Adjust:  `split` and `total` bring prices and volume to the scale of `adjust_as_of` (a date; the end of the
                 range, else the day of `as_of`, else today) by the feed's corporate actions known then.
        Symbols: where the feed names instruments, a symbol means whoever bore it on each date; `instruments` (ids)
                 follow renames. `instrument_ids` adds their column, also sorted by where a symbol was reused.
        Quality: `min_quality` keeps bars of symbol-sessions that score at least so much (0 to 100); a bar of several
                 sessions needs all of them to. Sessions nobody scored are left out. A note counts what was.
        Store:   `lake` (None), `timescale` (what is published in SQL), `auto` (SQL where it holds what the lake does).
        Errors:  SettingsInvalid for a timeframe the feed does not have; PartitionMissing when nothing is stored.
        """
        source = self._source(feed, as_of)
        wanted = time_range(start, end)
        definition, known_us = self.feed(feed), instant_us(as_of)
        least = least_quality(min_quality, as_of)
        resolver = self._knowledge.resolver(definition, known_us)
        anchor = anchor_of(wanted, day_of(adjust_as_of), known_us)
        question = BarQuestion(
            timeframe=timeframe or source.feed.interval.name,
            symbols=_listed(symbols),
            wanted=wanted,
            session=session,
            fill=fill,
            instruments=_listed(instruments),
            with_ids=instrument_ids,
            resolver=resolver,
            adjusting=self._knowledge.adjusting(definition, adjustment, anchor, known_us, resolver),
            min_quality=least,
        )
        select = self.stores.bars_for(source, store or "lake")
        found = asked_again(lambda: answer_bars(self.lake, source, question, select))
        return with_notes(found, [*past_notes(source), *select.notes])

    @cached_property
    def tiers(self) -> "CacheTiers":
        """Answers that are kept in memory, in this process and in Redis; to be closed by who asked for them."""
        from marketdata_pipelines.serving.cache.opening import open_tiers

        return open_tiers(self.settings, self.lake, self.table)

    def latest(self, feed: str, symbols: Sequence[str] | None = None) -> pa.Table:
        """The last bar of each source symbol, extended hours included, by symbol: the columns of `latest_bars`."""
        return self.tiers.latest(self.feed(feed), _listed(symbols))

    def table(
        self,
        feed: str,
        view: str,
        start: Moment = None,
        end: Moment = None,
        *,
        as_of: Moment = None,
        adjustment: str | None = None,
        min_quality: float | None = None,
    ) -> pa.Table:
        """A view over the range (dates are session dates, both included); `as_of` and `min_quality`: see `bars`.

        Adjust: returns are taken from split-adjusted prices where the feed names corporate actions, while prices are
                shown as traded; an `adjustment` given (raw, split, total) is for both.
        Errors: SettingsInvalid for a name that is no view of the feed; PartitionMissing when nothing is stored.
        """
        source, definition, known_us = self._source(feed, as_of), self.feed(feed), instant_us(as_of)
        least = least_quality(min_quality, as_of)
        wanted, resolver = date_range(start, end), self._knowledge.resolver(definition, known_us)
        anchor = anchor_of(wanted, None, known_us)
        chosen = adjustment or ("raw" if definition.corporate_actions is None else "split")
        adjusting = self._knowledge.adjusting(definition, chosen, anchor, known_us, resolver)
        question = ViewQuestion(view, wanted, resolver, adjusting, None if adjustment is None else adjusting, least)
        return with_notes(asked_again(lambda: answer_view(self.lake, source, question)), past_notes(source))

    def rejected(
        self,
        feed: str,
        start: Moment = None,
        end: Moment = None,
        *,
        superseded: bool = False,
        findings: bool = False,
        as_of: Moment = None,
    ) -> pa.Table:
        """Rows kept out, with their place in the source, their rules and their text; then whole files.

        Shape:   file, line, row, symbol, ts, rules, original. `line` and `row` are null where a rule is about the
                 whole file: refused, or accepted with a guess that should be pinned.
        Bounds:  a range leaves out rows of other partitions and everything about whole files. Rows that a later
                 ingest replaced are listed only with `superseded`. As of an instant: see `bars`.
        Found:   `findings` adds the rows that quality rules found something in; those are today's only.
        Errors:  SettingsInvalid for findings as of an instant.
        """
        if findings and as_of is not None:
            raise SettingsInvalid("findings are those of today; leave out as of, or findings")
        source = self._source(feed, as_of)
        return rejected_rows(self.lake, source, time_range(start, end), superseded=superseded, findings=findings)

    def quality(
        self, feed: str, start: Moment = None, end: Moment = None, symbols: Sequence[str] | None = None
    ) -> pa.Table:
        """Scores of every symbol-session by (session_date, symbol), 0 to 100; symbol null is the session as a whole.

        Shape:   SCORE_SCHEMA; with `symbols` only their rows.
        Errors:  PartitionMissing when nothing was scored in that range.
        """
        from marketdata_pipelines.serving.quality import answer_scores

        definition, wanted = self.feed(feed), date_range(start, end)
        return asked_again(lambda: answer_scores(self.lake, definition, wanted, _listed(symbols)))

    def findings(
        self,
        feed: str,
        start: Moment = None,
        end: Moment = None,
        symbols: Sequence[str] | None = None,
        *,
        rule: str | None = None,
        severity: str | None = None,
    ) -> pa.Table:
        """What quality rules found, by (session_date, symbol, ts): FINDING_SCHEMA but for `part`.

        `standing` is false for what was found in rows whose place another file's took.
        """
        from marketdata_pipelines.serving.quality import FINDING_COLUMNS, answer_findings

        definition, wanted = self.feed(feed), date_range(start, end)
        found = asked_again(lambda: answer_findings(self.lake, definition, wanted, _listed(symbols), rule, severity))
        return found.select(list(FINDING_COLUMNS))

    def quality_summary(
        self, feed: str, start: Moment = None, end: Moment = None, symbols: Sequence[str] | None = None, **which: Any
    ) -> "QualitySummary":
        """Scores, findings by rule, rejected rows and blocked partitions in one record; `which`: rule, severity."""
        from marketdata_pipelines.serving.quality_summary import summarise_quality

        definition, wanted = self.feed(feed), date_range(start, end)
        return asked_again(lambda: summarise_quality(self.lake, definition, wanted, _listed(symbols), **which))

    def quality_events(self, feed: str | None = None) -> pa.Table:
        """What became of quality, of one feed or all (QUALITY_EVENT_SCHEMA), in the order it was noted."""
        from marketdata_pipelines.stores.lake.quality_events import QualityEvents

        return QualityEvents(self.lake.layout.catalog).read(None if feed is None else self.feed(feed).name)

    def corrections(
        self,
        feed: str,
        start: Moment = None,
        end: Moment = None,
        symbols: Sequence[str] | None = None,
        since: Moment = None,
    ) -> pa.Table:
        """Every change of an accepted bar after it was first known (CORRECTION_SCHEMA), and which ingest caused it."""
        from marketdata_pipelines.serving.revisions import answer_corrections

        return answer_corrections(self.lake, self.feed(feed), start, end, _listed(symbols), since)

    def differences(
        self, feed: str, earlier: Moment, later: Moment = None, timeframe: str | None = None, **where: Any
    ) -> pa.Table:
        """Bars that would have been answered differently at two instants, and why; `where`: start, end, symbols."""
        from marketdata_pipelines.serving.revisions import answer_differences

        return answer_differences(self.lake, self.feed(feed), earlier, later, timeframe, **where)

    def explain(
        self, feed: str, symbol: str, ts: Moment, timeframe: str | None = None, *, as_of: Moment = None
    ) -> "Receipt":
        """The way from a bar back to its base bars, raw rows, source lines, runs and versions.

        Errors: PartitionMissing naming the nearest bars where there is none.
        """
        from marketdata_pipelines.serving.explaining import explain_bar

        return explain_bar(self.lake, self.feed(feed), symbol, ts, timeframe, as_of)

    def proposed_actions(self, feed: str, start: Moment = None, end: Moment = None) -> pa.Table:
        """Jumps between sessions that look like splits nobody told of (PROPOSAL_SCHEMA); nothing applies them."""
        from marketdata_pipelines.domain.proposals import propose_actions
        from marketdata_pipelines.serving.daily import daily_bars

        definition, wanted = self.feed(feed), date_range(start, end)
        daily = daily_bars(self.lake, StoredRows(self.lake, definition), wanted.start_date, wanted.end_date)
        return propose_actions(daily, self._knowledge.actions(definition, None))

    def continuous(
        self,
        feed: str,
        root: str,
        timeframe: str | None = None,
        start: Moment = None,
        end: Moment = None,
        **how: Any,
    ) -> pa.Table:
        """Bars of a futures root without a break, from contract to contract; `how`: see `serving.continuous`."""
        from marketdata_pipelines.serving.continuous import ContinuousSeries

        return ContinuousSeries(self, self._references).bars(feed, root, timeframe, start, end, **how)

    def rolls(self, feed: str, root: str, start: Moment = None, end: Moment = None, **how: Any) -> pa.Table:
        """When a continuous series passed from one contract to the next, and at which prices."""
        from marketdata_pipelines.serving.continuous import ContinuousSeries

        return ContinuousSeries(self, self._references).rolls(feed, root, start, end, **how)

    def gaps(
        self, feed: str, start: Moment = None, end: Moment = None, symbols: Sequence[str] | None = None
    ) -> pa.Table:
        """Minutes, and whole sessions, without a bar between each symbol's first and last.

        Shape:   symbol, session_date, first_missing, last_missing, minutes, kind.
        """
        from marketdata_pipelines.serving.missing import missing_bars

        definition, wanted = self.feed(feed), date_range(start, end)
        return asked_again(lambda: missing_bars(self.lake, definition, wanted, _listed(symbols)))

    def sql(self, query: str) -> pa.Table:
        """Run a DuckDB query with every table as a view.

        `bars_5m` is that table of all feeds with a column `feed`; `us_equities_1m.bars_5m` is one feed's.
        Errors: StoreError with DuckDB's reason and the tables there are.
        """
        return query_views(self.lake, query, self.feeds)

    def _source(self, feed: str, as_of: Moment) -> RowSource:
        definition, as_of_us = self.feed(feed), instant_us(as_of)
        return StoredRows(self.lake, definition) if as_of_us is None else PastRows(self.lake, definition, as_of_us)


def _listed(symbols: Sequence[str] | None) -> tuple[str, ...] | None:
    """One symbol may be given as it is."""
    if symbols is None:
        return None
    return (symbols,) if isinstance(symbols, str) else tuple(symbols)
