"""Roll tables asked of a small lake of daily bars."""

from datetime import date

import pyarrow as pa
import pytest

from marketdata_pipelines.errors import SchemaMismatch, SettingsInvalid
from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines.serving.continuous import ContinuousSeries
from marketdata_pipelines.serving.rolls import ROLL_SCHEMA, series_choice
from marketdata_pipelines_tests.builders import Row, bar, column, day, make_home, source_of, take_in, walk_stale

FEEDS = """
feeds:
  cme: {source: landing, interval: 1d, calendar: CMES}
  short: {source: landing, interval: 1d, calendar: CMES}
"""
# Monday the 9th to Friday the 13th of December 2013.
WEEK = [day(f"2013-12-{number:02d}") for number in range(9, 14)]


def _week(symbol: str, price: float, *volumes: float | None) -> list[Row]:
    return [bar(symbol, f"{at}", price + n, volume=v) for n, (at, v) in enumerate(zip(WEEK, volumes, strict=False))]


def _interest(*figures: tuple[str, date, float | None]) -> pa.Table:
    names = ("symbol", "session_date", "open_interest")
    return pa.table(dict(zip(names, map(list, zip(*figures, strict=True)), strict=True)))


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> ContinuousSeries:
    reader = LakeReader(make_home(tmp_path_factory.mktemp("data"), FEEDS))
    rows = [
        *_week("ES_201312", 1800.0, 9, 9, 4, 3, 2),
        *_week("ES_201403", 1790.0, 1, 2, 5, 6, 7),
        *_week("ES_201406", 1780.0, 1, 1, 1, 1, 1),
        *_week("XY_201312", 10.0, 9, 9, 4, 3, 2),
        *_week("XY_201403", 11.0, 1, 2, 5, 6, 7),
        *_week("NV_201312", 10.0, *[None] * 5),
        *_week("NV_201403", 10.0, *[None] * 5),
        *_week("ESZ3 C1800", 1.0, 1),
    ]
    take_in(reader.lake, reader.feed("cme"), source_of("week.csv", rows))
    decade = [bar("ESZ3", "2013-12-12"), bar("ESH4", "2013-12-12", 101.0, volume=500.0), bar("ESH4", "2013-12-13")]
    decade += [bar("ESZ3", "2023-12-12"), bar("ESH4", "2023-12-12", 101.0, volume=500.0), bar("ESH4", "2023-12-13")]
    double = [bar("NQZ3", "2013-12-12"), bar("NQ_201312", "2013-12-12")]
    take_in(reader.lake, reader.feed("short"), source_of("short.csv", decade + double))
    for name in ("cme", "short"):
        assert not any(outcome.blocked for outcome in walk_stale(reader.lake, reader.feed(name)))
    return ContinuousSeries(reader, {})


def test_a_roll_by_volume_says_its_day_prices_and_volumes(series: ContinuousSeries) -> None:
    found = series.rolls("cme", "ES")

    assert found.schema == ROLL_SCHEMA
    assert found.to_pylist() == [
        {
            "root": "ES",
            "from_contract": "ES_201312",
            "to_contract": "ES_201403",
            "roll_date": day("2013-12-12"),
            "rule": "volume",
            "from_close": 1802.0,
            "to_close": 1792.0,
            "difference": -10.0,
            "ratio": 1792.0 / 1802.0,
            "from_volume": 4.0,
            "to_volume": 5.0,
            "cause": "volume",
            "decided_on": day("2013-12-11"),
            "closes_on": day("2013-12-11"),
            "is_exact": True,
            "from_month": "2013-12",
            "to_month": "2014-03",
            "from_open_interest": None,
            "to_open_interest": None,
        }
    ]


def test_the_second_contract_rolls_on_the_same_day(series: ContinuousSeries) -> None:
    found = series.rolls("cme", "es", rank=1).to_pylist()

    assert [(row["from_contract"], row["to_contract"], row["roll_date"]) for row in found] == [
        ("ES_201403", "ES_201406", day("2013-12-12"))
    ]


def test_a_roll_after_the_last_session_is_told(series: ContinuousSeries) -> None:
    found = series.rolls("cme", "ES", sessions_exceeded=3)

    assert column(found, "roll_date") == [day("2013-12-16")]
    assert column(found, "decided_on") == [day("2013-12-13")]


def test_the_calendar_rule_takes_the_venues_expiry(series: ContinuousSeries) -> None:
    # The third Friday of December 2013 is the 20th.
    by_default, late = (
        series.rolls("cme", "ES", roll="calendar"),
        series.rolls("cme", "ES", roll="calendar", sessions_before_expiry=8),
    )

    assert (column(by_default, "roll_date"), column(by_default, "cause")) == ([day("2013-12-12")], ["calendar"])
    assert column(late, "roll_date") == [day("2013-12-10")]


def test_a_root_without_an_expiry_rolls_by_volume_and_not_by_calendar(series: ContinuousSeries) -> None:
    assert column(series.rolls("cme", "XY"), "roll_date") == [day("2013-12-12")]
    with pytest.raises(SettingsInvalid, match=r"the calendar rule needs the expiry of 2013-12, .*instruments"):
        series.rolls("cme", "XY", roll="calendar")


def test_open_interest_comes_from_the_caller(series: ContinuousSeries) -> None:
    figures = [("ES_201312", WEEK[0], 9.0), ("ES_201403", WEEK[0], 10.0), ("ES_201406", WEEK[0], None)]

    found = series.rolls("cme", "ES", roll="open_interest", open_interest=_interest(*figures)).to_pylist()

    assert [(row["roll_date"], row["cause"]) for row in found] == [(WEEK[1], "open_interest")]
    assert (found[0]["from_open_interest"], found[0]["to_open_interest"]) == (9.0, 10.0)


def test_open_interest_that_is_missing_or_unreadable_is_said(series: ContinuousSeries) -> None:
    strange = _interest(("ESZ3", WEEK[0], 9.0))
    bad = pa.table({"symbol": ["A"], "session_date": ["soon"], "open_interest": [1.0]})

    with pytest.raises(SettingsInvalid, match="needs a table of symbol, session_date and open_interest"):
        series.rolls("cme", "ES", roll="open_interest")
    with pytest.raises(SettingsInvalid, match="bars carry none"):
        series.rolls("cme", "ES", roll="open_interest", open_interest=strange)
    with pytest.raises(SchemaMismatch, match="has no session_date, open_interest"):
        series.rolls("cme", "ES", roll="open_interest", open_interest=pa.table({"symbol": ["A"]}))
    with pytest.raises(SchemaMismatch, match="cannot be read as symbol, date and number"):
        series.rolls("cme", "ES", roll="open_interest", open_interest=bad)


def test_unknown_volumes_are_said(series: ContinuousSeries) -> None:
    with pytest.raises(SettingsInvalid, match="none is known of these contracts; roll by calendar"):
        series.rolls("cme", "NV")


def test_a_range_chooses_rolls_and_changes_none(series: ContinuousSeries) -> None:
    assert series.rolls("cme", "ES", start="2013-12-12", end="2013-12-12").num_rows == 1
    assert series.rolls("cme", "ES", end="2013-12-11").num_rows == 0
    assert series.rolls("cme", "ES", start="2013-12-13").num_rows == 0


def test_only_chosen_months_are_in_the_chain(series: ContinuousSeries) -> None:
    found = series.rolls("cme", "ES", months="zm", roll="calendar")

    assert column(found, "to_contract") == ["ES_201406"]
    with pytest.raises(SettingsInvalid, match="give codes of FGHJKMNQUVXZ"):
        series.rolls("cme", "ES", months="A")
    with pytest.raises(SettingsInvalid, match="no contract of 'ES' of the months F; roots there: ES, NV, XY"):
        series.rolls("cme", "ES", months="F")


def test_an_unknown_root_names_those_there_are(series: ContinuousSeries) -> None:
    with pytest.raises(SettingsInvalid, match="cme has no contract of 'CL'; roots there: ES, NV, XY"):
        series.rolls("cme", "CL")


def test_one_symbol_is_two_contracts_ten_years_apart(series: ContinuousSeries) -> None:
    found = series.rolls("short", "ES").to_pylist()

    seen = [(row["from_contract"], row["from_month"], row["to_month"], str(row["roll_date"])) for row in found]
    assert seen[0] == ("ESZ3", "2013-12", "2014-03", "2013-12-13")
    assert seen[-1] == ("ESZ3", "2023-12", "2024-03", "2023-12-13")
    bars = series.bars("short", "ES")
    assert column(bars, "contract") == ["ESZ3", "ESH4", "ESZ3", "ESH4"]


def test_two_symbols_of_one_contract_are_refused(series: ContinuousSeries) -> None:
    with pytest.raises(
        SettingsInvalid, match=r"NQZ3 and NQ_201312 of short are both|NQ_201312 and NQZ3 of short are both"
    ):
        series.rolls("short", "NQ")


def test_numbers_of_another_rule_are_refused() -> None:
    with pytest.raises(SettingsInvalid, match="allowed: calendar, volume, open_interest"):
        series_choice("oi")
    with pytest.raises(SettingsInvalid, match="compares nothing"):
        series_choice("calendar", sessions_exceeded=2)
    with pytest.raises(SettingsInvalid, match="counts no sessions before expiry"):
        series_choice("volume", sessions_before_expiry=2)
