"""How far two feeds agree, as scores of both."""

from marketdata_pipelines.domain.quality.comparing import Versus
from marketdata_pipelines.domain.quality.disputes import SOURCE_SCORE_SCHEMA
from marketdata_pipelines.domain.quality.source_scores import source_scores
from marketdata_pipelines_tests.builders import Row
from marketdata_pipelines_tests.domain.dispute_rows import changed, compared, scaled, session

VERSUS = Versus("b", "1m")


def scores(own: list[Row], other: list[Row]) -> list[tuple[object, ...]]:
    table = source_scores("a", [(VERSUS, compared(own, other))])
    names = ("source", "compared", "present", "agreeing", "coverage", "score")
    return [tuple(row[name] for name in names) for row in table.to_pylist()]


def test_feeds_that_agree_score_100_both() -> None:
    assert scores(session(count=100), session(count=100)) == [
        ("a", 100, 100, 100, 1.0, 100.0),
        ("b", 100, 100, 100, 1.0, 100.0),
    ]


def test_the_side_that_is_likelier_wrong_loses_the_bar() -> None:
    wrong = changed(session(count=100), {at: {"close": 180.0, "high": 180.0} for at in (10, 30)})

    assert scores(session(count=100), wrong) == [("a", 100, 100, 98, 1.0, 100.0), ("b", 100, 100, 98, 1.0, 98.0)]


def test_a_bar_a_side_lacks_lowers_its_coverage_and_score() -> None:
    lacking = changed(session(count=100), dict.fromkeys((10, 30)))

    assert scores(session(count=100), lacking) == [("a", 100, 100, 98, 1.0, 100.0), ("b", 100, 98, 98, 0.98, 98.0)]


def test_what_nobody_can_tell_costs_both_a_half() -> None:
    # Both are far from the bars around.
    own = changed(session(count=100), {50: {"close": 130.0, "high": 130.0}})
    other = changed(session(count=100), {50: {"close": 75.0, "low": 75.0}})

    assert [row[-1] for row in scores(own, other)] == [99.5, 99.5]


def test_another_scale_costs_nothing() -> None:
    rows = scores(session(count=100, price=700.0), scaled(session(count=100, price=700.0), 1 / 7, volume=7.0))

    assert [row[-1] for row in rows] == [100.0, 100.0]


def test_no_comparison_has_no_scores() -> None:
    assert source_scores("a", []).equals(SOURCE_SCORE_SCHEMA.empty_table())
    assert scores(session("A"), session("B")) == []
