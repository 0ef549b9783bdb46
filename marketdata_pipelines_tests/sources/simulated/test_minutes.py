"""The base walk of one-minute bars."""

from datetime import date

import numpy as np
import pytest

from marketdata_pipelines.domain.feeds import AssetClass
from marketdata_pipelines.sources.simulated.market import open_market, session_of
from marketdata_pipelines.sources.simulated.minutes import MinuteBlock, simulate_minutes
from marketdata_pipelines_tests.sources.simulated.feeds import CME_BREAK, simulated_feed


def minutes(
    calendar: str, day: date, *, symbol_count: int = 50, quiet: float = 0.002, **options: object
) -> MinuteBlock:
    feed = simulated_feed(calendar, symbols=(), symbol_count=symbol_count, **options)  # type: ignore[arg-type]
    session = session_of(feed, day)
    assert session is not None
    return simulate_minutes(open_market(feed), session, quiet)


@pytest.mark.parametrize("asset_class", AssetClass)
def test_every_bar_is_sound(asset_class: AssetClass) -> None:
    block = minutes("XNYS", date(2024, 3, 8), asset_class=asset_class)

    assert (block.low >= 1).all()
    assert (block.low <= np.minimum(block.open, block.close)).all()
    assert (block.high >= np.maximum(block.open, block.close)).all()
    assert (block.trades >= 4).all()
    assert (block.volume >= block.trades).all()


def test_first_and_last_minute_trade_even_when_nearly_all_is_quiet() -> None:
    block = minutes("XNYS", date(2024, 3, 8), quiet=0.999)

    assert block.traded[:, 0].all()
    assert block.traded[:, -1].all()
    assert block.traded[:, 1:-1].mean() < 0.01


def test_the_share_of_quiet_minutes_is_the_asked_one() -> None:
    block = minutes("XNYS", date(2024, 3, 8), symbol_count=200, quiet=0.05)

    assert 0.94 < block.traded.mean() < 0.96


def test_no_quiet_minutes_when_none_are_asked() -> None:
    assert minutes("24/7", date(2024, 3, 8), quiet=0).traded.all()


def test_volume_and_movement_are_larger_at_both_ends_of_the_session() -> None:
    block = minutes("XNYS", date(2024, 3, 8), symbol_count=400)

    ranges = (block.high - block.low).sum(axis=0)
    volume = block.volume.sum(axis=0)
    for shape in (ranges, volume):
        middle = shape[180:210].mean()
        assert shape[:15].mean() > 1.7 * middle
        assert shape[-15:].mean() > 1.7 * middle


def test_a_round_the_clock_day_ends_where_the_next_begins() -> None:
    today, tomorrow = minutes("24/7", date(2024, 3, 8)), minutes("24/7", date(2024, 3, 9))

    assert np.abs(tomorrow.open[:, 0] - today.close[:, -1]).max() <= 1


def test_an_exchange_gaps_overnight() -> None:
    friday, monday = minutes("XNYS", date(2024, 3, 8)), minutes("XNYS", date(2024, 3, 11))

    assert (np.abs(monday.open[:, 0] - friday.close[:, -1]) > 1).mean() > 0.8


def test_a_break_is_left_out_and_each_segment_has_its_anchor() -> None:
    block = minutes("XTKS", date(2024, 3, 8))

    opens = np.unique(block.anchor)
    assert len(block.ts) == 300
    assert opens.astype("datetime64[us]").astype(str).tolist() == [
        "2024-03-08T00:00:00.000000",
        "2024-03-08T03:30:00.000000",
    ]


def test_a_future_session_starts_the_evening_before_and_skips_the_daily_break() -> None:
    block = minutes("CMES", date(2024, 3, 8), breaks=CME_BREAK)

    assert str(block.ts[0].astype("datetime64[us]")) == "2024-03-07T23:00:00.000000"
    assert str(block.ts[-1].astype("datetime64[us]")) == "2024-03-08T21:59:00.000000"
    assert len(block.ts) == 23 * 60
