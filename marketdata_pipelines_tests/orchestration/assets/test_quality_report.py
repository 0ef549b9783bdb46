"""The report asset over hand-made verdicts, and that a code location knows it without Great Expectations."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from dagster import (
    AssetCheckSeverity,
    AssetKey,
    DagsterEventType,
    DagsterInstance,
    MarkdownMetadataValue,
    TableMetadataValue,
    UrlMetadataValue,
    materialize,
)
from filelock import FileLock

from marketdata_pipelines.domain.quality.records import Level
from marketdata_pipelines.domain.quality.settings import QualitySpec
from marketdata_pipelines.orchestration.assets import quality_report
from marketdata_pipelines.orchestration.assets.quality_report import quality_report_assets
from marketdata_pipelines.pipeline.quality import reporting as quality_reporting
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines_tests.builders import bar_table, make_feed, make_home, minutes, source_of, take_in
from marketdata_pipelines_tests.verdict_tables import score_row, score_table

FEED = make_feed(name="shares")
FEEDS = "feeds:\n  shares: {source: {kind: files}, interval: 1m, calendar: XNYS}\n"
LOADED = """
import sys
from marketdata_pipelines.definitions import build_definitions
from marketdata_pipelines.settings.environment import Settings
build_definitions(Settings()).get_repository_def().load_all_definitions()
print(sorted({name.partition(".")[0] for name in sys.modules} & {"great_expectations", "playwright", "matplotlib"}))
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=make_home(tmp_path / "data", FEEDS))


@pytest.fixture
def lake(settings: Settings) -> Lake:
    """A lake with one judged session."""
    lake = Lake(settings.lake)
    scores = score_table(score_row("AAA", 60), score_row("BBB"), score_row(None, 82.5, findings=2))
    rows = minutes("AAA", "2024-03-08 14:30", 20)
    take_in(lake, FEED, source_of("a.csv", rows))
    tables = {"quality_scores": scores, "validated_bars": bar_table(rows)}
    lake.store("shares", [TableWrite(name, "2024-03-08", table, "x") for name, table in tables.items()], {})
    return lake


def test_it_makes_the_reports_and_tells_where_they_are(lake: Lake, settings: Settings) -> None:
    with DagsterInstance.ephemeral() as instance:
        result = materialize(quality_report_assets([FEED], settings), instance=instance)

    (event,), (check,) = result.get_asset_materialization_events(), result.get_asset_check_evaluations()
    told = event.materialization.metadata
    worst, trend = told["worst symbols"], told["trend"]
    assert event.asset_key == AssetKey(["shares", "quality_report"])
    assert (told["score"].value, told["grade"].value, told["findings"].value) == (82.5, "B", 2)
    assert isinstance(worst, TableMetadataValue)
    assert [record.data["symbol"] for record in worst.records] == ["AAA"]
    assert isinstance(trend, MarkdownMetadataValue)
    assert told["report"] == UrlMetadataValue("/quality/reports/shares/latest.html")
    assert told["Data Docs"] == UrlMetadataValue("/quality/docs/shares/index.html")
    assert (told["partitions validated"].value, told["reports written"].value) == (1, 1)
    assert check.passed
    assert check.check_name == "suites_agree"
    assert (settings.folder / "quality" / "reports" / "shares" / "latest.html").is_file()


def test_a_run_observes_the_bars_once_with_figures_that_make_curves(lake: Lake, settings: Settings) -> None:
    with DagsterInstance.ephemeral() as instance:
        first = materialize(quality_report_assets([FEED], settings), instance=instance)
        second = materialize(quality_report_assets([FEED], settings), instance=instance)

    (seen,) = [each for each in first.all_events if each.event_type is DagsterEventType.ASSET_OBSERVATION]
    observation = seen.asset_observation_data.asset_observation
    assert observation.asset_key == AssetKey(["shares", "validated_bars"])
    assert (observation.metadata["score"].value, observation.metadata["accuracy"].value) == (82.5, 82.5)
    assert observation.metadata["session"].value == "2024-03-08"
    assert not [each for each in second.all_events if each.event_type is DagsterEventType.ASSET_OBSERVATION]
    assert second.get_asset_materialization_events()[0].materialization.metadata["partitions validated"].value == 0


def test_a_disagreement_fails_its_check_and_names_the_partition(lake: Lake, settings: Settings) -> None:
    rows = minutes("AAA", "2024-03-08 14:30", 20)
    rows[3]["high"] = rows[3]["low"] - 1
    lake.store("shares", [TableWrite("validated_bars", "2024-03-08", bar_table(rows), "bad")], {})

    with DagsterInstance.ephemeral() as instance:
        result = materialize(quality_report_assets([FEED], settings), instance=instance)

    (check,) = result.get_asset_check_evaluations()
    first = check.metadata["first of them"]
    assert (check.passed, check.severity) == (False, AssetCheckSeverity.ERROR)
    assert isinstance(first, TableMetadataValue)
    assert first.records[0].data["blocking"] == "ohlc_relations"
    assert first.records[0].data["by the walk"] == ""
    assert check.description == "1 partition differs: 2024-03-08"


def test_a_feed_without_verdicts_has_an_empty_report(settings: Settings) -> None:
    with DagsterInstance.ephemeral() as instance:
        result = materialize(quality_report_assets([FEED], settings), instance=instance)

    told = result.get_asset_materialization_events()[0].materialization.metadata
    assert told["partitions validated"].value == 0
    assert "report" not in told


def test_what_the_lake_cannot_do_fails_the_step_with_the_reason(
    lake: Lake, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quality_report, "SECONDS_TO_WAIT", 0.0)
    locks = quality_reporting.quality_folder(settings) / ".locks"
    locks.mkdir(parents=True)

    with FileLock(locks / "shares.lock"), DagsterInstance.ephemeral() as instance:
        result = materialize(quality_report_assets([FEED], settings), instance=instance, raise_on_error=False)

    (failed,) = result.get_step_failure_events()
    told = failed.step_failure_data.user_failure_data
    assert told is not None
    assert (told.description or "").startswith("the reports of shares were not made: the reports of shares have been")


def test_only_judged_feeds_have_one(settings: Settings) -> None:
    silent = replace(FEED, name="silent", quality=QualitySpec(level=Level.NONE))

    assert [each.key.path for each in quality_report_assets([FEED, silent], settings)] == [["shares", "quality_report"]]


def test_a_code_location_is_loaded_without_great_expectations(settings: Settings) -> None:
    environment = {"MARKETDATA_HOME": str(settings.folder), "PATH": ""}

    told = subprocess.run([sys.executable, "-c", LOADED], env=environment, capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "[]"
