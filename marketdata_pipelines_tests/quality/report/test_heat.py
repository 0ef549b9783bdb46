"""The map: letters in the cells, months over the days, and data that cannot end their script."""

import json
from datetime import date

from marketdata_pipelines.quality.report.heat import heat_section, json_text
from marketdata_pipelines.quality.report.records import HeatMap, HeatRow
from marketdata_pipelines_tests.quality.report.reports import PageReader, heat, report


def test_cells_have_letters_and_those_without_a_score_a_dash() -> None:
    sessions = (date(2023, 12, 29), date(2024, 1, 2))
    row = HeatRow("ALFA", (None, 64.29), ("", "C"))
    drawn = report(heat=HeatMap(sessions, HeatRow("", (90.0, 71.0), ("A", "B")), (row,)), start=date(2024, 1, 2))

    page = PageReader(heat_section(drawn))

    assert page.texts["td"] == ["A", "B", "–", "C"]
    assert [found["class"] for found in page.having("td") if "class" in found] == ["gA", "gB", "g0", "gC"]
    assert [found["colspan"] for found in page.having("th", scope="colgroup")] == ["1", "1"]
    assert [found["title"] for found in page.having("abbr")] == ["Dec 2023", "Jan 2024"]
    assert len(list(page.having("th", class_="now"))) == 1
    assert json.loads(page.texts["script"][0])["rows"] == [["ALFA", " C", [None, 642]]]


def test_a_larger_feed_says_that_the_worst_are_shown() -> None:
    page = PageReader(heat_section(report(heat=heat([f"S{at}" for at in range(61)]))))

    assert "The 60 worst of 61" in page.text


def test_without_scores_there_is_no_map() -> None:
    assert heat_section(report(heat=None)) == ""


def test_json_cannot_end_its_script() -> None:
    written = json_text(["</script>", "<!--", "&\u2028"])

    assert not set("<>&\u2028") & set(written)
    assert json.loads(written) == ["</script>", "<!--", "&\u2028"]
