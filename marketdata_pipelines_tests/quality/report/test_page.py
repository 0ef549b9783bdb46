"""One report as one file: whole without anything else, the same bytes each time, and hostile data are data."""

import base64
import hashlib
import json
import re
from dataclasses import replace

from marketdata_pipelines.domain.quality.records import Dimension
from marketdata_pipelines.quality.report.page import page_text, render_report
from marketdata_pipelines.quality.report.records import (
    Change,
    GapBin,
    Histogram,
    Origin,
    RejectedExample,
    RejectedRule,
    Rejections,
    ReportData,
    RuleCount,
    Topic,
    Withheld,
)
from marketdata_pipelines_tests.builders import us
from marketdata_pipelines_tests.quality.report.reports import (
    DAY,
    MADE_US,
    PageReader,
    chart,
    finding,
    heat,
    report,
    score,
)

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'=cmd|' /C calc'!A0"
LOADING = {"src", "srcset", "data", "poster", "background", "action", "formaction"}


def hostile_report() -> ReportData:
    """Everything a source can say says something bad."""
    found = finding(symbol=HOSTILE, message=HOSTILE, file=HOSTILE, rule=HOSTILE, dimension=HOSTILE, severity=HOSTILE)
    example = RejectedExample(HOSTILE, 1, 1, HOSTILE, None, HOSTILE)
    return report(
        feed=replace(report().feed, description=HOSTILE),
        change=Change(score(), 1, 1, (Topic(HOSTILE, HOSTILE),), (Topic(HOSTILE, None),)),
        heat=heat([HOSTILE]),
        warnings=1,
        rules=(RuleCount(HOSTILE, HOSTILE, "warn", 1, 1, 1, HOSTILE),),
        findings=(found,),
        charts=(chart(found, also=(HOSTILE,)),),
        rejections=Rejections(1, 0, (RejectedRule(HOSTILE, HOSTILE, 1, (example,)),)),
        withheld=(Withheld("2024-01-05", "blocked", HOSTILE, HOSTILE),),
        origin=Origin(MADE_US, None, ((HOSTILE, HOSTILE),), (HOSTILE,), "javascript:alert(3)", "https://x/" + HOSTILE),
    )


def test_the_same_data_give_the_same_page() -> None:
    assert render_report(hostile_report()) == render_report(hostile_report())


def test_hostile_texts_are_shown_and_make_no_element() -> None:
    page = PageReader(render_report(hostile_report()))

    assert page.open == []
    assert [tag for tag, _ in page.elements if tag in ("img", "iframe", "object", "form", "base")] == []
    assert [found.get("type") for found in page.having("script")] == ["application/json", None]
    assert [name for _, found in page.elements for name in found if name.startswith("on")] == []
    assert HOSTILE in page.text
    (data,) = [each for each in page.texts["script"] if each.startswith("{")]
    assert json.loads(data)["rows"][0][0] == HOSTILE


def test_nothing_is_loaded_and_only_the_pages_own_script_may_run() -> None:
    page = PageReader(render_report(hostile_report()))

    links = [found["href"] or "" for tag, found in page.elements if "href" in found]
    (rules,) = [found["content"] or "" for found in page.having("meta", http_equiv="Content-Security-Policy")]
    script = page.texts["script"][-1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert [name for _, found in page.elements for name in found if name in LOADING] == []
    assert [found["href"] for found in page.having("link")] == ["data:,"]
    assert not re.search(r"url\(|@import", "".join(page.texts["style"]))
    assert [link for link in links if link.startswith("javascript")] == []
    assert rules.startswith("default-src 'none'")
    assert f"script-src 'sha256-{digest}'" in rules


def test_the_headline_tells_grade_score_and_what_changed() -> None:
    before = score(value=99.0, grade="B", bars=380)
    change = Change(before, 2, 0, (Topic("price_spike", "ALFA"),), ())

    page = PageReader(render_report(report(change=change, blocking=1, warnings=2))).text

    assert "97.4" in page
    assert "Excellent" in page
    assert "−1.5" in page
    assert "Since Fri 5 Jan 2024" in page
    assert "price_spike ALFA" in page.replace("\n", "") or "ALFA" in page
    assert "and 1 more" in page
    assert "1 blocking" in page
    assert all(dimension.value.capitalize() in page for dimension in Dimension)


def test_a_range_is_compared_by_the_session() -> None:
    now = score(sessions=2, bars=780, expected=780)
    before = score(sessions=1, bars=390)

    page = PageReader(render_report(report(score=now, change=Change(before, 0, 0, (), ())))).text

    assert "Bars a session" in page
    assert "Gone" in page


def test_a_range_without_verdict_says_so() -> None:
    nothing = report(score=None, heat=None, trend=(), symbols=0)

    page = PageReader(render_report(nothing))

    assert "Not judged" in page.text
    assert "There is no session before to compare with." in page.text
    assert "Six dimensions" not in page.text
    assert "No rule is broken." in page.text
    assert page.open == []


def test_what_was_kept_out_is_told_with_its_place_and_the_command() -> None:
    example = RejectedExample("us.csv", 12, 11, "ALFA", us("2024-01-05 14:31"), "ALFA,14:31,-5")
    kept = Rejections(2, 3, (RejectedRule("price_not_positive", "a price is zero or negative", 2, (example,)),))
    withheld = (Withheld("2024-01-05", "blocked", "rows_conserved: 1 row is lost", "marketdata rejected stocks_1m"),)

    page = PageReader(render_report(report(rejections=kept, withheld=withheld))).text

    assert "2 rows kept out" in page
    assert "3 good rows gave way" in page
    assert "ALFA,14:31,-5" in page
    assert "rows_conserved: 1 row is lost" in page
    assert "marketdata rejected stocks_1m --start 2024-01-05 --end 2024-01-05" in page


def test_how_bars_lie_is_drawn_with_its_counts() -> None:
    shares = (0.1, 0.8, 0.1)
    drawn = Histogram("Returns from bar to bar", "percent", (-0.3, -0.1, 0.1, 0.3), shares, 1_234, shares, 99)
    gaps = (GapBin(870, 30, 3, 60), GapBin(900, 30, 0, 60))

    page = PageReader(render_report(report(histograms=(drawn,), gaps=gaps)))

    assert "1,234 bars" in page.text
    assert "3 of 120 bars" in page.text
    labels = [found["aria-label"] or "" for found in page.having("svg", role="img")]
    assert [label for label in labels if label.startswith("3 bars missing of 120; most from 14:30 UTC")]
    assert [label for label in labels if label.startswith("Returns from bar to bar: 1,234 values")]


def test_no_missing_bar_is_a_sentence_and_no_picture() -> None:
    page = PageReader(render_report(report(gaps=(GapBin(870, 30, 0, 60),))))

    assert "none is missing" in page.text
    assert "Missing bars by time of day" in page.text


def test_where_it_comes_from_is_told_at_the_end() -> None:
    origin = Origin(
        MADE_US, us("2024-01-05 22:00"), (("calendar", "XNYS-1"),), ("Sampled.",), "../d/index.html", "http://u/r"
    )

    page = PageReader(render_report(report(feed=replace(report().feed, sample=0.25), origin=origin)))

    assert "2024-01-06 07:00 UTC" in page.text
    assert "2024-01-05 22:00 UTC" in page.text
    assert "25 % of the symbol-sessions" in page.text
    assert "XNYS-1" in page.text
    assert "Sampled." in page.text
    assert {"../d/index.html", "http://u/r", "index.html"} <= {found.get("href") for found in page.having("a")}


def test_a_report_of_a_thousand_symbols_is_small_and_holds_the_worst_sixty() -> None:
    symbols = [f"S{number:04d}" for number in range(1_000)]
    found = tuple(finding(symbol=symbol) for symbol in symbols[:500])
    large = report(heat=heat(symbols, days=30), findings=found, charts=tuple(chart(each) for each in found[:40]))

    content = render_report(large)

    assert len(content.encode()) < 2_000_000
    page = PageReader(content)
    assert content.count('<th scope="row"><bdi>S0') == 60
    (data,) = [each for each in page.texts["script"] if each.startswith("{")]
    assert [row[0] for row in json.loads(data)["rows"]] == symbols


def test_a_page_of_another_room_looks_the_same() -> None:
    page = PageReader(page_text("A <title>", "<main>hello</main>"))

    assert page.texts["title"] == ["A <title>"]
    assert DAY.isoformat() not in page.text
