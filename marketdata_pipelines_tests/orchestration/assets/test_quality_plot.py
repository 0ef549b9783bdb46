import re
from datetime import date, timedelta
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from marketdata_pipelines.orchestration.assets.plots import SHOWN_AT_ONCE
from marketdata_pipelines.orchestration.assets.quality_plot import trend_markdown
from marketdata_pipelines.pipeline.quality.headlines import SessionScore


def sessions(*scores: float, blocked: frozenset[int] = frozenset()) -> list[SessionScore]:
    start = date(2024, 3, 1)
    return [
        SessionScore("p", start + timedelta(days=at), score, "Good", "B", {}, 1, 0, 0, at in blocked)
        for at, score in enumerate(scores)
    ]


def picture(markdown: str) -> ElementTree.Element:
    address = re.search(r"<data:image/svg\+xml,(.*?)>\)", markdown)
    assert address is not None
    return ElementTree.fromstring(unquote(address.group(1)))


def points(markdown: str) -> list[tuple[int, int]]:
    line = picture(markdown).find("{http://www.w3.org/2000/svg}polyline")
    assert line is not None
    numbers = [int(number) for number in line.attrib["points"].split()]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def circles(markdown: str) -> int:
    return len(picture(markdown).findall("{http://www.w3.org/2000/svg}circle"))


def test_the_line_runs_from_0_to_100_over_the_whole_width() -> None:
    assert points(trend_markdown(sessions(0, 50, 100))) == [(0, 96), (240, 52), (480, 8)]


def test_one_session_is_a_dot() -> None:
    markdown = trend_markdown(sessions(75))

    assert circles(markdown) == 1
    assert markdown.endswith("1 session, 2024-03-01")


def test_blocked_sessions_are_marked_and_counted() -> None:
    markdown = trend_markdown(sessions(90, 20, 85, blocked=frozenset({1})))

    assert circles(markdown) == 1
    assert "lowest 20.0 on 2024-03-02" in markdown
    assert markdown.endswith("1 blocked (orange)")


@pytest.mark.parametrize("blocked", [0, 5, 30])
def test_thirty_sessions_are_shown_without_a_click(blocked: int) -> None:
    scores = [100 - 3.33 * at for at in range(30)]

    markdown = trend_markdown(sessions(*scores, blocked=frozenset(range(blocked))))

    assert len(markdown) <= SHOWN_AT_ONCE
    assert len(points(markdown)) == 30
    assert f"{blocked} blocked" in markdown if blocked else "blocked" not in markdown


def test_a_score_beyond_the_bounds_stays_in_the_picture() -> None:
    assert points(trend_markdown(sessions(-5, 120))) == [(0, 96), (480, 8)]
