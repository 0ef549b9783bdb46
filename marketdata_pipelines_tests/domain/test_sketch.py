from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.domain.sketch import POINTS, sketch_tables
from marketdata_pipelines_tests.builders import bar, bar_table, minutes


def test_the_most_traded_symbol_is_taken() -> None:
    many_cheap = minutes("AAA", "2024-03-08 14:30", 30, price=1.0)
    few_dear = minutes("BBB", "2024-03-08 14:30", 10, price=900.0)

    sketch = sketch_tables({"validated_bars": bar_table([*many_cheap, *few_dear])})

    assert sketch is not None
    assert (sketch.table, sketch.symbol, sketch.symbols, sketch.bars) == ("validated_bars", "BBB", 2, 10)


def test_without_any_known_volume_the_symbol_with_the_most_bars_is_taken() -> None:
    rows = [*minutes("AAA", "2024-03-08 14:30", 5, price=900.0), *minutes("BBB", "2024-03-08 14:30", 6)]

    sketch = sketch_tables({"validated_bars": bar_table([row | {"volume": None} for row in rows])})

    assert sketch is not None
    assert sketch.symbol == "BBB"
    assert np.isnan(sketch.volumes).all()


def test_few_bars_are_kept_one_by_one() -> None:
    rows = [bar("AAA", f"2024-03-08 14:3{n}", open=10.0 + n, high=20.0, low=5.0, close=11.0 + n) for n in range(4)]

    sketch = sketch_tables({"validated_bars": bar_table(rows)})

    assert sketch is not None
    assert sketch.opens.tolist() == [10.0, 11.0, 12.0, 13.0]
    assert sketch.closes.tolist() == [11.0, 12.0, 13.0, 14.0]
    assert sketch.volumes.tolist() == [100.0] * 4
    assert (sketch.first_ts, sketch.last_ts) == (
        datetime(2024, 3, 8, 14, 30, tzinfo=UTC),
        datetime(2024, 3, 8, 14, 33, tzinfo=UTC),
    )


def test_a_hole_in_a_day_is_a_hole_in_the_sketch() -> None:
    morning, evening = minutes("AAA", "2024-03-08 10:00", 60), minutes("AAA", "2024-03-08 13:00", 60)

    sketch = sketch_tables({"validated_bars": bar_table([*morning, *evening])})

    assert sketch is not None
    # Two of the four hours are empty.
    assert np.isnan(sketch.closes).sum() == POINTS // 2
    assert (sketch.volumes == 0).sum() == POINTS // 2


def test_over_several_sessions_the_nights_take_no_room() -> None:
    rows = [row for day in range(1, 9) for row in minutes("AAA", f"2024-03-0{day} 14:30", 30)]

    sketch = sketch_tables({"validated_bars": bar_table(rows)})

    assert sketch is not None
    assert sketch.bars == 240
    assert np.isfinite(sketch.closes).all()


def test_the_finest_table_with_few_bars_is_taken_else_the_finest() -> None:
    fine, coarse = bar_table(minutes("AAA", "2024-03-08 10:00", 60)), bar_table(minutes("AAA", "2024-03-08 10:00", 12))
    coarser = bar_table(minutes("AAA", "2024-03-08 10:00", 2))

    chosen = sketch_tables({"bars_1m": fine, "bars_5m": coarse, "bars_30m": coarser})
    only = sketch_tables({"bars_1m": fine, "bars_30m": coarser})

    assert chosen is not None
    assert (chosen.table, chosen.bars) == ("bars_5m", 12)
    assert only is not None
    assert (only.table, only.bars) == ("bars_1m", 60)


def test_what_has_no_course_has_no_sketch() -> None:
    three = bar_table(minutes("AAA", "2024-03-08 10:00", 3))

    assert sketch_tables({"bars_1d": three}) is None
    assert sketch_tables({"bars_1d": three.slice(0, 0)}) is None
    assert sketch_tables({"raw_trades": pa.table({"symbol": ["AAA"], "price": [1.0]})}) is None
    assert sketch_tables({}) is None


@given(count=st.integers(4, 300), gap=st.integers(1, 30))
def test_nothing_is_lost_by_thinning(count: int, gap: int) -> None:
    bars = bar_table(minutes("AAA", "2024-03-08 00:00", count, step=gap * 60_000_000))

    sketch = sketch_tables({"validated_bars": bars})

    assert sketch is not None
    assert len(sketch.closes) <= POINTS
    assert sketch.volumes.sum() == sum(bars["volume"].to_pylist())
    assert (sketch.opens[0], sketch.closes[-1]) == (bars["open"][0].as_py(), bars["close"][-1].as_py())
    assert np.nanmax(sketch.highs) == max(bars["high"].to_pylist())
    assert np.nanmin(sketch.lows) == min(bars["low"].to_pylist())
