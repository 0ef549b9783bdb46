"""Bars missing between others are told at the bar after them, but for breaks and thin symbols."""

from collections.abc import Sequence
from datetime import date, time

import numpy as np
import pyarrow as pa
import pytest

from marketdata_pipelines.domain.bars import REJECTED_SCHEMA
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.quality.missing_runs import GAP, without_rejected_runs
from marketdata_pipelines.domain.quality.records import SUSPECT_SCHEMA
from marketdata_pipelines_tests.builders import CME_BREAK, make_feed
from marketdata_pipelines_tests.domain.walked_bars import FRIDAY, session_of, suspects_of, walked_bars

FEED = make_feed()


def _without(feed: Feed, first: int, count: int, day: date = FRIDAY) -> list[tuple[object, ...]]:
    bars = walked_bars(feed, {"A": 100.0}, day)
    kept = np.ones(bars.num_rows, bool)
    kept[first : first + count] = False
    found = suspects_of(feed, bars.filter(pa.array(kept)), day)
    position = {ts: n for n, ts in enumerate(bars["ts"].to_pylist())}
    return [(each["kind"], position[each["ts"]], each["bars"], each["value"]) for each in found]


def test_missing_bars_are_told_at_the_bar_after_them() -> None:
    assert _without(FEED, 240, 37) == [("gap", 277, 37, 37.0)]


def test_four_missing_bars_are_not_told() -> None:
    assert _without(FEED, 240, 4) == []


@pytest.mark.parametrize("first", [0, 353])
def test_bars_missing_at_the_edges_of_a_session_are_not_told(first: int) -> None:
    assert _without(FEED, first, 37) == []


def test_a_declared_break_is_no_gap_but_missing_bars_are() -> None:
    feed = make_feed("CMES", breaks=CME_BREAK)

    assert _without(feed, 500, 20) == [("gap", 520, 20, 20.0)]


def test_a_lunch_break_is_no_gap() -> None:
    feed = make_feed("XTKS")

    assert _without(feed, 0, 0) == []


def test_a_break_that_a_round_the_clock_exchange_does_not_declare_is_no_gap() -> None:
    feed = make_feed("CMES")

    assert _without(feed, 1320, 60) == []
    assert _without(feed, 1327, 60) == [("gap", 1387, 60, 60.0)]


def test_an_hour_missing_in_a_market_that_never_closes_is_told() -> None:
    assert _without(make_feed("24/7"), 600, 60) == [("gap", 660, 60, 60.0)]


def test_seconds_are_told_in_minutes() -> None:
    assert _without(make_feed(interval="1s"), 600, 30) == [("gap", 630, 30, 0.5)]


def test_thin_symbols_have_no_gaps() -> None:
    bars = walked_bars(FEED, {"A": 100.0})
    thin = bars.filter(pa.array([n % 7 == 0 for n in range(390)]))

    assert suspects_of(FEED, thin) == []


def test_hours_without_bars_before_the_open_are_no_gap() -> None:
    feed = make_feed(extended_hours=(time(4), time(20)))
    bars = walked_bars(feed, {"A": 100.0})
    early = bars["ts"][0].as_py().timestamp() * 1e6 - 90 * 60_000_000
    ts = np.concatenate(([int(early)], bars["ts"].combine_chunks().view(pa.int64()).to_numpy()))

    assert suspects_of(feed, walked_bars(feed, {"A": 100.0}, ts=ts)) == []


def _gap(file: str | None, row: int | None, bars: int, kind: str = GAP) -> dict[str, object]:
    ts = session_of(FEED).open
    place = {"file": file, "row": row, "line": row, "part": "p", "standing": True}
    named = {"symbol": "A", "session_date": FRIDAY, "kind": kind, "ts": ts, "ts_last": ts}
    return {**named, "bars": bars, "value": float(bars), "scale": 1.0, **place}


def _kept(suspects: list[dict[str, object]], rejected: Sequence[tuple[str, int | None, str]]) -> list[object]:
    rows = [{"file": file, "row": row, "rules": rules} for file, row, rules in rejected]
    found = without_rejected_runs(
        pa.Table.from_pylist(suspects, SUSPECT_SCHEMA), pa.Table.from_pylist(rows, REJECTED_SCHEMA)
    )
    return found["row"].to_pylist()


def test_a_gap_whose_rows_were_rejected_is_not_missing() -> None:
    rejected = [("a.csv", row, "ambiguous_date") for row in range(101, 131)]

    assert _kept([_gap("a.csv", 131, 30)], rejected) == []
    assert _kept([_gap("a.csv", 100, 30)], rejected) == [], "a file in reverse"
    assert _kept([_gap("b.csv", 131, 30), _gap("a.csv", 300, 30)], rejected) == [131, 300]
    assert _kept([_gap("a.csv", 131, 30, "wick")], rejected) == [131]


def test_rows_that_others_took_the_place_of_and_a_few_rejected_ones_explain_no_gap() -> None:
    replaced = [("a.csv", row, "superseded") for row in range(200, 241)]
    few: list[tuple[str, int | None, str]] = [("a.csv", row, "price_not_positive") for row in range(230, 241)]

    assert _kept([_gap("a.csv", 241, 37)], [*replaced, *few, ("a.csv", None, "empty_file")]) == [241]
    assert _kept([_gap(None, None, 37)], few) == [None]
    assert _kept([_gap("a.csv", 241, 37)], []) == [241]
