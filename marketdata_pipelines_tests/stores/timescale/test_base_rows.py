"""Bars as rows of the store: on the session clock, in ticks, and digested as the server digests them."""

from datetime import date, time

import numpy as np
import pyarrow as pa
import pytest
from psycopg import sql

from marketdata_pipelines.domain.session_clock import SessionClock
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.errors import BarsInvalid, StoreError
from marketdata_pipelines.stores.timescale.base_rows import (
    COLUMNS,
    NOT_DECIMAL,
    PreparedBars,
    Series,
    arrange_rows,
    is_summable,
    prepare_bars,
)
from marketdata_pipelines.stores.timescale.copied import copy_out
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
from marketdata_pipelines.stores.timescale.rollups import Window
from marketdata_pipelines.stores.timescale.vwaps import ANY_SCALE
from marketdata_pipelines_tests.builders import LATER, bar_table, make_feed, minutes
from marketdata_pipelines_tests.published_bars import Shape, partition_bars

FEED = make_feed("XNYS", "1m", name="us", extended_hours=(time(4), time(20)))
WINDOW = Window(date(2024, 7, 2), date(2024, 7, 3))
CLOCK = SessionClock(FEED, date(2024, 7, 2), date(2024, 7, 2))
SHAPES = {"A": Shape(), "B": Shape(4, 3, unknown_volumes=0.1, with_vwap=True, with_trades=True)}


def prepared(bars: pa.Table) -> PreparedBars:
    return prepare_bars(FEED, WINDOW, CLOCK, bars)


def test_each_symbol_has_the_scales_its_values_need() -> None:
    found = prepared(partition_bars(FEED, "2024-07-02", SHAPES))

    assert found.symbols == ["A", "B"]
    assert (found.price_scales.tolist(), found.volume_scales.tolist()) == ([2, 4], [0, 3])
    # Of one no vwap is known; of the other most are quotients.
    assert found.vwap_scales.tolist() == [ANY_SCALE, 0]
    assert found.are_decimal


def test_vwaps_are_ticks_where_they_are_decimal() -> None:
    rows = minutes("A", "2024-07-02 13:30", 3)
    bars = prepared(bar_table([{**rows[0], "vwap": 10.25}, {**rows[1], "vwap": 31 / 3}, {**rows[2], "vwap": None}]))

    stored = arrange_rows(bars, [Series(1, 2, 0, 2)], in_ticks=True).table["vwap"].to_pylist()
    kept = arrange_rows(bars, [Series(1, 2, 0, 0)], in_ticks=True).table["vwap"].to_pylist()

    assert stored == [1025.0, 31 / 3, None]
    assert kept == [10.25, 31 / 3, None]


def test_rows_are_ordered_by_series_and_session_clock() -> None:
    bars = prepared(partition_bars(FEED, "2024-07-02", SHAPES))

    rows = arrange_rows(bars, [Series(9, 2, 0), Series(4, 4, 3)], in_ticks=True)

    assert tuple(rows.table.column_names) == COLUMNS
    assert list(rows.spans) == [4, 9]
    places = list(zip(rows.table["series_id"].to_pylist(), rows.table["st"].to_pylist(), strict=True))
    assert places == sorted(places)
    # The morning before the open comes after the session on its clock.
    assert rows.of([9])["regular"].to_pylist() == sorted(rows.of([9])["regular"].to_pylist(), reverse=True)


@pytest.mark.parametrize("in_ticks", [True, False])
def test_the_server_digests_rows_as_they_are_digested_here(store_database: Database, in_ticks: bool) -> None:
    store = TimescaleStore(store_database)
    bars = partition_bars(FEED, "2024-07-02", SHAPES)
    if not in_ticks:
        odd = bars["low"].to_numpy().copy()
        odd[0] = -0.0
        bars = bars.set_column(bars.schema.get_field_index("low"), "low", pa.array(odd))

    store.replace_partition(FEED, VALIDATED_BARS, "2024-07-02", bars, "a", LATER)

    with store_database.connection() as connection:
        series = connection.execute("select series_id, price_scale, volume_scale from marketdata.series").fetchall()
        ordered = [Series(*row) for row in sorted(series)]
        rows = arrange_rows(prepared(bars), ordered, in_ticks=in_ticks)
        query = sql.SQL("select {} from us.bars order by series_id, st").format(
            sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
        )
        there = copy_out(connection, query, rows.table.schema)
    assert there.equals(rows.table)
    assert not store.replace_partition(FEED, VALIDATED_BARS, "2024-07-02", bars, "a", LATER).changed


def test_volumes_whose_sum_would_not_fit_keep_doubles() -> None:
    rows = minutes("A", "2024-07-02 13:30", 2000)[:380]
    bars = bar_table([{**row, "volume": 2.0**53 - 1} for row in rows])

    assert is_summable(np.array([2.0**53 - 1] * 380), 0)
    assert not is_summable(np.array([2.0**53 - 1] * 600), 0)
    assert prepared(bars).volume_scales.tolist() == [0]
    assert prepared(bar_table([{**row, "volume": 1e20} for row in rows])).volume_scales.tolist() == [NOT_DECIMAL]


def test_a_bar_outside_every_session_is_refused() -> None:
    with pytest.raises(StoreError, match="us cannot be published"):
        prepared(bar_table(minutes("A", "2024-07-02 02:00", 3)))


def test_a_bar_without_symbol_is_refused() -> None:
    bars = bar_table(minutes("A", "2024-07-02 13:30", 3))
    nameless = pa.DictionaryArray.from_arrays(pa.array([0, None, 0], pa.int32()), pa.array(["A"]))

    with pytest.raises(BarsInvalid, match="no symbol"):
        prepared(bars.set_column(0, "symbol", nameless))


@pytest.mark.parametrize(("column", "value"), [("low", float("inf")), ("close", None), ("volume", float("inf"))])
def test_a_price_that_is_none_is_refused_before_anything_is_made_for_it(column: str, value: float | None) -> None:
    rows = minutes("A", "2024-07-02 13:30", 3)
    bars = bar_table([{**rows[0], column: value}, *rows[1:]])

    with pytest.raises(BarsInvalid, match=f"{column} in row 0 is {value}; validate the bars first"):
        prepared(bars)
