"""Where two states of a table of bars differ."""

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.differences import Differing, compare_bars, pair_ids
from marketdata_pipelines_tests.builders import Row, bar, bar_table, ints

AT, NEXT = "2024-03-08 14:30", "2024-03-08 14:31"
COLUMNS = ("close", "volume", "trade_count", "regular", "session_date")


def compared(old: list[Row], new: list[Row]) -> Differing:
    return compare_bars(bar_table(old), bar_table(new), COLUMNS)


def test_equal_tables_do_not_differ() -> None:
    rows = [bar("A", AT, volume=None), bar("B", AT, trade_count=3)]

    assert compared(rows, rows).kinds() == []
    assert compared([], []).kinds() == []


def test_bars_are_added_removed_and_changed_in_order_of_symbol_and_time() -> None:
    old = [bar("A", AT), bar("B", NEXT), bar("C", AT)]
    new = [bar("A", AT, 101.0), bar("A", NEXT), bar("C", AT)]

    found = compared(old, new)

    assert found.kinds() == ["changed", "added", "removed"]
    assert (found.old.tolist(), found.new.tolist()) == ([0, -1, 1], [0, 1, -1])
    assert found.columns == ["close", None, None]


def test_every_column_that_differs_is_named_and_unknown_equals_unknown() -> None:
    old = [bar("A", AT, volume=None, trade_count=None), bar("B", AT, volume=None)]
    new = [bar("A", AT, 5.0, volume=None, trade_count=2), bar("B", AT, volume=7.0)]

    assert compared(old, new).columns == ["close;trade_count", "volume"]


def test_flags_and_dates_are_compared_too() -> None:
    old = bar_table([bar("A", AT)])
    new = old.set_column(old.schema.get_field_index("regular"), "regular", pa.array([False]))

    assert compare_bars(old, new, COLUMNS).columns == ["regular"]


def test_pairs_are_numbered_in_their_order_also_when_far_apart() -> None:
    near = pair_ids(ints(0, 0, 1), ints(5, 9, 5), 2)
    far = pair_ids(ints(0, 0, 1), ints(-(2**61), 2**61, -(2**61)), 2)

    assert (np.diff(near) > 0).all()
    assert (np.diff(far) > 0).all()
    assert len(pair_ids(ints(), ints(), 0)) == 0
