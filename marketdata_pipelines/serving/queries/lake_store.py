"""The lake as a store of bars: whatever any other store answers has to equal this."""

from collections.abc import Callable
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import period_of
from marketdata_pipelines.domain.tables import LATEST_BARS, VALIDATED_BARS, bar_table
from marketdata_pipelines.serving.bars import BarQuestion, answer_bars, rows_in_range
from marketdata_pipelines.serving.queries.protocol import (
    BarsRequest,
    CrossSectionRequest,
    LatestRequest,
    TopRequest,
    TotalsRequest,
)
from marketdata_pipelines.serving.queries.ranking import DAILY, rank_bars, section_bars, section_of, top_bars
from marketdata_pipelines.serving.ranges import TimeRange
from marketdata_pipelines.serving.rows import StoredRows
from marketdata_pipelines.serving.views import ViewQuestion, answer_view
from marketdata_pipelines.stores.lake.duck import asked_again, connect, query_text
from marketdata_pipelines.stores.lake.lake import Lake


class LakeStore:
    """Answers from the lake's files."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def bars(self, request: BarsRequest) -> pa.Table:
        question = BarQuestion(request.timeframe, request.symbols, request.wanted, request.session)
        return self._asked(lambda: answer_bars(self._lake, self._source(request.feed), question))

    def latest(self, request: LatestRequest) -> pa.Table:
        question = ViewQuestion(LATEST_BARS, TimeRange())
        found = self._asked(lambda: answer_view(self._lake, self._source(request.feed), question))
        if request.symbols is None:
            return found
        return found.filter(pc.is_in(found["symbol"], pa.array(request.symbols, pa.string())))

    def totals(self, request: TotalsRequest) -> pa.Table:
        return self._asked(lambda: self._totals(request))

    def top(self, request: TopRequest) -> pa.Table:
        return rank_bars(request, self.bars(top_bars(request, self._newest(request.feed))))

    def cross_section(self, request: CrossSectionRequest) -> pa.Table:
        return section_of(request, self.bars(section_bars(request)))

    def _totals(self, request: TotalsRequest) -> pa.Table:
        source, feed = self._source(request.feed), request.feed
        rows = rows_in_range(source, VALIDATED_BARS, request.wanted, period_of(feed.partition))
        parameters = {
            **request.wanted.parameters(),
            "symbols": None if request.symbols is None else list(request.symbols),
            "regular_only": request.session == "regular",
        }
        with connect() as connection:
            relation = rows.relation(connection, self._lake, "rows", request.symbols)
            connection.execute(f"create temp view bars as {relation}")
            return connection.sql(query_text("select_total_bars"), params=parameters).to_arrow_table()

    def _newest(self, feed: Feed) -> date | None:
        table, _ = bar_table(feed, DAILY)
        keys = [stored.partition for stored in self._lake.catalog.stored(table, feed.name) if stored.rows]
        return date.fromisoformat(keys[-1]) if keys else None

    def _source(self, feed: Feed) -> StoredRows:
        return StoredRows(self._lake, feed)

    def _asked(self, question: Callable[[], pa.Table]) -> pa.Table:
        return asked_again(question)
