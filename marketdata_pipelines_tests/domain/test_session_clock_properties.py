"""The session clock against the kernel: floors of the clock are the lake's buckets, on every kind of calendar."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.frames import symbol_codes
from marketdata_pipelines.domain.intervals import DAY_US, HOUR_US, MINUTE_US, table_name
from marketdata_pipelines.domain.session_clock import SessionClock
from marketdata_pipelines.domain.session_grid import Ints
from marketdata_pipelines.pipeline.aggregate import aggregate_partition
from marketdata_pipelines_tests.builders import LATER
from marketdata_pipelines_tests.domain.clock_bars import FEEDS, PlacedBars, placed_bars

WIDTHS = {"5m": 5 * MINUTE_US, "15m": 15 * MINUTE_US, "30m": 30 * MINUTE_US, "1h": HOUR_US, "1d": DAY_US}
SEEDS = st.integers(0, 2**32 - 1)
# Clock changes, half-days, holidays and the days around them; any other day besides.
HARD_DAYS = ["2024-03-08", "2024-03-29", "2024-07-03", "2024-11-01", "2024-11-29", "2024-12-24", "2024-02-09"]
DAYS = st.one_of(
    st.sampled_from([date.fromisoformat(text) for text in HARD_DAYS]),
    st.integers(0, 22 * 365).map(lambda days: date(2003, 1, 1) + timedelta(days=days)),
)
few = settings(phases=(Phase.explicit, Phase.generate), deadline=None, max_examples=12)


def clock_times(placed: PlacedBars) -> Ints:
    return SessionClock(placed.feed, placed.first, placed.last).to_clock(placed.ts, placed.session_days)


def grouped(placed: PlacedBars, clock: Ints, width: int) -> list[tuple[object, ...]]:
    """The regular bars combined by symbol and floor of the clock, in columns as `of_the_kernel` gives them."""
    chosen = np.flatnonzero(placed.regular)
    rows, ts = placed.bars.take(pa.array(chosen)), placed.ts[chosen]
    codes, symbols = symbol_codes(rows["symbol"])
    floors = clock[chosen] // width * width
    values = {name: rows[name].to_numpy() for name in ("open", "high", "low", "close", "volume", "trade_count")}
    keys = list(dict.fromkeys(zip(codes.tolist(), floors.tolist(), strict=True)))
    labels, ends = SessionClock(placed.feed, placed.first, placed.last).buckets(
        np.array([floor for _, floor in keys], np.int64), width
    )
    made: list[tuple[object, ...]] = []
    for (code, floor), label, end in zip(keys, labels.tolist(), ends.tolist(), strict=True):
        own = (codes == code) & (floors == floor)
        made.append((
            symbols[code], label, end, values["open"][own][0], values["high"][own].max(), values["low"][own].min(),
            values["close"][own][-1], values["volume"][own].sum(), int(values["trade_count"][own].sum()),
            int(own.sum()), int(ts[own].min()), int(ts[own].max()),
        ))  # fmt: skip
    return made


def of_the_kernel(table: pa.Table) -> list[tuple[object, ...]]:
    def us(name: str) -> list[int]:
        return [int(value) for value in table[name].to_numpy().astype("datetime64[us]").astype(np.int64)]

    plain = ("open", "high", "low", "close", "volume", "trade_count", "bar_count")
    columns = [table[name].to_pylist() for name in plain]
    return list(
        zip(table["symbol"].to_pylist(), us("ts"), us("ts_close"), *columns, us("first_ts"), us("last_ts"), strict=True)
    )


@pytest.mark.parametrize("name", FEEDS)
@few
@given(first=DAYS, days=st.integers(1, 5), seed=SEEDS)
def test_floors_of_the_clock_are_the_lakes_buckets(name: str, first: date, days: int, seed: int) -> None:
    placed = placed_bars(FEEDS[name], first, days, seed)

    clock = clock_times(placed)
    made = aggregate_partition(placed.feed, placed.grid, placed.bars, LATER)

    if placed.regular.any() and (placed.feed.interval.us <= DAY_US):
        assert grouped(placed, clock, DAY_US) == of_the_kernel(made.daily)
        for timeframe in set(placed.feed.timeframes) & {"5m", "15m", "30m", "1h"}:
            assert grouped(placed, clock, WIDTHS[timeframe]) == of_the_kernel(made.intraday[table_name(timeframe)])


@pytest.mark.parametrize("name", FEEDS)
@few
@given(first=DAYS, days=st.integers(1, 5), seed=SEEDS)
def test_bars_stand_on_the_day_of_their_session_in_their_order(name: str, first: date, days: int, seed: int) -> None:
    placed = placed_bars(FEEDS[name], first, days, seed)

    clock = clock_times(placed)

    assert (clock // DAY_US == placed.session_days).all()
    codes, _ = symbol_codes(placed.bars["symbol"])
    assert len(set(zip(codes.tolist(), clock.tolist(), strict=True))) == len(clock)
    for code in (0, 1):
        own = clock[placed.regular & (codes == code)]
        assert (own[1:] > own[:-1]).all()


@pytest.mark.parametrize("name", FEEDS)
@few
@given(first=DAYS, days=st.integers(1, 5), seed=SEEDS, data=st.data())
def test_a_span_of_the_clock_holds_every_bar_of_a_span_of_time(
    name: str, first: date, days: int, seed: int, data: st.DataObject
) -> None:
    placed = placed_bars(FEEDS[name], first, days, seed)
    whole = st.sampled_from(sorted({0, *placed.ts.tolist()}))
    start, end = data.draw(whole), data.draw(whole)

    span = SessionClock(placed.feed, placed.first, placed.last).span(start, end)

    asked = clock_times(placed)[(placed.ts >= start) & (placed.ts < end)]
    lower, upper = span or (0, 0)
    assert ((asked >= lower) & (asked < upper)).all()


@pytest.mark.parametrize("name", FEEDS)
@few
@given(first=DAYS, seed=SEEDS)
def test_a_bars_clock_time_does_not_depend_on_how_many_sessions_are_laid(name: str, first: date, seed: int) -> None:
    placed = placed_bars(FEEDS[name], first, 3, seed, most=60)

    wide = SessionClock(placed.feed, first - timedelta(days=9), first + timedelta(days=9))

    assert (wide.to_clock(placed.ts, placed.session_days) == clock_times(placed)).all()
