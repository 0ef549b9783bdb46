"""The read path over three tiers: this process, Redis, the lake. Answers equal the lake's; only the way differs.

Every answer is kept under the revision of what it was made of, and each question begins by looking up which revision
is the newest: what was corrected is never found again. What the tiers hold is in `l1`, `second` and `loader`.
"""

import time
from collections.abc import Callable, Hashable, Sequence
from datetime import date
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import period_of
from marketdata_pipelines.domain.tables import DAILY_SUMMARY, LATEST_BARS, VALIDATED_BARS, bar_table
from marketdata_pipelines.serving.cache.coalescing import Coalescing
from marketdata_pipelines.serving.cache.l1 import L1
from marketdata_pipelines.serving.cache.loader import Loader
from marketdata_pipelines.serving.cache.piece_reading import PieceReader, Superseded
from marketdata_pipelines.serving.cache.pieces import ViewKey, answer_of, last_bars_of
from marketdata_pipelines.serving.cache.revisions import Revisions, RevisionSource, RevisionsUnknown
from marketdata_pipelines.serving.cache.statistics import Event, Kind, Statistics, Tier, process_statistics
from marketdata_pipelines.serving.ranges import Moment, TimeRange, date_range, time_range

if TYPE_CHECKING:
    from marketdata_pipelines.serving.cache.second import SecondTier

# What publications change while it is asked for is asked for again so often; then it is answered and not kept.
_ATTEMPTS = 5
# More symbols and partitions than this at once are a history, not the hot set: one query reads it better.
_MOST_PIECES = 2_000

Loaded = tuple[pa.Table, Tier]
Looks = tuple[Revisions, ...]


class CacheTiers:
    """Answers from the nearest tier that has them; safe across threads, to be opened in the process that asks.

    Symbols are those the source gives. Redis away is no error: what it would have answered is read from the lake.
    """

    def __init__(
        self,
        loader: Loader,
        revisions: RevisionSource,
        second: "SecondTier | None" = None,
        *,
        max_bytes: int = 64_000_000,
        statistics: Statistics | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._loader, self.revisions, self.second = loader, revisions, second
        self.l1 = L1(max_bytes, clock)
        self.statistics = statistics or process_statistics()
        self._coalescing = Coalescing()
        self._at_close: list[Callable[[], None]] = []
        self._versions: dict[str, tuple[Feed, str]] = {}
        self._pieces = PieceReader(loader, revisions, second, self.l1, self._coalescing)
        if second is not None:
            second.on_change(self.changed)
            second.on_doubt(self.doubt)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def latest(self, feed: Feed, symbols: Sequence[str] | None = None) -> pa.Table:
        """The last bar of each symbol, extended hours included: LATEST_SCHEMA, in order of symbol.

        Symbols that the feed does not have give no row.
        """
        wanted = None if symbols is None else tuple(dict.fromkeys(symbols))
        if wanted is not None:
            self.statistics.access.note(feed.name, wanted)

        def load(looks: Looks | None) -> Loaded:
            whole, tier = self._all_latest(feed, None if looks is None else looks[0])
            if wanted is None:
                return whole, tier
            return last_bars_of(whole, wanted), tier

        return self._answer(Kind.LATEST, feed, (LATEST_BARS,), ("latest", wanted), load)

    def bars(
        self,
        feed: Feed,
        symbols: Sequence[str],
        timeframe: str | None = None,
        start: Moment = None,
        end: Moment = None,
    ) -> pa.Table:
        """Bars of the regular session, unadjusted, by (symbol, ts): the columns and bounds of `LakeReader.bars`.

        Errors: SettingsInvalid for a timeframe the feed does not have, or a range that ends before it starts.
        """
        frame = timeframe or feed.interval.name
        table, period = bar_table(feed, frame)
        named, wanted = tuple(sorted(set(symbols))), time_range(start, end)
        self.statistics.access.note(feed.name, named)

        def load(looks: Looks | None) -> Loaded:
            keys = () if looks is None else looks[0].between(*wanted.partitions(period))
            if looks is None or len(keys) * len(named) > _MOST_PIECES:
                return self._loader.bars(feed, named, frame, wanted), Tier.L3
            found, tier = self._pieces.read(feed, table, named, keys, looks[0])
            ordered = (found[symbol, key] for symbol in named for key in keys)
            return answer_of(ordered, table, frame, None if wanted.covers(keys, period) else wanted), tier

        return self._answer(Kind.BARS, feed, (table,), ("bars", frame, named, wanted), load)

    def recent(
        self, feed: Feed, symbol: str, timeframe: str | None = None, count: int = 390, *, within_partitions: int = 30
    ) -> pa.Table:
        """The last bars of one symbol's regular session, at most `count`, in order of time; columns as `bars`.

        Only the newest partitions of the timeframe's table are looked at: of a symbol that is not traded any more
        there may be older bars (see `bars`).
        """
        frame = timeframe or feed.interval.name
        table, _ = bar_table(feed, frame)
        self.statistics.access.note(feed.name, (symbol,))

        def load(looks: Looks | None) -> Loaded:
            rows, tier = self._newest(feed, table, frame, symbol, count, within_partitions, looks)
            return rows.slice(max(rows.num_rows - count, 0)), tier

        question = ("recent", frame, symbol, count, within_partitions)
        return self._answer(Kind.BARS, feed, (table,), question, load)

    def view(self, feed: Feed, view: str, start: Moment = None, end: Moment = None) -> pa.Table:
        """A view over session dates, both included, as `LakeReader.table` gives it.

        Kept for feeds that name neither corporate actions nor instruments: what those say is no part of a revision.

        Errors: SettingsInvalid for a name that is no view of the feed; PartitionMissing when nothing is stored.
        """
        wanted = date_range(start, end)
        if feed.corporate_actions is not None or feed.instruments is not None:
            begun = time.perf_counter()
            found = self._loader.view(feed, view, wanted)
            self.statistics.answered(Kind.VIEW, Tier.L3, time.perf_counter() - begun)
            return found
        last = wanted.partitions(period_of(feed.partition))[1]
        # What a view is made of: the bars or the days, up to the end of the range.
        tables = (VALIDATED_BARS, DAILY_SUMMARY, view)

        def load(looks: Looks | None) -> Loaded:
            if looks is None or self.second is None:
                return self._loader.view(feed, view, wanted), Tier.L3
            made_of = tuple(look.digest("", last) for look in looks)
            key = ViewKey(feed.name, view, self._version(feed), wanted, made_of)
            found = self.second.view(key)
            if found is not None:
                return found, Tier.L2
            rows = self._loader.view(feed, view, wanted)
            if self._look_anew(feed, tables) != looks:
                raise Superseded
            self.second.put_view(key, rows)
            return rows, Tier.L3

        return self._answer(Kind.VIEW, feed, tables, ("view", wanted), load)

    def publish(self, feed: Feed, table: str, partition: str, revision: str, rows: pa.Table, horizon_us: int) -> bool:
        """Write a partition through: to Redis, and word to every process that what it holds of it is old.

        `rows` are the lake's of that table and `horizon_us` when the newest of what they were made of became known:
        an older publication never takes the place of a newer one. False where Redis could not be told now: answers are
        right all the same, and quick again once they were asked for.
        """
        self.changed(feed.name, table, partition)
        return self.second is not None and self.second.publish(feed.name, table, partition, revision, rows, horizon_us)

    def changed(self, feed: str, table: str, partition: str) -> None:
        """Another revision of a partition is the newest: let go what was made of the one before."""
        self.statistics.happened(Event.INVALIDATED)
        self.revisions.forget(feed)
        self.l1.drop((feed, table))
        self.l1.drop((feed, table, partition))

    def doubt(self) -> None:
        """Word of changes may have been lost: look up every revision anew."""
        self.revisions.forget()

    def at_close(self, work: Callable[[], None]) -> None:
        """Have something done first when this is closed."""
        self._at_close.append(work)

    def close(self) -> None:
        """Write what waits to be written, and end what runs in the background."""
        for work in self._at_close:
            work()
        self._at_close.clear()
        if self.second is not None:
            self.second.close()
        self.revisions.close()
        self.l1.clear()

    def _answer(
        self,
        kind: Kind,
        feed: Feed,
        tables: tuple[str, ...],
        question: tuple[Hashable, ...],
        load: Callable[[Looks | None], Loaded],
    ) -> pa.Table:
        """The answer under the newest revisions of the tables it is made of; `load` without revisions keeps nothing."""
        begun = time.perf_counter()
        found, tier = self._found(feed, tables, question, load)
        self.statistics.answered(kind, tier, time.perf_counter() - begun)
        return found

    def _found(
        self,
        feed: Feed,
        tables: tuple[str, ...],
        question: tuple[Hashable, ...],
        load: Callable[[Looks | None], Loaded],
    ) -> Loaded:
        for _ in range(_ATTEMPTS):
            try:
                looks = self._look(feed, tables)
                key = (feed.name, self._version(feed), tables, question, looks)
                kept = self.l1.get(key)
                if kept is not None:
                    return kept, Tier.L1
                (found, tier), mine = self._coalescing.load(key, partial(load, looks))
                # The nearer tiers hold each revision under a name of its own; what was read now may be a later one.
                still = tier is not Tier.L3 or self._look_anew(feed, tables) == looks
            except Superseded:
                continue
            except RevisionsUnknown:
                break
            if not mine:
                self.statistics.happened(Event.COALESCED)
            elif still:
                self.l1.put(key, found, found.get_total_buffer_size(), group=(feed.name, tables[0]))
            return found, tier
        # Revisions can't be told, or change faster than they are read: the record of truth answers, nothing is kept.
        return load(None)

    def _newest(
        self, feed: Feed, table: str, frame: str, symbol: str, count: int, within: int, looks: Looks | None
    ) -> Loaded:
        if looks is None:
            newest = self._loader.partitions(feed, table)[-within:]
            since = date.fromisoformat(newest[0]) if newest else None
            return self._loader.bars(feed, [symbol], frame, TimeRange(start_date=since)), Tier.L3
        pieces, tier = self._pieces.newest(feed, table, symbol, count, looks[0].partitions[-within:], looks[0])
        return answer_of(pieces, table, frame), tier

    def _all_latest(self, feed: Feed, now: Revisions | None) -> Loaded:
        if now is None:
            return self._loader.latest(feed).rows, Tier.L3
        key = (feed.name, self._version(feed), LATEST_BARS, "all", now)
        kept = self.l1.get(key)
        if kept is not None:
            return kept, Tier.L1
        (rows, tier), mine = self._coalescing.load(key, lambda: self._load_latest(feed, now))
        if mine:
            self.l1.put(key, rows, rows.get_total_buffer_size(), group=(feed.name, LATEST_BARS))
        return rows, tier

    def _load_latest(self, feed: Feed, now: Revisions) -> Loaded:
        found = None if self.second is None else self.second.latest(feed.name, now.digest())
        if found is not None:
            return found, Tier.L2
        read = self._loader.latest(feed)
        if self._look_anew(feed, (LATEST_BARS,)) != (now,) or read.revision != now.digest():
            raise Superseded
        if self.second is not None:
            self.second.put_latest(feed.name, read.revision, read.rows)
        return read.rows, Tier.L3

    def _look(self, feed: Feed, tables: tuple[str, ...]) -> Looks:
        """The newest revisions. Those of unchanged content are the same objects."""
        return tuple([self.revisions.of(feed.name, table) for table in tables])

    def _look_anew(self, feed: Feed, tables: tuple[str, ...]) -> Looks:
        """The same where it must not be remembered from before something was read."""
        return tuple([self.revisions.anew(feed.name, table) for table in tables])

    def _version(self, feed: Feed) -> str:
        """The feed's version; working it out takes longer than everything else an answer from memory needs."""
        known = self._versions.get(feed.name)
        if known is None or known[0] is not feed:
            known = self._versions[feed.name] = (feed, feed.version)
        return known[1]
