"""Contracts under names that say nothing, told apart by reference data."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from marketdata_pipelines.domain.references import Reference
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.pipeline.reference_intake import IntakeRun, take_in_reference
from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines.serving.continuous import ContinuousSeries
from marketdata_pipelines.settings.references_file import load_references
from marketdata_pipelines_tests.builders import (
    LATER,
    bar,
    column,
    day,
    make_home,
    source_of,
    take_in,
    us,
    walk_stale,
)

FEEDS = """
references:
  futures: {kind: instruments, mode: replace}
feeds:
  cme: {source: landing, interval: 1d, calendar: CMES, instruments: futures}
"""
LISTED = """instrument_id,symbol,from,to,type,root,contract_month,expiry
cocoa-dec,C1,2013-01-01,2013-12-11,future,CC,2013-12,2013-12-13
cocoa-dec,C1X,2013-12-12,,future,CC,2013-12,2013-12-13
cocoa-mar,C2,2013-01-01,,future,CC,2014-03,2014-03-14
"""
LATE = LISTED.replace("2013-12-13", "2013-12-19")


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> ContinuousSeries:
    """Two contracts under names of a vendor's own, one renamed; their expiry was first listed wrongly."""
    home = make_home(tmp_path_factory.mktemp("data") / "home", FEEDS)
    reader, references = LakeReader(home), load_references(home / "feeds.yaml")
    days = [f"2013-12-{number:02d}" for number in (9, 10, 11, 12, 13)]
    first = [bar("C1" if at < "2013-12-12" else "C1X", at, 2700.0, volume=9.0) for at in days]
    second = [bar("C2", at, 2710.0, volume=1.0) for at in days]
    take_in(reader.lake, reader.feed("cme"), source_of("cc.csv", first + second), known_at="2013-12-14 00:00")
    assert not any(outcome.blocked for outcome in walk_stale(reader.lake, reader.feed("cme")))
    _list(reader, references, home / "late.csv", LATE, us("2014-01-01 00:00"))
    _list(reader, references, home / "listed.csv", LISTED, LATER)
    return ContinuousSeries(reader, references)


def _list(reader: LakeReader, references: Mapping[str, Reference], file: Path, text: str, known_us: int) -> None:
    file.write_text(text, encoding="utf-8")
    run = IntakeRun(run_id=file.stem, now_us=known_us)
    (taken,) = take_in_reference(reader.lake, references["futures"], [str(file)], run)
    assert taken.status == "accepted", taken


def test_reference_data_say_root_month_and_expiry(series: ContinuousSeries) -> None:
    found = series.rolls("cme", "CC", roll="calendar", sessions_before_expiry=1).to_pylist()

    told = [(row["from_contract"], row["to_contract"], row["from_month"], row["to_month"]) for row in found]
    assert told == [("C1X", "C2", "2013-12", "2014-03")]
    assert [row["roll_date"] for row in found] == [day("2013-12-12")]


def test_expiry_forces_the_roll_by_volume(series: ContinuousSeries) -> None:
    found = series.rolls("cme", "CC")

    assert (column(found, "roll_date"), column(found, "cause")) == ([day("2013-12-13")], ["expiry"])


def test_a_renamed_contract_is_one_contract(series: ContinuousSeries) -> None:
    found = series.bars("cme", "CC", roll="volume")

    assert column(found, "contract") == ["C1", "C1", "C1", "C1X", "C2"]


def test_as_of_an_instant_the_reference_is_the_one_known_then(series: ContinuousSeries) -> None:
    then = series.rolls("cme", "CC", roll="calendar", sessions_before_expiry=4, as_of="2014-06-01")
    now = series.rolls("cme", "CC", roll="calendar", sessions_before_expiry=4)

    assert column(then, "roll_date") == [day("2013-12-13")]
    # The first session's contract is due in it already, so the series begins on the next one.
    assert column(now, "roll_date") == []


def test_before_anything_was_listed_nothing_is_a_contract(series: ContinuousSeries) -> None:
    with pytest.raises(SettingsInvalid, match="cme has no contract of 'CC'; roots there: none"):
        series.rolls("cme", "CC", as_of="2013-12-20")


def test_what_bars_can_add_is_there_also_in_weeks(series: ContinuousSeries) -> None:
    found = series.bars("cme", "CC", "1w", instrument_ids=True)

    assert column(found, "instrument_id") == ["cocoa-mar"]
    assert column(found, "contract") == ["C2"]
    assert column(found, "volume") == [37.0]
