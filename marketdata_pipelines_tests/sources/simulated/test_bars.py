"""Bars of the simulated exchange at every interval."""

import hashlib
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.feeds import Anchor, AssetClass, Feed
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.sources.simulated.bars import SIMULATED_BAR_SCHEMA, simulate_bars
from marketdata_pipelines.sources.simulated.lines import csv_line, line_style
from marketdata_pipelines_tests.sources.simulated.feeds import simulated_feed

FRIDAY = date(2024, 3, 8)
CALENDARS = ("XNYS", "CMES", "24/7", "fx", "XTKS", "XLON")
days = st.dates(date(2000, 1, 1), date(2025, 12, 31))


def digest(bars: pa.Table, feed: Feed) -> str:
    lines = "".join(f"{csv_line(cells)}\n" for cells in line_style(feed).cells(bars))
    return hashlib.sha256(lines.encode()).hexdigest()


def columns(bars: pa.Table) -> dict[str, np.ndarray]:
    return {name: bars[name].to_numpy() for name in ("ts", "open", "high", "low", "close", "volume", "vwap")}


@pytest.mark.parametrize(
    ("calendar", "interval", "expected"),
    [
        ("XNYS", "1m", "41586277300f8f9c4839c86e8fd2843b420fcff3813c32505a16dc1e2894a948"),
        ("XNYS", "1s", "d9e387306dccff821422331df4b7ec91226a1f76e2294c1283206f35c53bc831"),
        ("XNYS", "1d", "92ab2ea9ece92455e47407449dd49c0ba340b3b6988a44d10c144f95a69ec98d"),
        ("CMES", "1h", "5c63d8d1fb2169e7312e0931ad9a7776c672f50212fc0dfc47e15029c07636f7"),
        ("24/7", "1m", "6189289800b2b9c83e65498fe7691ba40a3c77555f9e931d67380caba24c74ca"),
        ("fx", "5m", "a13360aa8d6a09818a22c16b0ce3b461d0540e4382188195cf782823a18d5825"),
    ],
)
def test_the_same_seed_gives_the_same_bytes_on_every_machine(calendar: str, interval: str, expected: str) -> None:
    feed = simulated_feed(calendar, interval)

    bars = simulate_bars(feed, FRIDAY)

    assert digest(bars, feed) == expected


def test_one_bar_in_full() -> None:
    bars = simulate_bars(simulated_feed(), FRIDAY)

    assert bars.schema == SIMULATED_BAR_SCHEMA
    first = bars.slice(0, 1).to_pylist()[0]
    assert str(first.pop("ts")) == "2024-03-08 14:30:00+00:00"
    assert first == {
        "symbol": "AAA",
        "open": 25.73,
        "high": 25.73,
        "low": 25.69,
        "close": 25.71,
        "volume": 48276.0,
        "vwap": 25.715,
        "trade_count": 4,
    }


@settings(max_examples=40, deadline=None)
@given(
    calendar=st.sampled_from(CALENDARS),
    interval=st.sampled_from(("1s", "30s", "1m", "5m", "1h", "4h", "1d")),
    day=days,
    seed=st.integers(0, 2**63),
)
def test_bars_are_sound_sorted_and_inside_their_session(calendar: str, interval: str, day: date, seed: int) -> None:
    feed = simulated_feed(calendar, interval, seed=seed)

    bars = simulate_bars(feed, day)

    sessions = feed_calendar(feed).sessions(day, day)
    assert (bars.num_rows > 0) == bool(sessions)
    found = columns(bars)
    assert (found["low"] > 0).all()
    assert (found["low"] <= np.minimum(found["open"], found["close"])).all()
    assert (found["high"] >= np.maximum(found["open"], found["close"])).all()
    keys = list(zip(bars["symbol"].to_pylist(), found["ts"].tolist(), strict=True))
    assert keys == sorted(set(keys))
    if sessions and interval != "1d":
        ts = found["ts"].astype("datetime64[us]").astype(np.int64)
        assert ts.min() >= sessions[0].open - (feed.interval.us if feed.anchor is Anchor.UTC else 0)
        assert ts.max() < sessions[0].close


@settings(max_examples=20, deadline=None)
@given(calendar=st.sampled_from(("XNYS", "CMES", "24/7")), interval=st.sampled_from(("1s", "1m", "1h", "1d")), day=days)
def test_vwap_lies_inside_the_bar_and_volume_is_positive(calendar: str, interval: str, day: date) -> None:
    bars = simulate_bars(simulated_feed(calendar, interval), day)

    found = columns(bars)
    assert (found["vwap"] >= found["low"]).all()
    assert (found["vwap"] <= found["high"]).all()
    assert (found["volume"] > 0).all()


@settings(max_examples=20, deadline=None)
@given(
    calendar=st.sampled_from(CALENDARS), day=days, fine=st.sampled_from(("1s", "30s", "1m")), seed=st.integers(0, 99)
)
def test_coarser_bars_are_the_finer_ones_combined(calendar: str, day: date, fine: str, seed: int) -> None:
    finer = simulate_bars(simulated_feed(calendar, fine, seed=seed), day)
    daily = simulate_bars(simulated_feed(calendar, "1d", seed=seed), day)

    combined = finer.group_by("symbol", use_threads=False).aggregate(
        [
            ("open", "first"),
            ("high", "max"),
            ("low", "min"),
            ("close", "last"),
            ("volume", "sum"),
            ("trade_count", "sum"),
        ]
    )
    wanted = daily.select(["symbol", "open", "high", "low", "close", "volume", "trade_count"])
    assert [tuple(row.values()) for row in combined.to_pylist()] == [tuple(row.values()) for row in wanted.to_pylist()]


def test_buckets_of_an_exchange_start_at_its_open() -> None:
    bars = simulate_bars(simulated_feed(interval="1h", symbols=("AAA",)), FRIDAY)

    assert [f"{ts:%H:%M}" for ts in bars["ts"].to_pylist()] == [
        "14:30",
        "15:30",
        "16:30",
        "17:30",
        "18:30",
        "19:30",
        "20:30",
    ]


def test_no_bucket_bridges_a_break() -> None:
    bars = simulate_bars(simulated_feed("XTKS", "4h", symbols=("AAA",)), FRIDAY)

    assert [f"{ts:%H:%M}" for ts in bars["ts"].to_pylist()] == ["00:00", "03:30"]


def test_buckets_of_a_utc_anchored_feed_start_at_midnight() -> None:
    bars = simulate_bars(simulated_feed("24/7", "8h", symbols=("AAA",)), FRIDAY)

    assert [f"{ts:%H:%M}" for ts in bars["ts"].to_pylist()] == ["00:00", "08:00", "16:00"]


def test_a_daily_bar_is_labelled_midnight_utc_of_its_session_date() -> None:
    bars = simulate_bars(simulated_feed("CMES", "1d"), FRIDAY)

    assert [str(ts) for ts in bars["ts"].to_pylist()] == ["2024-03-08 00:00:00+00:00"] * 3


@pytest.mark.parametrize(
    ("calendar", "day", "minutes"),
    [
        ("XNYS", date(2024, 3, 8), 390),
        ("XNYS", date(2024, 11, 29), 210),
        ("XNYS", date(2024, 3, 11), 390),
        ("XTKS", date(2024, 3, 8), 300),
        ("24/7", date(2024, 3, 10), 1440),
        ("fx", date(2024, 3, 8), 22 * 60),
        ("fx", date(2024, 3, 10), 3 * 60),
        ("fx", date(2024, 3, 9), 0),
        ("XNYS", date(2024, 3, 29), 0),
    ],
)
def test_half_days_clock_changes_breaks_and_weekends(calendar: str, day: date, minutes: int) -> None:
    feed = simulated_feed(calendar, symbols=("AAA",), faults=(("quiet_minutes", 0),))

    assert simulate_bars(feed, day).num_rows == minutes


def test_the_first_minute_after_a_clock_change_is_the_exchanges_open() -> None:
    before = simulate_bars(simulated_feed(symbols=("AAA",)), FRIDAY)
    after = simulate_bars(simulated_feed(symbols=("AAA",)), date(2024, 3, 11))

    assert f"{before['ts'][0].as_py():%H:%M}" == "14:30"
    assert f"{after['ts'][0].as_py():%H:%M}" == "13:30"


def test_a_symbol_does_not_depend_on_the_others() -> None:
    alone = simulate_bars(simulated_feed(symbols=("BBB",)), FRIDAY)
    among = simulate_bars(simulated_feed(symbols=("AAA", "BBB", "ZZZ"), symbol_count=900), FRIDAY)

    same = among.filter(pc.equal(among["symbol"].cast(pa.string()), pa.scalar("BBB")))
    assert same.to_pylist() == alone.to_pylist()


def test_seeds_and_days_differ() -> None:
    feed = simulated_feed()
    tables = [
        simulate_bars(feed, FRIDAY),
        simulate_bars(feed, FRIDAY - timedelta(days=1)),
        simulate_bars(simulated_feed(seed=8), FRIDAY),
    ]

    assert len({digest(table, feed) for table in tables}) == 3


def test_share_volumes_are_whole_coins_are_not_and_currencies_have_none() -> None:
    shares = simulate_bars(simulated_feed("XNYS"), FRIDAY)["volume"].to_numpy()
    coins = simulate_bars(simulated_feed("24/7"), FRIDAY)["volume"].to_numpy()
    currencies = simulate_bars(simulated_feed("fx"), FRIDAY)

    assert (shares == np.floor(shares)).all()
    assert (coins != np.floor(coins)).mean() > 0.9
    assert currencies["volume"].null_count == currencies.num_rows
    assert currencies["vwap"].null_count == currencies.num_rows


@pytest.mark.parametrize(("asset_class", "step"), [(AssetClass.FUTURE, 0.25), (AssetClass.BOND, 0.03125)])
def test_prices_lie_on_the_tick_grid(asset_class: AssetClass, step: float) -> None:
    bars = simulate_bars(simulated_feed(asset_class=asset_class), FRIDAY)

    for name in ("open", "high", "low", "close"):
        assert (bars[name].to_numpy() % step == 0).all()


def test_prices_have_at_most_the_decimals_of_their_class() -> None:
    bars = simulate_bars(simulated_feed("fx"), FRIDAY)

    texts = [repr(value) for value in bars["close"].to_pylist()]
    assert max(len(text.partition(".")[2]) for text in texts) == 5


@pytest.mark.parametrize(("calendar", "interval"), [("XNYS", "1w"), ("XNYS", "1M"), ("XNYS", "2d"), ("24/7", "7h")])
def test_intervals_that_are_not_simulated_are_refused(calendar: str, interval: str) -> None:
    with pytest.raises(SettingsInvalid, match=f"demo_us: .*{interval}"):
        simulate_bars(simulated_feed(calendar, interval), FRIDAY)
