"""Data Docs: complete and offline, whoever records and builds at the same time."""

import multiprocessing
import re
import time
import uuid
from html.parser import HTMLParser
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.quality.gx import docs
from marketdata_pipelines.quality.gx.docs import DocsSite
from marketdata_pipelines.quality.gx.user_expectations import run_expectations
from marketdata_pipelines.quality.gx.validate import run_suite
from marketdata_pipelines.quality.suites.records import SuiteOutcome
from marketdata_pipelines_tests.builders import us
from marketdata_pipelines_tests.quality.gx.test_user_expectations import CASES, expectation
from marketdata_pipelines_tests.quality.suites.bars_of import batch_of, good_bars, with_value

NOW = us("2024-03-09 06:00")
HOSTILE = '<script>alert("x")</script>'
LOADING = {
    "script": "src",
    "link": "href",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "object": "data",
}


@pytest.fixture(scope="module")
def good() -> SuiteOutcome:
    suite, batch = batch_of(good_bars())
    return run_suite(suite, batch, {"feed": "feed", "partition": "2024-03-08"})


@pytest.fixture(scope="module")
def bad() -> SuiteOutcome:
    hostile = with_value(with_value(good_bars(), 0, "symbol", HOSTILE), 0, "high", 1.0)
    suite, batch = batch_of(hostile)
    return run_suite(suite, batch, {"feed": HOSTILE, "partition": "2024-03-08"})


@pytest.fixture(scope="module")
def users() -> SuiteOutcome:
    rows = with_value(good_bars(), 0, "symbol", HOSTILE)
    asked = [expectation(kind, kwargs) for kind, _, kwargs in CASES]
    histogram = {"column": "regular", "partition_object": {"values": [False], "weights": [1.0]}, "threshold": 0.1}
    asked.append(expectation("expect_column_kl_divergence_to_be_less_than", histogram))
    return run_expectations("mine", "user_expectations", asked, rows)


def site_of(folder: Path, *outcomes: SuiteOutcome) -> DocsSite:
    site = DocsSite(folder, "feed")
    for outcome in outcomes:
        site.record("2024-03", "2024-03-08", outcome, NOW, grade="B")
    site.build("2024-03")
    return site


class Page(HTMLParser):
    """What a page loads, where it leads, its texts of scripts and styles."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.inline: list[tuple[str, str]] = []
        self._inside = ""
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        self._inside = tag if tag in ("script", "style") else self._inside
        if said.get(LOADING.get(tag, "")):
            self.loads.append(str(said[LOADING[tag]]))
        if tag == "a" and said.get("href"):
            self.links.append(str(said["href"]))
        if said.get("style"):
            self.inline.append(("style", str(said["style"])))

    def handle_endtag(self, tag: str) -> None:
        self._inside = "" if tag == self._inside else self._inside

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.inline.append((self._inside, data))


def test_nothing_is_loaded_from_anywhere_and_every_link_leads_somewhere(
    tmp_path: Path, good: SuiteOutcome, bad: SuiteOutcome, users: SuiteOutcome
) -> None:
    site = site_of(tmp_path, good, bad, users)
    pages = sorted(site.root.rglob("*.html"))

    assert len(pages) == 7
    assert {path.suffix for path in site.root.rglob("*") if path.is_file()} <= {
        ".html",
        ".json",
        ".lock",
        "",
        ".validated_bars",
    }
    for path in pages:
        page = Page(path)
        assert [each for each in page.loads if not each.startswith("data:")] == [], path.name
        fetched = [
            text
            for kind, text in page.inline
            if re.search(r"url\(|@import|fetch\(|XMLHttpRequest|https?:|//[a-z]+\.", text)
        ]
        assert fetched == [], path.name
        local = [link for link in page.links if not link.startswith("#")]
        assert [
            link for link in local if urlsplit(link).scheme or not (path.parent / link).resolve().is_file()
        ] == [], path.name


def test_what_the_data_say_is_text_on_every_page(tmp_path: Path, bad: SuiteOutcome, users: SuiteOutcome) -> None:
    site = site_of(tmp_path, bad, users)

    for path in site.root.rglob("*.html"):
        assert 'alert("x")' not in "".join(text for kind, text in Page(path).inline if kind == "script"), path.name
        assert HOSTILE not in path.read_text("utf-8"), path.name
    page = next((site.root / "2024-03" / "validated_bars").rglob("*.html")).read_text("utf-8")
    assert "&lt;script&gt;" in page


def test_a_page_tells_rule_formula_violations_and_examples(tmp_path: Path, bad: SuiteOutcome) -> None:
    site = site_of(tmp_path, bad)

    page = next((site.root / "2024-03" / "validated_bars").rglob("*.html")).read_text("utf-8")

    for told in (
        "ohlc_relations",
        "The range holds open and close.",
        "1 of 40 rows break it",
        "2024-03-08T14:30:00Z",
        "blocks",
    ):
        assert told in page
    assert "low &lt;= open &lt;= high" in page


def test_the_month_lists_the_newest_and_links_the_earlier(
    tmp_path: Path, good: SuiteOutcome, bad: SuiteOutcome
) -> None:
    site = site_of(tmp_path, bad)
    site.record("2024-03", "2024-03-08", good, NOW + 60_000_000)

    index = site.build("2024-03").read_text("utf-8")

    assert "✓ passed" in index
    assert "✕ blocked" not in index
    assert len(re.findall(r'href="validated_bars/2024-03-08/', index)) == 2


def test_only_the_newest_are_kept(tmp_path: Path, good: SuiteOutcome) -> None:
    site = DocsSite(tmp_path, "feed", kept=2)
    for minute in range(5):
        site.record("2024-03", "2024-03-08", good, NOW + minute)
        site.build("2024-03")

    names = sorted(path.stem for path in (site.root / "2024-03" / "validated_bars").rglob("*.html"))

    assert [name.split("-")[0] for name in names] == [f"{NOW + 3:017d}", f"{NOW + 4:017d}"]
    assert len(list((site.root / "2024-03" / ".results").rglob("0*.json"))) == 2


def test_the_feeds_page_counts_grades_by_month(tmp_path: Path, good: SuiteOutcome, bad: SuiteOutcome) -> None:
    site = site_of(tmp_path, good)
    site.record("2024-04", "2024-04-02", bad, NOW, grade="F")
    site.build("2024-04")

    page = (site.root / "index.html").read_text("utf-8")

    rows = [re.sub(r"<[^>]+>", " ", row).split() for row in re.findall(r"<tr>?.*?</tr>", page, re.S)[1:]]
    assert [row[:10] for row in rows] == [
        ["2024-04", "1", "1", "1", "0", "0", "0", "0", "0", "1"],
        ["2024-03", "1", "1", "0", "0", "0", "1", "0", "0", "0"],
    ]


def test_one_more_partition_renders_one_more_page(tmp_path: Path, good: SuiteOutcome) -> None:
    site = DocsSite(tmp_path, "feed")
    for session in range(1, 22):
        site.record("2024-03", f"2024-03-{session:02}", good, NOW)
    site.build("2024-03")
    before = {path: path.stat().st_mtime_ns for path in (site.root / "2024-03" / "validated_bars").rglob("*.html")}
    site.record("2024-03", "2024-03-22", good, NOW)

    began = time.perf_counter()
    site.build("2024-03")
    seconds = time.perf_counter() - began

    pages = list((site.root / "2024-03" / "validated_bars").rglob("*.html"))
    assert len(pages) == 22
    assert {path: path.stat().st_mtime_ns for path in pages if path in before} == before
    assert seconds < 2


def test_a_torn_or_foreign_file_is_no_result(tmp_path: Path, good: SuiteOutcome) -> None:
    site = site_of(tmp_path, good)
    folder = site.root / "2024-03" / ".results" / "validated_bars" / "2024-03-08"
    (folder / "1-torn.json").write_text('{"recorded": {"tab', "utf-8")
    (site.root / "2024-03" / ".results" / "list.json").write_text("[", "utf-8")

    index = site.build("2024-03").read_text("utf-8")

    assert index.count('href="validated_bars/2024-03-08/') == 1


def test_a_name_that_reads_like_a_date_too_large_has_its_page(
    tmp_path: Path, good: SuiteOutcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixed = uuid.UUID("ad407613" + "0" * 24)
    monkeypatch.setattr(uuid, "uuid4", lambda: fixed)

    site = site_of(tmp_path, good)

    (page,) = (site.root / "2024-03" / "validated_bars").rglob("*.html")
    assert page.stem.endswith("-ad407613")


def test_a_name_cannot_lead_out_of_the_site(tmp_path: Path, good: SuiteOutcome) -> None:
    site = DocsSite(tmp_path, "feed")
    site.record("2024-03", "../../../2024-03-08", good, NOW)
    site.build("2024-03")

    assert {path.parts[len(tmp_path.parts)] for path in tmp_path.rglob("*.html")} == {"docs"}
    assert len(list((site.root / "2024-03" / "validated_bars").rglob("*.html"))) == 1


def test_a_site_that_stays_locked_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from filelock import FileLock

    site = DocsSite(tmp_path, "feed")
    site.root.mkdir(parents=True)
    monkeypatch.setattr(docs, "_LOCK_SECONDS", 0.05)

    with FileLock(site.root / ".lock"), pytest.raises(StoreError, match="the Data Docs of feed have been locked"):
        site.build("2024-03")


def record_and_build(folder: Path, number: int, result: dict[str, Any], together: Barrier) -> None:
    """What one of several processes does to a month at the same time as the others."""
    site = DocsSite(folder, "feed")
    together.wait(120)
    for session in range(1, 6):
        outcome = SuiteOutcome("feed.validated_bars", "validated_bars", 40, (), result)
        site.record("2024-03", f"2024-03-{session:02}", outcome, NOW + number)
        site.record("2024-03", f"2024-03-{10 + number}", outcome, NOW + session)
        site.build("2024-03")


def test_four_processes_may_record_and_build_at_once(tmp_path: Path, good: SuiteOutcome) -> None:
    # Forked from a server that has imported Great Expectations once, not four times.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["marketdata_pipelines.quality.gx.rule_expectations"])
    together = context.Barrier(4)
    running = [
        context.Process(target=record_and_build, args=(tmp_path, number, good.result, together)) for number in range(4)
    ]

    for process in running:
        process.start()
    for process in running:
        process.join(200)

    assert [process.exitcode for process in running] == [0, 0, 0, 0]
    site = DocsSite(tmp_path, "feed")
    index = site.build("2024-03").read_text("utf-8")
    results = list((site.root / "2024-03" / ".results" / "validated_bars").rglob("*.json"))
    pages = list((site.root / "2024-03" / "validated_bars").rglob("*.html"))
    # Five sessions by four processes, three kept; four by one, five times each, three kept.
    assert (len(results), len(pages)) == (27, 27)
    assert index.count('href="validated_bars/') == 27
    assert all(page.read_text("utf-8").rstrip().endswith("</html>") for page in pages)
    assert [
        path.name for path in site.root.rglob(".*") if path.name not in (".lock", ".results", ".validated_bars")
    ] == []
