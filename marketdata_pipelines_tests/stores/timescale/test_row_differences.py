"""Rows compared by symbol and instant."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa

from marketdata_pipelines.stores.timescale.row_differences import row_differences

START = datetime(2024, 7, 2, 13, 30, tzinfo=UTC)


def table(*rows: tuple[str, int, float, float | None]) -> pa.Table:
    """(symbol, minute, close, volume) as rows with every price the close."""
    columns = {
        "symbol": pa.array([row[0] for row in rows], pa.string()),
        "ts": pa.array([START + timedelta(minutes=row[1]) for row in rows], pa.timestamp("us", tz="UTC")),
        **{name: pa.array([row[2] for row in rows], pa.float64()) for name in ("open", "high", "low", "close")},
        "volume": pa.array([row[3] for row in rows], pa.float64()),
    }
    return pa.table(columns)


def found(store: pa.Table, other: pa.Table, limit: int = 10, **tolerances: float) -> list[tuple[object, ...]]:
    differences = row_differences("t", store, other, tolerances, limit)
    return [(one.symbol, one.ts, one.column, one.store, one.other) for one in differences]


def test_equal_tables_differ_in_nothing() -> None:
    rows = table(("A", 0, 1.0, None), ("B", 0, 2.0, 5.0))

    assert found(rows, rows) == []
    assert found(table(), table()) == []


def test_values_are_equal_to_the_bit_unless_a_tolerance_is_given() -> None:
    near = 5.0 * (1 + 1e-12)

    assert found(table(("A", 0, 1.0, near)), table(("A", 0, 1.0, 5.0))) == [("A", START, "volume", near, 5.0)]
    assert found(table(("A", 0, 1.0, near)), table(("A", 0, 1.0, 5.0)), volume=1e-9) == []


def test_unknown_differs_from_every_value_and_not_from_unknown() -> None:
    store, other = table(("A", 0, 1.0, None), ("A", 1, 1.0, None)), table(("A", 0, 1.0, 0.0), ("A", 1, 1.0, None))

    assert found(store, other, volume=1e-9) == [("A", START, "volume", None, 0.0)]


def test_a_bar_on_one_side_is_one_difference() -> None:
    store, other = table(("A", 0, 1.0, 1.0), ("B", 0, 1.0, 1.0)), table(("A", 0, 1.0, 1.0), ("A", 1, 3.0, 2.0))

    assert found(store, other) == [
        ("A", START + timedelta(minutes=1), "bar", None, "3.0/3.0/3.0/3.0/2.0"),
        ("B", START, "bar", "1.0/1.0/1.0/1.0/1.0", None),
    ]


def test_a_bar_twice_in_the_store_is_told() -> None:
    store, other = table(("A", 0, 1.0, 1.0), ("A", 0, 1.0, 1.0)), table(("A", 0, 1.0, 1.0))

    assert found(store, other) == [("A", START, "bar", "1.0/1.0/1.0/1.0/1.0", None)]


def test_no_more_than_the_limit_is_told() -> None:
    store = table(*(("A", minute, 1.0, 1.0) for minute in range(20)))

    assert len(found(store, table(), limit=3)) == 3
