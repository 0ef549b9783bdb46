"""One running Dagster, one Chromium, and the backfills that the tests look at.

They end with this folder's tests: Playwright keeps an event loop running, and Dagster wants to run its own.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize, expect, sync_playwright

from marketdata_pipelines_tests.browser.live import LiveDagster, wait_for

PROJECT = Path(__file__).resolve().parent.parent.parent
SECONDS_TO_SHOW = 30
WIDTH, HEIGHT = 1600, 1000
LARGEST_PICTURE_BYTES = 300_000
CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
FEEDS = """\
feeds:
  us_equities_1m:
    description: Minute bars of six simulated New York stocks, with faults
    source:
      kind: simulated
      symbols: [ALFA, BRVO, CHRL, DLTA, ECHO, FXTR]
      seed: 7
      faults: {high_lt_low: 2, negative_price: 2, ts_off_interval: 2, dup_conflict: 2}
    interval: 1m
    calendar: XNYS
    start: @START
  crypto_1m:
    description: Minute bars of many simulated coins, round the clock
    source: {kind: simulated, symbols: 20, seed: 11}
    interval: 1m
    calendar: 24/7
    start: 2024-01-01
  desk_5m:
    description: Files that a desk drops into a folder
    source: {kind: files, path: landing/desk}
    interval: 5m
    calendar: XNYS
    start: 2024-07-01
    schedule:
      views: {daily_summary: off, hourly_volume: off, symbol_performance: off, top_volume: off, latest_bars: off}
  etfs_1d:
    description: Daily bars of three simulated funds, watched by the calendar
    source: {kind: simulated, symbols: [AAA, BBB, CCC], seed: 3}
    interval: 1d
    calendar: XNYS
    start: @START
    schedule:
      views: {daily_summary: off, hourly_volume: off, symbol_performance: off, top_volume: off, latest_bars: off}
"""
DAY_ASSETS = [
    "raw_bars", "validated_bars", "rejected_bars", "intraday_bars", "daily_bars", "daily_summary", "hourly_volume",
    "symbol_performance", "top_volume", "latest_bars", "quality",
]  # fmt: skip
ASSETS = [*DAY_ASSETS, "weekly_bars", "monthly_bars"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of them use one server: on several workers they stay on one (`--dist loadgroup`)."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("live"))
            # Dagster's client calls its GraphQL library in a way that is deprecated.
            item.add_marker(pytest.mark.filterwarnings("ignore:Using variable_values and operation_name"))


@pytest.fixture(scope="package")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveDagster]:
    home = tmp_path_factory.mktemp("live")
    start = datetime.now(UTC).date() - timedelta(days=15)
    (home / "feeds.yaml").write_text(FEEDS.replace("@START", start.isoformat()), "utf-8")
    (home / "landing" / "desk").mkdir(parents=True)
    (home / "landing" / "desk" / "2024-07-02.csv").write_text(bad_bars(), "utf-8")
    dagster = LiveDagster(home)
    yield dagster
    dagster.close()


def bad_bars() -> str:
    """A day of 5-minute bars of which none is good."""
    lines = ["symbol,ts,open,high,low,close,volume"]
    opening = datetime(2024, 7, 2, 13, 30)
    for position in range(78):
        at, price = opening + timedelta(minutes=5 * position), 100 + position / 10
        high, low, close = price + 0.5, price - 0.5, price + 0.1
        if position % 3 == 0:
            high, low = low, high
        elif position % 3 == 1:
            close = -close
        else:
            at = at.replace(second=7)
        lines.append(f"ALFA,{at:%Y-%m-%dT%H:%M:%SZ},{price},{high},{low},{close:.2f},{100 + position}")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class Backfill:
    """A backfill; `keys` are its days, or years."""

    id: str
    keys: list[str]


@pytest.fixture(scope="package")
def launched(live: LiveDagster) -> dict[str, Backfill]:
    """A backfill of each small feed, side by side, by feed."""
    work = {
        "us_equities_1m": (ASSETS, live.partition_keys("us_equities_1m", "raw_bars")[:5], "Five sessions"),
        "desk_5m": (DAY_ASSETS, ["2024-07-02"], "A bad file"),
        "etfs_1d": (["raw_bars", "validated_bars", "daily_bars"], live.partition_keys("etfs_1d", "raw_bars"), "So far"),
    }
    return {feed: Backfill(live.launch(feed, names, keys, title), keys) for feed, (names, keys, title) in work.items()}


@pytest.fixture(scope="package")
def filled(live: LiveDagster, launched: dict[str, Backfill]) -> Backfill:
    """Five sessions of us_equities_1m with their weeks and months, done."""
    assert live.ended(launched["us_equities_1m"].id)["status"] == "COMPLETED_SUCCESS"
    return launched["us_equities_1m"]


@pytest.fixture(scope="package")
def blocked(live: LiveDagster, launched: dict[str, Backfill]) -> Backfill:
    """A session of desk_5m whose file has no good row."""
    assert live.ended(launched["desk_5m"].id)["status"] == "COMPLETED_FAILED"
    return launched["desk_5m"]


@pytest.fixture(scope="package")
def up_to_date(live: LiveDagster, launched: dict[str, Backfill]) -> Backfill:
    """Every session of etfs_1d, done."""
    assert live.ended(launched["etfs_1d"].id)["status"] == "COMPLETED_SUCCESS"
    return launched["etfs_1d"]


@pytest.fixture
def running(live: LiveDagster) -> Iterator[Backfill]:
    """A backfill of 40 days that crypto_1m has not, with its first ones written; cancelled afterwards."""
    yield from _running(live, days=40)


@pytest.fixture
def long_running(live: LiveDagster) -> Iterator[Backfill]:
    """The same with so many days that it outlasts any look at it."""
    yield from _running(live, days=200)


def _running(live: LiveDagster, days: int) -> Iterator[Backfill]:
    there = live.partition_keys("crypto_1m", "validated_bars")
    done = set(live.materialized_of("crypto_1m", "validated_bars", there))
    keys = [key for key in there if key not in done][:days]
    found = Backfill(live.launch("crypto_1m", DAY_ASSETS, keys, f"{days} days"), keys)
    wait_for("its first partitions", lambda: live.materialized("crypto_1m", "validated_bars") > len(done) or None)
    yield found
    if live.backfill(found.id)["status"] == "REQUESTED":
        live.ask("mutation($id: String!) { cancelPartitionBackfill(backfillId: $id) { __typename } }", id=found.id)
        live.ended(found.id)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        message = "needs Chromium on PATH (Debian: apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@dataclass(frozen=True, slots=True)
class Visit:
    """A page of Dagster, the errors it wrote to its console, and where its screenshot goes."""

    page: Page
    errors: list[str]
    pictures: Path

    def keep(self, name: str) -> None:
        """A screenshot, for docs/images where MARKETDATA_SCREENSHOTS is 1; small enough for a repository."""
        picture = self.page.screenshot(path=self.pictures / f"{name}.png")
        assert len(picture) < LARGEST_PICTURE_BYTES


@pytest.fixture
def visit(browser: Browser, live: LiveDagster, tmp_path: Path) -> Iterator[Visit]:
    """A page of 1600 x 1000."""
    yield from _visit(browser, live, tmp_path, scale=1.0)


@pytest.fixture
def far_visit(browser: Browser, live: LiveDagster, tmp_path: Path) -> Iterator[Visit]:
    """The same size of picture with room for a whole feed's lineage."""
    yield from _visit(browser, live, tmp_path, scale=0.65)


def _visit(browser: Browser, live: LiveDagster, tmp_path: Path, *, scale: float) -> Iterator[Visit]:
    wanted = os.environ.get("MARKETDATA_SCREENSHOTS") == "1"
    pictures = PROJECT / "docs" / "images" if wanted else tmp_path
    pictures.mkdir(exist_ok=True)
    size = ViewportSize(width=round(WIDTH / scale), height=round(HEIGHT / scale))
    context = browser.new_context(
        base_url=live.url, viewport=size, device_scale_factor=scale, timezone_id="UTC", locale="en-GB"
    )
    page = context.new_page()
    page.set_default_timeout(SECONDS_TO_SHOW * 1000)
    expect.set_options(timeout=SECONDS_TO_SHOW * 1000)
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield Visit(page, errors, pictures)
    context.close()
