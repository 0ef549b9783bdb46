"""Displaced sessions are told with all of their rows; ordinary days, late starts and extended hours are not."""

from datetime import date, time

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.bars import RAW_BAR_SCHEMA
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import HOUR_US, MINUTE_US
from marketdata_pipelines.domain.quality.records import SUSPECT_SCHEMA
from marketdata_pipelines.domain.quality.shifts import shifted_sessions
from marketdata_pipelines.domain.session_grid import feed_grid
from marketdata_pipelines.domain.validation import bar_mask
from marketdata_pipelines_tests.builders import make_feed
from marketdata_pipelines_tests.domain.walked_bars import FOREVER_US, FRIDAY, changed, raw_rows, session_of, walked_bars

FEED = make_feed()
EXTENDED = make_feed(extended_hours=(time(4), time(20)))
HALF_DAY = date(2024, 7, 3)
SYMBOLS = {"A": 100.0, "B": 50.0}


def _shifts(feed: Feed, rows: pa.Table, day: date = FRIDAY) -> list[dict[str, object]]:
    grid = feed_grid(feed, day, day)
    mask, _ = bar_mask(rows, feed, grid, FOREVER_US)
    found = shifted_sessions(feed, grid, [session_of(feed, day)], rows, mask)
    assert found.schema == SUSPECT_SCHEMA
    return found.to_pylist()


@settings(deadline=None, max_examples=30, phases=(Phase.explicit, Phase.generate))
@given(st.integers(-36, 32).filter(bool))
def test_a_session_displaced_by_quarters_of_an_hour_is_told_whole(quarters: int) -> None:
    # Up to where the exchange's midnight cuts the session, and the file's rows come in two partitions.
    bars = walked_bars(FEED, SYMBOLS)
    rows = raw_rows(bars, quarters * 15 * MINUTE_US)

    first, second = _shifts(FEED, rows)

    assert (first["kind"], first["symbol"], second["symbol"]) == ("time_shift", "A", "B")
    assert (first["ts"], first["ts_last"]) == (rows["ts"][0].as_py(), rows["ts"][389].as_py())
    assert (first["bars"], first["value"], first["scale"]) == (390, quarters / 4, 1.0)
    assert first["session_date"] == FRIDAY


def test_what_midnight_cuts_off_is_told_in_each_partition() -> None:
    rows = raw_rows(walked_bars(FEED, {"A": 100.0}), 11 * HOUR_US)
    midnight = session_of(FEED).open + int(14.5 * HOUR_US)
    late = rows.filter(pa.array([int(ts.timestamp() * 1e6) < midnight for ts in rows["ts"].to_pylist()]))
    monday = date(2024, 3, 11)
    early = raw_rows(walked_bars(FEED, {"A": 100.0}, monday), -13 * HOUR_US).slice(210)

    (evening,), (night,) = _shifts(FEED, late), _shifts(FEED, early, monday)

    assert (evening["value"], evening["bars"]) == (11.0, late.num_rows)
    assert (night["value"], night["bars"]) == (-13.0, 180)


@pytest.mark.parametrize("day", [FRIDAY, HALF_DAY], ids=["whole day", "half-day"])
def test_a_session_in_its_place_is_not_told(day: date) -> None:
    assert _shifts(FEED, raw_rows(walked_bars(FEED, SYMBOLS, day)), day) == []


def test_a_half_day_is_told_by_its_own_length() -> None:
    (found,) = _shifts(FEED, raw_rows(walked_bars(FEED, {"A": 100.0}, HALF_DAY), HOUR_US), HALF_DAY)

    assert (found["bars"], found["value"]) == (210, 1.0)


@pytest.mark.parametrize(("since", "until"), [(60, 390), (0, 200), (35, 330), (385, 390)])
def test_late_starts_and_early_ends_are_not_told(since: int, until: int) -> None:
    rows = raw_rows(walked_bars(FEED, {"A": 100.0}).slice(since, until - since))

    assert _shifts(FEED, rows) == []


def test_a_halt_is_not_told() -> None:
    bars = walked_bars(FEED, {"A": 100.0})
    kept = [n < 90 or n > 300 for n in range(390)]

    assert _shifts(FEED, raw_rows(bars.filter(pa.array(kept)))) == []


def test_a_missing_first_bar_does_not_hide_a_shift() -> None:
    bars = walked_bars(FEED, {"A": 100.0}).slice(1)

    (found,) = _shifts(FEED, raw_rows(bars, 4 * HOUR_US))

    assert (found["value"], found["bars"]) == (4.0, 389)


def test_thin_symbols_follow_the_others_of_their_file() -> None:
    bars = walked_bars(FEED, SYMBOLS)
    thin = [n < 390 or n in (400, 520, 700, 777) for n in range(780)]

    found = _shifts(FEED, raw_rows(bars.filter(pa.array(thin)), 4 * HOUR_US))

    assert [(each["symbol"], each["bars"], each["value"]) for each in found] == [("A", 390, 4.0), ("B", 4, 4.0)]


def test_rows_in_their_place_beside_those_displaced_keep_them_from_being_told() -> None:
    bars = walked_bars(FEED, {"A": 100.0})
    both = pa.concat_tables([raw_rows(bars), raw_rows(bars, 7 * HOUR_US)])

    assert _shifts(FEED, both) == []


def _extended_day() -> pa.Table:
    session = session_of(EXTENDED)
    ts = np.arange(session.open - 330 * MINUTE_US, session.close + 240 * MINUTE_US, MINUTE_US)
    bars = walked_bars(EXTENDED, {"A": 100.0}, ts=ts)
    regular = (ts >= session.open) & (ts < session.close)
    volume = bars["volume"].to_numpy() * np.where(regular, 50.0, 1.0)
    return changed(bars, slice(None), volume=volume)


def test_an_ordinary_day_with_extended_hours_is_not_told() -> None:
    assert _shifts(EXTENDED, raw_rows(_extended_day())) == []


@pytest.mark.parametrize("hours", [-5.0, -4.0, -1.0, 1.0, 4.0, 5.0])
def test_a_displaced_day_with_extended_hours_is_known_by_its_volume(hours: float) -> None:
    (found,) = _shifts(EXTENDED, raw_rows(_extended_day(), int(hours * HOUR_US)))

    assert (found["kind"], found["value"], found["bars"]) == ("time_shift", hours, 960)


def test_extended_hours_of_which_no_volume_is_known_are_not_told() -> None:
    bars = changed(_extended_day(), slice(None), volume=np.nan)

    assert _shifts(EXTENDED, raw_rows(bars, 4 * HOUR_US)) == []


def test_hourly_bars_are_displaced_by_hours() -> None:
    feed = make_feed(interval="1h")
    session = session_of(feed)
    bars = walked_bars(feed, {"A": 100.0}, ts=np.arange(session.open - 30 * MINUTE_US, session.close, HOUR_US))

    (found,) = _shifts(feed, raw_rows(bars, 4 * HOUR_US))

    assert (found["kind"], found["value"], found["bars"]) == ("time_shift", 4.0, 7)
    assert _shifts(feed, raw_rows(bars)) == []


@pytest.mark.parametrize("calendar", ["24/7", "fx", "CMES"])
def test_markets_open_round_the_clock_are_not_judged(calendar: str) -> None:
    feed = make_feed(calendar)

    assert _shifts(feed, raw_rows(walked_bars(feed, {"A": 100.0}), 4 * HOUR_US)) == []


def test_daily_bars_and_empty_parts_have_no_shifts() -> None:
    nothing = RAW_BAR_SCHEMA.empty_table()

    assert _shifts(FEED, nothing) == []
    assert _shifts(make_feed(interval="1d"), raw_rows(walked_bars(FEED, {"A": 100.0}))) == []


def test_unreadable_rows_are_passed_over() -> None:
    rows = raw_rows(walked_bars(FEED, {"A": 100.0}), 4 * HOUR_US)
    broken = rows.slice(0, 3).set_column(3, "ts", pa.nulls(3, rows.schema.field("ts").type))
    mixed = pa.concat_tables([broken, rows, rows.slice(5, 9)])

    (found,) = _shifts(FEED, mixed)

    assert (found["value"], found["bars"]) == (4.0, 390)
