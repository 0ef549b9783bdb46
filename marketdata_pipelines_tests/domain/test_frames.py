"""Between tables and arrays."""

import numpy as np
import pyarrow as pa
import pytest

from marketdata_pipelines.domain.aggregation import Buckets
from marketdata_pipelines.domain.bars import AGGREGATE_SCHEMA, BAR_SCHEMA, SYMBOL
from marketdata_pipelines.domain.frames import (
    aggregate_columns,
    bar_columns,
    bucket_table,
    count_symbols,
    float_values,
    int_values,
    nullable,
    nullable_count,
    symbol_codes,
    symbol_column,
)
from marketdata_pipelines.errors import BarsNotSorted
from marketdata_pipelines_tests.builders import bar, bar_table


def test_codes_are_in_the_order_of_the_symbols_and_null_is_minus_one() -> None:
    codes, symbols = symbol_codes(pa.array(["MSFT", None, "AAPL", "MSFT"]))

    assert (codes.tolist(), symbols) == ([1, -1, 0, 1], ["AAPL", "MSFT"])


def test_chunks_with_dictionaries_of_their_own_share_codes() -> None:
    chunks = [pa.array(["B", "A"]).dictionary_encode(), pa.array(["C", "A"]).dictionary_encode()]

    codes, symbols = symbol_codes(pa.chunked_array(chunks))

    assert (codes.tolist(), symbols) == ([1, 0, 2, 0], ["A", "B", "C"])


def test_symbols_that_do_not_occur_leave_the_dictionary() -> None:
    made = symbol_column(np.array([0, 2, 2], np.int32), ["A", "B", "C"])

    assert made.dictionary.to_pylist() == ["A", "C"]
    assert made.to_pylist() == ["A", "C", "C"]


def test_null_symbols_stay_null() -> None:
    codes, symbols = symbol_codes(pa.array(["A", None, "C"]))

    assert symbol_column(codes, symbols).to_pylist() == ["A", None, "C"]


def test_unknown_is_nan_or_minus_one_in_arrays_and_null_in_tables() -> None:
    values = float_values(pa.array([1.5, None]))

    assert nullable(values).to_pylist() == [1.5, None]
    assert nullable_count(int_values(pa.array([3, None], pa.int64()))).to_pylist() == [3, None]


def test_columns_without_chunks_are_empty() -> None:
    nothing = BAR_SCHEMA.empty_table()

    assert len(float_values(nothing["open"])) == 0
    assert len(int_values(nothing["ts"])) == 0
    assert symbol_codes(nothing["symbol"])[1] == []
    assert count_symbols(nothing) == 0


def test_empty_tables_become_empty_columns() -> None:
    assert len(bar_columns(BAR_SCHEMA.empty_table())[0]) == 0
    assert len(aggregate_columns(AGGREGATE_SCHEMA.empty_table())[0]) == 0


def test_counting_symbols_leaves_null_out() -> None:
    assert count_symbols(pa.table({"symbol": ["A", None, "B", "A"]})) == 2
    assert count_symbols(pa.table({"other": [1]})) == 0


def test_unsorted_or_repeated_bars_are_refused_with_the_row() -> None:
    good = bar_table([bar("A", "2024-03-08 14:30"), bar("A", "2024-03-08 14:31")])

    for wrong in (good.take(pa.array([1, 0])), good.take(pa.array([0, 0]))):
        with pytest.raises(BarsNotSorted, match="row 1 does not"):
            bar_columns(wrong)


def test_a_bar_needs_no_volume_for_its_columns() -> None:
    bars = bar_table([bar("A", "2024-03-08 14:30", volume=None, trade_count=None)])

    columns, symbols = bar_columns(bars)

    assert symbols == ["A"]
    assert np.isnan(columns.volume[0])
    assert np.isnan(columns.notional[0])
    assert columns.trades.tolist() == [-1]


@pytest.mark.parametrize(("volume", "vwap"), [(0.0, None), (4.0, 2.5), (float("nan"), None)])
def test_vwap_of_a_bucket_is_notional_by_volume_and_null_without_volume(volume: float, vwap: float | None) -> None:
    floats = np.array([[1.0, 3.0, 1.0, 2.0, volume, 10.0]])
    ints = np.array([[0, 60, 60, -1, 2, 0, 30, 0]])

    table = bucket_table(Buckets(floats, ints), ["A"], np.array([0]), horizon_us=60)

    assert table.schema == AGGREGATE_SCHEMA
    assert table["vwap"].to_pylist() == [vwap]
    assert table["trade_count"].to_pylist() == [None]


def test_a_bucket_is_final_once_its_end_can_be_known() -> None:
    floats = np.ones((2, 6))
    ints = np.array([[0, 60, 60, 1, 1, 0, 0, 0], [60, 120, 120, 1, 1, 60, 60, 0]])

    table = bucket_table(Buckets(floats, ints), ["A"], np.array([0, 0]), horizon_us=60)

    assert table["is_final"].to_pylist() == [True, False]


def test_symbols_are_dictionary_columns() -> None:
    assert bar_table([bar("A", "2024-03-08 14:30")]).schema.field("symbol").type == SYMBOL
