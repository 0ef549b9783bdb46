"""Local rules make findings of suspects beyond their limits, and nothing of an ordinary session."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.quality.local_rules import judge_local
from marketdata_pipelines.domain.quality.profiles import profile_bars
from marketdata_pipelines.domain.quality.records import FINDING_SCHEMA, PROFILE_SCHEMA, SUSPECT_SCHEMA, Severity
from marketdata_pipelines.domain.quality.rules import QUALITY_RULE_BY_ID
from marketdata_pipelines.domain.quality.settings import QualitySpec, RuleSetting, active_rules
from marketdata_pipelines.domain.quality.suspects import suspicious_bars
from marketdata_pipelines_tests.builders import make_feed
from marketdata_pipelines_tests.domain.walked_bars import FOREVER_US, FRIDAY, changed, scaled, session_of, walked_bars

FEED = make_feed()
RULES = active_rules(QualitySpec())
LOCAL = (
    "price_spike",
    "bad_wick",
    "stale_run",
    "zero_volume_move",
    "time_shift",
    "label_shift",
    "long_gap",
    "market_gap",
    "tick_size",
)


def _judged(bars: pa.Table, rules: Any = RULES) -> list[dict[str, Any]]:
    profiles = profile_bars(FEED, bars, [session_of(FEED)], FOREVER_US)
    found = judge_local(rules, profiles, suspicious_bars(FEED, bars, profiles))
    assert found.schema == FINDING_SCHEMA
    return found.to_pylist()


@settings(deadline=None, max_examples=20, phases=(Phase.explicit, Phase.generate))
@given(st.integers(0, 10_000), st.sampled_from([2.5, 13.85, 180.0, 646.0]), st.sampled_from([0.0001, 0.0005, 0.002]))
def test_an_ordinary_session_breaks_no_rule(seed: int, price: float, step: float) -> None:
    assert _judged(walked_bars(FEED, {"A": price}, seed=seed, step=step)) == []


def test_a_spike_is_told_with_its_numbers() -> None:
    (found,) = _judged(scaled(walked_bars(FEED, {"A": 100.0}), 200, 10.0))

    assert (found["rule"], found["dimension"], found["severity"]) == ("price_spike", "accuracy", "warn")
    assert (found["symbol"], found["session_date"], found["bars"]) == ("A", FRIDAY, 1)
    assert (found["value"], found["limit"]) == (pytest.approx(np.log(10), abs=0.01), 0.05)
    assert found["message"].startswith("bar leaps ")
    assert found["message"].endswith(" times away from the bars around; allowed is 1.05 times")


def test_a_wild_session_may_leap_further_but_no_further_than_the_ceiling() -> None:
    wild = walked_bars(FEED, {"A": 100.0}, step=0.02)

    assert _judged(scaled(wild, 200, 1.15)) == []
    assert [each["rule"] for each in _judged(scaled(wild, 200, 2.2))] == ["price_spike"]


def test_a_wick_is_told_in_percent() -> None:
    bars = walked_bars(FEED, {"BAC": 13.85})
    low = bars["low"][50].as_py() * 0.7

    (found,) = _judged(changed(bars, 50, low=low))

    assert found["rule"] == "bad_wick"
    assert found["message"].startswith("wick is 30.")
    assert found["message"].endswith("% of the price; allowed is 5.00 %")


@pytest.mark.parametrize("volume", [0.0, 500.0])
def test_a_stale_run_covers_its_rows(volume: float) -> None:
    bars = walked_bars(FEED, {"A": 100.0})
    bars = changed(bars, slice(40, 60), open=99.0, high=99.0, low=99.0, close=99.0, volume=volume)

    (found,) = _judged(bars)

    assert (found["rule"], found["ts"], found["bars"]) == ("stale_run", bars["ts"][40].as_py(), 20)
    assert found["ts_last"] == bars["ts"][59].as_py()
    assert found["message"] == "20 bars repeat one price; usual for the symbol are at most 15"


def test_a_symbol_that_always_stands_still_does_so_unpunished() -> None:
    assert _judged(walked_bars(FEED, {"A": 2.5}, step=0.00005)) == []


def test_a_move_without_volume_is_told_unless_volume_is_hardly_ever_given() -> None:
    bars = walked_bars(FEED, {"A": 100.0})
    high = bars["high"].to_numpy() * 1.002

    (found,) = _judged(changed(bars, slice(7, 9), volume=0.0, high=high[7:9]))

    assert (found["rule"], found["bars"]) == ("zero_volume_move", 2)
    assert _judged(changed(bars, slice(None), volume=0.0, high=high)) == []


def test_missing_bars_are_told_at_the_bar_after_them() -> None:
    bars = walked_bars(FEED, {"A": 100.0})
    kept = [n not in range(240, 277) for n in range(390)]

    (found,) = _judged(bars.filter(pa.array(kept)))

    assert (found["rule"], found["ts"], found["ts_last"]) == (
        "long_gap",
        bars["ts"][277].as_py(),
        bars["ts"][277].as_py(),
    )
    assert (found["bars"], found["value"], found["limit"]) == (37, 37.0, 15.0)


def _suspect(kind: str, **values: Any) -> dict[str, Any]:
    ts = session_of(FEED).open
    row = {"symbol": "A", "session_date": FRIDAY, "kind": kind, "ts": ts, "ts_last": ts, "bars": 1, "standing": True}
    return row | {"value": 1.0, "scale": 1.0} | values


def _judge_suspects(*rows: dict[str, Any], rules: Any = RULES) -> list[dict[str, Any]]:
    return judge_local(
        rules, PROFILE_SCHEMA.empty_table(), pa.Table.from_pylist(list(rows), SUSPECT_SCHEMA)
    ).to_pylist()


def test_places_are_handed_on() -> None:
    place = {"file": "a.csv", "line": 9, "row": 8, "part": "p", "standing": False}

    (found,) = _judge_suspects(_suspect("time_shift", value=-4.0, bars=390, **place))

    assert {name: found[name] for name in place} == place
    assert found["message"] == "session of 390 bars lies 4 h too early"


def test_labels_are_told_both_ways() -> None:
    late, early = _judge_suspects(_suspect("label_shift", value=1.0), _suspect("label_shift", symbol="B", value=-1.0))

    assert late["message"] == "1 bars seem to be labelled by their end, not by their start"
    assert early["message"] == "1 bars seem to be labelled by their start, not by their end"


def test_a_feeds_own_limits_and_severity_count() -> None:
    setting = RuleSetting("bad_wick", Severity.BLOCK, (("floor", 0.02), ("scales", 1.0)))
    rules = active_rules(QualitySpec(rules=(setting,)))
    suspect = _suspect("wick", value=0.03, scale=0.001)

    (found,) = _judge_suspects(suspect, rules=rules)

    assert (found["severity"], found["limit"]) == ("block", 0.02)
    assert _judge_suspects(suspect) == []


def test_rules_that_are_not_asked_for_are_silent() -> None:
    suspects = [_suspect("spike", value=3.0, scale=0.001), _suspect("time_shift")]

    assert _judge_suspects(*suspects, rules={}) == []
    assert [each["rule"] for each in _judge_suspects(*suspects, rules={"time_shift": RULES["time_shift"]})] == [
        "time_shift"
    ]


def test_kinds_that_other_rules_judge_are_passed_over() -> None:
    assert _judge_suspects(_suspect("jump", value=9.0), _suspect("opening_jump"), _suspect("volume", value=1e12)) == []


def test_nothing_gives_nothing() -> None:
    assert _judge_suspects() == []


@settings(deadline=None, max_examples=20, phases=(Phase.explicit, Phase.generate))
@given(st.permutations(range(6)))
def test_the_order_of_suspects_does_not_matter(order: list[int]) -> None:
    rows = [_suspect("spike", symbol=name, value=2.0, scale=0.0) for name in "ABC"]
    rows += [_suspect("wick", symbol=name, value=0.9, scale=0.0) for name in "ABC"]

    found = _judge_suspects(*(rows[at] for at in order))

    assert found == _judge_suspects(*rows)
    assert [(each["symbol"], each["rule"]) for each in found[:2]] == [("A", "bad_wick"), ("A", "price_spike")]


def test_the_local_rules_read_no_history_so_they_may_block() -> None:
    assert [name for name in LOCAL if QUALITY_RULE_BY_ID[name].needs_history] == []
    blocking = {name: replace(RULES[name], severity=Severity.BLOCK) for name in LOCAL}

    assert {each["severity"] for each in _judged(scaled(walked_bars(FEED, {"A": 100.0}), 9, 0.1), blocking)} == {
        "block"
    }


def test_prices_between_ticks_are_told_with_their_number_and_the_first() -> None:
    off = _suspect("off_tick", value=100.003, scale=0.01, bars=12)

    (found,) = _judge_suspects(off)
    (single,) = _judge_suspects({**off, "bars": 1})

    assert (found["rule"], found["dimension"], found["severity"], found["bars"]) == (
        "tick_size",
        "validity",
        "warn",
        12,
    )
    assert (found["bars"], found["limit"]) == (12, 0.0)
    assert found["message"] == "12 bars have prices between ticks of 0.01, first 100.003"
    assert single["message"] == "1 bar has a price between ticks of 0.01, first 100.003"


def test_a_feed_may_let_a_share_of_the_bars_lie_between_ticks() -> None:
    bars = walked_bars(FEED, {"A": 100.0})
    profiles = profile_bars(FEED, bars, [session_of(FEED)], FOREVER_US)
    off = pa.Table.from_pylist([_suspect("off_tick", value=100.003, scale=0.01, bars=39)], SUSPECT_SCHEMA)
    strict, generous = (
        active_rules(QualitySpec(rules=(RuleSetting("tick_size", limits=(("share", share),)),)))
        for share in (0.05, 0.1)
    )

    assert judge_local(strict, profiles, off)["value"].to_pylist() == [0.1]
    assert judge_local(generous, profiles, off).num_rows == 0
