"""Which store answers: the cheapest that holds what the lake holds, or the one that was asked for.

`auto` takes the SQL store where every partition a question touches is published as the lake has it, else the lake.
`timescale` answers what is published and says what is behind; what that store cannot answer comes from the lake.
"""

import logging
import time
from collections.abc import Callable

import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.errors import PartitionMissing, StoreError
from marketdata_pipelines.serving.notes import with_notes
from marketdata_pipelines.serving.queries.choices import StoreChoice
from marketdata_pipelines.serving.queries.freshness import Lag, find_lag, has_lake
from marketdata_pipelines.serving.queries.lake_store import LakeStore
from marketdata_pipelines.serving.queries.protocol import (
    BarsRequest,
    CrossSectionRequest,
    LatestRequest,
    TopRequest,
    TotalsRequest,
)
from marketdata_pipelines.serving.queries.ranking import DAILY, rank_bars, section_bars, section_of, top_bars
from marketdata_pipelines.serving.queries.sql_store import bars_of, newest_day, read_range, why_not
from marketdata_pipelines.serving.ranges import TimeRange
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.timescale.read_snapshot import PublishedPart, Snapshot
from marketdata_pipelines.stores.timescale.read_statements import ledger_table
from marketdata_pipelines.stores.timescale.reading import TimescaleQueries

logger = logging.getLogger(__name__)

Ask = Callable[[Snapshot, list[PublishedPart]], pa.Table]
# How long a store that failed is left alone where the lake can answer: nobody waits for it at every question.
_SECONDS_ALONE = 5.0


class RoutedStore:
    """Answers from the SQL store where that is right, else from the lake; a note says why where it was asked for."""

    def __init__(
        self,
        lake: Lake,
        queries: TimescaleQueries,
        choice: StoreChoice,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lake, self._queries, self._choice, self._clock = lake, queries, choice, clock
        self._plain = LakeStore(lake)
        self._away_until: float | None = None

    def bars(self, request: BarsRequest) -> pa.Table:
        if why_not(request) is not None:
            return self._from_lake(lambda: self._plain.bars(request), why_not(request))
        table = ledger_table(request.feed, request.timeframe)
        return self._routed(
            request.feed,
            table,
            request.wanted,
            lambda snapshot, parts: bars_of(snapshot, request, parts),
            lambda: self._plain.bars(request),
        )

    def latest(self, request: LatestRequest) -> pa.Table:
        return self._routed(
            request.feed,
            VALIDATED_BARS,
            TimeRange(),
            lambda snapshot, _: snapshot.latest(request.symbols),
            lambda: self._plain.latest(request),
        )

    def totals(self, request: TotalsRequest) -> pa.Table:
        def ask(snapshot: Snapshot, parts: list[PublishedPart]) -> pa.Table:
            regular_only = request.session == "regular"
            wanted = read_range(request.wanted)
            return snapshot.totals(request.symbols, wanted, regular_only=regular_only, ledger=parts)

        return self._routed(request.feed, VALIDATED_BARS, request.wanted, ask, lambda: self._plain.totals(request))

    def top(self, request: TopRequest) -> pa.Table:
        day = request.session_date

        def ask(snapshot: Snapshot, _: list[PublishedPart]) -> pa.Table:
            return rank_bars(request, bars_of(snapshot, top_bars(request, newest_day(snapshot, request.feed))))

        return self._routed(
            request.feed,
            ledger_table(request.feed, DAILY),
            TimeRange(start_date=day, end_date=day),
            ask,
            lambda: self._plain.top(request),
        )

    def cross_section(self, request: CrossSectionRequest) -> pa.Table:
        return section_of(request, self.bars(section_bars(request)))

    def _routed(
        self, feed: Feed, table: str, wanted: TimeRange, ask: Ask, ask_lake: Callable[[], pa.Table]
    ) -> pa.Table:
        must = self._choice is StoreChoice.TIMESCALE
        if not must and self._is_left_alone():
            return ask_lake()

        def look(snapshot: Snapshot) -> tuple[pa.Table | None, Lag | None]:
            parts = snapshot.published(table, read_range(wanted))
            lag = find_lag(self._lake, feed, table, wanted, parts) if has_lake(self._lake) else None
            is_asked = must or (lag is None and (parts or not has_lake(self._lake)))
            return (ask(snapshot, parts) if is_asked else None), lag

        try:
            found, lag = self._queries.answered(feed, look)
            self._is_back()
            if found is not None:
                return found if lag is None else with_notes(found, [f"{lag}; run: marketdata publish {feed.name}"])
        except PartitionMissing as error:
            if must or not has_lake(self._lake):
                raise
            return self._from_lake(ask_lake, str(error).partition(";")[0])
        except StoreError as error:
            if must:
                raise
            # A question to the lake never fails because of a store that may answer it more cheaply.
            self._is_away(error)
            return ask_lake()
        return self._from_lake(ask_lake, None if lag is None else str(lag))

    def _from_lake(self, ask_lake: Callable[[], pa.Table], why: str | None) -> pa.Table:
        found = ask_lake()
        return found if why is None else with_notes(found, [f"answered from the lake: {why}"])

    def _is_left_alone(self) -> bool:
        return self._away_until is not None and self._clock() < self._away_until

    def _is_away(self, error: StoreError) -> None:
        """Say so once, not at every question until it is back."""
        if self._away_until is None:
            logger.warning("answers come from the lake: %s", error)
        self._away_until = self._clock() + _SECONDS_ALONE

    def _is_back(self) -> None:
        if self._away_until is not None:
            logger.warning("the SQL store answers again")
        self._away_until = None
