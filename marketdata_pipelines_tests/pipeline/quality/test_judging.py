"""Walked partitions judged beside the sessions before them."""

import random
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.quality.records import Severity
from marketdata_pipelines.domain.quality.settings import QualitySpec, RuleSetting
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.pipeline.quality.judging import Beside, PartitionJudge
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import LATER, Row, column, day, make_feed, source_of, take_in, walk_keys
from marketdata_pipelines_tests.repair_lakes import changed, walking_prices

FEED = make_feed()
SESSIONS = feed_calendar(FEED).sessions(day("2024-03-04"), day("2024-03-15"))
KEYS = [session.date.isoformat() for session in SESSIONS]
SPIKE = {100: {"open": 1000.0, "high": 1001.0, "low": 999.0, "close": 1000.0}}


def session_rows(position: int, symbol: str = "A", factor: float = 1.0) -> list[Row]:
    """Prices of one session that go on from a level, not from session to session."""
    opens = SESSIONS[position].open
    rows = walking_prices(symbol, seed=position + 1, price=100.0)
    first = rows[0]["ts"]
    prices = ("open", "high", "low", "close")
    return [{**row, "ts": row["ts"] - first + opens, **{name: row[name] * factor for name in prices}} for row in rows]


def load(lake: Lake, positions: range | list[int], feed: Feed = FEED, **changes: object) -> None:
    for position in positions:
        take_in(lake, feed, source_of(f"{KEYS[position]}.csv", session_rows(position, **changes)))  # type: ignore[arg-type]


def walk_and_judge(lake: Lake, keys: list[str], feed: Feed = FEED) -> None:
    walk_keys(lake, feed, Period.DAY, keys)
    judge = PartitionJudge(lake, feed)
    judge.judge(keys, at_us=LATER)
    later = judge.later(keys)
    if later:
        judge.judge(later, at_us=LATER)


def found(lake: Lake) -> list[tuple[str, str]]:
    tables = [table for _, table in lake.read_many("quality_findings", "feed", "", "9999")]
    return sorted((row["rule"], str(row["session_date"])) for table in tables for row in table.to_pylist())


def contents(lake: Lake) -> dict[tuple[str, str], list[dict[str, object]]]:
    names = ("quality_scores", "quality_findings")
    return {
        (name, key): table.drop_columns([c for c in ("part",) if c in table.column_names]).to_pylist()
        for name in names
        for key, table in lake.read_many(name, "feed", "", "9999")
    }


def test_a_jump_between_sessions_is_found_beside_the_session_before(lake: Lake) -> None:
    load(lake, range(3))
    load(lake, [3], factor=1 / 7)

    walk_and_judge(lake, KEYS[:4])

    assert ("split_like_jump", KEYS[3]) in found(lake)


def test_a_session_brought_later_judges_those_after_it_again(lake: Lake) -> None:
    load(lake, [1], factor=1 / 7)
    walk_and_judge(lake, [KEYS[1]])
    before = found(lake)
    load(lake, [0])

    walk_and_judge(lake, [KEYS[0]])

    assert before == []
    assert found(lake) == [("split_like_jump", KEYS[1])]


def test_what_is_judged_again_without_change_says_so(lake: Lake) -> None:
    load(lake, range(2))
    walk_and_judge(lake, KEYS[:2])

    outcomes = PartitionJudge(lake, FEED).judge(KEYS[:2], at_us=LATER)

    assert [outcome.changed for outcome in outcomes] == [False, False]


def test_a_blocked_partition_is_scored_and_capped(lake: Lake) -> None:
    feed = make_feed(quality=QualitySpec(rules=(RuleSetting("price_spike", Severity.BLOCK),)))
    take_in(lake, feed, source_of("a.csv", changed(session_rows(0), SPIKE)))

    walk_and_judge(lake, KEYS[:1], feed)

    totals = [row for row in lake.read("quality_scores", "feed", KEYS[0]).to_pylist() if row["symbol"] is None]
    assert [(row["blocked"], row["grade"]) for row in totals] == [(True, "F")]


def test_a_partition_with_nothing_in_it_cannot_be_judged_and_says_what_to_do(lake: Lake) -> None:
    outcomes = PartitionJudge(lake, FEED).judge(KEYS[:1], at_us=LATER)

    assert "nothing to judge; run: marketdata backfill feed --start 2024-03-04" in str(outcomes[0].blocked)


def test_the_outcome_has_a_check_for_each_dimension_and_curves(lake: Lake) -> None:
    take_in(lake, FEED, source_of("a.csv", changed(session_rows(0), SPIKE)))
    walk_keys(lake, FEED, Period.DAY, KEYS[:1])

    outcome = PartitionJudge(lake, FEED).judge(KEYS[:1], at_us=LATER)[0]

    checks = {check.name: check.passed for check in outcome.checks}
    assert checks.pop("accuracy") is False
    assert set(checks.values()) == {True}
    assert outcome.results[0].facts["findings"] == 1
    assert outcome.results[0].examples[0]["rule"] == "price_spike"


def test_a_sample_looks_at_its_symbols_only(lake: Lake) -> None:
    feed = make_feed(quality=QualitySpec(sample=1e-9))
    take_in(lake, feed, source_of("a.csv", changed(session_rows(0), SPIKE)))

    walk_and_judge(lake, KEYS[:1], feed)

    assert found(lake) == []


@pytest.mark.parametrize("missing", [3])
def test_a_symbol_that_was_there_in_the_sessions_before_is_missed(lake: Lake, missing: int) -> None:
    for position in range(8):
        rows = session_rows(position) + ([] if position == 7 else session_rows(position, "B"))
        take_in(lake, FEED, source_of(f"{position}.csv", rows))

    walk_and_judge(lake, KEYS[:8])

    missed = lake.read("quality_findings", "feed", KEYS[7]).to_pylist()
    assert [(row["rule"], row["symbol"]) for row in missed if row["rule"] == "missing_symbol"] == [
        ("missing_symbol", "B")
    ]


@settings(
    max_examples=4, deadline=None, phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(seed=st.integers(0, 2**16))
def test_any_order_of_walks_and_corrections_gives_the_same_verdicts(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    chosen = random.Random(seed)
    count = 5
    lake, fresh = (Lake(tmp_path_factory.mktemp(name) / "lake") for name in ("lake", "fresh"))
    factors = [chosen.choice([1.0, 1.0, 0.5, 1 / 7]) for _ in range(count)]
    order = chosen.sample(range(count), count)

    for position in order:
        # First something else, then what is in the fresh lake from the start.
        if chosen.random() < 0.5:
            take_in(lake, FEED, source_of(f"old {position}", changed(session_rows(position), SPIKE)))
            walk_and_judge(lake, [KEYS[position]])
        take_in(
            lake, FEED, source_of(f"{position}", session_rows(position, factor=factors[position])), known_at=LATER + 1
        )
        walk_and_judge(lake, [KEYS[position]])
    for position in range(count):
        take_in(
            fresh, FEED, source_of(f"{position}", session_rows(position, factor=factors[position])), known_at=LATER + 1
        )
    walk_and_judge(fresh, KEYS[:count])

    standing = {
        place: [row for row in rows if row.get("standing", True) and row.get("rule") != "unannounced_revision"]
        for place, rows in contents(lake).items()
    }
    wanted = {place: rows for place, rows in contents(fresh).items() if place[0] == "quality_findings"}
    assert {place: rows for place, rows in standing.items() if place[0] == "quality_findings" and rows} == wanted


def test_history_is_of_the_calendar_not_of_what_is_stored(lake: Lake) -> None:
    far = (SESSIONS[0].date - timedelta(days=60)).isoformat()
    long_ago = feed_calendar(FEED).sessions(day(far), day(far) + timedelta(days=6))[0]
    rows = session_rows(0)
    shift = long_ago.open - rows[0]["ts"]
    take_in(lake, FEED, source_of("old.csv", [{**row, "ts": row["ts"] + shift} for row in rows]))
    load(lake, [0], factor=1 / 7)

    walk_and_judge(lake, [long_ago.date.isoformat(), KEYS[0]])

    assert found(lake) == []


def test_the_feeds_it_names_are_compared(lake: Lake) -> None:
    other = make_feed(name="other")
    own = make_feed(quality=QualitySpec(compare_with=("other",)))
    take_in(lake, other, source_of("o.csv", session_rows(0, factor=1.2)))
    take_in(lake, own, source_of("a.csv", session_rows(0)))
    walk_keys(lake, other, Period.DAY, KEYS[:1])
    walk_keys(lake, own, Period.DAY, KEYS[:1])

    PartitionJudge(lake, own, Beside(feeds={"feed": own, "other": other})).judge(KEYS[:1], at_us=LATER)

    assert {rule for rule, _ in found(lake)} == {"source_dispute"}
    assert column(lake.read("disputes", "feed", KEYS[0]), "other_feed")[:1] == ["other"]
