"""The kernel that combines bars, asked with arrays."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.domain import aggregation as kernel
from marketdata_pipelines.domain.aggregation import (
    BarColumns,
    Buckets,
    aggregate_groups,
    aggregate_widths,
    bucket_columns,
    typical_notional,
)
from marketdata_pipelines.domain.intervals import HOUR_US, MINUTE_US
from marketdata_pipelines.domain.session_grid import Ints

FAR = 2**62
OPEN_US = 10 * HOUR_US + 30 * MINUTE_US
WIDTHS = (5 * MINUTE_US, 15 * MINUTE_US, HOUR_US, 4 * HOUR_US)


@st.composite
def sessions_of_bars(draw: st.DrawFn, symbols: int = 2, integer_volume: bool = False) -> BarColumns:
    """Sparse minute bars of one 6.5-hour session, sorted, valid, some with unknown volume or count."""
    codes, times = [], []
    for code in range(symbols):
        own = sorted(draw(st.sets(st.integers(0, 389), max_size=25)))
        codes += [code] * len(own)
        times += own
    count = len(times)
    price = st.integers(1, 10_000).map(lambda ticks: ticks / 100)
    ohlc = np.array([sorted(draw(st.tuples(price, price, price, price))) for _ in range(count)]).reshape(count, 4)
    swapped = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    opens = np.where(swapped, ohlc[:, 2], ohlc[:, 1]) if count else np.zeros(0)
    close = np.where(swapped, ohlc[:, 1], ohlc[:, 2]) if count else np.zeros(0)
    volume = np.array([draw(st.integers(0, 10**6)) for _ in range(count)], np.float64)
    if not integer_volume:
        volume /= 1000
    ts = OPEN_US + np.array(times, np.int64) * MINUTE_US
    high, low = ohlc[:, 3].copy(), ohlc[:, 0].copy()
    return BarColumns(
        code=np.array(codes, np.int32),
        ts=ts,
        open=opens.astype(np.float64),
        high=high,
        low=low,
        close=close.astype(np.float64),
        volume=volume,
        notional=typical_notional(high, low, close, volume, np.full(count, np.nan)),
        trades=np.array([draw(st.integers(0, 50)) for _ in range(count)], np.int64),
        bars=np.ones(count, np.int64),
        first=ts,
        last=ts,
    )


def combine(bars: BarColumns, *widths: int, anchor: int = OPEN_US, limit: int = FAR) -> list[Buckets]:
    """Aggregate with one anchor, limit and completion for all bars."""
    whole = np.ones(len(bars), np.int64)
    return aggregate_widths(bars, anchor * whole, limit * whole, limit * whole, widths)


@given(sessions_of_bars(integer_volume=True))
def test_an_hour_of_minutes_is_an_hour_of_five_minutes(bars: BarColumns) -> None:
    fives, direct = combine(bars, WIDTHS[0], HOUR_US)
    (hours,) = combine(bucket_columns(fives), HOUR_US)

    exact = [kernel.OPEN, kernel.HIGH, kernel.LOW, kernel.CLOSE, kernel.VOLUME]
    assert np.array_equal(hours.ints, direct.ints)
    assert np.array_equal(hours.floats[:, exact], direct.floats[:, exact])
    assert np.allclose(hours.floats, direct.floats, rtol=1e-12, atol=0)


@given(sessions_of_bars(), st.sampled_from(WIDTHS))
def test_buckets_conserve_volume_bars_and_trades(bars: BarColumns, width: int) -> None:
    (made,) = combine(bars, width)

    for code in set(bars.code.tolist()):
        mine, theirs = made.ints[:, kernel.CODE] == code, bars.code == code
        assert made.floats[mine, kernel.VOLUME].sum() == pytest.approx(bars.volume[theirs].sum(), rel=1e-12)
        assert made.floats[mine, kernel.NOTIONAL].sum() == pytest.approx(bars.notional[theirs].sum(), rel=1e-12)
        assert made.ints[mine, kernel.BARS].sum() == theirs.sum()
        assert made.ints[mine, kernel.TRADES].sum() == bars.trades[theirs].sum()


@given(sessions_of_bars(), st.sampled_from(WIDTHS))
def test_low_and_high_hold_open_and_close(bars: BarColumns, width: int) -> None:
    floats = combine(bars, width)[0].floats

    assert (floats[:, kernel.LOW] <= np.minimum(floats[:, kernel.OPEN], floats[:, kernel.CLOSE])).all()
    assert (floats[:, kernel.HIGH] >= np.maximum(floats[:, kernel.OPEN], floats[:, kernel.CLOSE])).all()


@given(sessions_of_bars(symbols=3), st.sampled_from(WIDTHS))
def test_buckets_are_sorted_unique_and_hold_their_bars(bars: BarColumns, width: int) -> None:
    ints = combine(bars, width)[0].ints

    keys = list(zip(ints[:, kernel.CODE].tolist(), ints[:, kernel.BUCKET].tolist(), strict=True))
    assert keys == sorted(set(keys))
    assert (ints[:, kernel.BUCKET] <= ints[:, kernel.FIRST]).all()
    assert (ints[:, kernel.LAST] < ints[:, kernel.BUCKET_END]).all()


@given(sessions_of_bars(), st.sampled_from(WIDTHS), st.integers(1, 389))
def test_bars_fed_in_slices_of_time_give_what_they_give_at_once(bars: BarColumns, width: int, cut: int) -> None:
    split = OPEN_US + cut * MINUTE_US
    (whole,) = combine(bars, width)

    halves = [bucket_columns(combine(bars.take(part), width)[0]) for part in (bars.ts < split, bars.ts >= split)]
    joined = _folded([half for half in halves if len(half)], width)

    assert np.array_equal(joined.ints, whole.ints)
    assert np.allclose(joined.floats, whole.floats, rtol=1e-12, atol=0)


def _folded(halves: list[BarColumns], width: int) -> Buckets:
    """Combine partial buckets by the shared fold; a later part of a bucket counts from its first bar."""
    shifted = [replace(half, ts=half.first) for half in halves] or [bucket_columns(combine(_bars(), width)[0])]
    names = BarColumns.__slots__
    whole = BarColumns(*(np.concatenate([getattr(half, name) for half in shifted]) for name in names))
    order = np.lexsort((whole.ts, whole.code))
    return combine(BarColumns(*(getattr(whole, name)[order] for name in names)), width)[0]


@given(sessions_of_bars(), st.integers(0, 49))
def test_unknown_volume_makes_its_bucket_unknown_and_no_other(bars: BarColumns, position: int) -> None:
    if not len(bars):
        return
    at = position % len(bars)
    bars.volume[at] = bars.notional[at] = np.nan
    (made,) = combine(bars, HOUR_US)

    unknown = np.isnan(made.floats[:, kernel.VOLUME])
    assert unknown.sum() == 1
    assert np.array_equal(unknown, np.isnan(made.floats[:, kernel.NOTIONAL]))
    assert made.ints[unknown, kernel.CODE] == bars.code[at]
    assert made.ints[unknown, kernel.BUCKET] == OPEN_US + (bars.ts[at] - OPEN_US) // HOUR_US * HOUR_US


@pytest.mark.parametrize("counts", [(-1, 5, 7), (5, -1, 7), (5, 7, -1)])
def test_unknown_trade_count_makes_its_bucket_unknown(counts: tuple[int, ...]) -> None:
    bars = _bars(0, 1, 2)
    bars.trades[:] = counts

    assert combine(bars, HOUR_US)[0].ints[:, kernel.TRADES].tolist() == [-1]


def test_a_bucket_is_first_open_greatest_high_least_low_last_close() -> None:
    bars = replace(
        _bars(0, 1, 4),
        open=np.array([10.0, 11.0, 12.0]),
        high=np.array([15.0, 11.5, 13.0]),
        low=np.array([9.0, 8.5, 11.0]),
        close=np.array([11.0, 9.0, 12.5]),
        volume=np.array([1.0, 2.0, 4.0]),
        notional=np.array([10.0, 20.0, 50.0]),
    )

    (made,) = combine(bars, 5 * MINUTE_US)

    assert made.floats.tolist() == [[10.0, 15.0, 8.5, 12.5, 7.0, 80.0]]
    assert made.ints[0, [kernel.BUCKET, kernel.BARS, kernel.FIRST, kernel.LAST]].tolist() == [
        OPEN_US, 3, OPEN_US, OPEN_US + 4 * MINUTE_US,
    ]  # fmt: skip


def test_buckets_count_from_the_anchor_and_are_cut_at_the_limit() -> None:
    close = OPEN_US + 390 * MINUTE_US

    (made,) = combine(_bars(0, 59, 60, 389), HOUR_US, limit=close)

    assert [(bucket - OPEN_US) // MINUTE_US for bucket in made.ints[:, kernel.BUCKET]] == [0, 60, 360]
    assert made.ints[-1, kernel.BUCKET_END] == close
    assert made.ints[-1, kernel.COMPLETE] == close


def test_a_bar_at_the_limit_joins_the_last_bucket() -> None:
    close = OPEN_US + 390 * MINUTE_US

    for width in WIDTHS:
        (made,) = combine(_bars(388, 390), width, limit=close)

        assert len(made) == 1
        assert made.ints[0, [kernel.FIRST, kernel.LAST]].tolist() == [close - 2 * MINUTE_US, close]


def test_a_bar_that_begins_before_its_anchor_counts_as_opening_at_it() -> None:
    bars = _bars(-30, 30)

    (made,) = combine(bars, 2 * HOUR_US)

    assert made.ints[:, kernel.BUCKET].tolist() == [OPEN_US]
    assert made.ints[:, kernel.FIRST].tolist() == [OPEN_US - 30 * MINUTE_US]


def test_groups_are_runs_of_one_symbol_and_label() -> None:
    bars = replace(_bars(0, 1, 2, 3), code=np.array([0, 0, 0, 1], np.int32))
    group: Ints = np.array([0, 0, 1, 1])

    made = aggregate_groups(bars, group, labels=np.array([100, 200]), ends=np.array([199, 299]))

    assert made.ints[:, [kernel.CODE, kernel.BUCKET, kernel.COMPLETE, kernel.BARS]].tolist() == [
        [0, 100, 199, 2], [0, 200, 299, 1], [1, 200, 299, 1],
    ]  # fmt: skip


def test_nothing_gives_nothing() -> None:
    nothing = np.zeros(0, np.int64)

    assert [len(made) for made in combine(_bars(), *WIDTHS)] == [0, 0, 0, 0]
    assert len(aggregate_groups(_bars(), nothing, nothing, nothing)) == 0


def test_notional_is_the_sources_vwap_or_the_typical_price_times_volume() -> None:
    one = np.array([12.0])

    assert typical_notional(one, np.array([9.0]), np.array([10.5]), np.array([2.0]), np.array([np.nan])) == [21.0]
    assert typical_notional(one, np.array([9.0]), np.array([10.5]), np.array([2.0]), np.array([10.0])) == [20.0]


def _bars(*offsets: int) -> BarColumns:
    """Flat bars of one symbol at minutes from the open."""
    ts = OPEN_US + np.array(offsets, np.int64) * MINUTE_US
    one = np.ones(len(ts))
    counts = np.ones(len(ts), np.int64)
    prices = {name: one.copy() for name in ("open", "high", "low", "close", "volume", "notional")}
    return BarColumns(
        np.zeros(len(ts), np.int32), ts, **prices, trades=counts.copy(), bars=counts.copy(), first=ts, last=ts
    )
