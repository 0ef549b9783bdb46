"""Bars asked of the lake, of the SQL store, or of whichever is right, through the one door users have."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines.serving.notes import answer_notes
from marketdata_pipelines.serving.queries.lake_store import LakeStore
from marketdata_pipelines.serving.queries.protocol import TotalsRequest
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines_tests.builders import bar, minutes, source_of, take_in, walk_stale
from marketdata_pipelines_tests.serving.queries.conftest import publish
from marketdata_pipelines_tests.serving.queries.equal_answers import same
from marketdata_pipelines_tests.store_databases import store_dsn

__all__ = ["store_dsn"]
FEEDS = """
feeds:
  us: {source: landing, interval: 1m, calendar: XNYS, extended_hours: [04:00, 20:00]}
"""
FRIDAY = "2024-03-08"


@pytest.fixture
def reader(store_dsn: str, home: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> LakeReader:
    """A lake of one session and the same in a store that the environment names."""
    monkeypatch.setenv("MARKETDATA_TIMESCALE_DSN", store_dsn)
    found = LakeReader(home(FEEDS))
    rows = [*minutes("A", "2024-03-08 14:30", 7), bar("A", "2024-03-08 14:40", 2.0), bar("A", "2024-03-08 22:00", 3.0)]
    more = minutes("B", "2024-03-08 14:30", 2)
    take_in(found.lake, found.feed("us"), source_of("a.csv", rows), source_of("b.csv", more))
    assert not any(outcome.blocked for outcome in walk_stale(found.lake, found.feed("us")))
    with Database(store_dsn) as database:
        database.migrate()
        publish(database, found.lake, found.feed("us"))
    return found


def test_every_store_gives_the_lakes_answer(reader: LakeReader) -> None:
    asked: list[dict[str, Any]] = [
        {},
        {"timeframe": "5m", "symbols": "A"},
        {"timeframe": "1d", "symbols": ["B"]},
        {"symbols": ["A"], "fill": "forward"},
        {"timeframe": "5m", "symbols": ["A"], "fill": "forward"},
        {"session": "all"},
        {"start": FRIDAY, "end": "2024-03-08T14:33:00Z"},
    ]
    expected = [reader.bars("us", **each) for each in asked]

    found = {store: [reader.bars("us", **each, store=store) for each in asked] for store in ("timescale", "auto")}

    reader.stores.close()
    for answers in found.values():
        assert [answer.num_rows for answer in answers if answer_notes(answer) or not answer.num_rows] == []
        for ours, theirs in zip(answers, expected, strict=True):
            same(ours, theirs)


def test_what_only_the_lake_can_answer_says_so(reader: LakeReader) -> None:
    past = reader.bars("us", as_of="2026-02-01", store="timescale")
    all_hours = reader.bars("us", timeframe="5m", session="all", store="auto")

    reader.stores.close()
    assert answer_notes(past) == ["answered from the lake: only the lake knows what was known earlier"]
    assert answer_notes(all_hours) == [
        "answered from the lake: the SQL store holds 5m bars of the regular session only"
    ]
    assert past.equals(reader.bars("us"))


def test_what_came_since_the_publication_is_in_autos_answer(reader: LakeReader) -> None:
    take_in(reader.lake, reader.feed("us"), source_of("c.csv", minutes("C", "2024-03-08 15:00", 3)))
    walk_stale(reader.lake, reader.feed("us"))

    auto = reader.bars("us", ["C"], store="auto")
    published = reader.bars("us", ["C"], store="timescale")

    reader.stores.close()
    assert auto.num_rows == 3
    assert answer_notes(auto) == [
        f"answered from the lake: the SQL store is behind the lake in 1 of 1 partitions of validated_bars: {FRIDAY}"
    ]
    assert published.num_rows == 0
    assert "run: marketdata publish us" in answer_notes(published)[0]


def test_typed_requests_go_to_the_store_of_that_name(reader: LakeReader) -> None:
    request = TotalsRequest(reader.feed("us"), ("A",))

    answers = [reader.stores.open(name).totals(request) for name in ("lake", "timescale", "auto")]

    reader.stores.close()
    assert [answer["bar_count"].to_pylist() for answer in answers] == [[8]] * 3
    assert [answer["close"].to_pylist() for answer in answers] == [[2.0]] * 3
    assert isinstance(reader.stores.open("lake"), LakeStore)


def test_a_store_that_is_not_there_is_refused(home: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MARKETDATA_TIMESCALE_DSN", raising=False)
    reader = LakeReader(home(FEEDS))
    take_in(reader.lake, reader.feed("us"), source_of("a.csv", minutes("A", "2024-03-08 14:30", 7)))
    walk_stale(reader.lake, reader.feed("us"))

    assert reader.bars("us", store="auto").num_rows == 7
    with pytest.raises(SettingsInvalid, match="no SQL store is configured; set MARKETDATA_TIMESCALE_DSN"):
        reader.bars("us", store="timescale")
    with pytest.raises(SettingsInvalid, match="store is 'redis'; allowed: lake, timescale, auto"):
        reader.bars("us", store="redis")
