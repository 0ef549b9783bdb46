"""The scores of a report: as many sessions as it needs, and the worst symbols first."""

from datetime import date

from marketdata_pipelines.domain.sessions import Session
from marketdata_pipelines.pipeline.reports.scores import heat_map, read_scores, together
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import make_feed
from marketdata_pipelines_tests.pipeline.report_lakes import SessionRows, fill_lake, finding, names_of, sessions_of

FEED = make_feed("XNYS", "1m", name="stocks_1m")
SYMBOLS = names_of(3)


def stored(lake: Lake, count: int, *broken: tuple[int, str]) -> list[Session]:
    """Sessions of three symbols; at each (position, symbol) one has a spike."""
    rows: list[SessionRows] = sessions_of(FEED, date(2024, 1, 2), count)
    for at, symbol in broken:
        rows[at].findings.append(finding("price_spike", rows[at].session, symbol, 10))
    fill_lake(lake, FEED, SYMBOLS, rows)
    return [each.session for each in rows]


def test_thirty_sessions_end_with_the_range(lake: Lake) -> None:
    sessions = stored(lake, 35)

    scored = read_scores(lake, FEED, sessions[33].date, sessions[33].date)

    assert [score.end for score in scored.inside] == [sessions[33].date]
    assert [score.end for score in scored.before] == [each.date for each in sessions[4:33]]
    assert [score.end for score in scored.compared] == [sessions[32].date]


def test_a_long_range_is_compared_with_as_many_sessions(lake: Lake) -> None:
    sessions = stored(lake, 70)

    scored = read_scores(lake, FEED, sessions[36].date, sessions[69].date)

    assert (len(scored.inside), len(scored.before), len(scored.compared)) == (34, 34, 34)
    heat = heat_map(scored, sessions[36].date)
    assert heat is not None
    assert heat.sessions == tuple(each.date for each in sessions[40:])


def test_the_worst_symbol_of_the_range_is_first(lake: Lake) -> None:
    sessions = stored(lake, 4, (0, SYMBOLS[0]), (3, SYMBOLS[2]))

    scored = read_scores(lake, FEED, sessions[2].date, sessions[3].date)
    heat = heat_map(scored, sessions[2].date)

    assert heat is not None
    assert [row.symbol for row in heat.rows] == [SYMBOLS[2], SYMBOLS[0], SYMBOLS[1]]
    assert heat.rows[1].scores[0] is not None
    assert heat.rows[1].scores[0] < 100
    assert heat.whole.scores[1] == 100.0


def test_sessions_together_weigh_by_their_bars(lake: Lake) -> None:
    sessions = stored(lake, 2, (0, SYMBOLS[0]))
    scored = read_scores(lake, FEED, sessions[0].date, sessions[1].date)

    whole = together(scored.inside)

    assert whole is not None
    one, other = (score.score or 0.0 for score in scored.inside)
    assert (whole.bars, whole.sessions, whole.findings) == (2 * 3 * 390, 2, 1)
    assert abs((whole.score or 0.0) - (one + other) / 2) < 0.01
    assert together(()) is None


def test_without_any_score_there_is_no_map(lake: Lake) -> None:
    scored = read_scores(lake, FEED, date(2024, 1, 2), date(2024, 1, 2))

    assert (scored.all, scored.compared) == ((), ())
    assert heat_map(scored, date(2024, 1, 2)) is None
