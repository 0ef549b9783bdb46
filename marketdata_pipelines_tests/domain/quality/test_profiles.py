"""Profiles count places, bars and rejected rows of each symbol-session, whatever the calendar."""

from datetime import UTC, date, datetime, time
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.bars import BAR_SCHEMA, REJECTED_SCHEMA
from marketdata_pipelines.domain.feeds import Anchor, ClosingAuction, Feed
from marketdata_pipelines.domain.quality.profiles import empty_profiles, profile_bars, with_rows
from marketdata_pipelines.domain.quality.records import PROFILE_SCHEMA
from marketdata_pipelines.domain.session_grid import feed_calendar, feed_grid
from marketdata_pipelines.domain.sessions import to_us
from marketdata_pipelines_tests.builders import CME_BREAK, bar, bar_table, make_feed, us
from marketdata_pipelines_tests.domain.walked_bars import (
    FOREVER_US,
    FRIDAY,
    bar_columns,
    changed,
    session_of,
    session_times,
    walked_bars,
)

FEED = make_feed()


def _profile(feed: Feed, bars: pa.Table, day: date = FRIDAY, horizon_us: int = FOREVER_US) -> list[dict[str, Any]]:
    sessions = feed_calendar(feed).sessions(day, day)
    found = profile_bars(feed, bars, sessions, horizon_us)
    assert found.schema == PROFILE_SCHEMA
    return found.to_pylist()


def test_a_whole_session_has_every_bar_and_no_gap() -> None:
    bars = walked_bars(FEED, {"A": 100.0, "B": 20.0})

    first, second = _profile(FEED, bars)

    assert (first["symbol"], second["symbol"]) == ("A", "B")
    assert (first["expected"], first["bars"], first["gaps"], first["longest_gap"]) == (390, 390, 0, 0)
    assert (first["extended_bars"], first["raw_rows"], first["bar_at_close"]) == (0, 390, False)
    assert first["first_ts"] == datetime(2024, 3, 8, 14, 30, tzinfo=UTC)
    assert first["last_ts"] == datetime(2024, 3, 8, 20, 59, tzinfo=UTC)
    assert first["volume"] == sum(bars["volume"].to_pylist()[:390])


def test_gaps_before_between_and_after_bars_are_counted() -> None:
    bars = walked_bars(FEED, {"A": 100.0})
    kept = np.ones(390, bool)
    kept[:5] = kept[100:137] = kept[380:] = False

    (found,) = _profile(FEED, bars.filter(pa.array(kept)))

    assert (found["expected"], found["bars"]) == (390, 338)
    assert (found["gaps"], found["longest_gap"]) == (3, 37)


def test_minutes_after_the_horizon_are_not_expected() -> None:
    bars = walked_bars(FEED, {"A": 100.0}).slice(0, 60)

    (found,) = _profile(FEED, bars, horizon_us=us("2024-03-08 15:30"))

    assert (found["expected"], found["gaps"]) == (60, 0)


def test_extended_bars_are_counted_apart_and_a_bar_at_the_close_is_told() -> None:
    feed = make_feed(extended_hours=(time(4), time(20)))
    session = session_of(feed)
    ts = np.arange(session.open - 30 * 60_000_000, session.close + 60_000_000, 60_000_000)

    (found,) = _profile(feed, walked_bars(feed, {"A": 100.0}, ts=ts))

    assert (found["bars"], found["extended_bars"], found["bar_at_close"]) == (390, 31, True)
    assert found["gaps"] == 0


def test_a_half_day_ends_early() -> None:
    day = date(2024, 7, 3)

    (found,) = _profile(FEED, walked_bars(FEED, {"A": 100.0}, day), day)

    assert (found["expected"], found["bars"], found["gaps"]) == (210, 210, 0)


@pytest.mark.parametrize("day", [date(2024, 3, 8), date(2024, 3, 11)], ids=["winter", "summer"])
def test_hours_on_the_clock_and_from_the_open_have_seven_places(day: date) -> None:
    feed = make_feed(interval="1h")
    session = session_of(feed, day)
    on_clock = np.arange(session.open - 1_800_000_000, session.close, 3_600_000_000)
    from_open = np.arange(session.open, session.close, 3_600_000_000)

    (clock,) = _profile(feed, walked_bars(feed, {"A": 100.0}, day, ts=on_clock), day)
    (opened,) = _profile(feed, walked_bars(feed, {"A": 100.0}, day, ts=from_open), day)

    assert (clock["expected"], clock["bars"], clock["gaps"]) == (7, 7, 0)
    assert (opened["expected"], opened["bars"], opened["gaps"]) == (7, 7, 0)


def test_a_break_is_no_gap() -> None:
    feed = make_feed("CMES", breaks=CME_BREAK)

    (found,) = _profile(feed, walked_bars(feed, {"ES": 5000.0}))

    assert (found["expected"], found["bars"], found["gaps"]) == (1380, 1380, 0)


def test_a_market_that_never_closes_expects_every_minute_of_the_utc_day() -> None:
    feed = make_feed("24/7")
    bars = walked_bars(feed, {"BTC": 60_000.0}, date(2024, 3, 10)).slice(0, 1000)

    (found,) = _profile(feed, bars, date(2024, 3, 10))

    assert (found["expected"], found["bars"], found["gaps"], found["longest_gap"]) == (1440, 1000, 1, 440)


def test_utc_days_of_an_exchange_count_hours_outside_its_session_apart() -> None:
    feed = make_feed(anchor=Anchor.UTC)
    session = session_of(feed)
    ts = np.arange(session.open - 60_000_000, session.close + 2 * 60_000_000, 60_000_000)

    (found,) = _profile(feed, walked_bars(feed, {"A": 100.0}, ts=ts))

    assert (found["expected"], found["bars"], found["extended_bars"]) == (390, 390, 3)


def test_the_closing_auctions_own_bar_has_room() -> None:
    feed = make_feed(closing_auction=ClosingAuction.OWN_BAR)
    session = session_of(feed)
    ts = np.arange(session.open, session.close + 60_000_000, 60_000_000)

    (with_auction,) = _profile(feed, walked_bars(feed, {"A": 100.0}, ts=ts))
    (without,) = _profile(feed, walked_bars(feed, {"A": 100.0}))

    assert (with_auction["expected"], with_auction["bars"], with_auction["bar_at_close"]) == (391, 391, True)
    assert (without["expected"], without["bars"], without["gaps"]) == (391, 390, 1)


def test_a_daily_bar_is_a_session_of_its_own() -> None:
    feed = make_feed(interval="1d")
    days = [date(2024, 3, 7), date(2024, 3, 8)]
    sessions = feed_calendar(feed).sessions(*days)
    bars = bar_table([bar("A", us(f"{day} 00:00"), 100.0, high=101.0) for day in days])

    first, second = profile_bars(feed, bars, sessions, FOREVER_US).to_pylist()

    assert (first["expected"], first["bars"], second["expected"], second["bars"]) == (1, 1, 1, 1)
    assert first["return_scale"] is None
    assert first["range_scale"] == 0.01


def test_seconds_have_a_place_each() -> None:
    feed = make_feed(interval="1s")
    session = session_of(feed)
    ts = np.array([session.open, session.open + 1_000_000, session.open + 10_000_000])

    (found,) = _profile(feed, walked_bars(feed, {"A": 100.0}, ts=ts))

    assert (found["expected"], found["bars"], found["gaps"]) == (23_400, 3, 2)
    assert found["longest_gap"] == 23_389


def test_scales_are_medians_that_one_bad_bar_does_not_move() -> None:
    bars = walked_bars(FEED, {"A": 100.0})
    spoiled = changed(bars, 200, close=1000.0, high=1000.0)

    (clean,), (bad,) = _profile(FEED, bars), _profile(FEED, spoiled)

    assert bad["return_scale"] == pytest.approx(clean["return_scale"], rel=0.05)
    assert bad["range_scale"] == pytest.approx(clean["range_scale"], rel=0.05)


def test_an_unknown_volume_makes_the_sessions_unknown() -> None:
    bars = changed(walked_bars(FEED, {"A": 100.0}), 3, volume=np.nan)

    (found,) = _profile(FEED, bars)

    assert found["volume"] is None
    assert found["volume_median"] > 0


def test_prices_that_are_not_positive_have_no_returns() -> None:
    feed = make_feed(allow_nonpositive_prices=True)
    bars = walked_bars(feed, {"CL": 20.0})
    bars = changed(bars, slice(None), open=-1.0, high=0.0, low=-2.0, close=0.0)

    (found,) = _profile(feed, bars)

    assert found["return_scale"] is None
    assert found["range_scale"] is None


def test_bars_of_trades_count_their_trades_as_rows() -> None:
    bars = walked_bars(FEED, {"A": 100.0}).slice(0, 2)
    bars = bars.set_column(10, "trade_count", pa.array([3, None], pa.int64()))

    (found,) = profile_bars(FEED, bars, [session_of(FEED)], FOREVER_US, of_trades=True).to_pylist()

    assert found["raw_rows"] == 4


def _rejected(*rows: tuple[str | None, str | None, str]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {"symbol": s, "ts": None if t is None else datetime.fromisoformat(f"{t}+00:00"), "rules": r}
            for s, t, r in rows
        ],
        schema=REJECTED_SCHEMA,
    )


def _with_rows(bars: pa.Table, rejected: pa.Table) -> dict[str, dict[str, Any]]:
    sessions = [session_of(FEED)]
    profiles = profile_bars(FEED, bars, sessions, FOREVER_US)
    found = with_rows(FEED, profiles, rejected, feed_grid(FEED, FRIDAY, FRIDAY), sessions, FOREVER_US)
    assert found.schema == PROFILE_SCHEMA
    return {row["symbol"]: row for row in found.to_pylist()}


def test_rejected_rows_count_by_the_dimension_of_their_first_rule() -> None:
    rejected = _rejected(
        ("A", "2024-03-08 14:30", "high_below_low;off_interval"),
        ("A", "2024-03-08 14:31", "duplicate_exact"),
        ("A", "2024-03-08 22:31", "out_of_session"),
        ("A", "2024-03-08 14:33", "superseded"),
        ("A", "2024-03-08 14:34", "future"),
    )

    found = _with_rows(walked_bars(FEED, {"A": 100.0}), rejected)["A"]

    assert (found["rejected_consistency"], found["rejected_uniqueness"]) == (1, 1)
    assert (found["rejected_validity"], found["rejected_timeliness"]) == (1, 1)
    assert found["raw_rows"] == 394


def test_rows_of_nobody_count_in_a_row_without_symbol() -> None:
    rejected = _rejected(
        (None, "2024-03-08 14:30", "symbol_missing"),
        ("=cmd", "2024-03-08 14:30", "symbol_formula"),
        ("A", None, "unparsable_timestamp"),
        ("A", "2031-03-08 14:30", "future"),
    )

    found = _with_rows(walked_bars(FEED, {"A": 100.0}), rejected)

    assert list(found) == ["", "A"]
    assert (found[""]["raw_rows"], found[""]["rejected_validity"], found[""]["rejected_timeliness"]) == (4, 3, 1)
    assert (found[""]["expected"], found[""]["bars"], found[""]["session_date"]) == (0, 0, FRIDAY)


def test_a_symbol_of_which_no_row_stands_misses_its_whole_session() -> None:
    found = _with_rows(walked_bars(FEED, {"A": 100.0}), _rejected(("B", "2024-03-08 15:00", "price_not_positive")))

    assert (found["B"]["expected"], found["B"]["bars"], found["B"]["longest_gap"]) == (390, 0, 390)
    assert (found["B"]["raw_rows"], found["B"]["first_ts"], found["B"]["close"]) == (1, None, None)


def test_no_bars_give_no_profiles() -> None:
    assert profile_bars(FEED, BAR_SCHEMA.empty_table(), [session_of(FEED)], FOREVER_US).num_rows == 0
    assert empty_profiles(FEED, [], [], FOREVER_US).num_rows == 0


@settings(deadline=None, max_examples=25, phases=(Phase.explicit, Phase.generate))
@given(st.lists(st.booleans(), min_size=390, max_size=390))
def test_bars_and_the_runs_of_missing_ones_fill_the_session(kept: list[bool]) -> None:
    bars = walked_bars(FEED, {"A": 100.0}).filter(pa.array(kept))
    if not bars.num_rows:
        return
    edges = np.diff(np.concatenate(([1], np.array(kept, int), [1])))
    lengths = np.flatnonzero(edges == 1) - np.flatnonzero(edges == -1)

    (found,) = _profile(FEED, bars)

    assert found["bars"] == sum(kept)
    assert found["gaps"] == len(lengths)
    assert found["longest_gap"] == max(lengths, default=0)
    assert found["expected"] == 390


@settings(deadline=None, max_examples=10, phases=(Phase.explicit, Phase.generate))
@given(st.integers(0, 1000))
def test_a_part_of_the_symbols_gives_the_same_profiles(seed: int) -> None:
    bars = walked_bars(FEED, {"A": 100.0, "B": 13.85, "C": 4.0}, seed=seed)
    some = bars.filter(pa.array([symbol != "B" for symbol in bars["symbol"].to_pylist()]))

    assert _profile(FEED, some) == [row for row in _profile(FEED, bars) if row["symbol"] != "B"]


def test_a_session_the_calendar_does_not_know_expects_nothing() -> None:
    sunday = date(2024, 3, 10)
    feed = make_feed(anchor=Anchor.UTC)
    ts = np.arange(
        to_us(datetime(2024, 3, 10, 12, tzinfo=UTC)), to_us(datetime(2024, 3, 10, 12, 5, tzinfo=UTC)), 60_000_000
    )
    prices = {name: np.full(5, 10.0) for name in ("open", "high", "low", "close", "volume")}

    (found,) = _profile(feed, bar_columns(feed, "A", sunday, ts, **prices), sunday)

    assert (found["expected"], found["bars"], found["extended_bars"], found["session_open"]) == (0, 0, 5, None)
    assert len(session_times(feed, session_of(feed))) == 390
