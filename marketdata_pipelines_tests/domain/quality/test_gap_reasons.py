"""Findings about missing bars say why, where the bars around and other symbols tell; nothing else changes."""

from typing import Any

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.quality.gap_reasons import with_session_reasons
from marketdata_pipelines.domain.quality.local_rules import judge_local
from marketdata_pipelines.domain.quality.profiles import profile_bars
from marketdata_pipelines.domain.quality.settings import QualitySpec, RuleSetting, active_rules
from marketdata_pipelines.domain.quality.suspects import suspicious_bars
from marketdata_pipelines_tests.builders import make_feed
from marketdata_pipelines_tests.domain.walked_bars import FOREVER_US, FRIDAY, changed, scaled, session_of, walked_bars

FEED = make_feed()
RULES = active_rules(QualitySpec())
FOUR = {"A": 100.0, "B": 80.0, "C": 60.0, "D": 140.0}
MISSING = "20 bars are missing before this one; allowed are 15"


def _tables(bars: pa.Table, missing: dict[str, slice]) -> tuple[pa.Table, pa.Table]:
    """Profiles and suspects of the bars without some of each symbol's."""
    names = np.array(bars["symbol"].to_pylist())
    kept = np.ones(bars.num_rows, bool)
    for symbol, rows in missing.items():
        kept[np.flatnonzero(names == symbol)[rows]] = False
    some = bars.filter(pa.array(kept))
    profiles = profile_bars(FEED, some, [session_of(FEED)], FOREVER_US)
    return profiles, suspicious_bars(FEED, some, profiles)


def _messages(bars: pa.Table, missing: dict[str, slice], rules: Any = RULES) -> dict[str | None, str]:
    """What is told of each symbol's long gap."""
    found = judge_local(rules, *_tables(bars, missing)).to_pylist()
    return {each["symbol"]: each["message"] for each in found if each["rule"] in ("long_gap", "market_gap")}


def test_a_symbol_alone_that_comes_back_with_a_jump_was_halted_as_it_seems() -> None:
    bars = scaled(walked_bars(FEED, FOUR), slice(120, 390), 1.08)

    told = _messages(bars, {"A": slice(100, 120)})

    assert told["A"].startswith(f"{MISSING}; halt (suspected): the other symbols trade, and it goes on with a jump of ")


def test_a_burst_of_volume_is_a_sign_of_the_auction_too() -> None:
    bars = changed(walked_bars(FEED, FOUR), 120, volume=1e6)

    told = _messages(bars, {"A": slice(100, 120)})

    assert told == {"A": f"{MISSING}; halt (suspected): the other symbols trade, and it goes on with a burst of volume"}


def test_a_symbol_alone_that_goes_on_as_before_is_only_missing() -> None:
    assert _messages(walked_bars(FEED, FOUR), {"A": slice(100, 120)}) == {"A": MISSING}


def test_without_others_that_trade_no_halt_is_told() -> None:
    alone = scaled(walked_bars(FEED, {"A": 100.0}), slice(120, 390), 1.08)
    half = scaled(walked_bars(FEED, FOUR), slice(120, 390), 1.08)

    assert _messages(alone, {"A": slice(100, 120)}) == {"A": MISSING}
    assert _messages(half, {symbol: slice(100, 120) for symbol in "AB"})["A"] == MISSING


def test_gaps_that_the_others_mostly_share_are_an_outage() -> None:
    gaps = {"A": slice(100, 120), "B": slice(98, 118), "C": slice(104, 130), "D": slice(100, 119)}

    told = _messages(walked_bars(FEED, FOUR), gaps)

    assert told[None] == "all 4 liquid symbols miss the 14 bars before this one; outage, or a halt of the whole market"
    assert told["A"] == f"{MISSING}; outage: none of the 3 other liquid symbols has its bars there"


def test_a_thin_symbol_had_no_trade() -> None:
    rules = active_rules(QualitySpec(rules=(RuleSetting("long_gap", limits=(("dense", 0.5),)),)))
    bars = walked_bars(FEED, FOUR)
    thin = [n >= 390 or n % 3 != 0 for n in range(bars.num_rows)]

    told = _messages(bars.filter(pa.array(thin)), {"A": slice(100, 120)}, rules)

    assert "; no trade: it has 6" in told["A"]
    assert told["A"].endswith("% of its other bars only")


def test_a_short_session_is_told_with_the_reason_of_the_gap_that_makes_it_short() -> None:
    bars = scaled(walked_bars(FEED, FOUR), slice(250, 390), 1.08)
    profiles, suspects = _tables(bars, {"A": slice(100, 250)})
    row = {"symbol": "A", "session_date": FRIDAY, "bars": 150, "message": "240 bars where 390 are usual"}
    more = {**row, "bars": 350}
    other = {**row, "symbol": "B"}

    explained, too_many, without = with_session_reasons([row, more, other], profiles, suspects)

    assert explained["message"].startswith("240 bars where 390 are usual; halt (suspected): ")
    assert [too_many, without] == [more, other]
    assert {**explained, "message": ""} == {**row, "message": ""}
