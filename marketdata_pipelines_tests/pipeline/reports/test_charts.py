"""The bars around findings: twenty on either side, over the edge of a session, and what is marked."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from marketdata_pipelines.domain.intervals import MINUTE_US
from marketdata_pipelines.domain.sessions import Session
from marketdata_pipelines.pipeline.reports.charts import CHARTS, finding_charts
from marketdata_pipelines.quality.report.records import FindingChart, FindingRow
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import make_feed
from marketdata_pipelines_tests.pipeline.report_lakes import fill_lake, finding, names_of, sessions_of

FEED = make_feed("XNYS", "1m", name="stocks_1m")
SYMBOLS = names_of(2)


@pytest.fixture
def sessions(lake: Lake) -> list[Session]:
    """Two sessions; on the second the second symbol misses 30 minutes from 11:20."""
    rows = sessions_of(FEED, date(2024, 1, 4), 2)
    rows[1].findings.append(finding("long_gap", rows[1].session, SYMBOLS[1], 110, 30))
    fill_lake(lake, FEED, SYMBOLS, rows)
    return [each.session for each in rows]


def found(session: Session, minute: int | None, bars: int = 1, **changes: Any) -> FindingRow:
    first = None if minute is None else session.open + minute * MINUTE_US
    last = None if first is None else first + (bars - 1) * MINUTE_US
    row = FindingRow(
        "price_spike", "accuracy", "warn", SYMBOLS[0], session.date, first, last, bars, None, None, "", None, None,
        None, True,
    )  # fmt: skip
    return replace(row, **changes)


def only(lake: Lake, finding_row: FindingRow) -> FindingChart:
    (drawn,) = finding_charts(lake, FEED, [finding_row])
    return drawn


def test_twenty_bars_lie_on_either_side(lake: Lake, sessions: list[Session]) -> None:
    drawn = only(lake, found(sessions[1], 100))

    assert len(drawn.candles) == 41
    assert [at for at, marked in enumerate(drawn.marked) if marked] == [20]
    assert drawn.candles[20].ts_us == sessions[1].open + 100 * MINUTE_US
    assert drawn.breaks == ()


def test_at_the_open_the_session_before_is_shown(lake: Lake, sessions: list[Session]) -> None:
    drawn = only(lake, found(sessions[1], 0))

    assert drawn.candles[19].ts_us == sessions[0].close - MINUTE_US
    assert drawn.candles[20].ts_us == sessions[1].open
    assert drawn.breaks == (20,)


def test_where_bars_are_missing_nothing_is_marked_but_the_place(lake: Lake, sessions: list[Session]) -> None:
    drawn = only(lake, found(sessions[1], 110, 30, symbol=SYMBOLS[1]))

    assert not any(drawn.marked)
    assert drawn.breaks == (20,)
    assert drawn.candles[20].ts_us == sessions[1].open + 140 * MINUTE_US


def test_a_long_stretch_has_several_bars_a_candle(lake: Lake, sessions: list[Session]) -> None:
    drawn = only(lake, found(sessions[1], 0, 390))

    assert len(drawn.candles) <= 120
    assert sum(each.bars for each in drawn.candles) == 410
    assert drawn.candles[0].bars == 4
    assert all(each.low <= min(each.open, each.close) for each in drawn.candles)


def test_findings_at_one_place_share_a_chart(lake: Lake, sessions: list[Session]) -> None:
    drawn = finding_charts(lake, FEED, [found(sessions[1], 50), found(sessions[1], 50, rule="bad_wick")])

    assert [(each.finding.rule, each.also) for each in drawn] == [("price_spike", ("bad_wick",))]


def test_findings_without_a_bar_have_none(lake: Lake, sessions: list[Session]) -> None:
    elsewhere = Session(date(2024, 2, 1), ((0, 1),))
    nowhere = [
        found(sessions[1], None), found(sessions[1], 5, symbol=None), found(sessions[1], 5, symbol="NONE"),
        found(elsewhere, 5),
    ]  # fmt: skip

    assert finding_charts(lake, FEED, nowhere) == ()


def test_no_more_are_drawn_than_people_look_at(lake: Lake, sessions: list[Session]) -> None:
    many = [found(sessions[1], minute) for minute in range(100)]

    assert len(finding_charts(lake, FEED, many)) == CHARTS


def test_daily_bars_are_next_to_each_other_over_weekends(lake: Lake, sessions: list[Session]) -> None:
    feed = replace(make_feed("XNYS", "1d"), name=FEED.name, partition=FEED.partition)

    (drawn,) = finding_charts(lake, feed, [found(sessions[1], 0)])

    assert drawn.breaks == ()
