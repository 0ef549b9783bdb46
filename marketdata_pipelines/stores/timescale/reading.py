"""Reads of the SQL store: bars of any timeframe, the newest ones, and totals of a window, each of one state of it.

Answers have the columns, order and types of the lake's; whether they are up to date with the lake is for whoever has
the lake at hand to judge.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

import psycopg
import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import DAY_US, parse_interval
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.errors import StoreUnavailable
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.read_bounds import ReadRange
from marketdata_pipelines.stores.timescale.read_snapshot import EVERYTHING, STREAM_ROWS, Snapshot
from marketdata_pipelines.stores.timescale.read_statements import ledger_table

Answer = TypeVar("Answer")
_ATTEMPTS = 10
# How many days a range may have that is open on a side; where it has more, its answer is only longer than expected.
_MOST_DAYS = 8_000


class TimescaleQueries:
    """Questions to one database; each is answered from one state of it.

    Errors: PartitionMissing where nothing is published in the range; StoreUnavailable; StoreError when the server
            refuses or takes longer than its limit.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def answered(self, feed: Feed, ask: Callable[["Snapshot"], Answer]) -> Answer:
        """What `ask` makes of several statements, asked again where something of it was published in between.

        Errors: StoreUnavailable where that goes on and on.
        """
        for _ in range(_ATTEMPTS):
            with self.database.connection(f"reading {feed.name}", autocommit=True) as connection:
                snapshot = Snapshot(connection, feed)
                found = ask(snapshot)
                if snapshot.is_whole():
                    return found
        raise StoreUnavailable(
            f"{feed.name} was published {_ATTEMPTS} times while it was read; ask again when less is published"
        )

    def bars(
        self,
        feed: Feed,
        symbols: Sequence[str] | None = None,
        timeframe: str | None = None,
        wanted: ReadRange = EVERYTHING,
        *,
        regular_only: bool = True,
    ) -> pa.Table:
        """Bars of one timeframe as `LakeReader.bars` answers them (see `Snapshot.bars`)."""
        name = timeframe or feed.interval.name
        if symbols is not None and is_one_statement(feed, name, len(symbols), wanted):
            if is_stored(feed, name):
                found = self._at_once(feed, lambda it: it.stored_bars(symbols, name, wanted, regular_only=regular_only))
            else:
                found = self._at_once(feed, lambda it: it.rolled_bars(symbols, name, wanted))
            if found is not None:
                return found
        return self.answered(feed, lambda it: it.bars(symbols, name, wanted, regular_only=regular_only))

    def latest(self, feed: Feed, symbols: Sequence[str] | None = None) -> pa.Table:
        """The last bar of each symbol, extended hours included, as the view `latest_bars` has it."""
        found = self._at_once(feed, lambda it: it.newest_bars(symbols))
        if found is not None:
            return found
        return self.answered(feed, lambda it: it.latest(symbols))

    def totals(
        self,
        feed: Feed,
        symbols: Sequence[str] | None = None,
        wanted: ReadRange = EVERYTHING,
        *,
        regular_only: bool = True,
    ) -> pa.Table:
        """All bars of a window as one for each symbol (see `Snapshot.totals`)."""
        return self.answered(feed, lambda it: it.totals(symbols, wanted, regular_only=regular_only))

    def _at_once(self, feed: Feed, ask: Callable[["Snapshot"], pa.Table | None]) -> pa.Table | None:
        """The answer of a single statement, which needs no transaction around it; None where it has no rows.

        Why there are none is then for the ledger to tell.
        """
        with (
            self.database.connection(f"reading {feed.name}", autocommit=True) as connection,
            suppress(psycopg.errors.UndefinedTable),
        ):
            found = ask(Snapshot(connection, feed))
            return found if found is not None and found.num_rows else None
        return None


def is_stored(feed: Feed, timeframe: str) -> bool:
    """Whether bars of a timeframe are in a table as they are: the feed's own, and those coarser than intraday."""
    return timeframe == feed.interval.name or ledger_table(feed, timeframe) != VALIDATED_BARS


def is_one_statement(feed: Feed, timeframe: str, symbols: int, wanted: ReadRange) -> bool:
    """Whether one packed statement gives these bars: not too many for the server to hold."""
    if ledger_table(feed, timeframe) != VALIDATED_BARS:
        return True
    first, last = wanted.days
    days = _MOST_DAYS if first is None or last is None else (last - first).days + 1
    # Months have no width.
    width_us = parse_interval(timeframe).us or DAY_US
    return symbols * days * max(DAY_US // width_us, 1) <= STREAM_ROWS
