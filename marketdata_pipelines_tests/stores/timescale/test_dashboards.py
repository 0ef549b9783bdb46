"""Dashboard tables: replaced whole, in the columns that are given."""

from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
from marketdata_pipelines_tests.builders import make_feed

FEED = make_feed("XNYS", "1m", name="us")
ROWS = pa.table(
    {
        "symbol": pa.array(["A", "B"]).dictionary_encode(),
        "session_date": pa.array([date(2024, 7, 2)] * 2),
        "first_ts": pa.array([datetime(2024, 7, 2, 13, 30, tzinfo=UTC), None], pa.timestamp("us", tz="UTC")),
        "volume": pa.array([1.5, None]),
        "bars": pa.array([390, 1]),
        "is_final": pa.array([True, False]),
    }
)


@pytest.fixture
def store(store_database: Database) -> TimescaleStore:
    return TimescaleStore(store_database)


def stored(store: TimescaleStore) -> list[tuple[object, ...]]:
    with store.database.connection() as connection:
        return connection.execute("select * from us.daily_summary order by symbol").fetchall()


def test_rows_are_replaced_whole_and_the_refresh_noted(store: TimescaleStore) -> None:
    store.replace_view(FEED, "daily_summary", ROWS, "a")

    refreshed_at = store.replace_view(FEED, "daily_summary", ROWS.slice(1), "b")

    assert stored(store) == [("B", date(2024, 7, 2), None, None, 1, False)]
    with store.database.connection() as connection:
        noted = connection.execute("select view, refreshed_at, rows, inputs from marketdata.refreshes").fetchall()
    assert noted == [("daily_summary", refreshed_at, 1, "b")]


def test_a_view_with_other_columns_is_made_anew(store: TimescaleStore) -> None:
    store.replace_view(FEED, "daily_summary", ROWS)

    store.replace_view(FEED, "daily_summary", ROWS.select(["symbol", "bars"]))

    assert stored(store) == [("A", 390), ("B", 1)]


def test_the_stores_own_names_and_types_without_counterpart_are_refused(store: TimescaleStore) -> None:
    with pytest.raises(StoreError, match="another name"):
        store.replace_view(FEED, "bars_1d", ROWS)
    with pytest.raises(StoreError, match="no counterpart"):
        store.replace_view(FEED, "daily_summary", pa.table({"x": pa.array([[1]])}))
