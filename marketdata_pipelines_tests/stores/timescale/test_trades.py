"""Trades in the store: to the nanosecond, in ticks, replaced whole, and compared by symbol and session."""

from typing import Any

import pyarrow as pa
import pytest

from marketdata_pipelines.domain.feeds import DataKind
from marketdata_pipelines.domain.trades import BAR_TRADE_SCHEMA
from marketdata_pipelines.errors import BarsInvalid, BarsNotSorted, SchemaMismatch, StoreError
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
from marketdata_pipelines_tests.builders import day, make_feed, us

FEED = make_feed(name="prints", data=DataKind.TRADES)
FRIDAY = "2024-03-08"
OPEN_NS = us(f"{FRIDAY} 14:30") * 1000


def trade(symbol: str, seq: int, after_ns: int, price: float = 10.25, size: float | None = 3.0, **more: Any) -> Any:
    return {
        "symbol": symbol, "seq": seq, "ts": OPEN_NS + after_ns, "session_date": day(FRIDAY), "price": price,
        "size": size, "exchange": None, "conditions": None, "counts_price": True, "counts_volume": True, **more,
    }  # fmt: skip


def table(*rows: Any) -> pa.Table:
    columns = {name: pa.array([row[name] for row in rows]) for name in BAR_TRADE_SCHEMA.names}
    columns["ts"] = pa.array([row["ts"] for row in rows], pa.int64()).view(BAR_TRADE_SCHEMA.field("ts").type)
    return pa.table([columns[each.name].cast(each.type) for each in BAR_TRADE_SCHEMA], schema=BAR_TRADE_SCHEMA)


def stored(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.connection() as connection:
        return connection.execute(query.encode()).fetchall()


def test_a_trade_is_kept_in_ticks_and_to_the_nanosecond(store_database: Database) -> None:
    store = TimescaleStore(store_database)
    rows = table(trade("A", 0, 1_234), trade("A", 1, 1_235, 10.5, None), trade("A", 2, 1_235, size=0.5))

    done = store.replace_trades(FEED, FRIDAY, rows, "x", 7)

    assert (done.rows, done.symbols, done.inputs, done.changed) == (3, 1, "x", True)
    query = "select ns, seq, price, size, pg_typeof(price)::text from prints.trades order by st, ns, seq"
    assert stored(store_database, query) == [
        (234, 0, 1025, 30, "bigint"),
        (235, 1, 1050, None, "bigint"),
        (235, 2, 1025, 5, "bigint"),
    ]


def test_a_partition_is_replaced_only_for_other_inputs(store_database: Database) -> None:
    store = TimescaleStore(store_database)
    first, second = table(trade("A", 0, 1)), table(trade("B", 0, 1), trade("B", 1, 2))

    store.replace_trades(FEED, FRIDAY, first, "x", 0)
    same = store.replace_trades(FEED, FRIDAY, second, "x", 0)
    other = store.replace_trades(FEED, FRIDAY, second, "y", 0)

    assert (same.changed, same.rows, other.changed, other.rows) == (False, 1, True, 2)
    assert stored(store_database, "select symbol, seq from prints.trades_by_symbol order by 1, 2") == [
        ("B", 0),
        ("B", 1),
    ]


def test_neighbouring_partitions_keep_their_trades(store_database: Database) -> None:
    store, week_ns = TimescaleStore(store_database), 7 * 86_400 * 10**9
    later = table(trade("A", 0, week_ns - 3_600 * 10**9, session_date=day("2024-03-15")))
    store.replace_trades(FEED, FRIDAY, table(trade("A", 0, 1)), "x", 0)
    store.replace_trades(FEED, "2024-03-15", later, "x", 0)

    removed = store.remove_trades(FEED, FRIDAY)

    assert removed == 1
    assert stored(store_database, "select session_date::text from prints.trades_by_symbol") == [("2024-03-15",)]
    assert list(store.published("prints", "trades")) == ["2024-03-15"]


def test_what_differs_is_told_by_symbol_and_session(store_database: Database) -> None:
    store = TimescaleStore(store_database)
    store.replace_trades(FEED, FRIDAY, table(trade("A", 0, 1), trade("B", 0, 1)), "x", 0)
    lake = table(trade("A", 0, 1, size=4.0), trade("C", 0, 1))

    found = store.compare_trades(FEED, FRIDAY, lake, None)

    assert [(each.symbol, each.column, each.store, each.other) for each in found] == [
        ("A", "size", 3.0, 4.0),
        ("A", "volume", 3.0, 4.0),
        ("B", "count", 1, None),
        ("C", "count", None, 1.0),
    ]


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        (table(trade("A", 1, 1), trade("A", 0, 2)), BarsNotSorted),
        (table(trade("A", 0, 1, float("inf"))), BarsInvalid),
        (table(trade(None, 0, 1)), BarsInvalid),  # type: ignore[arg-type]
        (table(trade("A", 0, -3_600 * 10**9)), StoreError),
        (table().drop_columns(["seq"]), SchemaMismatch),
    ],
    ids=["unsorted", "infinite", "nameless", "out of session", "lacking a column"],
)
def test_what_no_lake_gives_is_refused(rows: pa.Table, error: type[Exception], store_database: Database) -> None:
    store = TimescaleStore(store_database)

    with pytest.raises(error, match="prints"):
        store.replace_trades(FEED, FRIDAY, rows, "x", 0)

    assert store.published("prints", "trades") == {}
