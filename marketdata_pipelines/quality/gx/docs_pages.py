"""The pages of Data Docs: Great Expectations' own sections in our frame, without anything from another server.

Its templates load scripts, styles, fonts and a logo from elsewhere; the page, its styles and the little it can do are
ours (`templates/`), the sections inside are rendered by it. Texts of the data are escaped before they get there.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from marketdata_pipelines.quality.gx.docs_results import Recorded
from marketdata_pipelines.quality.gx.loading import load_great_expectations, quietly

_TEMPLATES = Path(__file__).parent / "templates"
_GRADES = ("A", "B", "C", "D", "F")
_HEADINGS = (("h5", "h2"), ("h6", "h2"))
Cell = list[dict[str, str]]


class DocsPages:
    """Renders the pages of one feed's sites; making it imports Great Expectations."""

    def __init__(self, feed: str) -> None:
        load_great_expectations()
        import great_expectations as gx
        from great_expectations.render.renderer.page_renderer import (
            ExpectationSuitePageRenderer,
            ValidationResultsPageRenderer,
        )
        from great_expectations.render.view.view import DefaultJinjaPageView
        from jinja2 import ChoiceLoader, FileSystemLoader

        self._feed, self._version = feed, gx.__version__
        self._results: Any = ValidationResultsPageRenderer()
        self._suites: Any = ExpectationSuitePageRenderer()
        self._view: Any = DefaultJinjaPageView()
        theirs: Any = self._view.env.loader
        self._view.env.loader = ChoiceLoader([FileSystemLoader(_TEMPLATES), theirs])

    def validation(self, month: str, entry: Recorded, result: Mapping[str, Any]) -> str:
        """The page of one validation."""
        facts = [*_facts_of(entry), *((str(name), str(value)) for name, value in result.get("meta", {}).items())]
        with quietly():
            document = self._results.render(_validation_result(result, entry, self._version))
        # The overview names a folder layout of its own; what it says is in our facts.
        document.sections[0].content_blocks.pop(0)
        heading = f"{entry.table} {entry.partition}"
        crumbs = [(self._feed, "../../../index.html"), (month, "../../index.html")]
        return self._page(document, heading, crumbs, dict(facts))

    def suite(self, month: str, entry: Recorded, result: Mapping[str, Any]) -> str:
        """The page of what was asked of a table."""
        from great_expectations.core import ExpectationSuite

        configurations = [each["expectation_config"] for each in _escaped_results(result)]
        with quietly():
            suite = ExpectationSuite(name=str(result.get("suite_name", entry.table)), expectations=configurations)
            document = self._suites.render(suite)
        crumbs = [(self._feed, "../../index.html"), (month, "../index.html")]
        facts = {"table": entry.table, "expectations": str(len(configurations))}
        return self._page(document, f"What is asked of {entry.table}", crumbs, facts)

    def month(self, month: str, entries: Iterable[Recorded], suites: Sequence[tuple[str, str]]) -> str:
        """The list of a month's validations: the newest of each partition and table, with links to earlier ones."""
        places: dict[tuple[str, str], list[Recorded]] = {}
        for entry in sorted(entries, key=lambda each: each.order, reverse=True):
            places.setdefault((entry.partition, entry.table), []).append(entry)
        rows = [_month_row(found) for _, found in sorted(places.items(), key=lambda each: each[0])]
        broken = sum(row["failed"] for row in rows)
        lead = (
            f"{len(rows)} tables of {len({key for key, _ in places})} partitions were validated; {broken} break a rule."
        )
        columns = [
            "partition",
            "table",
            "verdict",
            "grade",
            "rows",
            "rules",
            "blocked by",
            "warned by",
            "at",
            "earlier",
        ]
        crumbs = [(self._feed, "../index.html")]
        return self._site(f"{self._feed} {month}", lead, crumbs, columns, rows, ("rows", "rules"), suites)

    def months(self, months: Mapping[str, Sequence[Recorded]]) -> str:
        """The list of a feed's months, newest first, with how many partitions have which grade."""
        rows = [_months_row(month, entries) for month, entries in sorted(months.items(), reverse=True)]
        lead = f"Validations by month of {self._feed}. A grade is a partition's, as it was last validated."
        columns = ["month", "partitions", "tables", "blocked", "warned", *_GRADES, "no grade", "newest"]
        numbers = tuple(columns[1:-1])
        return self._site(f"Data Docs of {self._feed}", lead, [], columns, rows, numbers, ())

    def _page(self, document: Any, heading: str, crumbs: list[tuple[str, str]], facts: Mapping[str, str]) -> str:
        said = list(facts.items())
        page: str = self._view.render(document, page_heading=heading, breadcrumbs=crumbs, facts=said)
        # Its headings are of the fifth and sixth level, ours follow the first. Texts of data have no tags any more.
        for theirs, ours in _HEADINGS:
            page = page.replace(f"<{theirs}", f"<{ours}").replace(f"</{theirs}>", f"</{ours}>")
        return page

    def _site(
        self,
        heading: str,
        lead: str,
        crumbs: list[tuple[str, str]],
        columns: list[str],
        rows: list[dict[str, Any]],
        numbers: tuple[str, ...],
        suites: Sequence[tuple[str, str]],
    ) -> str:
        template = self._view.env.get_template("site.j2")
        return template.render(
            heading=heading,
            lead=lead,
            breadcrumbs=crumbs,
            columns=columns,
            rows=rows,
            numbers=numbers,
            suites=suites,
            filtered=bool(suites),
            wraps=("blocked by", "warned by", "earlier"),
            version=self._version,
        )


def _month_row(found: Sequence[Recorded]) -> dict[str, Any]:
    newest = found[0]
    earlier = [{"text": _when(each.at_us), "link": each.page} for each in found[1:]]
    cells: list[Cell] = [
        [{"text": newest.partition, "link": newest.page}],
        [{"text": newest.table}],
        [_verdict(newest)],
        [{"text": newest.grade or "", "kind": "grade"}] if newest.grade else [{"text": ""}],
        [{"text": f"{newest.rows:,}"}],
        [{"text": str(newest.rules)}],
        [{"text": ", ".join(newest.blocked)}],
        [{"text": ", ".join(newest.warned)}],
        [{"text": _when(newest.at_us)}],
        earlier or [{"text": ""}],
    ]
    return {"cells": cells, "failed": bool(newest.blocked or newest.warned)}


def _months_row(month: str, entries: Sequence[Recorded]) -> dict[str, Any]:
    newest: dict[tuple[str, str], Recorded] = {}
    for entry in sorted(entries, key=lambda each: each.order):
        newest[entry.partition, entry.table] = entry
    grades = {entry.partition: entry.grade for entry in newest.values() if entry.grade}
    partitions = {entry.partition for entry in newest.values()}
    blocked = {entry.partition for entry in newest.values() if entry.blocked}
    warned = {entry.partition for entry in newest.values() if entry.warned} - blocked
    counts = Counter(grades.values())
    last = max((entry.at_us for entry in entries), default=None)
    texts = [len(partitions), len(newest), len(blocked), len(warned)]
    texts += [counts[grade] for grade in _GRADES]
    texts.append(len(partitions) - len(grades))
    cells: list[Cell] = [[{"text": month, "link": f"{month}/index.html"}]]
    cells += [[{"text": f"{value:,}"}] for value in texts]
    cells.append([{"text": "" if last is None else _when(last)}])
    return {"cells": cells, "failed": bool(blocked or warned)}


def _verdict(entry: Recorded) -> dict[str, str]:
    if entry.blocked:
        return {"text": "✕ blocked", "kind": "blocked"}
    return {"text": "! warned", "kind": "warned"} if entry.warned else {"text": "✓ passed", "kind": "passed"}


def _facts_of(entry: Recorded) -> list[tuple[str, str]]:
    return [("verdict", _verdict(entry)["text"]), ("rows", f"{entry.rows:,}"), ("validated at", _when(entry.at_us))]


def _when(us: int) -> str:
    return datetime.fromtimestamp(us / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _validation_result(result: Mapping[str, Any], entry: Recorded, version: str) -> Any:
    """The recorded result as Great Expectations' own object."""
    from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    results = [
        ExpectationValidationResult(
            success=each["success"],
            expectation_config=ExpectationConfiguration(**each["expectation_config"]),
            result=each.get("result") or {},
            exception_info=each.get("exception_info"),
            meta=each.get("meta") or {},
        )
        for each in _escaped_results(result)
    ]
    return ExpectationSuiteValidationResult(
        success=bool(result.get("success")),
        results=results,
        suite_name=str(result.get("suite_name", entry.table)),
        statistics=result.get("statistics") or {},
        meta={
            "great_expectations_version": version,
            # It is read as a date, which some names of digits overflow; with a word in front it is none.
            "run_id": {"run_name": f"validation {entry.name}", "run_time": _when(entry.at_us)},
        },
    )


def _escaped_results(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The results with every text that the templates would write as it is made harmless.

    Parameters of texts are escaped by Great Expectations, cells of tables are not.
    """
    return [{**each, "result": _escaped(each.get("result"))} for each in result.get("results", [])]


def _escaped(value: Any) -> Any:
    if isinstance(value, Mapping):
        # Our own examples are written as parameters.
        return {name: each if name == "examples" else _escaped(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_escaped(each) for each in value]
    if isinstance(value, str) and any(sign in value for sign in "<>&"):
        return escape(value, quote=False)
    return value
