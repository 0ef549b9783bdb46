"""Findings as tables: keys to filter by, links to their charts, and what no longer stands."""

from marketdata_pipelines.quality.report.findings import findings_section
from marketdata_pipelines.quality.report.records import RuleCount
from marketdata_pipelines_tests.quality.report.reports import PageReader, chart, finding, report


def test_a_finding_has_the_keys_it_is_filtered_and_sorted_by() -> None:
    found = (finding(), finding(symbol="BRVO", severity="block", rule="key_unique", ts_us=None, ts_last_us=None))

    page = PageReader(findings_section(report(findings=found, blocking=1, warnings=1)))

    rows = [found for found in page.having("tr") if "data-rule" in found]
    assert [(row["data-rule"], row["data-severity"], row["data-symbol"]) for row in rows] == [
        ("price_spike", "warn", "alfa"),
        ("key_unique", "block", "brvo"),
    ]
    assert [found["value"] for found in page.having("option")] == ["", "key_unique", "price_spike", "", "block", "warn"]
    assert [found["data-v"] for found in page.having("td", class_="n") if "data-v" in found][:3] == [
        "1",
        "0.35",
        "0.05",
    ]


def test_a_finding_leads_to_its_chart() -> None:
    drawn = finding(symbol="BRVO")

    page = PageReader(findings_section(report(findings=(finding(), drawn), charts=(chart(drawn),), warnings=2)))

    assert [found["href"] for found in page.having("a")] == ["#c0"]


def test_findings_on_replaced_rows_say_so() -> None:
    page = PageReader(findings_section(report(findings=(finding(standing=False),), replaced_findings=1)))

    assert "row replaced since" in page.text


def test_more_findings_than_are_listed_are_counted() -> None:
    rules = (RuleCount("price_spike", "accuracy", "warn", 1_200, 7, 3, "No bar leaps away."),)

    page = PageReader(findings_section(report(findings=(finding(),), rules=rules, warnings=1_200)))

    assert "The 1 most severe of 1,200" in page.text
    assert "1,200" in page.texts["td"]
