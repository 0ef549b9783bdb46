"""A gap that all liquid symbols share is one finding of the market, not one of each symbol."""

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.quality.local_rules import judge_local
from marketdata_pipelines.domain.quality.profiles import profile_bars
from marketdata_pipelines.domain.quality.settings import QualitySpec, active_rules
from marketdata_pipelines.domain.quality.suspects import suspicious_bars
from marketdata_pipelines_tests.builders import make_feed
from marketdata_pipelines_tests.domain.walked_bars import FOREVER_US, FRIDAY, session_of, walked_bars

FEED = make_feed()
RULES = active_rules(QualitySpec())
FOUR = {"A": 100.0, "B": 80.0, "C": 60.0, "D": 140.0}


def _findings(symbols: dict[str, float], missing: dict[str, slice]) -> list[tuple[object, ...]]:
    bars = walked_bars(FEED, symbols)
    kept = np.ones(bars.num_rows, bool)
    for symbol, rows in missing.items():
        own = np.flatnonzero([name == symbol for name in bars["symbol"].to_pylist()])
        kept[own[rows]] = False
    some = bars.filter(pa.array(kept))
    profiles = profile_bars(FEED, some, [session_of(FEED)], FOREVER_US)
    found = judge_local(RULES, profiles, suspicious_bars(FEED, some, profiles)).to_pylist()
    minute = {ts: n for n, ts in enumerate(bars["ts"].to_pylist()[:390])}
    return [(each["rule"], each["symbol"], minute[each["ts"]], each["bars"]) for each in found]


def test_a_gap_of_all_liquid_symbols_is_told_once() -> None:
    assert _findings(FOUR, dict.fromkeys(FOUR, slice(100, 120))) == [("market_gap", None, 120, 20)]


def test_the_shared_part_is_what_is_told() -> None:
    gaps = {"A": slice(100, 120), "B": slice(95, 112), "C": slice(104, 130), "D": slice(100, 120)}

    found = _findings(FOUR, gaps)

    assert ("market_gap", None, 112, 8) in found
    assert {each[1] for each in found if each[0] == "long_gap"} == {"A", "C", "D"}


def test_a_symbol_that_has_bars_there_makes_it_the_others_gaps() -> None:
    gaps = {symbol: slice(100, 120) for symbol in "ABC"}

    assert [each[:2] for each in _findings(FOUR, gaps)] == [("long_gap", "A"), ("long_gap", "B"), ("long_gap", "C")]


def test_two_symbols_are_no_market() -> None:
    two = {"A": 100.0, "B": 80.0}

    assert [each[0] for each in _findings(two, dict.fromkeys(two, slice(100, 120)))] == ["long_gap", "long_gap"]


def test_four_missing_bars_are_no_outage() -> None:
    assert _findings(FOUR, dict.fromkeys(FOUR, slice(100, 104))) == []


def test_the_finding_is_of_the_session_and_names_how_many_symbols() -> None:
    bars = walked_bars(FEED, FOUR)
    kept = [n % 390 not in range(100, 110) for n in range(bars.num_rows)]
    some = bars.filter(pa.array(kept))
    profiles = profile_bars(FEED, some, [session_of(FEED)], FOREVER_US)

    (found,) = judge_local(RULES, profiles, suspicious_bars(FEED, some, profiles)).to_pylist()

    assert (found["session_date"], found["value"], found["limit"], found["standing"]) == (FRIDAY, 10.0, 5.0, True)
    assert found["message"].startswith("all 4 liquid symbols miss the 10 bars before this one; outage, or a halt of ")
