"""Bars of good sessions where a ticker is renamed, and taken by another instrument, in mid-week."""

from pathlib import Path

import pytest

from marketdata_pipelines.pipeline.reference_intake import IntakeRun, take_in_reference
from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines.settings.references_file import load_references
from marketdata_pipelines_tests.builders import bar, column, make_home, source_of, take_in, us, walk_stale
from marketdata_pipelines_tests.quality_tables import scored, store_quality

FEEDS = """
references:
  instruments: {kind: instruments}
feeds:
  us: {source: {kind: files}, interval: 1d, calendar: XNYS, instruments: instruments}
"""
INSTRUMENTS = """\
instrument_id,symbol,from,to,type
first,OLD,2020-01-01,2024-01-09,equity
first,NEW,2024-01-10,,equity
second,OLD,2024-01-10,,equity
"""
WEEK = ("2024-01-08", "2024-01-09", "2024-01-10", "2024-01-11", "2024-01-12")
KNOWN = "2024-02-01T00:00:00Z"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> LakeReader:
    """OLD was bad on Tuesday, when it was the first instrument's ticker; everything else is good."""
    home = make_home(tmp_path_factory.mktemp("renamed") / "home", FEEDS)
    found = LakeReader(home)
    names = [("OLD", WEEK[0]), ("OLD", WEEK[1]), *(("NEW", day) for day in WEEK[2:]), *(("OLD", d) for d in WEEK[2:])]
    rows = [bar(symbol, f"{day} 00:00", 100.0) for symbol, day in names]
    take_in(found.lake, found.feed("us"), source_of("us.csv", rows), known_at=KNOWN)
    walk_stale(found.lake, found.feed("us"))
    path = Path(home / "instruments.csv")
    path.write_text(INSTRUMENTS)
    reference = load_references(home / "feeds.yaml")["instruments"]
    list(take_in_reference(found.lake, reference, [str(path)], IntakeRun("run", us(KNOWN))))
    store_quality(
        found.lake, "us", "2024-01-01", [scored(name, day, 40.0 if day == WEEK[1] else 95.0) for name, day in names]
    )
    return found


def test_a_week_is_judged_by_its_instruments_sessions_under_any_name(reader: LakeReader) -> None:
    every = reader.bars("us", timeframe="1w", instrument_ids=True)
    good = reader.bars("us", timeframe="1w", instrument_ids=True, min_quality=90)

    assert sorted(column(every, "instrument_id")) == ["first", "second"]
    assert column(good, "instrument_id") == ["second"]


def test_the_column_of_instruments_is_there_only_when_asked_for(reader: LakeReader) -> None:
    assert reader.bars("us", timeframe="1w", min_quality=0).schema == reader.bars("us", timeframe="1w").schema
    assert "instrument_id" in reader.bars("us", instruments=["first"], min_quality=0).column_names


def test_days_are_judged_by_the_symbol_they_came_under(reader: LakeReader) -> None:
    found = reader.bars("us", instruments=["first"], min_quality=90)

    assert [ts[:10] for ts in column(found, "ts")] == [WEEK[0], *WEEK[2:]]
