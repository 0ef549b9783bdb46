"""The list of reports, read from the heads of their pages."""

from datetime import date

from marketdata_pipelines.quality.report.index import read_entry, render_index
from marketdata_pipelines.quality.report.page import render_report
from marketdata_pipelines.quality.report.records import Rejections
from marketdata_pipelines_tests.quality.report.reports import MADE_US, PageReader, report

HEAD = 4_096


def test_a_pages_head_says_what_the_list_tells() -> None:
    data = report(blocking=1, warnings=2, rejections=Rejections(3), start=date(2024, 1, 2))

    entry = read_entry("x.html", render_report(data)[:HEAD])

    assert entry is not None
    assert (entry.start, entry.end, entry.grade, entry.score) == (date(2024, 1, 2), date(2024, 1, 5), "A", 97.46)
    assert (entry.blocking, entry.warnings, entry.rejected, entry.withheld, entry.made_us) == (1, 2, 3, 0, MADE_US)


def test_other_files_are_no_reports() -> None:
    wrong = '<meta name="marketdata-report" content="{}">'

    assert read_entry("x.html", "<html>") is None
    assert read_entry("x.html", wrong) is None
    assert read_entry("x.html", wrong.replace("{}", "{&quot;start&quot;:1")) is None
    assert read_entry("x.html", wrong.replace("{}", "{&quot;start&quot;:&quot;2024-01-05&quot;}")) is None


def test_the_list_links_every_report() -> None:
    entry = read_entry("2024-01-05.html", render_report(report())[:HEAD])
    assert entry is not None

    page = PageReader(render_index("stocks_1m", [entry]))

    assert [found["href"] for found in page.having("a")] == ["#main", "latest.html", "2024-01-05.html"]
    assert "Fri 5 Jan 2024" in page.text
    assert page.open == []


def test_an_empty_list_says_how_to_make_one() -> None:
    assert "marketdata quality stocks_1m --report" in PageReader(render_index("stocks_1m", [])).text
