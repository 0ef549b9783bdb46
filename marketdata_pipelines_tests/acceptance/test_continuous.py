"""Real contracts of ES through the lake: a roll table checked by hand, and the series it makes.

What was checked, from the file alone (no code of this project): the volume and last close of each contract and UTC day,
by a pivot of the file's rows. On the last days of the file they are

    day          volume ES_201312  ES_201403    ES_201406    close ES_201312  ES_201403  ES_201406
    2013-12-02            1303719       3596           50            1800.75    1794.75    1788.00
    2013-12-03            1686162          -            -            1792.00          -          -
    2013-12-18             284376    2261640          657            1811.25    1805.00    1798.00
    2013-12-20              19810    1308434          883            1810.25    1817.25    1810.50

and before them December always has more than 300 times the volume of March. So December is left for the session after
the 18th. ES_201312 expired on Friday the 20th (its last bar opens at 14:29 UTC, at the market's open in New York);
six sessions before it is Thursday the 12th, which the file leaves out, and before which December traded alone.
"""

from datetime import date
from typing import Any

import pandas as pd
import pytest

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines.serving.continuous import ContinuousSeries
from marketdata_pipelines_tests.acceptance.commands import run, shared_data
from marketdata_pipelines_tests.builders import column, make_home

FEEDS = """
feeds:
  futures: {source: {kind: files}, interval: 1m, calendar: CMES, anchor: utc}
"""
FILE = "csv_gz/CME_ES_1m_2013.csv.gz"
SHOWN = (
    "from_contract", "to_contract", "roll_date", "cause", "decided_on", "from_volume", "to_volume", "closes_on",
    "from_close", "to_close", "difference", "is_exact",
)  # fmt: skip
DEC_18 = date(2013, 12, 18)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> LakeReader:
    """The file in a lake, loaded and materialized through the command line."""
    file = shared_data() / FILE
    home = make_home(tmp_path_factory.mktemp("futures") / "home", FEEDS)
    ended = run(home, "ingest", "futures", str(file), "--materialize")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return LakeReader(home)


@pytest.fixture(scope="module")
def series(reader: LakeReader) -> ContinuousSeries:
    return ContinuousSeries(reader, {})


def _rolls(series: ContinuousSeries, **choice: Any) -> list[tuple[object, ...]]:
    return [tuple(row[name] for name in SHOWN) for row in series.rolls("futures", "ES", **choice).to_pylist()]


def test_the_roll_by_volume_is_the_one_checked_by_hand(series: ContinuousSeries) -> None:
    assert _rolls(series) == [
        ("ES_201312", "ES_201403", date(2013, 12, 19), "volume", DEC_18, 284376.0, 2261640.0,
         DEC_18, 1811.25, 1805.0, -6.25, True),
    ]  # fmt: skip


def test_the_second_contracts_roll_is_the_one_checked_by_hand(series: ContinuousSeries) -> None:
    assert _rolls(series, rank=1) == [
        ("ES_201403", "ES_201406", date(2013, 12, 19), "volume", DEC_18, 2261640.0, 657.0,
         DEC_18, 1805.0, 1798.0, -7.0, True),
    ]  # fmt: skip


def test_expiry_forces_the_roll_that_volume_has_not_confirmed(series: ContinuousSeries) -> None:
    # Of the sessions with bars only the 18th has more volume in March before the contract expires on the 20th.
    assert _rolls(series, sessions_exceeded=2) == [
        ("ES_201312", "ES_201403", date(2013, 12, 20), "expiry", DEC_18, 284376.0, 2261640.0,
         DEC_18, 1811.25, 1805.0, -6.25, True),
    ]  # fmt: skip


def test_the_roll_by_calendar_is_the_one_checked_by_hand(series: ContinuousSeries) -> None:
    assert _rolls(series, roll="calendar") == [
        ("ES_201312", "ES_201403", date(2013, 12, 12), "calendar", date(2013, 12, 3), 1686162.0, None,
         date(2013, 12, 2), 1800.75, 1794.75, -6.0, False),
    ]  # fmt: skip


def test_the_series_is_each_contracts_own_minutes(series: ContinuousSeries, reader: LakeReader) -> None:
    source = pd.read_csv(shared_data() / FILE)
    ours = source[
        ((source["contract"] == "ES_201312") & (source["ts_event"] < "2013-12-19"))
        | ((source["contract"] == "ES_201403") & (source["ts_event"] >= "2013-12-19"))
    ].sort_values("ts_event", ignore_index=True)

    found = series.bars("futures", "ES", session="all").to_pandas()

    assert len(found) == len(ours)
    assert (found["ts"] == pd.to_datetime(ours["ts_event"])).all()
    assert (found["contract"] == ours["contract"]).all()
    for name in ("open", "high", "low", "close", "volume"):
        assert (found[name] == ours[name]).all(), name


def test_the_return_over_the_roll_is_marchs_own(series: ContinuousSeries) -> None:
    plain, moved, scaled = (
        column(series.bars("futures", "ES", "1d", adjust=adjust), "close") for adjust in ("none", "difference", "ratio")
    )

    # From 1805.00 on the 18th to 1817.25 on the 20th, though December closed at 1811.25.
    assert plain[-2:] == [1811.25, 1817.25]
    assert moved[-2:] == [1805.0, 1817.25]
    assert scaled[-1] / scaled[-2] == pytest.approx(1817.25 / 1805.0, rel=1e-14)
    assert moved[0] == 1676.5 - 6.25


def test_a_roll_without_a_common_close_right_before_it_is_adjusted_only_as_told(series: ContinuousSeries) -> None:
    with pytest.raises(SettingsInvalid, match=r"on 2013-12-12 has no close of both right before it.* 2013-12-02"):
        series.bars("futures", "ES", "1d", roll="calendar", adjust="difference")

    last = series.bars("futures", "ES", "1d", roll="calendar", adjust="difference", on_missing="last")
    kept = series.bars("futures", "ES", "1d", roll="calendar", adjust="difference", on_missing="keep")

    assert column(last, "close")[-3:] == [1786.0, 1805.0, 1817.25]
    assert column(kept, "close")[-3:] == [1792.0, 1805.0, 1817.25]
