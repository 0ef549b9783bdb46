"""The per-partition states of the views, computed by DuckDB over the tables in memory.

One thread, so that sums are taken in one order and the same input gives the same bytes.
"""

from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files

import duckdb
import pyarrow as pa

from marketdata_pipelines.domain import tables as t
from marketdata_pipelines.domain.sessions import Session


class ViewBuilder:
    """Builds view tables of one partition after another on one in-memory connection."""

    def __init__(self, zone: str) -> None:
        self._zone = zone
        self._connection = duckdb.connect(":memory:", config={"threads": 1})
        self._connection.execute("set TimeZone = 'UTC'")

    def build(
        self, views: Sequence[str], bars: pa.Table, daily: pa.Table, sessions: Sequence[Session]
    ) -> dict[str, pa.Table]:
        """The rows of some views. `bars` has BAR_SCHEMA, `daily` AGGREGATE_SCHEMA (1d bars), both of the partition."""
        minutes = pa.table(
            {
                "session_date": pa.array([session.date for session in sessions], pa.date32()),
                "expected_minutes": pa.array([session.minutes for session in sessions], pa.int64()),
            }
        )
        inputs = {"bars": _plain(bars), "daily": _plain(daily), "minutes": minutes}
        for name, table in inputs.items():
            self._connection.register(name, table)
        try:
            return {view: self._rows(view) for view in views}
        finally:
            for name in inputs:
                self._connection.unregister(name)

    def _rows(self, view: str) -> pa.Table:
        parameters = {"zone": self._zone} if view == t.HOURLY_VOLUME else None
        return self._connection.sql(_query(view), params=parameters).to_arrow_table()


@lru_cache(maxsize=16)
def _query(view: str) -> str:
    return files("marketdata_pipelines.stores.sql").joinpath("duckdb", f"build_{view}.sql").read_text("utf-8")


def _plain(table: pa.Table) -> pa.Table:
    position = table.schema.get_field_index("symbol")
    return table.set_column(position, "symbol", table["symbol"].cast(pa.string()))
