"""Small lakes of minute bars that can be walked, corrected and asked, for tests of the cache; nothing here asserts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.pipeline.latest import Latest
from marketdata_pipelines.serving.bars import BarQuestion, answer_bars
from marketdata_pipelines.serving.cache.loader import LakeLoader
from marketdata_pipelines.serving.ranges import TimeRange, date_range, time_range
from marketdata_pipelines.serving.rows import StoredRows
from marketdata_pipelines.serving.views import ViewQuestion, answer_view
from marketdata_pipelines.stores.lake.catalog import Stored
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import make_feed, minutes, source_of, take_in, us, walk_stale

FIRST = date(2024, 3, 1)


@dataclass(slots=True)
class Market:
    """A feed that is always open, and its lake. Days count from `FIRST`."""

    lake: Lake
    feed: Feed = field(default_factory=lambda: make_feed("24/7", name="coins"))
    files: int = 0

    def trade(self, day: int, symbols: Sequence[str], *, price: float = 100.0, count: int = 12) -> str:
        """Bars of a day come in, or are corrected to another price; returns the day's partition."""
        key = (FIRST + timedelta(days=day)).isoformat()
        rows = [row for symbol in symbols for row in minutes(symbol, f"{key} 09:00", count, price)]
        self.files += 1
        take_in(self.lake, self.feed, source_of(f"file {self.files}", rows), known_at=us("2024-06-01") + self.files)
        walk_stale(self.lake, self.feed)
        return key

    def stored(self, partition: str, table: str = VALIDATED_BARS) -> Stored:
        found = self.lake.catalog.stored_partition(table, self.feed.name, partition)
        assert found is not None
        return found

    def latest(self, symbols: Sequence[str] | None = None) -> list[dict[str, object]]:
        """What the lake answers, without any cache."""
        question = ViewQuestion("latest_bars", date_range(None, None))
        rows = answer_view(self.lake, StoredRows(self.lake, self.feed), question).to_pylist()
        return [row for row in rows if symbols is None or row["symbol"] in symbols]

    def bars(
        self, symbols: Sequence[str], timeframe: str = "1m", start: str | None = None, end: str | None = None
    ) -> pa.Table:
        """What the lake answers, without any cache."""
        question = BarQuestion(timeframe, tuple(symbols), time_range(start, end))
        return answer_bars(self.lake, StoredRows(self.lake, self.feed), question)

    def view(self, _feed: str, view: str, start: date | None, end: date | None) -> pa.Table:
        """What the lake answers, without any cache."""
        return answer_view(self.lake, StoredRows(self.lake, self.feed), ViewQuestion(view, date_range(start, end)))

    def loader(self) -> "CountedLoader":
        return CountedLoader(self.lake, self.view)


class CountedLoader(LakeLoader):
    """Counts how often the lake is read; `before` is called first, when it is set."""

    def __init__(self, lake: Lake, views: Callable[..., pa.Table]) -> None:
        super().__init__(lake, views)
        self.reads = 0
        self.before: Callable[[], object] | None = None

    def latest(self, feed: Feed) -> Latest:
        self._count()
        return super().latest(feed)

    def partition(self, feed: Feed, table: str, partition: str, symbols: Sequence[str]) -> pa.Table:
        self._count()
        return super().partition(feed, table, partition, symbols)

    def view(self, feed: Feed, view: str, wanted: TimeRange) -> pa.Table:
        self._count()
        return super().view(feed, view, wanted)

    def _count(self) -> None:
        self.reads += 1
        if self.before is not None:
            before, self.before = self.before, None
            before()
