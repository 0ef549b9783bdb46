"""The bars around a finding: what is marked, where time is left out, and any prices can be drawn."""

import re

from marketdata_pipelines.quality.report.candles import charts
from marketdata_pipelines.quality.report.records import FindingChart
from marketdata_pipelines_tests.builders import us
from marketdata_pipelines_tests.quality.report.reports import PageReader, candles, chart, finding, report

FEED = report().feed


def drawn(*found: FindingChart) -> PageReader:
    return PageReader(charts(FEED, found))


def numbers(page: PageReader) -> list[float]:
    paths = " ".join(found.get("d") or "" for found in page.having("path"))
    return [float(number) for number in re.findall(r"-?\d+\.?\d*", paths)]


def test_the_bar_is_marked_by_a_band_a_flag_and_in_words() -> None:
    page = drawn(chart(finding()))

    (picture,) = page.having("svg", role="img")
    label = picture["aria-label"] or ""
    assert label.startswith("11 bars of ALFA from 2024-01-05 14:30 to 2024-01-05 14:40 UTC, prices 9.8 to 10.4; ")
    assert label.endswith("marked: 2024-01-05 14:35")
    assert len(list(page.having("rect", class_="band"))) == 1
    assert len(list(page.having("path", class_="flag"))) == 1
    assert [found["class"] for found in page.having("path") if "hit" in (found["class"] or "")] == [
        "wick hit",
        "up hit",
    ]


def test_where_the_bars_are_missing_the_flag_is_between_their_neighbours() -> None:
    gap = finding(rule="long_gap", ts_us=us("2024-01-05 14:33") - 1, ts_last_us=us("2024-01-05 14:33") - 1)

    page = drawn(chart(gap, marked=(False,) * 11, breaks=(3,)))

    (band,) = page.having("rect", class_="band")
    step = (400 - 4 - 62) / 11
    assert abs(float(band["x"] or 0) + 3 - (4 + 3 * step)) < 0.1
    assert len(list(page.having("path", class_="break"))) == 1
    assert "nothing is left of what was found" in str(next(page.having("svg"))["aria-label"])


def test_prices_far_apart_are_drawn_on_a_logarithmic_scale() -> None:
    spike = chart(finding(), candles=candles(open=100.0, high=104.0, low=99.0, close=101.0))

    page = drawn(spike)

    assert "on a logarithmic scale" in str(next(page.having("svg"))["aria-label"])
    assert max(numbers(page)) <= 400


def test_flat_negative_and_unknown_volumes_are_drawn() -> None:
    flat = tuple(candles(3, volume=None)[:1]) * 3
    below_zero = candles(open=-40.0, high=-37.6, low=-41.0, close=-38.0)

    page = drawn(chart(finding(), candles=flat, marked=(False, True, False)), chart(finding(), candles=below_zero))

    assert len(list(page.having("figure"))) == 2
    assert "nan" not in charts(FEED, (chart(finding(), candles=flat, marked=(False, True, False)),))


def test_a_chart_says_which_commands_look_closer() -> None:
    page = drawn(chart(finding(symbol="A B;rm -rf"), also=("bad_wick",)))

    assert page.texts["code"] == [
        "marketdata explain stocks_1m 'A B;rm -rf' 2024-01-05T14:35Z",
        "marketdata rejected stocks_1m --findings --start 2024-01-05 --end 2024-01-05",
    ]
    assert "and bad_wick" in page.text


def test_without_charts_there_is_no_such_part() -> None:
    assert charts(FEED, ()) == ""
