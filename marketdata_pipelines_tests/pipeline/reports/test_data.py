"""A report collected from a lake: everything it shows, and what it shows where tables are missing."""

from dataclasses import replace
from datetime import date

import pytest

from marketdata_pipelines.domain.feeds import PartitionBy
from marketdata_pipelines.domain.quality.records import QUALITY_SCORES, SYMBOL_PROFILES
from marketdata_pipelines.domain.quality.settings import QualitySpec
from marketdata_pipelines.pipeline.reports.data import collect_report
from marketdata_pipelines.quality.report.page import render_report
from marketdata_pipelines.quality.report.records import Topic
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines_tests.builders import make_feed, minutes, source_of, take_in, us, walk_stale
from marketdata_pipelines_tests.pipeline.report_lakes import (
    SessionRows,
    fill_lake,
    finding,
    names_of,
    rejected_row,
    sessions_of,
)

FEED = make_feed("XNYS", "1m", name="stocks_1m")
NOW_US = us("2024-03-01 12:00")
SYMBOLS = names_of(6)


def dirty_sessions() -> list[SessionRows]:
    """Eight sessions; the last has a spike and a gap, the one before a stale run, the fifth is blocked."""
    sessions = sessions_of(FEED, date(2024, 1, 2), 8)
    last, before = sessions[-1], sessions[-2]
    last.findings.append(finding("price_spike", last.session, SYMBOLS[0], 100, value=0.35, limit=0.05))
    last.findings.append(finding("long_gap", last.session, SYMBOLS[1], 200, 30, value=30, limit=15))
    last.rejected.append(rejected_row("high_below_low", "ALFA,1,2,3", symbol=SYMBOLS[2]))
    before.findings.append(finding("stale_run", before.session, SYMBOLS[3], 60, 20, value=20, limit=15))
    sessions[4].blocked = "12 rows are lost"
    return sessions


@pytest.fixture
def sessions(lake: Lake) -> list[SessionRows]:
    found = dirty_sessions()
    fill_lake(lake, FEED, SYMBOLS, found)
    return found


def test_a_days_report_holds_all_of_it(lake: Lake, sessions: list[SessionRows]) -> None:
    day = sessions[-1].session.date

    data = collect_report(lake, FEED, day, day, now_us=NOW_US)

    assert data.score is not None
    assert (data.score.sessions, data.score.bars, data.score.expected) == (1, 6 * 390 - 30, 6 * 390)
    assert (data.blocking, data.warnings, data.symbols) == (0, 2, 6)
    assert [(each.rule, each.symbol) for each in data.findings] == [
        ("price_spike", SYMBOLS[0]),
        ("long_gap", SYMBOLS[1]),
    ]
    assert [len(chart.candles) for chart in data.charts] == [41, 40]
    assert [found.title for found in data.histograms] == ["Returns from bar to bar", "Volume of a bar"]
    assert sum(each.missing for each in data.gaps) == 30
    assert (data.rejections.rows, data.rejections.rules[0].rule) == (1, "high_below_low")
    assert data.heat is not None
    assert [row.symbol for row in data.heat.rows[:2]] == SYMBOLS[:2]
    assert len(data.trend) == 8
    assert data.origin.made_us == NOW_US


def test_it_is_compared_with_the_session_before(lake: Lake, sessions: list[SessionRows]) -> None:
    day = sessions[-1].session.date

    change = collect_report(lake, FEED, day, day, now_us=NOW_US).change

    assert change is not None
    assert change.before.end == sessions[-2].session.date
    assert change.opened == (Topic("long_gap", SYMBOLS[1]), Topic("price_spike", SYMBOLS[0]))
    assert change.resolved == (Topic("stale_run", SYMBOLS[3]),)


def test_a_range_is_weighed_and_compared_with_as_many_sessions(lake: Lake, sessions: list[SessionRows]) -> None:
    first, last = sessions[-3].session.date, sessions[-1].session.date

    data = collect_report(lake, FEED, first, last, now_us=NOW_US)

    assert data.score is not None
    assert (data.score.start, data.score.end, data.score.sessions) == (first, last, 3)
    assert data.change is not None
    assert (data.change.before.sessions, data.change.before.blocked) == (3, 1)
    assert data.warnings == 3


def test_a_blocked_session_says_why_and_has_no_charts(lake: Lake, sessions: list[SessionRows]) -> None:
    day = sessions[4].session.date

    data = collect_report(lake, FEED, day, day, now_us=NOW_US)

    assert [(each.partition, each.state) for each in data.withheld] == [(day.isoformat(), "blocked")]
    assert data.withheld[0].reason == "rows_conserved: 12 rows are lost"
    assert data.score is not None
    assert (data.score.blocked, data.charts, data.gaps) == (1, (), ())


def test_the_same_lake_and_clock_give_the_same_page(lake: Lake, sessions: list[SessionRows]) -> None:
    day = sessions[-1].session.date

    pages = [render_report(collect_report(lake, FEED, day, day, now_us=NOW_US)) for _ in range(2)]

    assert pages[0] == pages[1]


def test_without_scores_the_rest_is_still_told(lake: Lake, sessions: list[SessionRows]) -> None:
    keys = [each.session.date.isoformat() for each in sessions]
    for table in (QUALITY_SCORES, SYMBOL_PROFILES):
        lake.store(FEED.name, [TableWrite(table, key, None, "") for key in keys], {})
    day = sessions[-1].session.date

    data = collect_report(lake, FEED, day, day, now_us=NOW_US)

    assert (data.score, data.heat, data.change) == (None, None, None)
    assert (data.warnings, len(data.charts), data.symbols) == (2, 2, 6)
    assert "Not judged" in render_report(data)


def test_an_empty_lake_gives_a_report_that_says_so(lake: Lake) -> None:
    data = collect_report(lake, FEED, date(2024, 1, 2), date(2024, 1, 31), now_us=NOW_US)

    assert (data.score, data.symbols, data.findings, data.withheld) == (None, 0, (), ())
    assert "nothing was taken in" in render_report(data)


def test_bars_that_nobody_judged_are_named_with_what_to_run(lake: Lake) -> None:
    feed = replace(make_feed("24/7", "1m"), quality=QualitySpec(sample=0.5))
    take_in(lake, feed, source_of("a.csv", minutes("BTC", "2024-01-02 00:00", 60)), known_at="2024-01-03 00:00")
    walk_stale(lake, feed)
    lake.store(feed.name, [TableWrite(QUALITY_SCORES, "2024-01-02", None, "")], {})

    data = collect_report(lake, feed, date(2024, 1, 2), date(2024, 1, 2), now_us=NOW_US)

    assert [(each.partition, each.state) for each in data.withheld] == [("2024-01-02", "not judged")]
    assert data.withheld[0].command == f"marketdata backfill {feed.name} --start 2024-01-02 --end 2024-01-02"
    assert data.origin.known_at_us == us("2024-01-03 00:00")
    assert data.origin.notes[0] == "Rules about statistics looked at 50% of the symbol-sessions."


def test_daily_bars_have_returns_from_session_to_session(lake: Lake) -> None:
    feed = replace(make_feed("XNYS", "1d"), partition=PartitionBy.YEAR)
    rows = minutes("SPY", "2024-01-02 00:00", 4, step=86_400_000_000)
    take_in(lake, feed, source_of("a.csv", rows), known_at="2024-02-01 00:00")
    walk_stale(lake, feed)

    data = collect_report(lake, feed, date(2024, 1, 2), date(2024, 1, 5), now_us=NOW_US)

    assert [found.values for found in data.histograms if found.axis == "percent"] == [3]
    assert data.gaps == ()


def test_a_range_that_ends_before_it_starts_is_refused(lake: Lake) -> None:
    with pytest.raises(ValueError, match="cannot end on 2024-01-02"):
        collect_report(lake, FEED, date(2024, 1, 3), date(2024, 1, 2), now_us=NOW_US)
