"""Findings of a partition, beside the sessions before it."""

from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.quality.history import WINDOW
from marketdata_pipelines.domain.quality.judging import HISTORY_RULES, judge
from marketdata_pipelines.domain.quality.records import FINDING_SCHEMA, Level, Severity
from marketdata_pipelines.domain.quality.rules import QUALITY_RULE_BY_ID
from marketdata_pipelines.domain.quality.settings import QualitySpec, RuleSetting, active_rules
from marketdata_pipelines_tests.builders import column, make_feed
from marketdata_pipelines_tests.domain.action_rows import actions, split
from marketdata_pipelines_tests.domain.quality_rows import (
    Row,
    opening,
    profile,
    profile_table,
    quiet_sessions,
    session_day,
    suspect,
    suspect_table,
)

FEW = settings(phases=(Phase.explicit, Phase.generate), deadline=None, max_examples=40)
TODAY = session_day(0)
MINUTES, DAYS = make_feed(), make_feed(interval="1d")
RULES = active_rules(QualitySpec())
QUIET = quiet_sessions("A", "B")
# A day on which every rule with history finds something, of A, B and a symbol that is gone.
BUSY = (
    profile("A", TODAY, bars=100, open=14.3, close=14.2),
    profile("B", TODAY, volume=1e9),
)
SUSPECTS = (
    suspect("jump", "A", TODAY, 50, 0.3),
    suspect("jump", "B", TODAY, 80, 0.4),
    suspect("volume", "B", TODAY, 90, 2e8),
)


def told(found: pa.Table) -> list[tuple[str | None, str]]:
    return list(zip(column(found, "symbol"), column(found, "rule"), strict=True))


def test_every_rule_with_history_is_judged() -> None:
    history = quiet_sessions("A", "B", "C")

    found = judge(MINUTES, RULES, profile_table(BUSY), suspect_table(SUSPECTS), history)

    assert found.schema == FINDING_SCHEMA
    assert told(found) == [
        ("A", "incomplete_session"),
        ("A", "split_like_jump"),
        ("A", "return_outlier"),
        ("B", "return_outlier"),
        ("B", "volume_spike"),
        ("C", "missing_symbol"),
    ]


def test_the_rules_with_history_are_those_that_say_so() -> None:
    declared = {name for name, rule in QUALITY_RULE_BY_ID.items() if rule.needs_history}

    assert set(HISTORY_RULES) == declared


def test_only_rules_that_are_asked_for_are_judged_by_their_own_limits_and_severity() -> None:
    setting = RuleSetting("return_outlier", Severity.BLOCK, (("floor", 0.35), ("opening", 9.0)))
    rules = active_rules(QualitySpec(Level.CUSTOM, (setting,)))

    found = judge(MINUTES, rules, profile_table(BUSY), suspect_table(SUSPECTS), QUIET)

    assert told(found) == [("B", "return_outlier")]
    assert column(found, "severity") == ["block"]


def test_without_history_nothing_is_found_that_needs_it() -> None:
    found = judge(MINUTES, RULES, profile_table(BUSY), suspect_table(SUSPECTS), quiet_sessions(count=0))

    assert told(found) == []


def test_an_empty_partition_has_no_findings_but_missing_symbols_need_a_session() -> None:
    found = judge(MINUTES, RULES, profile_table([]), suspect_table(), QUIET)

    assert found.num_rows == 0


def test_a_known_split_is_no_finding() -> None:
    profiles = profile_table([profile("A", TODAY, open=25.0, close=25.2)])
    known = actions(split(TODAY.isoformat(), 4.0))

    assert told(judge(MINUTES, RULES, profiles, suspect_table(), QUIET.slice(0, 20), known)) == []
    assert told(judge(MINUTES, RULES, profiles, suspect_table(), QUIET.slice(0, 20))) == [("A", "split_like_jump")]


def test_a_split_of_hourly_bars_is_told_once() -> None:
    # Bars of an hour have the session before as their neighbour: the same jump is a suspect too.
    profiles = profile_table([profile("A", TODAY, open=25.0, close=25.2)])

    found = judge(MINUTES, RULES, profiles, suspect_table([suspect("jump", "A", TODAY, 0, 1.386)]), QUIET.slice(0, 20))

    assert told(found) == [("A", "split_like_jump")]


def test_a_displaced_session_is_not_called_incomplete_too() -> None:
    profiles = profile_table([profile("A", TODAY, bars=150), profile("B", TODAY)])
    shifted = suspect("time_shift", "A", TODAY, 240, 4.0, ts_last=opening(TODAY) + timedelta(minutes=629), bars=390)

    found = judge(MINUTES, RULES, profiles, suspect_table([shifted]), QUIET)

    assert told(found) == [("A", "time_shift")]


@pytest.mark.parametrize("factor", [0.001, 0.5, 3.0, 1000.0])
def test_todays_own_figures_never_change_what_today_is_judged_by(factor: float) -> None:
    wild = [
        row | {name: row[name] * factor for name in ("high", "low", "volume", "return_scale", "range_scale")}
        for row in BUSY
    ]

    limits = _limits(judge(MINUTES, RULES, profile_table(BUSY), suspect_table(SUSPECTS), QUIET))
    changed = _limits(judge(MINUTES, RULES, profile_table(wild), suspect_table(SUSPECTS), QUIET))

    assert {rule for _, rule in limits} >= {"return_outlier", "incomplete_session", "volume_spike"}
    assert {key: changed[key] for key in limits if key in changed} == {
        key: limit for key, limit in limits.items() if key in changed
    }
    assert {rule for _, rule in changed} >= {"return_outlier", "incomplete_session", "volume_spike"}


def _limits(found: pa.Table) -> dict[tuple[str, str], float]:
    return {(row["symbol"], row["rule"]): row["limit"] for row in found.to_pylist()}


def thirty_sessions(seed: int, symbols: int) -> tuple[pa.Table, pa.Table]:
    """Profiles of some symbols in thirty sessions, some odd or absent, and suspects in them."""
    random = np.random.default_rng(seed)
    rows: list[Row] = []
    found: list[Row] = []
    for symbol in "ABC"[:symbols]:
        price = 100.0
        for number in range(30):
            if random.random() < 0.05:
                continue
            price *= float(np.exp(random.normal(0, 0.02))) * (1 if random.random() > 0.05 else 0.25)
            day, bars = session_day(number), 390 if random.random() > 0.1 else int(random.integers(0, 390))
            figures: dict[str, Any] = {"open": price, "close": price * 1.001, "high": price * 1.02, "low": price * 0.99}
            volume = 1e6 * float(random.random() + 0.5) * (1 if random.random() > 0.05 else 1000)
            rows.append(profile(symbol, day, bars=bars, volume=volume, **figures))
            for kind, value in (("jump", float(random.exponential(0.1))), ("volume", volume * float(random.random()))):
                if random.random() < 0.3:
                    found.append(suspect(kind, symbol, day, int(random.integers(0, 390)), value))
    return profile_table(rows), suspect_table(found)


seeds, counts = st.integers(0, 2**32 - 1), st.integers(1, 3)


@FEW
@given(seeds, counts, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(seed: int, symbols: int, random: Any) -> None:
    profiles, suspects = thirty_sessions(seed, symbols)

    straight = judge(MINUTES, RULES, profiles, suspects, QUIET)
    mixed = judge(MINUTES, RULES, _shuffled(profiles, random), _shuffled(suspects, random), _shuffled(QUIET, random))

    assert mixed.to_pylist() == straight.to_pylist()


@settings(FEW, max_examples=12)
@given(seeds, counts, st.sampled_from(("1m", "1d")))
def test_a_partition_of_many_sessions_is_judged_as_each_alone(seed: int, symbols: int, interval: str) -> None:
    feed = MINUTES if interval == "1m" else DAYS
    profiles, suspects = thirty_sessions(seed, symbols)
    days = sorted(set(profiles["session_date"].to_pylist()))

    alone = []
    for number, day in enumerate(days):
        before = days[max(number - WINDOW, 0) : number]
        history = profiles.filter(pc.is_in(profiles["session_date"], pa.array(before, pa.date32())))
        own = [table.filter(pc.equal(table["session_date"], pa.scalar(day))) for table in (profiles, suspects)]
        alone += judge(feed, RULES, own[0], own[1], history).to_pylist()

    together = judge(feed, RULES, profiles, suspects, profiles.slice(0, 0)).to_pylist()
    assert sorted(map(str, together)) == sorted(map(str, alone))


@FEW
@given(seeds, counts)
def test_findings_are_in_order_and_of_rules_that_were_asked_for(seed: int, symbols: int) -> None:
    found = judge(MINUTES, RULES, *thirty_sessions(seed, symbols), QUIET)

    keys = [(row["symbol"] or "", row["session_date"], str(row["ts"] or ""), row["rule"]) for row in found.to_pylist()]
    assert keys == sorted(keys)
    assert {row["rule"] for row in found.to_pylist()} <= set(RULES)
    assert found["message"].null_count == 0


def _shuffled(table: pa.Table, random: Any) -> pa.Table:
    return table.take(pa.array(random.sample(range(table.num_rows), table.num_rows), pa.int64()))
