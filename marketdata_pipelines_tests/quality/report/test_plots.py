"""Lines and bars: they stay in their box, are interrupted where nothing is known, and say in words what they show."""

import re
from datetime import timedelta

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.quality.report.plots import gap_plot, histogram, sparkline, trend
from marketdata_pipelines.quality.report.records import GapBin, Histogram
from marketdata_pipelines_tests.quality.report.reports import DAY, PageReader, score

SCORES = st.lists(st.none() | st.floats(0, 100), max_size=40)


def points(page: str) -> list[float]:
    """The numbers of the paths that are lines or points."""
    lines = re.findall(r'class="(?:line|dot)" d="([^"]*)"', page)
    return [float(number) for line in lines for number in re.findall(r"-?\d+\.\d+", line)]


@settings(phases=(Phase.explicit, Phase.generate), deadline=None, max_examples=100)
@given(SCORES)
def test_a_course_stays_in_its_box(values: list[float | None]) -> None:
    pages = sparkline(values, "x") + trend([score(value=value) for value in values], 0)

    assert all(0 <= number <= 100 for number in points(pages))
    assert PageReader(pages).open == []


def test_a_course_is_interrupted_where_nothing_is_known() -> None:
    (line,) = re.findall(r'class="line" d="([^"]*)"', sparkline([90.0, 91.0, None, 92.0, 93.0], "x"))

    assert line.count("M") == 2


def test_a_single_session_is_no_course() -> None:
    assert sparkline([90.0], "x") == ""
    assert trend([score()], 0) == ""


def test_the_trend_marks_blocked_sessions_and_the_range() -> None:
    scores = [score(DAY - timedelta(days=3 - at), 95.0, blocked=int(at == 1)) for at in range(4)]

    page = PageReader(trend(scores, 3))

    assert len(list(page.having("span", class_="blocked"))) == 1
    (inside,) = page.having("rect", class_="inside")
    assert (inside["x"], inside["width"]) == ("75.00", "25.00")
    assert next(page.having("svg"))["aria-label"] == "Score of 4 sessions, from 95.0 to 95.0, last 95.0"


def test_a_course_of_a_year_has_months_and_no_points() -> None:
    scores = [score(DAY - timedelta(days=199 - at), 95.0) for at in range(200)]

    page = PageReader(trend(scores, 0))

    assert next(page.having("path", class_="dot"))["d"] == ""
    assert "Jan 2024" in page.texts["span"]


def test_a_histogram_tells_where_most_values_are() -> None:
    found = Histogram("Volume of a bar", "times", (-2.0, 0.0, 2.0), (0.25, 0.75), 8, None, 0)

    page = PageReader(histogram(found))

    assert next(page.having("svg"))["aria-label"] == "Volume of a bar: 8 values, most of them around 2×"
    assert {"0.25×", "1×", "4×"} <= set(page.texts["span"])


def test_the_gap_plot_of_a_day_round_the_clock_has_few_labels() -> None:
    bins = [GapBin(at * 15, 15, at % 2, 15) for at in range(96)]

    page = PageReader(gap_plot(bins))

    times = [text for text in page.texts["span"] if ":" in text]
    assert times == ["00:00", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00", "21:00", "24:00"]
