"""The per-partition states of the views: those of one pass from `domain.views`, hourly volume by DuckDB.

One thread, so that sums are taken in one order and the same input gives the same bytes.
"""

from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files

import duckdb
import pyarrow as pa

from marketdata_pipelines.domain import tables as t
from marketdata_pipelines.domain import views
from marketdata_pipelines.domain.sessions import Session


class ViewBuilder:
    """Builds view tables of one partition after another on one in-memory connection."""

    def __init__(self, zone: str) -> None:
        self._zone = zone
        self._connection = duckdb.connect(":memory:", config={"threads": 1})
        self._connection.execute("set TimeZone = 'UTC'")

    def build(
        self, wanted: Sequence[str], bars: pa.Table, daily: pa.Table, sessions: Sequence[Session]
    ) -> dict[str, pa.Table]:
        """The rows of some views. `bars` has BAR_SCHEMA, `daily` AGGREGATE_SCHEMA (1d bars), both of the partition."""
        makers = {
            t.DAILY_SUMMARY: lambda: views.daily_summary(daily, sessions),
            t.SYMBOL_PERFORMANCE: lambda: views.symbol_performance(daily),
            t.TOP_VOLUME: lambda: views.top_volume(daily),
            t.LATEST_BARS: lambda: views.latest_bars(bars),
            t.HOURLY_VOLUME: lambda: self._hourly_volume(bars),
        }
        return {view: makers[view]() for view in wanted}

    def _hourly_volume(self, bars: pa.Table) -> pa.Table:
        # The query needs no other column; registering is paid by column.
        self._connection.register("bars", _plain(bars.select(["symbol", "ts", "session_date", "volume"])))
        try:
            return self._connection.sql(_query(t.HOURLY_VOLUME), params={"zone": self._zone}).to_arrow_table()
        finally:
            self._connection.unregister("bars")


@lru_cache(maxsize=16)
def _query(view: str) -> str:
    return files("marketdata_pipelines.stores.sql").joinpath("duckdb", f"build_{view}.sql").read_text("utf-8")


def _plain(table: pa.Table) -> pa.Table:
    position = table.schema.get_field_index("symbol")
    return table.set_column(position, "symbol", table["symbol"].cast(pa.string()))
