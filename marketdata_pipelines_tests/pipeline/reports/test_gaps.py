"""Missing bars by time of the day."""

from datetime import date

import numpy as np

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import MINUTE_US
from marketdata_pipelines.pipeline.reports.bars import BarSample, choose_sample
from marketdata_pipelines.pipeline.reports.gaps import gap_bins
from marketdata_pipelines.quality.report.records import GapBin
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import bar, make_feed, minutes, source_of, take_in, us, walk_stale
from marketdata_pipelines_tests.pipeline.report_lakes import (
    SessionRows,
    names_of,
    sessions_of,
    store_session,
    walk_prices,
)

FEED = make_feed("XNYS", "1m", name="stocks_1m")
SYMBOLS = names_of(4)


def stored(lake: Lake, kept: np.ndarray) -> BarSample:
    """One winter session from 14:30 to 21:00 UTC of which these bars are there."""
    item: SessionRows = sessions_of(FEED, date(2024, 1, 5), 1)[0]
    bars = walk_prices(np.random.default_rng(1), len(SYMBOLS), item.session.minutes, np.full(len(SYMBOLS), 50.0))
    store_session(lake, FEED, SYMBOLS, item, bars, kept)
    return choose_sample(FEED, SYMBOLS, [item.session.date], ())


def test_missing_bars_lie_at_their_time_of_day(lake: Lake) -> None:
    kept = np.ones((4, 390), bool)
    kept[0, 30:40] = False
    kept[:, 385:] = False

    bins = gap_bins(lake, FEED, stored(lake, kept))

    missing = [each for each in bins if each.missing]
    assert missing == [GapBin(900, 5, 5, 20), GapBin(905, 5, 5, 20), GapBin(1255, 5, 20, 20)]
    assert (bins[0].start_minute, bins[-1].start_minute, sum(each.expected for each in bins)) == (870, 1255, 4 * 390)


def test_symbols_that_seldom_trade_do_not_count(lake: Lake) -> None:
    kept = np.ones((4, 390), bool)
    kept[0] = False
    kept[0, ::10] = True

    bins = gap_bins(lake, FEED, stored(lake, kept))

    assert sum(each.missing for each in bins) == 0
    assert sum(each.expected for each in bins) == 3 * 390


def test_what_was_not_known_yet_is_not_missing(lake: Lake) -> None:
    feed: Feed = make_feed("24/7", "1m")
    take_in(lake, feed, source_of("a.csv", minutes("BTC", "2024-01-02 00:00", 60)), known_at="2024-01-02 01:00")
    walk_stale(lake, feed)

    bins = gap_bins(lake, feed, choose_sample(feed, ["BTC"], [date(2024, 1, 2)], ()))

    assert (sum(each.missing for each in bins), sum(each.expected for each in bins)) == (0, 60)


def test_coarse_bars_are_expected_where_another_symbol_has_one(lake: Lake) -> None:
    feed = make_feed("XNYS", "1h", anchor=make_feed("24/7", "1h").anchor)
    first = us("2024-01-05 14:00")
    rows = [
        bar(symbol, first + hour * 60 * MINUTE_US) for symbol in "AB" for hour in range(6) if (symbol, hour) != ("B", 3)
    ]
    take_in(lake, feed, source_of("a.csv", rows))
    walk_stale(lake, feed)

    bins = gap_bins(lake, feed, choose_sample(feed, ["A", "B"], [date(2024, 1, 5)], ()))

    assert [(each.start_minute, each.minutes) for each in bins if each.missing] == [(17 * 60, 60)]


def test_daily_bars_and_empty_lakes_have_none(lake: Lake) -> None:
    sample = BarSample(("A",), 1, (date(2024, 1, 5),), ())

    assert gap_bins(lake, make_feed("XNYS", "1d"), sample) == ()
    assert gap_bins(lake, FEED, sample) == ()
