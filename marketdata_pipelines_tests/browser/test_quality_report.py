"""The quality report in a real browser: from disk, light and dark, wide and narrow, with keys and without scripts."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, ViewportSize, expect

from marketdata_pipelines.pipeline.reports.data import collect_report, write_report
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.browser.conftest import LARGEST_PICTURE_BYTES, PROJECT
from marketdata_pipelines_tests.builders import make_feed, us
from marketdata_pipelines_tests.pipeline.report_lakes import (
    SessionRows,
    fill_lake,
    finding,
    names_of,
    rejected_row,
    sessions_of,
    walk_lake,
)

FEED = make_feed("XNYS", "1m", name="us_equities_1m", description="Minutes of US stocks")
DESKTOP, PHONE = ViewportSize(width=1280, height=1560), ViewportSize(width=390, height=1500)
HOSTILE = "</script><script>document.title='run'</script>"
# What is usually wrong: rule, bars, measured, allowed, in words.
USUAL = (
    ("price_spike", 1, 0.35, 0.05, "the close leaps 35.0 % away from both neighbours and back"),
    ("bad_wick", 1, 0.1, 0.05, "the low lies 10.0 % below open and close"),
    ("stale_run", 35, 35.0, 15.0, "35 bars repeat one price without volume"),
    ("long_gap", 28, 28.0, 15.0, "28 bars in a row are missing"),
    ("volume_spike", 1, 60.0, 10.0, "volume is 60 times the greatest usual volume"),
)
OpenPage = Callable[..., Page]


def broken_sessions(symbols: list[str]) -> list[SessionRows]:
    """Thirty sessions with a fault here and there, one blocked, the last the worst."""
    sessions = sessions_of(FEED, date(2023, 12, 1), 30)
    rng = np.random.default_rng(11)
    for item in sessions:
        faults = 7 if item is sessions[-1] else int(rng.poisson(1.1))
        for at in range(faults):
            rule, bars, value, limit, message = USUAL[at % 5 if item is sessions[-1] else int(rng.integers(5))]
            symbol = symbols[int(rng.integers(len(symbols)))] if at != 5 else item.findings[0]["symbol"]
            place: dict[str, Any] = {"file": f"us_{item.session.date}.csv", "line": int(rng.integers(2, 9_000))}
            minute = int(rng.integers(25, item.session.minutes - 60))
            item.findings.append(
                finding(rule, item.session, symbol, minute, bars, value=value, limit=limit, message=message, **place)
            )
        for _ in range(int(rng.poisson(2))):
            item.rejected.append(
                rejected_row(
                    "high_below_low", f"BAKE,{item.session.date}T15:04:00Z,10.2,10.1,10.3,10.2,700", symbol="BAKE"
                )
            )
    sessions[-9].blocked = "412 raw rows, 380 accepted and 30 rejected: 2 are lost"
    last = sessions[-1]
    last.findings.append(finding("price_spike", last.session, HOSTILE, 3, message=HOSTILE))
    last.rejected.append(rejected_row("symbol_hostile", f"{HOSTILE},1,2", symbol=HOSTILE, file=f"{HOSTILE}.csv"))
    return sessions


@pytest.fixture(scope="module")
def page_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report on a bad day of seventy symbols, some with hostile names."""
    home, symbols = tmp_path_factory.mktemp("report"), names_of(70)
    lake, sessions = Lake(home / "lake"), broken_sessions(symbols)
    fill_lake(lake, FEED, symbols, sessions)
    return report_on(home, lake, sessions[-1].session.date)


@pytest.fixture(scope="module")
def walked_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report on thirty sessions of files that were taken in, walked and judged."""
    home, symbols = tmp_path_factory.mktemp("walked"), names_of(16)
    lake, sessions = Lake(home / "lake"), broken_sessions(symbols)
    walk_lake(lake, FEED, symbols, sessions)
    return report_on(home, lake, sessions[-1].session.date)


def report_on(home: Path, lake: Lake, day: date) -> Path:
    docs, run = "../../docs/us_equities_1m/2024-01/index.html", "http://127.0.0.1:3000/runs/3f2c"
    data = collect_report(lake, FEED, day, day, now_us=us("2024-01-17 06:02"), docs_url=docs, run_url=run)
    return write_report(home, data)


@pytest.fixture
def opened(browser: Browser, page_path: Path) -> Iterator[OpenPage]:
    """Opens the report from disk; nothing else may be loaded, and nothing go wrong in its scripts."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(_page(browser, page_path, **options))


@contextmanager
def _page(browser: Browser, path: Path, **options: Any) -> Iterator[Page]:
    address = path.as_uri()
    context = browser.new_context(**{"viewport": DESKTOP, "locale": "en-GB", "timezone_id": "UTC"} | options)
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: errors.append(request.url) if request.url != address else None)
    page.goto(address)
    yield page
    context.close()
    assert errors == []


def keep(page: Page, name: str, folder: Path) -> None:
    """A screenshot, for docs/images where MARKETDATA_SCREENSHOTS is 1."""
    pictures = PROJECT / "docs" / "images" if os.environ.get("MARKETDATA_SCREENSHOTS") == "1" else folder
    assert len(page.screenshot(path=pictures / f"{name}.png")) < LARGEST_PICTURE_BYTES


@pytest.mark.parametrize(("scheme", "viewport"), [("light", PHONE), ("dark", DESKTOP)], ids=["light", "dark"])
def test_axe_has_nothing_to_say(opened: OpenPage, scheme: str, viewport: ViewportSize) -> None:
    page = opened(color_scheme=scheme, viewport=viewport, reduced_motion="reduce")
    page.locator("details").evaluate_all("all => all.forEach(each => each.open = true)")

    found = Axe().run(page).response

    assert [(each["id"], [node["target"] for node in each["nodes"]][:3]) for each in found["violations"]] == []


def test_a_desktop_shows_verdict_course_and_map(browser: Browser, walked_path: Path, tmp_path: Path) -> None:
    with _page(browser, walked_path, viewport=DESKTOP) as page:
        expect(page.get_by_role("heading", name="us_equities_1m")).to_be_visible()
        expect(page.get_by_role("img", name="Score of 30 sessions")).to_be_visible()
        expect(page.get_by_role("region", name="Map of symbols by session").get_by_role("row")).to_have_count(
            2 + 1 + 16
        )
        expect(page.locator("figure").first).to_be_attached()
        keep(page, "quality_report", tmp_path)


def test_a_phone_scrolls_downwards_only(browser: Browser, walked_path: Path, tmp_path: Path) -> None:
    with _page(browser, walked_path, viewport=PHONE) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        keep(page, "quality_report_phone", tmp_path)


def test_hostile_symbols_are_seen_and_not_run(opened: OpenPage) -> None:
    page = opened()

    assert page.title() == "us_equities_1m, Tue 16 Jan 2024: quality"
    expect(page.locator("#found").get_by_text(HOSTILE).first).to_be_visible()
    expect(page.get_by_text(f"{HOSTILE},1,2", exact=True)).to_be_visible()


def test_findings_are_filtered_by_rule_and_symbol(opened: OpenPage) -> None:
    page = opened()
    rows = page.locator("#found tbody tr:visible")
    expect(rows).to_have_count(8)

    page.get_by_label("Rule", exact=True).select_option("long_gap")
    expect(rows).to_have_count(1)
    expect(page.locator("#found-count")).to_have_text("1 of 8 shown")
    page.get_by_label("Rule", exact=True).select_option("")
    page.locator("#found-symbol").fill("SCRIPT")

    expect(rows).to_have_count(1)


def test_findings_are_sorted_with_the_keyboard(opened: OpenPage) -> None:
    page = opened()
    button = page.get_by_role("button", name="Bars")

    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("columnheader", name="Bars").last).to_have_attribute("aria-sort", "ascending")
    page.keyboard.press("Enter")

    expect(page.get_by_role("columnheader", name="Bars").last).to_have_attribute("aria-sort", "descending")
    bars = page.locator("#found tbody tr td:nth-child(6)").all_inner_texts()
    assert [int(text) for text in bars] == [35, 28, 1, 1, 1, 1, 1, 1]


def test_a_finding_leads_to_its_bars(opened: OpenPage) -> None:
    page = opened()

    page.locator("#found").get_by_role("link", name="long_gap").click()

    chart = page.locator("figure:target")
    expect(chart.get_by_role("img")).to_be_visible()
    expect(chart).to_contain_text("28 bars in a row are missing")


def test_the_map_finds_symbols_that_are_not_among_the_worst(opened: OpenPage) -> None:
    page = opened()
    shown = page.locator("#heat-rows tr")
    best = names_of(70)[-1]
    expect(shown).to_have_count(60)

    page.locator("#map-filter").fill(best.lower())
    expect(shown).to_have_count(1)
    expect(page.locator("#map-count")).to_have_text("1 of 70 symbols shown")
    page.get_by_label("Scores in place of letters").check()

    assert set(shown.first.locator("td").all_inner_texts()) <= {str(score) for score in range(101)}


def test_without_scripts_everything_but_the_tools_is_there(opened: OpenPage) -> None:
    page = opened(java_script_enabled=False)

    expect(page.locator("#found tbody tr")).to_have_count(8)
    expect(page.locator("#heat-rows tr")).to_have_count(60)
    expect(page.locator("#found-rule")).to_be_hidden()


def test_print_is_black_on_white_without_tools(opened: OpenPage) -> None:
    page = opened(color_scheme="dark")

    page.emulate_media(media="print")

    expect(page.locator("#found-rule")).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
