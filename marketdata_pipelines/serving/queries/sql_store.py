"""PostgreSQL, with or without TimescaleDB, as a store of bars. Whether it is up to date is `routing`'s to judge."""

from collections.abc import Sequence
from datetime import date

import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import INTRADAY
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.serving.queries.protocol import (
    BarsRequest,
    CrossSectionRequest,
    LatestRequest,
    TopRequest,
    TotalsRequest,
)
from marketdata_pipelines.serving.queries.ranking import DAILY, rank_bars, section_bars, section_of, top_bars
from marketdata_pipelines.serving.ranges import TimeRange
from marketdata_pipelines.stores.timescale.read_bounds import ReadRange
from marketdata_pipelines.stores.timescale.read_snapshot import PublishedPart, Snapshot
from marketdata_pipelines.stores.timescale.read_statements import ledger_table
from marketdata_pipelines.stores.timescale.reading import TimescaleQueries


class SqlStore:
    """Answers from one database what is published there."""

    def __init__(self, queries: TimescaleQueries) -> None:
        self.queries = queries

    def bars(self, request: BarsRequest) -> pa.Table:
        """See `BarStore.bars`. Errors: StoreError for coarser bars with the extended hours, which it does not hold."""
        _check_request(request)
        wanted, regular_only = read_range(request.wanted), request.session == "regular"
        return self.queries.bars(request.feed, request.symbols, request.timeframe, wanted, regular_only=regular_only)

    def latest(self, request: LatestRequest) -> pa.Table:
        return self.queries.latest(request.feed, request.symbols)

    def totals(self, request: TotalsRequest) -> pa.Table:
        wanted = read_range(request.wanted)
        regular_only = request.session == "regular"
        return self.queries.totals(request.feed, request.symbols, wanted, regular_only=regular_only)

    def top(self, request: TopRequest) -> pa.Table:
        return self.queries.answered(
            request.feed,
            lambda it: rank_bars(request, bars_of(it, top_bars(request, newest_day(it, request.feed)))),
        )

    def cross_section(self, request: CrossSectionRequest) -> pa.Table:
        return section_of(request, self.bars(section_bars(request)))


def bars_of(snapshot: Snapshot, request: BarsRequest, ledger: Sequence[PublishedPart] | None = None) -> pa.Table:
    """The bars of a request from a state of the store; `ledger`: as in `Snapshot.bars`."""
    _check_request(request)
    regular_only = request.session == "regular"
    wanted = read_range(request.wanted)
    return snapshot.bars(request.symbols, request.timeframe, wanted, regular_only=regular_only, ledger=ledger)


def why_not(request: BarsRequest) -> str | None:
    """Why the store cannot answer a request; None where it can."""
    coarser = ledger_table(request.feed, request.timeframe) != VALIDATED_BARS or (
        request.timeframe in INTRADAY and request.timeframe != request.feed.interval.name
    )
    if request.session == "all" and coarser and request.feed.extended_hours is not None:
        return f"the SQL store holds {request.timeframe} bars of the regular session only"
    return None


def read_range(wanted: TimeRange) -> ReadRange:
    """The same range for the store."""
    return ReadRange(wanted.start_date, wanted.end_date, wanted.start_ts, wanted.end_ts)


def newest_day(snapshot: Snapshot, feed: Feed) -> date | None:
    """The first day of the newest partition with daily bars; None without any."""
    parts = [part.partition for part in snapshot.published(ledger_table(feed, DAILY)) if part.rows]
    return date.fromisoformat(parts[-1]) if parts else None


def _check_request(request: BarsRequest) -> None:
    reason = why_not(request)
    if reason is not None:
        raise StoreError(f"{reason}; ask the lake")
