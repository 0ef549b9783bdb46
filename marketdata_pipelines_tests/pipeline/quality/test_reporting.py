"""Reports brought up to date from hand-made verdicts, through the real suites, Data Docs and pages."""

import itertools
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from filelock import FileLock

from marketdata_pipelines.domain.bars import REJECTED_SCHEMA
from marketdata_pipelines.domain.quality.records import Level
from marketdata_pipelines.domain.quality.settings import QualitySpec
from marketdata_pipelines.errors import PartitionConflict, SettingsInvalid
from marketdata_pipelines.pipeline.quality import reporting as quality_reporting
from marketdata_pipelines.pipeline.quality import validation_groups
from marketdata_pipelines.pipeline.quality.reporting import (
    Reported,
    bring_up_to_date,
    disagreements,
    quality_folder,
    reports_behind,
)
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines_tests.builders import LATER, bar_table, make_feed, make_home, minutes, source_of, take_in
from marketdata_pipelines_tests.verdict_tables import finding_row, finding_table, score_row, score_table

FEED = make_feed(name="shares")
FEEDS = "feeds:\n  shares: {source: {kind: files}, interval: 1m, calendar: XNYS}\n"
DAYS = ("2024-02-29", "2024-03-07", "2024-03-08")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=make_home(tmp_path / "data", FEEDS))


@pytest.fixture
def lake(settings: Settings) -> Lake:
    """Three judged sessions in two months."""
    lake = Lake(settings.lake)
    for day in DAYS:
        store_session(lake, day)
    return lake


def store_session(lake: Lake, day: str, score: float = 95.0, inputs: str = "first") -> None:
    rows = minutes("AAA", f"{day} 14:30", 20)
    take_in(lake, FEED, source_of(f"{day}-{inputs}.csv", rows), known_at=LATER)
    at = date.fromisoformat(day)
    finding = finding_row("price_spike", "AAA", f"{day}T14:35", session_date=at)
    tables = {
        "validated_bars": bar_table(rows),
        "rejected_bars": REJECTED_SCHEMA.empty_table(),
        "quality_scores": score_table(score_row("AAA", score, at), score_row(None, score, at, findings=1)),
        "quality_findings": finding_table([finding]),
    }
    lake.store("shares", [TableWrite(name, day, table, inputs) for name, table in tables.items()], {})


def bring(lake: Lake, settings: Settings, **more: object) -> Reported:
    return bring_up_to_date(lake, FEED, settings, now_us=LATER, **more)  # type: ignore[arg-type] # Keywords of any kind.


def stepping(seconds: float) -> Callable[[], float]:
    """A clock that is so much later at each look."""
    steps = itertools.count()
    return lambda: next(steps) * seconds


def keys_of(done: Reported) -> list[str]:
    return [validation.partition for validation in done.validated]


def test_what_is_behind_is_validated_newest_month_first_and_then_nothing_is(lake: Lake, settings: Settings) -> None:
    before = reports_behind(lake, FEED, settings)
    done = bring(lake, settings)
    again = bring(lake, settings)

    assert (sorted(before.partitions), before.months) == (list(DAYS), ("2024-02", "2024-03"))
    assert keys_of(done) == ["2024-03-08", "2024-03-07", "2024-02-29"]
    assert (done.months, done.left) == (("2024-03", "2024-02"), 0)
    assert all(validation.agrees and validation.warned == ("price_spike",) for validation in done.validated)
    assert not reports_behind(lake, FEED, settings)
    assert (again.validated, again.months, again.reports) == ((), (), ())
    folder = quality_folder(settings)
    pages = ["reports/shares/2024-03-08.html", "reports/shares/latest.html", "reports/shares/index.html"]
    pages += ["docs/shares/index.html", "docs/shares/2024-03/index.html", "docs/shares/2024-02/index.html"]
    assert [page for page in pages if not (folder / page).is_file()] == []
    assert "2024-03-08" in (folder / "docs/shares/2024-03/index.html").read_text("utf-8")


def test_a_report_links_to_the_data_docs_of_its_month_and_to_the_run(lake: Lake, settings: Settings) -> None:
    done = bring(lake, settings, run_url="https://desk.example/runs/abc")

    text = done.reports[0].read_text("utf-8")
    assert 'href="../../docs/shares/2024-03/index.html"' in text
    assert (done.reports[0].parent / "../../docs/shares/2024-03/index.html").is_file()
    assert "https://desk.example/runs/abc" in text


def test_only_what_was_walked_since_is_validated_again(lake: Lake, settings: Settings) -> None:
    bring(lake, settings)
    store_session(lake, "2024-03-07", 40.0, "second")

    done = bring(lake, settings)

    assert (keys_of(done), done.months) == (["2024-03-07"], ("2024-03",))
    assert [path.name for path in done.reports] == ["2024-03-07.html"]


def test_partitions_validated_together_are_told_as_alone(
    lake: Lake, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in ("2024-03-04", "2024-03-05", "2024-03-06"):
        store_session(lake, day)
    together = bring(lake, settings)
    shutil.rmtree(quality_folder(settings))
    monkeypatch.setattr(validation_groups, "ROWS_TOGETHER", 1)

    alone = bring(lake, settings)

    assert len(together.validated) == 6
    assert together.validated == alone.validated
    assert [path.name for path in together.reports] == [path.name for path in alone.reports]


def test_what_one_go_has_no_time_for_is_left_to_the_next(lake: Lake, settings: Settings) -> None:
    first = bring(lake, settings, budget_seconds=0.5, clock=stepping(1.0))
    second = bring(lake, settings)

    assert (keys_of(first), first.left, first.months) == (["2024-03-08"], 2, ("2024-03",))
    assert (keys_of(second), second.left) == (["2024-03-07", "2024-02-29"], 0)


def test_a_killed_go_is_gone_on_with(lake: Lake, settings: Settings) -> None:
    def killed(line: str) -> None:
        if line == "shares: 2 of 3 validated, at 2024-03-07":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bring(lake, settings, progress=killed, clock=stepping(10.0))
    between = reports_behind(lake, FEED, settings)
    done = bring(lake, settings)

    # The site tells of none of them yet.
    assert (sorted(between.partitions), between.months) == (["2024-02-29"], ("2024-02", "2024-03"))
    assert (keys_of(done), done.months) == (["2024-02-29"], ("2024-03", "2024-02"))
    month = (quality_folder(settings) / "docs/shares/2024-03/index.html").read_text("utf-8")
    assert "2024-03-07" in month
    assert "2024-03-08" in month


def test_a_month_whose_site_was_removed_is_validated_again(lake: Lake, settings: Settings) -> None:
    bring(lake, settings)
    (quality_folder(settings) / "docs/shares/2024-02/index.html").unlink()

    assert keys_of(bring(lake, settings)) == ["2024-02-29"]


def test_one_at_a_time_makes_the_reports_of_a_feed(lake: Lake, settings: Settings) -> None:
    lines: list[str] = []
    locks = quality_folder(settings) / ".locks"
    locks.mkdir(parents=True)

    with (
        FileLock(locks / "shares.lock"),
        pytest.raises(PartitionConflict, match=r"by another process .* marketdata quality shares --report"),
    ):
        bring(lake, settings, progress=lines.append, seconds_to_wait=0.0)

    assert lines == ["another process makes the reports of shares; waiting for it"]
    assert len(bring(lake, settings).validated) == 3


def test_of_a_long_history_only_the_newest_get_a_page(
    lake: Lake, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quality_reporting, "REPORTS", 2)

    done = bring(lake, settings)

    assert [path.name for path in done.reports] == ["2024-03-08.html", "2024-03-07.html"]
    assert len(done.validated) == 3


def test_bars_that_break_a_rule_the_walk_did_not_find_are_told_as_a_disagreement(
    lake: Lake, settings: Settings
) -> None:
    rows = minutes("AAA", "2024-03-07 14:30", 20)
    rows[3]["high"] = rows[3]["low"] - 1
    lake.store("shares", [TableWrite("validated_bars", "2024-03-07", bar_table(rows), "bad")], {})

    bring(lake, settings)

    assert [(each.partition, each.blocking) for each in disagreements(FEED, settings)] == [
        ("2024-03-07", ("ohlc_relations",))
    ]


def test_a_feed_that_asks_for_no_verdict_has_nothing_behind(lake: Lake, settings: Settings) -> None:
    silent = replace(FEED, quality=QualitySpec(level=Level.NONE))

    assert not reports_behind(lake, silent, settings)
    assert bring_up_to_date(lake, silent, settings, now_us=LATER).validated == ()


def test_an_empty_lake_has_nothing_behind(settings: Settings) -> None:
    assert not reports_behind(Lake(settings.lake), FEED, settings)


def test_the_users_expectations_have_a_page_and_are_told_where_they_are_not_met(lake: Lake, settings: Settings) -> None:
    folder = settings.folder / "expectations" / "shares"
    folder.mkdir(parents=True)
    bounds = '{"type": "expect_column_values_to_be_between", "kwargs": {"column": "close", "max_value": 1}}'
    (folder / "close.json").write_text(bounds, "utf-8")

    done = bring(lake, settings)
    (folder / "close.json").write_text(bounds.replace(": 1}", ": 100000}"), "utf-8")
    after = bring(lake, settings)

    unmet = [set(each.warned) - {"price_spike"} for each in done.validated]
    assert all(any("close" in rule for rule in rules) for rules in unmet)
    assert all(each.agrees for each in done.validated)
    assert len(list((quality_folder(settings) / "docs/shares/2024-03/validated_bars.expectations").iterdir())) == 2
    # What is expected has changed, so all of it is asked again.
    assert len(after.validated) == 3
    assert {each.warned for each in after.validated} == {("price_spike",)}


def test_an_expectation_nobody_can_evaluate_names_its_file(lake: Lake, settings: Settings) -> None:
    folder = settings.folder / "expectations" / "shares"
    folder.mkdir(parents=True)
    (folder / "odd.yaml").write_text("type: expect_the_unexpected\nkwargs: {}\n", "utf-8")

    with pytest.raises(SettingsInvalid, match=r"odd\.yaml"):
        bring(lake, settings)
    assert reports_behind(lake, FEED, settings)


def test_a_session_that_is_stored_again_while_it_is_looked_at_is_looked_at_again(
    lake: Lake, settings: Settings
) -> None:
    class BusyLake(Lake):
        stored_again = False

        def read(self, table: str, *args: Any, **more: Any) -> pa.Table:
            if not self.stored_again:
                self.stored_again = True
                store_session(lake, "2024-03-08", 60.0, "second")
            return super().read(table, *args, **more)

    done = bring(BusyLake(settings.lake), settings)

    assert (keys_of(done), done.left) == (["2024-03-08", "2024-03-07", "2024-02-29"], 0)
    assert not reports_behind(lake, FEED, settings)
