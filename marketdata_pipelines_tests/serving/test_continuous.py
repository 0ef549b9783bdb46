"""Continuous series asked of a small lake: three contracts, two rolls by volume, three weeks."""

from datetime import date
from itertools import pairwise

import pyarrow as pa
import pytest

from marketdata_pipelines.domain.trading_days import TradingDays
from marketdata_pipelines.errors import PartitionMissing, SettingsInvalid
from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines.serving.continuous import ContinuousSeries
from marketdata_pipelines_tests.builders import Row, bar, column, day, make_home, source_of, take_in, walk_stale

FEEDS = """
feeds:
  cme: {source: landing, interval: 1h, calendar: {name: CMES, breaks: ["16:00-17:00"]}}
  apart: {source: landing, interval: 1d, calendar: CMES}
"""
SESSIONS = TradingDays([]).between(day("2013-12-02"), day("2013-12-20"))
# Volume goes to March in the session of Wednesday the 11th, to June in that of Tuesday the 17th.
FRONT = {"ESZ3": day("2013-12-10"), "ESH4": day("2013-12-16"), "ESM4": day("2013-12-31")}
LEVEL = {"ESZ3": 1800.0, "ESH4": 1793.5, "ESM4": 1786.25}


def _rows(symbol: str) -> list[Row]:
    """Three hours a session: two in the morning, and one at 22:30 the evening before, that is in the session too."""
    made = []
    for number, session in enumerate(SESSIONS):
        price, volume = LEVEL[symbol] + number, 50.0 if session <= FRONT[symbol] else 5.0
        if symbol != "ESZ3" and session <= FRONT["ESZ3" if symbol == "ESH4" else "ESH4"]:
            volume = 20.0 if symbol == "ESH4" else 10.0
        for hour in (15, 16):
            made.append(bar(symbol, f"{session} {hour}:00", price + hour / 4, high=price + 9.0, volume=volume))
        if session.weekday():
            evening = date.fromordinal(session.toordinal() - 1)
            made.append(bar(symbol, f"{evening} 23:00", price + 1, low=price - 1, volume=volume))
    return made


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> LakeReader:
    """The contracts of ES by the hour, and two contracts by the day that never trade in the same session."""
    found = LakeReader(make_home(tmp_path_factory.mktemp("data"), FEEDS))
    rows = [row for symbol in FRONT for row in _rows(symbol)]
    take_in(found.lake, found.feed("cme"), source_of("es.csv", [*rows, bar("SPY", "2013-12-02 15:00", 5.0)]))
    apart = [bar("GCZ2012", f"2012-12-{n}", 1700.0) for n in (24, 26)] + [bar("GCG2013", "2013-01-02", 1690.0)]
    again = [bar("GCG2013", "2013-02-25", 1600.0), bar("GCJ2013", "2013-02-25", 1601.0), bar("GCJ2013", "2013-02-28")]
    take_in(found.lake, found.feed("apart"), source_of("gc.csv", apart + again))
    for name in ("cme", "apart"):
        assert not any(outcome.blocked for outcome in walk_stale(found.lake, found.feed(name)))
    return found


@pytest.fixture(scope="module")
def series(reader: LakeReader) -> ContinuousSeries:
    return ContinuousSeries(reader, {})


def _in_force(session: date, rank: int = 0) -> str | None:
    chain = [*FRONT, None, None]
    return chain[sum(session >= taken for taken in (day("2013-12-12"), day("2013-12-18"))) + rank]


def test_bars_have_the_columns_of_bars_and_whose_they_are(series: ContinuousSeries, reader: LakeReader) -> None:
    for timeframe in (None, "2h", "1d", "1w", "1M"):
        found = series.bars("cme", "ES", timeframe)
        assert found.column_names == [*reader.bars("cme", None, timeframe).column_names, "contract"]
        assert found.schema.remove(14).types == reader.bars("cme", None, timeframe).schema.types
        assert set(column(found, "symbol")) == {"ES.v.0"}
        assert set(column(found, "timeframe")) == {timeframe or "1h"}


@pytest.mark.parametrize("timeframe", ["1h", "2h", "12h", "1d"])
@pytest.mark.parametrize("rank", [0, 1])
def test_unadjusted_bars_are_the_contracts_own_on_every_day(
    series: ContinuousSeries, reader: LakeReader, timeframe: str, rank: int
) -> None:
    found = series.bars("cme", "ES", timeframe, rank=rank)

    own = reader.bars("cme", list(FRONT), timeframe)
    mine = [
        _in_force(at, rank) == name for name, at in zip(column(own, "symbol"), column(own, "session_date"), strict=True)
    ]
    expected = own.filter(pa.array(mine)).sort_by("ts")
    assert found.drop_columns(["symbol", "contract"]).equals(expected.drop_columns(["symbol"]))
    assert column(found, "contract") == column(expected, "symbol")


def test_the_evening_before_belongs_to_the_session_of_the_roll(series: ContinuousSeries) -> None:
    found = series.bars("cme", "ES", start="2013-12-11", end="2013-12-12")

    seen = list(zip(column(found, "ts"), column(found, "contract"), strict=True))
    assert seen == [
        ("2013-12-10 23:00", "ESZ3"), ("2013-12-11 15:00", "ESZ3"), ("2013-12-11 16:00", "ESZ3"),
        ("2013-12-11 23:00", "ESH4"), ("2013-12-12 15:00", "ESH4"), ("2013-12-12 16:00", "ESH4"),
    ]  # fmt: skip


def test_instants_are_opens_without_the_end(series: ContinuousSeries) -> None:
    found = series.bars("cme", "ES", start="2013-12-11T16:00:00Z", end="2013-12-12T15:00:00Z")

    assert column(found, "ts") == ["2013-12-11 16:00", "2013-12-11 23:00"]


def test_a_week_across_a_roll_is_made_of_both_contracts_days(series: ContinuousSeries) -> None:
    days = series.bars("cme", "ES", "1d", "2013-12-09", "2013-12-13").to_pydict()
    found = series.bars("cme", "ES", "1w", "2013-12-09", "2013-12-09").to_pylist()

    assert len(found) == 1
    week = found[0]
    assert days["contract"] == ["ESZ3"] * 3 + ["ESH4"] * 2
    assert (week["open"], week["close"], week["contract"]) == (days["open"][0], days["close"][-1], "ESH4")
    assert (week["high"], week["low"]) == (max(days["high"]), min(days["low"]))
    assert (week["volume"], week["bar_count"]) == (sum(days["volume"]), 14)
    notional = sum(vwap * volume for vwap, volume in zip(days["vwap"], days["volume"], strict=True))
    assert week["vwap"] == pytest.approx(notional / week["volume"])
    assert week["is_final"] is True


def test_weeks_without_a_roll_are_the_contracts_own(series: ContinuousSeries, reader: LakeReader) -> None:
    found = series.bars("cme", "ES", "1w", end="2013-12-02").to_pylist()
    own = reader.bars("cme", ["ESZ3"], "1w", end="2013-12-02").to_pylist()

    assert [{**row, "symbol": "ESZ3", "vwap": None} for row in found] == [
        {**row, "vwap": None, "contract": "ESZ3"} for row in own
    ]
    assert found[0]["vwap"] == pytest.approx(own[0]["vwap"])


def test_buckets_are_those_labelled_in_the_range(series: ContinuousSeries) -> None:
    found = series.bars("cme", "ES", "1w", "2013-12-03", "2013-12-15")

    assert column(found, "session_date") == [day("2013-12-09")]
    assert series.bars("cme", "ES", "1M").num_rows == 1
    assert column(series.bars("cme", "ES", "2d"), "bar_count")[0] == 5


def test_adjusted_prices_meet_at_every_roll_and_end_at_the_last_contracts(
    series: ContinuousSeries, reader: LakeReader
) -> None:
    own = reader.bars("cme", ["ESM4"], "1d")
    plain = series.bars("cme", "ES", "1d").to_pydict()

    moved = series.bars("cme", "ES", "1d", adjust="difference").to_pydict()
    scaled = series.bars("cme", "ES", "1d", adjust="ratio").to_pydict()

    # Every contract goes up by one a session, at its own distance: brought to June's, nothing is left but that.
    assert moved["close"] == column(own, "close")
    assert moved["volume"] == scaled["volume"] == plain["volume"]
    changes = [after / before for before, after in pairwise(scaled["close"])]
    held = {name: reader.bars("cme", [name], "1d").to_pydict()["close"] for name in FRONT}
    expected = [held[name][n] / held[name][n - 1] for n, name in enumerate(plain["contract"]) if n]
    assert changes == pytest.approx(expected, rel=1e-12)
    assert scaled["close"][-1] == plain["close"][-1]


def test_the_anchor_is_the_last_contract_of_the_range(series: ContinuousSeries, reader: LakeReader) -> None:
    found = series.bars("cme", "ES", "1d", end="2013-12-13", adjust="difference")
    week = series.bars("cme", "ES", "1w", end="2013-12-09", adjust="difference")

    assert column(found, "close") == column(reader.bars("cme", ["ESH4"], "1d", end="2013-12-13"), "close")
    assert column(week, "close")[-1] == column(found, "close")[-1]


def test_a_series_that_ends_before_the_range_says_what_there_is(series: ContinuousSeries) -> None:
    with pytest.raises(PartitionMissing, match=r"no bars of ES.v.0 in that range; there: contracts 2013-12, 2014-03"):
        series.bars("cme", "ES", start="2014-06-01")
    with pytest.raises(PartitionMissing, match=r"no bars of ES.v.1 in that range"):
        series.bars("cme", "ES", start="2013-12-18", rank=1)


def test_wrong_choices_name_the_right_ones(series: ContinuousSeries) -> None:
    with pytest.raises(SettingsInvalid, match="adjust is 'back'; allowed: none, ratio, difference"):
        series.bars("cme", "ES", adjust="back")
    with pytest.raises(SettingsInvalid, match="on missing is 'skip'; allowed: error, last, keep"):
        series.bars("cme", "ES", on_missing="skip")
    with pytest.raises(SettingsInvalid, match="cme has no '3h' bars"):
        series.bars("cme", "ES", "3h")


def test_what_bars_understand_is_passed_on(series: ContinuousSeries) -> None:
    filled = series.bars("cme", "ES", start="2013-12-12", end="2013-12-12", fill="forward")

    assert filled["filled"].to_pylist().count(False) == 3
    assert filled.num_rows > 3
    with pytest.raises(SettingsInvalid, match="only intraday bars can be filled"):
        series.bars("cme", "ES", "1w", fill="forward")


def test_a_series_as_of_an_instant_is_made_of_what_was_known_then(reader: LakeReader, series: ContinuousSeries) -> None:
    assert series.bars("cme", "ES", "1d", as_of="2026-01-02").equals(series.bars("cme", "ES", "1d"))
    with pytest.raises(PartitionMissing):
        series.bars("cme", "ES", "1d", as_of="2020-01-01")


def test_contracts_without_a_common_close_are_adjusted_only_as_told(series: ContinuousSeries) -> None:
    plain = series.bars("apart", "GC", roll="volume")

    assert column(plain, "contract") == ["GCZ2012", "GCZ2012", "GCG2013", "GCG2013", "GCJ2013"]
    with pytest.raises(SettingsInvalid, match=r"2012-12 to 2013-02 on 2013-01-02 .* --on-missing keep"):
        series.bars("apart", "GC", adjust="difference")
    kept = series.bars("apart", "GC", adjust="difference", on_missing="keep")
    assert column(kept, "close") == [1701.0, 1701.0, 1691.0, 1601.0, 100.0]
