"""What a person sees of a session's quality: its checks in Dagster, and the pages that `up` serves beside it."""

import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from marketdata_pipelines_tests.browser.conftest import DAY_ASSETS, Visit
from marketdata_pipelines_tests.browser.live import LiveDagster, wait_for

DAY = "2024-07-05"
# The sensor looks every half minute, and rests for three minutes after it has asked.
SENSOR_SECONDS = 300.0
pytestmark = pytest.mark.timeout(600)


def spiked_bars() -> str:
    """A day of 5-minute bars of two symbols; one bar of ALFA is ten times too high."""
    lines = ["symbol,ts,open,high,low,close,volume"]
    opening = datetime(2024, 7, 5, 13, 30)
    for symbol, base in (("ALFA", 100.0), ("BRVO", 42.0)):
        for position in range(78):
            factor = 10 if (symbol, position) == ("ALFA", 40) else 1
            price = (base + (position * 37 % 11) / 50) * factor
            at = opening + timedelta(minutes=5 * position)
            prices = f"{price:.2f},{price + 0.11 * factor:.2f},{price - 0.09 * factor:.2f},{price + 0.04 * factor:.2f}"
            lines.append(f"{symbol},{at:%Y-%m-%dT%H:%M:%SZ},{prices},{1000 + position * 13 % 170}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="package")
def judged(live: LiveDagster) -> str:
    """A session of desk_5m with a spike, walked and judged."""
    (live.home / "landing" / "desk" / f"{DAY}.csv").write_text(spiked_bars(), "utf-8")
    backfill = live.launch("desk_5m", [*DAY_ASSETS, "quality"], [DAY], "A spike")
    assert live.ended(backfill)["status"] == "COMPLETED_SUCCESS"
    return DAY


@pytest.fixture(scope="package")
def reported(live: LiveDagster, judged: str) -> Path:
    """Its pages, once the sensor has had them made."""
    folder = live.home / "quality"
    # Other sessions of the month may have had theirs before.
    report, listed = folder / "reports" / "desk_5m" / f"{judged}.html", folder / "reports" / "desk_5m" / "index.html"
    wait_for("the sensor's report", lambda: report.is_file() or None, SENSOR_SECONDS)
    wait_for("the list of reports", lambda: (listed.is_file() and judged in listed.read_text()) or None, SENSOR_SECONDS)
    return folder


def test_the_checks_of_a_session_tell_what_was_found(visit: Visit, judged: str) -> None:
    visit.page.goto("/assets/desk_5m/quality?view=checks&checkDetail=accuracy")

    expect(visit.page.get_by_text("price_spike").first).to_be_visible()
    expect(visit.page.get_by_text("ALFA").first).to_be_visible()
    expect(visit.page.locator(f"a[href='/quality/reports/desk_5m/{judged}.html']").first).to_be_visible()
    for dimension in ("completeness", "consistency", "validity", "timeliness", "uniqueness"):
        expect(visit.page.get_by_text(dimension, exact=True).first).to_be_visible()
    visit.keep("quality_checks")
    assert visit.errors == []


def test_data_docs_are_served_and_load_nothing_from_elsewhere(visit: Visit, reported: Path) -> None:
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))

    visit.page.goto("/quality/docs/desk_5m/2024-07/index.html")

    expect(visit.page.get_by_text("validated_bars").first).to_be_visible()
    expect(visit.page.get_by_text(DAY).first).to_be_visible()
    visit.page.locator(f"a[href*='symbol_sessions/{DAY}/']").first.click()
    visit.page.get_by_label("failed only").check()
    expect(visit.page.get_by_text("price_spike").first).to_be_visible()
    visit.keep("data_docs")
    origin = re.match(r"https?://[^/]+/", visit.page.url)
    assert origin is not None
    assert [url for url in asked if not url.startswith((origin.group(), "data:"))] == []
    assert visit.errors == []


def test_the_report_asset_leads_to_the_report(visit: Visit, reported: Path) -> None:
    visit.page.goto("/assets/desk_5m/quality_report?view=checks&checkDetail=suites_agree")
    expect(visit.page.get_by_text("Succeeded", exact=True).first).to_be_visible()

    visit.page.goto("/assets/desk_5m/quality_report?view=events")

    plot = visit.page.locator("img[src^='data:image/svg+xml']").first
    expect(plot).to_be_visible()
    with visit.page.expect_popup() as opened:
        visit.page.locator("a[href='/quality/reports/desk_5m/latest.html']").first.click()
    report = opened.value
    expect(report.get_by_text("desk_5m").first).to_be_visible()
    expect(report.get_by_text("price_spike").first).to_be_visible()
    assert visit.errors == []


def test_every_feed_is_listed_with_its_grade(visit: Visit, reported: Path) -> None:
    visit.page.goto("/quality")

    row = visit.page.get_by_role("row").filter(has_text="desk_5m")
    expect(row.get_by_text(re.compile(r"^[A-F] \((Excellent|Good|Fair|Poor|Unacceptable)\)$"))).to_be_visible()
    expect(visit.page.get_by_role("row").filter(has_text="etfs_1d")).to_be_visible()
    row.get_by_role("link", name="report", exact=True).click()
    expect(visit.page).to_have_url(re.compile("/quality/reports/desk_5m/latest.html$"))
    expect(visit.page.get_by_text("price_spike").first).to_be_visible()
    assert visit.errors == []


def test_a_report_that_is_not_there_says_how_to_make_it(visit: Visit) -> None:
    visit.page.goto("/quality/reports/crypto_1m/1999-01-04.html")

    expect(visit.page.get_by_text("marketdata quality crypto_1m --report")).to_be_visible()
