"""Where a finding is, in words and as commands."""

from marketdata_pipelines.quality.report.places import commands, source, span, when
from marketdata_pipelines_tests.builders import us
from marketdata_pipelines_tests.quality.report.reports import DAY, finding, report

FEED = report().feed


def test_a_symbol_that_looks_like_an_option_is_an_argument() -> None:
    assert commands(FEED, finding(symbol="-X"))[0] == "marketdata explain stocks_1m -- -X 2024-01-05T14:35Z"


def test_a_finding_on_a_whole_session_has_no_bar_to_explain() -> None:
    found = finding(symbol=None, ts_us=None, ts_last_us=None)

    assert commands(FEED, found) == ("marketdata rejected stocks_1m --findings --start 2024-01-05 --end 2024-01-05",)
    assert commands(FEED, finding(symbol=None, ts_us=None, session_date=None)) == ()


def test_times_have_their_date_where_it_is_not_the_sessions() -> None:
    overnight = finding(ts_us=us("2024-01-04 23:00"), ts_last_us=us("2024-01-05 00:30"))

    assert span(overnight) == "2024-01-04 23:00 – 00:30"
    assert when(finding()) == "Fri 5 Jan 2024, 14:35"
    assert when(finding(session_date=None)) == "–, 2024-01-05 14:35"


def test_daily_bars_have_a_date_only() -> None:
    midnight = us("2024-01-05 00:00")

    assert when(finding(ts_us=midnight, ts_last_us=midnight, session_date=DAY)) == "Fri 5 Jan 2024"


def test_the_source_is_a_file_and_a_line_or_row() -> None:
    assert source(finding()) == "us.csv, line 4,711"
    assert source(finding(line=None)) == "us.csv, row 4,710"
    assert source(finding(line=None, row=None)) == "us.csv"
    assert source(finding(file=None)) == ""
