"""Bars and views of sessions that score enough."""

import pytest

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines.serving.notes import answer_notes
from marketdata_pipelines_tests.builders import bar, column, make_home, minutes, source_of, take_in, walk_stale
from marketdata_pipelines_tests.quality_tables import scored, store_quality

FEEDS = """
feeds:
  us: {source: landing, interval: 1m, calendar: XNYS, extended_hours: [04:00, 20:00]}
  daily: {source: landing, interval: 1d, calendar: XNYS}
  unscored: {source: landing, interval: 1m, calendar: XNYS, quality: {level: none}}
"""
THURSDAY, FRIDAY, MONDAY = "2024-03-07", "2024-03-08", "2024-03-11"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> LakeReader:
    """Three sessions: A is bad on Friday, B good; nobody scored Monday. The daily feed has the same days."""
    found = LakeReader(make_home(tmp_path_factory.mktemp("data"), FEEDS))
    rows = [row for symbol in ("A", "B") for row in minutes(symbol, "2024-03-07 14:30", 3)]
    rows += [row for symbol in ("A", "B") for row in minutes(symbol, "2024-03-08 14:30", 3, 110.0)]
    rows += [*minutes("A", "2024-03-11 13:30", 3, 120.0), bar("A", "2024-03-08 21:00", 111.0)]
    days = [bar("A", f"{day} 00:00", 100.0 + at) for at, day in enumerate((THURSDAY, FRIDAY, MONDAY))]
    take_in(found.lake, found.feed("us"), source_of("us.csv", rows))
    take_in(found.lake, found.feed("unscored"), source_of("unscored.csv", rows))
    take_in(found.lake, found.feed("daily"), source_of("daily.csv", days))
    for name in found.feeds:
        assert not any(outcome.blocked for outcome in walk_stale(found.lake, found.feed(name)))
    good = [scored("A", THURSDAY, 90.0), scored("B", THURSDAY, 90.0)]
    store_quality(found.lake, "us", THURSDAY, good)
    store_quality(found.lake, "us", FRIDAY, [scored("A", FRIDAY, 40.0), scored("B", FRIDAY, 95.0)])
    store_quality(found.lake, "us", MONDAY, [scored(None, MONDAY, 99.0)])
    store_quality(
        found.lake, "daily", "2024-01-01",
        [scored("A", THURSDAY, 90.0), scored("A", FRIDAY, 40.0), scored("A", MONDAY, 95.0)],
    )  # fmt: skip
    return found


def sessions(reader: LakeReader, **question: object) -> list[tuple[str, str]]:
    """The distinct symbols and dates of `bars us`."""
    found = reader.bars("us", **question)  # type: ignore[arg-type]
    dates = [str(day) for day in column(found, "session_date")]
    return list(dict.fromkeys(zip(column(found, "symbol"), dates, strict=True)))


def test_bars_of_sessions_below_the_least_score_are_left_out(reader: LakeReader) -> None:
    assert sessions(reader, min_quality=90) == [("A", THURSDAY), ("B", THURSDAY), ("B", FRIDAY)]
    assert sessions(reader, min_quality=91, timeframe="5m") == [("B", FRIDAY)]
    assert sessions(reader, min_quality=40, timeframe="1d", symbols=["A"]) == [("A", THURSDAY), ("A", FRIDAY)]


def test_a_session_nobody_scored_does_not_pass_even_with_zero(reader: LakeReader) -> None:
    assert ("A", MONDAY) in sessions(reader)
    assert ("A", MONDAY) not in sessions(reader, min_quality=0)
    assert reader.bars("unscored", min_quality=0).num_rows == 0


def test_a_note_counts_what_was_left_out(reader: LakeReader) -> None:
    found = reader.bars("us", min_quality=90)

    assert answer_notes(found) == [
        "min quality 90: 2 of 5 symbol-sessions left out, 1 of them because nobody scored them"
    ]
    assert answer_notes(reader.bars("us", ["B"], min_quality=90)) == []


def test_bars_stay_as_they_are_and_in_order(reader: LakeReader) -> None:
    every, good = reader.bars("us", ["B"]), reader.bars("us", ["B"], min_quality=50)

    assert good.equals(every)
    assert reader.bars("us", ["A"], min_quality=50).schema.names == every.schema.names


def test_extended_hours_belong_to_their_session(reader: LakeReader) -> None:
    assert ("A", FRIDAY) in sessions(reader, session="all", min_quality=40)
    assert ("A", FRIDAY) not in sessions(reader, session="all", min_quality=41)


def test_a_bad_session_is_not_filled_from_the_one_before(reader: LakeReader) -> None:
    found = reader.bars("us", ["A"], fill="forward", min_quality=90)

    assert {str(day) for day in column(found, "session_date")} == {THURSDAY}


@pytest.mark.parametrize(("timeframe", "labels"), [("2d", ["03-07"]), ("1w", ["03-04"]), ("1M", ["03-01"])])
def test_a_bar_of_several_days_needs_all_of_its_sessions(reader: LakeReader, timeframe: str, labels: list[str]) -> None:
    found = reader.bars("us", timeframe=timeframe, min_quality=90)

    assert set(column(found, "symbol")) == {"B"}
    assert [ts[5:10] for ts in column(found, "ts")] == labels
    assert "bars left out" in answer_notes(found)[0]


def test_a_week_with_a_session_nobody_scored_does_not_pass(reader: LakeReader) -> None:
    assert column(reader.bars("us", ["A"], "1w", min_quality=0), "ts") == ["2024-03-04 00:00"]


def test_weeks_of_a_daily_feed_need_all_of_its_days(reader: LakeReader) -> None:
    assert column(reader.bars("daily", timeframe="1w", min_quality=90), "ts") == ["2024-03-11 00:00"]
    assert column(reader.bars("daily", min_quality=90), "close") == [100.0, 102.0]


def test_views_are_made_of_good_sessions_only(reader: LakeReader) -> None:
    summary = reader.table("us", "daily_summary", min_quality=90)
    performance = reader.table("us", "symbol_performance", min_quality=90)

    pairs = zip(column(summary, "symbol"), map(str, column(summary, "session_date")), strict=True)
    assert list(pairs) == [("A", THURSDAY), ("B", THURSDAY), ("B", FRIDAY)]
    assert column(performance, "sessions") == [1, 2]
    assert answer_notes(summary)[0].startswith("min quality 90: 2 of 5 symbol-sessions left out")


@pytest.mark.parametrize("view", ["hourly_volume", "top_volume", "latest_bars"])
def test_every_view_leaves_bad_sessions_out(reader: LakeReader, view: str) -> None:
    found = reader.table("us", view, FRIDAY, FRIDAY, min_quality=90)

    assert column(found, "symbol") == ["B"]


def test_a_return_is_measured_from_the_last_good_session(reader: LakeReader) -> None:
    found = reader.table("daily", "daily_summary", MONDAY, MONDAY, min_quality=90)

    assert column(found, "ret_cc") == pytest.approx([102.0 / 100.0 - 1])


@pytest.mark.parametrize("least", [-1, 101, float("nan"), float("inf")])
def test_only_scores_can_be_asked_for(reader: LakeReader, least: float) -> None:
    with pytest.raises(SettingsInvalid, match="give a score from 0 to 100"):
        reader.bars("us", min_quality=least)


def test_an_earlier_instant_has_no_scores(reader: LakeReader) -> None:
    for ask in (reader.bars, lambda feed, **how: reader.table(feed, "daily_summary", **how)):
        with pytest.raises(SettingsInvalid, match="scores are those of today"):
            ask("us", as_of="2026-01-02", min_quality=50)
