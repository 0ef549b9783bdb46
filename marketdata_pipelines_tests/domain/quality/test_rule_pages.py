"""The page of rules, and the file it is published as."""

from itertools import pairwise
from pathlib import Path

import pytest

from marketdata_pipelines.domain.quality.rule_pages import rules_page
from marketdata_pipelines.domain.quality.rules import QUALITY_RULES, QualityRule
from marketdata_pipelines.domain.rules import RULES, Rule, Scope


def test_the_published_page_is_that_of_the_lists() -> None:
    published = Path(__file__).parents[3] / "docs" / "QUALITY_RULES.md"

    # When this fails: marketdata quality --rules > docs/QUALITY_RULES.md
    assert published.read_text("utf-8") == rules_page()


@pytest.mark.parametrize("rule", QUALITY_RULES, ids=lambda rule: rule.id)
def test_a_quality_rule_has_a_section_with_everything_about_it(rule: QualityRule) -> None:
    section = rules_page().split(f"\n### {rule.id}\n")[1].split("\n#")[0]

    assert rule.text in section
    assert rule.formula in section
    assert f"- {rule.dimension}, {'blocks' if rule.severity == 'block' else 'warns'}" in section
    assert all(f"{name}: {value:g}" in section for name, value in rule.limits.items())
    assert all(kind in section for kind in rule.kinds)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_about_rows_or_files_has_a_line(rule: Rule) -> None:
    lines = [line for line in rules_page().splitlines() if line.startswith(f"| {rule.id} |")]

    assert len(lines) == 1
    assert rule.text in lines[0]
    if rule.scope is Scope.ROW and rule.id not in ("superseded", "deleted"):
        assert lines[0].split(" | ")[1].strip(), "a row rule has a dimension"


def test_every_line_of_a_table_has_the_cells_of_its_head() -> None:
    lines = rules_page().splitlines()

    for before, line in pairwise(lines):
        if before.startswith("|") and line.startswith("|"):
            assert line.replace("\\|", "").count("|") == before.replace("\\|", "").count("|")
