"""Trades laid into minutes, as integers."""

from datetime import date

import numpy as np
import pytest

from marketdata_pipelines.domain.feeds import AssetClass
from marketdata_pipelines.sources.simulated.market import open_market, session_of
from marketdata_pipelines.sources.simulated.minutes import simulate_minutes
from marketdata_pipelines.sources.simulated.ticks import simulate_ticks
from marketdata_pipelines_tests.sources.simulated.feeds import simulated_feed


@pytest.mark.parametrize("asset_class", [AssetClass.EQUITY, AssetClass.OPTION, AssetClass.CRYPTO])
def test_each_minutes_trades_give_the_minute_back(asset_class: AssetClass) -> None:
    feed = simulated_feed(symbols=(), symbol_count=20, asset_class=asset_class)
    session = session_of(feed, date(2024, 3, 8))
    assert session is not None
    market = open_market(feed)
    block = simulate_minutes(market, session, 0.01)

    ticks = simulate_ticks(market.keys, session.date.toordinal(), block)

    minute = (ticks.ts // 1000 - session.open) // 60_000_000
    first = np.flatnonzero(np.diff(ticks.symbol * 10_000 + minute, prepend=-1))
    last = np.append(first[1:], len(minute)) - 1
    traded = block.traded
    assert ticks.price[first].tolist() == block.open[traded].tolist()
    assert ticks.price[last].tolist() == block.close[traded].tolist()
    assert np.maximum.reduceat(ticks.price, first).tolist() == block.high[traded].tolist()
    assert np.minimum.reduceat(ticks.price, first).tolist() == block.low[traded].tolist()
    assert np.add.reduceat(ticks.size, first).tolist() == block.volume[traded].tolist()
    assert (ticks.size >= 1).all()
