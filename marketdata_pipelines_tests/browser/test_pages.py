"""What a person sees in Dagster's page, in a real browser on a running server."""

import re
from urllib.parse import quote

from playwright.sync_api import expect

from marketdata_pipelines_tests.browser.conftest import ASSETS, Backfill, Visit


def test_lineage_of_a_feed(far_visit: Visit, filled: Backfill) -> None:
    page = far_visit.page
    page.goto("/locations/marketdata_pipelines/asset-groups/us_equities_1m/lineage")

    for asset in ASSETS:
        expect(page.get_by_text(asset, exact=True).first).to_be_visible()
    expect(page.get_by_text("Parquet").first).to_be_visible()
    expect(page.get_by_text("Loading…")).to_have_count(0)
    expect(page.get_by_text(re.compile(r"^\d+% filled$"))).to_have_count(len(ASSETS))
    far_visit.keep("lineage")
    assert far_visit.errors == []


def test_every_feed_is_a_group_that_expands(far_visit: Visit) -> None:
    page = far_visit.page
    page.goto("/asset-groups")
    for feed in ("us_equities_1m", "crypto_1m", "desk_5m", "etfs_1d"):
        expect(page.get_by_text(feed, exact=True).first).to_be_visible()

    page.goto(f"/asset-groups?expanded={quote('global@global:us_equities_1m')}")

    # The page draws only what lies within the picture.
    expect(page.get_by_text("daily_bars", exact=True).first).to_be_visible()
    assert far_visit.errors == []


def test_an_asset_shows_its_plot_and_figures_of_a_partition(visit: Visit, filled: Backfill) -> None:
    key = filled.keys[-1]
    visit.page.goto(f"/assets/us_equities_1m/validated_bars?view=partitions&partition={key}")

    plot = visit.page.locator("img[src^='data:image/svg+xml']").first
    expect(plot).to_be_visible()
    assert plot.evaluate("image => image.complete && image.naturalWidth") > 400
    expect(visit.page.get_by_text("most traded of 6 symbols")).to_be_visible()
    expect(visit.page.get_by_text("rejected_percent")).to_be_visible()
    command = f"marketdata bars us_equities_1m --session all --start {key} --end {key}"
    expect(visit.page.get_by_text(command)).to_be_attached()
    visit.keep("asset")
    assert visit.errors == []


def test_the_plot_is_drawn_on_the_dark_theme_too(visit: Visit, filled: Backfill) -> None:
    visit.page.add_init_script("localStorage.setItem('dagster-theme', JSON.stringify('Dark'))")
    visit.page.goto(f"/assets/us_equities_1m/intraday_bars?view=partitions&partition={filled.keys[0]}")

    plot = visit.page.locator("img[src^='data:image/svg+xml']").first
    expect(plot).to_be_visible()
    assert plot.evaluate("image => image.complete && image.naturalWidth") > 400
    expect(visit.page.locator("body.themeDark")).to_be_attached()
    visit.keep("asset_dark")
    assert visit.errors == []


def test_an_assets_page_tells_its_columns_and_how_to_read_it(visit: Visit, filled: Backfill) -> None:
    visit.page.goto("/assets/us_equities_1m/daily_bars")

    expect(visit.page.get_by_text("One bar a session (1d) and a pair (2d).")).to_be_visible()
    expect(visit.page.get_by_text("marketdata bars us_equities_1m --timeframe 1d").first).to_be_visible()
    expect(visit.page.get_by_text("unique (symbol, ts)")).to_be_visible()
    expect(visit.page.get_by_text("Sum of price x volume, in quote currency.")).to_be_attached()
    assert visit.errors == []


def test_a_finished_backfill(visit: Visit, filled: Backfill) -> None:
    visit.page.goto(f"/runs/b/{filled.id}")

    expect(visit.page.get_by_text("Succeeded", exact=True).first).to_be_visible()
    expect(visit.page.get_by_text("100% completed")).to_have_count(len(ASSETS))
    visit.keep("backfill_finished")
    assert visit.errors == []


def test_a_running_backfill(visit: Visit, long_running: Backfill) -> None:
    visit.page.goto(f"/runs/b/{long_running.id}")

    expect(visit.page.get_by_text("In progress").first).to_be_visible()
    expect(visit.page.get_by_text("crypto_1m / validated_bars").first).to_be_visible()
    expect(visit.page.get_by_text(re.compile(r"^\d\d?% completed$")).first).to_be_visible()
    visit.keep("backfill_running")
    assert visit.errors == []


def test_a_failed_check_shows_the_rules_and_the_first_rows(visit: Visit, blocked: Backfill) -> None:
    visit.page.goto("/assets/desk_5m/validated_bars?view=checks&checkDetail=not_empty_when_open")

    expect(visit.page.get_by_text("Failed", exact=True).first).to_be_visible()
    expect(visit.page.get_by_text("every row was rejected: marketdata rejected desk_5m")).to_be_visible()
    for rule in ("high_below_low", "price_not_positive", "off_interval"):
        expect(visit.page.get_by_text(rule, exact=True)).to_be_visible()
    expect(visit.page.get_by_text("2024-07-02.csv").first).to_be_visible()
    visit.keep("check_failed")
    assert visit.errors == []


def test_rejected_rows_are_told_by_rule(visit: Visit, filled: Backfill) -> None:
    visit.page.goto(f"/assets/us_equities_1m/rejected_bars?view=partitions&partition={filled.keys[0]}")

    expect(visit.page.get_by_text("high is below low")).to_be_visible()
    expect(visit.page.get_by_text("rejected/high_below_low")).to_be_visible()
    visit.keep("rejected")
    assert visit.errors == []


def test_the_jobs_are_named_by_feed_and_period(visit: Visit, filled: Backfill) -> None:
    visit.page.goto("/jobs")

    for job in ("us_equities_1m__day", "us_equities_1m__week", "us_equities_1m__month", "etfs_1d__year"):
        expect(visit.page.get_by_text(job, exact=True).first).to_be_visible()
    assert visit.errors == []
