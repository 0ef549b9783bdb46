"""Where bars may lie, as SQL says it and as validation says it: half-days, clock changes, pauses, coarse bars."""

from datetime import date, time, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from marketdata_pipelines.domain.bars import BAR_SCHEMA, TS
from marketdata_pipelines.domain.feeds import Anchor, ClosingAuction, Feed
from marketdata_pipelines.domain.intervals import MINUTE_US
from marketdata_pipelines.domain.session_grid import feed_grid
from marketdata_pipelines.quality.sql_runner import run_suite_sql
from marketdata_pipelines.quality.suites.bar_suites import validated_suite
from marketdata_pipelines.quality.suites.batches import BarFacts, validated_batch
from marketdata_pipelines.quality.suites.hours import session_hours, usual_pauses
from marketdata_pipelines_tests.builders import CME_BREAK, LATER, make_feed

EXTENDED: dict[str, Any] = {"extended_hours": (time(4), time(20))}
FEEDS: list[tuple[str, Feed, date, date]] = [
    ("plain", make_feed(), date(2024, 3, 8), date(2024, 3, 12)),
    ("extended over a half-day", make_feed(**EXTENDED), date(2023, 11, 22), date(2023, 11, 27)),
    (
        "own bar at a half-day's close",
        make_feed(closing_auction=ClosingAuction.OWN_BAR),
        date(2023, 11, 24),
        date(2023, 11, 27),
    ),
    ("a pause every session", make_feed("CMES", breaks=CME_BREAK), date(2024, 3, 8), date(2024, 3, 12)),
    ("lunch", make_feed("XHKG"), date(2024, 3, 8), date(2024, 3, 11)),
    ("hours of New York", make_feed(interval="1h", **EXTENDED), date(2024, 3, 8), date(2024, 3, 12)),
    ("hours with lunch", make_feed("XHKG", "1h"), date(2024, 3, 8), date(2024, 3, 11)),
    ("half hours of Mumbai", make_feed("XBOM", "1h"), date(2024, 3, 6), date(2024, 3, 7)),
    ("four hours", make_feed(interval="4h", **EXTENDED), date(2024, 3, 8), date(2024, 3, 12)),
    ("UTC", make_feed(anchor=Anchor.UTC), date(2024, 3, 9), date(2024, 3, 11)),
    ("crypto", make_feed("24/7"), date(2024, 3, 9), date(2024, 3, 10)),
    ("fx", make_feed("fx"), date(2024, 3, 8), date(2024, 3, 11)),
    ("fx by session", make_feed("fx", anchor=Anchor.SESSION), date(2024, 3, 8), date(2024, 3, 11)),
    ("seconds", make_feed(interval="10s"), date(2024, 3, 8), date(2024, 3, 8)),
    ("days", make_feed(interval="1d"), date(2024, 3, 1), date(2024, 3, 29)),
    ("weeks", make_feed(interval="1w"), date(2024, 1, 1), date(2024, 3, 29)),
]


def every_bar(feed: Feed, first: date, last: date) -> pa.Table:
    """A bar at every step of half the interval at most, labelled as validation would place it."""
    grid = feed_grid(feed, first, last)
    step = min(feed.interval.us // 2, 20 * MINUTE_US) if feed.interval.is_intraday else 43_200_000_000
    starts, ends = grid.spans()
    days = [(day - date(1970, 1, 1)).days for day in (first, last)]
    inside = (grid.dates >= days[0]) & (grid.dates <= days[1])
    low, high = int(starts[inside].min()), int(ends[inside].max())
    ts = np.arange(low // step * step, high, step)
    placement = grid.place(ts)
    held = (placement.session >= 0) & inside[placement.session]
    return _bars(feed, ts[held], grid.dates[placement.session[held]], placement.regular[held])


def _bars(feed: Feed, ts: np.ndarray, dates: np.ndarray, regular: np.ndarray) -> pa.Table:
    count = len(ts)
    ones = pa.array(np.full(count, 10.0))
    width = feed.interval.us or 28 * 86_400_000_000
    columns: dict[str, Any] = {
        "symbol": pa.array(["AAA"] * count).dictionary_encode(),
        "ts": pa.array(ts).view(TS),
        "ts_close": pa.array(ts + width).view(TS),
        "session_date": pa.array(dates.astype(np.int32)).view(pa.date32()),
        **dict.fromkeys(("open", "high", "low", "close", "volume", "vwap"), ones),
        "trade_count": pa.array(np.ones(count, np.int64)),
        "regular": pa.array(regular),
    }
    return pa.table(columns).cast(BAR_SCHEMA)


def counts(feed: Feed, bars: pa.Table, first: date, last: date) -> dict[str, int | None]:
    suite = validated_suite(feed)
    batch = validated_batch(suite, feed, bars, bars.num_rows, BarFacts(LATER, first, last))
    return {rule.rule: rule.violations for rule in run_suite_sql(suite, batch).rules}


@pytest.mark.parametrize(("feed", "first", "last"), [each[1:] for each in FEEDS], ids=[each[0] for each in FEEDS])
def test_bars_lie_where_validation_places_them(feed: Feed, first: date, last: date) -> None:
    bars = every_bar(feed, first, last)
    swapped = bars.set_column(11, "regular", pa.array(~bars["regular"].to_numpy()))
    extended = int((~bars["regular"].to_numpy()).sum())

    found = counts(feed, bars, first, last)
    claimed = counts(feed, swapped, first, last)

    assert bars.num_rows
    assert found["in_session"] == 0
    # A bar outside the regular hours must not claim to be inside them.
    assert claimed["in_session"] == extended


@pytest.mark.parametrize(("feed", "first", "last"), [each[1:] for each in FEEDS], ids=[each[0] for each in FEEDS])
def test_bars_of_another_session_lie_outside(feed: Feed, first: date, last: date) -> None:
    bars = every_bar(feed, first, last)
    later = pa.array([day + timedelta(days=7) for day in bars["session_date"].to_pylist()], pa.date32())
    moved = bars.set_column(3, "session_date", later)

    found = counts(feed, moved, first, last)

    assert found["in_session"] == bars.num_rows


@pytest.mark.parametrize(("feed", "first", "last"), [each[1:] for each in FEEDS], ids=[each[0] for each in FEEDS])
def test_bars_are_on_the_interval_where_validation_says_so(feed: Feed, first: date, last: date) -> None:
    bars = every_bar(feed, first, last)
    grid = feed_grid(feed, first, last)
    ts = bars["ts"].cast(pa.int64()).to_numpy()
    placement, width = grid.place(ts), feed.interval.us
    if feed.interval.is_intraday:
        good = (ts % width == 0) | (placement.regular & ((ts - placement.anchor) % width == 0))
        good |= grid.local_clock(ts) % width == 0
    else:
        good = ts % 86_400_000_000 == 0

    found = counts(feed, bars, first, last)

    assert found["on_interval"] == int((~good).sum())
    assert found["on_interval"]


def test_sessions_without_a_pause_have_none_of_its_columns() -> None:
    assert [usual_pauses(make_feed()), usual_pauses(make_feed("XHKG")), usual_pauses(make_feed("24/7"))] == [0, 1, 0]
    assert "pause_1_from" not in session_hours(make_feed(), date(2024, 3, 8), date(2024, 3, 8)).column_names
