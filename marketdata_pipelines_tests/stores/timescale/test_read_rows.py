"""Packed rows decoded, and rows of several series put together."""

import struct
from typing import Any

import numpy as np

from marketdata_pipelines.stores.timescale.read_rows import (
    PG_EPOCH_US,
    BarRows,
    merged,
    merged_symbols,
    newest,
    unpack,
)

Row = tuple[int, int, int, float, float, float, float, float, float, int, int]
SERIES = ([3, 5, 9], ["B", "A", "A"], [2, 2, 4], [0, 0, 1], [0, 3, 2])
NAN = float("nan")


def packed(rows: list[Row], series: tuple[list[Any], ...] = SERIES, *, has_vwaps: bool = False) -> BarRows:
    """Rows of (series, st, ts, open, high, low, close, volume, money, trades, mark) as the server packs them."""
    kinds = ("q", "q", "q", "d", "d", "d", "d", "d", "d", "q", "q")
    columns = [
        struct.pack(f">{len(rows)}{kind}", *values) for kind, values in zip(kinds, zip(*rows, strict=True), strict=True)
    ]
    return unpack([*series, *columns], has_vwaps=has_vwaps)


def test_rows_are_rescaled_by_their_series_and_sorted_by_symbol_and_clock() -> None:
    found = packed(
        [
            (9, 60, 61, 10_500, 10_700, 10_100, 10_600, 25, 1.5, -1, 1),
            (3, 0, 1, 700, 700, 700, 700, NAN, NAN, 4, 1),
            (5, 0, 1, 105, 107, 101, 106, 7, 2.5, 3, 0),
        ]
    )

    assert [found.symbols[code] for code in found.code] == ["A", "A", "B"]
    assert found.open.tolist() == [1.05, 1.05, 7.0]
    assert found.close.tolist() == [1.06, 1.06, 7.0]
    assert found.volume[:2].tolist() == [7.0, 2.5]
    assert np.isnan(found.volume[2])
    assert found.st.tolist() == [PG_EPOCH_US, PG_EPOCH_US + 60, PG_EPOCH_US]
    assert found.trades.tolist() == [3, -1, 4]


def test_rows_of_one_series_are_sorted_by_clock_too() -> None:
    rows: list[Row] = [(5, at, at, 100 + at, 200, 100, 150, at, 1.0, at, 1) for at in (120, 0, 60, 180)]

    found = packed(rows, ([5], ["A"], [2], [0], [0]))

    assert found.symbols == ("A",)
    assert found.code.tolist() == [0] * 4
    assert found.st.tolist() == found.ts.tolist() == [PG_EPOCH_US + at for at in (0, 60, 120, 180)]
    assert found.open.tolist() == [1.0, 1.6, 2.2, 2.8]
    assert found.volume.tolist() == found.trades.tolist() == [0, 60, 120, 180]


def test_vwaps_are_ticks_of_their_series_where_they_are_whole_numbers() -> None:
    rows: list[Row] = [
        (5, 0, 1, 105, 107, 101, 106, 7, 1_060.0, 3, 1),
        (5, 60, 61, 105, 107, 101, 106, 7, 1.06125, 3, 1),
        (5, 120, 121, 105, 107, 101, 106, 7, NAN, 3, 1),
        (9, 180, 181, 10_500, 10_700, 10_100, 10_600, 25, 106.0, -1, 1),
        (3, 0, 1, 700, 700, 700, 700, NAN, 7.0, 4, 1),
    ]

    vwaps, sums = packed(rows, has_vwaps=True).money, packed(rows).money

    assert np.array_equal(vwaps, [1.06, 1.06125, NAN, 1.06, 7.0], equal_nan=True)
    assert np.array_equal(sums, [1_060.0, 1.06125, NAN, 106.0, 7.0], equal_nan=True)


def test_a_bucket_that_two_series_share_is_one() -> None:
    found = merged(
        packed(
            [
                (9, 0, 40, 20_000, 30_000, 5_000, 21_000, 10, 2.0, 4, 3),
                (5, 0, 10, 110, 120, 100, 115, 2, 1.0, 1, 2),
                (5, 300, 310, 110, 120, 100, 115, NAN, NAN, -1, 1),
                (9, 300, 320, 20_000, 20_000, 20_000, 20_000, 10, 2.0, 4, 1),
                (3, 0, 5, 700, 700, 700, 700, 1, 7.0, 1, 1),
            ]
        )
    )

    assert [found.symbols[code] for code in found.code] == ["A", "A", "B"]
    assert (found.open[0], found.high[0], found.low[0], found.close[0]) == (1.1, 3.0, 0.5, 2.1)
    assert (found.volume[0], found.money[0], found.trades[0], found.mark[0]) == (3.0, 3.0, 5, 5)
    assert np.isnan(found.volume[1])
    assert np.isnan(found.money[1])
    assert found.trades.tolist() == [5, -1, 1]


def test_totals_of_a_symbol_keep_its_first_and_last_instant() -> None:
    found = merged_symbols(
        packed(
            [
                (9, 900, 500, 20_000, 30_000, 5_000, 21_000, 10, 2.0, 4, 3),
                (5, 400, 10, 110, 120, 100, 115, 2, 1.0, 1, 2),
            ]
        )
    )

    assert found.ts.tolist() == [PG_EPOCH_US + 10]
    assert found.st.tolist() == [PG_EPOCH_US + 900]
    assert (found.open[0], found.close[0]) == (1.1, 2.1)


def test_the_newest_row_is_the_latest_by_time() -> None:
    found = newest(
        packed(
            [
                (5, 900, 10, 110, 120, 100, 115, 2, 1.0, 1, 0),
                (5, 300, 700, 111, 120, 100, 115, 2, 1.0, 1, 1),
                (3, 0, 5, 700, 700, 700, 700, 1, 7.0, 1, 1),
            ]
        )
    )

    assert found.ts.tolist() == [PG_EPOCH_US + 700, PG_EPOCH_US + 5]


def test_nothing_is_no_rows() -> None:
    found = unpack([*SERIES, *[None] * 11], has_vwaps=True)

    assert len(merged(found)) == len(newest(found)) == len(merged_symbols(found)) == 0
    assert len(unpack([None] * 16, has_vwaps=False)) == 0


def test_many_rows_are_in_this_machines_order_of_bytes() -> None:
    # numpy takes a large operand's memory for its result, with the operand's order of bytes.
    count = 100_000
    found = packed([(3, at, at, 700, 700, 700, 700, 1, 7.0, 1, 1) for at in range(count)])

    kinds = [getattr(found, name).dtype for name in ("open", "volume", "money", "st", "ts", "trades", "mark")]
    assert all(kind.isnative for kind in kinds)
    assert found.open[-1] == 7.0
