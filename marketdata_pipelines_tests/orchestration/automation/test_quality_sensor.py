"""The report sensor on a real instance and lake, with verdicts stored by hand and a clock set by hand."""

from dataclasses import dataclass, replace
from datetime import date

import pytest
from dagster import AssetMaterialization, DagsterRun, DagsterRunStatus, Definitions, SkipReason
from dagster._core.storage.tags import BACKFILL_ID_TAG
from dagster._core.utils import make_new_run_id

from marketdata_pipelines.domain.quality.records import Level
from marketdata_pipelines.orchestration.automation.quality_sensor import (
    REST_SECONDS,
    ReportAsker,
    ReportMemory,
    quality_report_sensor,
)
from marketdata_pipelines.orchestration.keys import asset_key
from marketdata_pipelines.orchestration.running.backfills import open_backfill
from marketdata_pipelines.pipeline.quality.reporting import quality_folder, reports_behind, site_version
from marketdata_pipelines.pipeline.quality.state import Month, Validation, read_month, write_month
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines_tests.orchestration.conftest import Workshop
from marketdata_pipelines_tests.orchestration.landings import end_backfill
from marketdata_pipelines_tests.verdict_tables import score_row, score_table

DAY = "2024-05-02"


@dataclass
class Asking:
    """Ticks over a workshop's feed."""

    workshop: Workshop
    now_us: int = 1_715_000_000_000_000
    cursor: str | None = None

    @property
    def lake(self) -> Lake:
        return Lake(self.workshop.settings.lake)

    def judge(self, score: float, day: str = DAY) -> None:
        """Store a verdict as a run does."""
        scores = score_table(score_row(None, score, date.fromisoformat(day)))
        self.lake.store("demo", [TableWrite("quality_scores", day, scores, f"{score}")], {})
        verdict = AssetMaterialization(asset_key("demo", "quality"), partition=day)
        self.workshop.instance.report_runless_asset_event(verdict)

    def tick(self, after_seconds: int = 0) -> tuple[list[str], str]:
        """The run keys that are asked for, and why there are none."""
        self.now_us += after_seconds * 1_000_000
        asker = ReportAsker([self.workshop.feed], self.workshop.settings, lambda: self.now_us)
        result = asker.tick(self.workshop.instance, self.cursor)
        self.cursor = result.cursor
        requests = result.run_requests or []
        assert all(request.asset_selection == [asset_key("demo", "quality_report")] for request in requests)
        reason = result.skip_reason
        told = (reason.skip_message or "") if isinstance(reason, SkipReason) else ""
        return [str(request.run_key) for request in requests], told

    def make_reports(self) -> None:
        """Note everything as validated, with a site."""
        feed, folder = self.workshop.feed, quality_folder(self.workshop.settings)
        for key, inputs in reports_behind(self.lake, feed, self.workshop.settings).partitions.items():
            write_month(folder, "demo", Month(key[:7], {key: Validation(key, inputs, 1, 1, 1)}))
        for name in reports_behind(self.lake, feed, self.workshop.settings).months:
            site = folder / "docs" / "demo" / name / "index.html"
            site.parent.mkdir(parents=True, exist_ok=True)
            site.write_text("made", "utf-8")
            month = read_month(folder, "demo", name)
            write_month(folder, "demo", replace(month, site=site_version(month)))

    def add_run(self, **tags: str) -> DagsterRun:
        run = DagsterRun(
            job_name="demo__day", run_id=make_new_run_id(), status=DagsterRunStatus.STARTED,
            tags={"marketdata/feed": "demo", **tags},
        )  # fmt: skip
        return self.workshop.instance.add_run(run)


@pytest.fixture
def asking(workshop: Workshop) -> Asking:
    return Asking(workshop)


def test_a_new_verdict_asks_for_the_reports_once(asking: Asking) -> None:
    asking.judge(90)

    first, _ = asking.tick()
    second, reason = asking.tick(after_seconds=30)

    assert len(first) == 1
    assert (second, reason) == ([], f"demo was asked for less than {REST_SECONDS} s ago")


def test_nothing_is_asked_for_where_nothing_was_judged(asking: Asking) -> None:
    assert asking.tick() == ([], "every report is up to date")


def test_made_reports_settle_it_until_the_next_verdict(asking: Asking) -> None:
    asking.judge(90)
    asking.tick()
    asking.make_reports()
    settled = asking.tick(after_seconds=REST_SECONDS)
    asking.judge(50)

    again, _ = asking.tick(after_seconds=REST_SECONDS)

    assert settled == ([], "every report is up to date")
    assert len(again) == 1


def test_what_is_still_behind_is_asked_for_under_the_next_key(asking: Asking) -> None:
    asking.judge(90)
    (first,), _ = asking.tick()
    asking.judge(80, "2024-05-03")

    (second,), _ = asking.tick(after_seconds=REST_SECONDS)

    assert first != second


def test_it_waits_for_a_backfill_of_the_feed(asking: Asking) -> None:
    asking.judge(90)
    graph = Definitions(assets=asking.workshop.graph()).get_repository_def().asset_graph
    open_backfill(asking.workshop.instance, graph, asking.workshop.feed, ["2024-05-31"], title="a day")
    waiting = asking.tick()
    end_backfill(asking.workshop.instance, asking.workshop.instance.get_backfills()[0])

    asked, _ = asking.tick(after_seconds=30)

    assert waiting == ([], "demo waits for a backfill")
    assert len(asked) == 1


@pytest.mark.parametrize(
    "tags",
    [
        {"dagster/asset_partition_range_start": "2024-05-01", "dagster/asset_partition_range_end": "2024-05-08"},
        {BACKFILL_ID_TAG: "abc"},
    ],
)
def test_it_waits_for_a_run_over_many_partitions(asking: Asking, tags: dict[str, str]) -> None:
    asking.judge(90)
    run = asking.add_run(**tags)

    assert asking.tick() == ([], f"demo waits for run {run.run_id}")


def test_it_does_not_wait_for_a_run_over_one_partition(asking: Asking) -> None:
    asking.judge(90)
    asking.add_run(**{"dagster/partition": DAY})

    assert len(asking.tick()[0]) == 1


def test_a_failing_report_is_tried_three_times_until_a_verdict_changes(asking: Asking) -> None:
    asking.judge(90)
    keys = []
    for _ in range(4):
        asked, reason = asking.tick(after_seconds=REST_SECONDS)
        keys += asked
        for key in asked:
            name = key.rpartition("-")[0]
            run = DagsterRun("x", make_new_run_id(), status=DagsterRunStatus.FAILURE, tags={"marketdata/asked": name})
            asking.workshop.instance.add_run(run)
    given_up = reason
    asking.judge(80)

    assert [key.rpartition("-")[2] for key in keys] == ["1", "2", "3"]
    assert given_up == "demo failed 3 times; asked again once a verdict changes"
    assert len(asking.tick(after_seconds=REST_SECONDS)[0]) == 1


def test_it_runs_by_default_and_there_is_none_where_no_feed_is_judged(workshop: Workshop) -> None:
    silent = replace(workshop.feed, quality=replace(workshop.feed.quality, level=Level.NONE))

    sensor = quality_report_sensor([workshop.feed, silent], workshop.settings)

    assert sensor is not None
    assert (sensor.name, sensor.default_status.value) == ("quality_report_sensor", "RUNNING")
    assert quality_report_sensor([silent], workshop.settings) is None


def test_a_cursor_reads_back_and_one_of_another_make_is_forgotten() -> None:
    memory = ReportMemory({"demo": 4}, {"demo": 5})

    assert ReportMemory.from_text(memory.text()) == memory
    assert ReportMemory.from_text("{") == ReportMemory()
    assert ReportMemory.from_text('{"settled": [1]}') == ReportMemory()
