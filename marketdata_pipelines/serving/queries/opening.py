"""The stores that the settings name, opened when first asked; without one nothing of their drivers is imported."""

from typing import TYPE_CHECKING

import pyarrow as pa

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.serving.notes import answer_notes
from marketdata_pipelines.serving.queries.choices import StoreChoice, store_choice
from marketdata_pipelines.serving.rows import PastRows, RowSource
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake

if TYPE_CHECKING:
    from marketdata_pipelines.serving.bars import BarQuestion
    from marketdata_pipelines.serving.queries.protocol import BarStore
    from marketdata_pipelines.serving.queries.routing import RoutedStore
    from marketdata_pipelines.stores.timescale.reading import TimescaleQueries


class Stores:
    """Where bars can be asked for: `lake`, `timescale` (PostgreSQL too) or `auto` (see `routing`)."""

    def __init__(self, settings: Settings, lake: Lake) -> None:
        self._settings, self._lake = settings, lake
        self._queries: TimescaleQueries | None = None
        self._opened: dict[str, RoutedStore] = {}

    def open(self, choice: str) -> "BarStore":
        """The store of that name; `auto` is the lake where the settings name no other.

        Errors: SettingsInvalid for another name, or when the store asked for is not configured.
        """
        from marketdata_pipelines.serving.queries.lake_store import LakeStore

        return self._routed(choice) or LakeStore(self._lake)

    def bars_for(self, source: RowSource, choice: str) -> "StoreBars":
        """What gives the raw bars of a question in place of the lake. Errors: as `open`."""
        return StoreBars(self._routed(choice), source)

    def close(self) -> None:
        """Give the connections back; they are opened again when needed."""
        if self._queries is not None:
            self._queries.database.close()

    def _routed(self, choice: str) -> "RoutedStore | None":
        name = store_choice(choice)
        dsn = self._settings.timescale_dsn
        if name is StoreChoice.LAKE or (dsn is None and name is StoreChoice.AUTO):
            return None
        if dsn is None:
            raise SettingsInvalid("no SQL store is configured; set MARKETDATA_TIMESCALE_DSN, or ask the lake")
        from marketdata_pipelines.serving.queries.routing import RoutedStore
        from marketdata_pipelines.stores.timescale.database import Database
        from marketdata_pipelines.stores.timescale.reading import TimescaleQueries

        if self._queries is None:
            self._queries = TimescaleQueries(Database(dsn.get_secret_value()))
        if name not in self._opened:
            self._opened[name] = RoutedStore(self._lake, self._queries, name)
        return self._opened[name]


class StoreBars:
    """Gives the raw bars of one question from a store, and keeps what is to be said of them.

    Called with the question and the source symbols to read; None where the lake has to answer.
    """

    def __init__(self, store: "RoutedStore | None", source: RowSource) -> None:
        self._store, self._source = store, source
        self.notes: list[str] = []

    def __call__(self, question: "BarQuestion", symbols: tuple[str, ...] | None) -> pa.Table | None:
        if self._store is None:
            return None
        from marketdata_pipelines.serving.queries.protocol import BarsRequest
        from marketdata_pipelines.serving.queries.sql_store import why_not

        request = BarsRequest(self._source.feed, question.timeframe, symbols, question.wanted, question.session)
        past = "only the lake knows what was known earlier" if isinstance(self._source, PastRows) else None
        reason = past or why_not(request)
        if reason is not None:
            self.notes.append(f"answered from the lake: {reason}")
            return None
        found = self._store.bars(request)
        self.notes += answer_notes(found)
        return found
