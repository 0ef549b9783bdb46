"""The gap sensor on a real instance, with a simulated source that can be asked again and a clock set by hand."""

from dataclasses import dataclass

import pytest
from dagster import AssetKey, Definitions, RepositoryDefinition, SkipReason, build_sensor_context
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.orchestration.automation.gap_sensor import GapFiller, GapMemory, gap_sensor
from marketdata_pipelines.pipeline.acquire import acquire
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import us
from marketdata_pipelines_tests.orchestration.conftest import Workshop
from marketdata_pipelines_tests.orchestration.landings import end_backfill

HOUR = 3600


@dataclass
class Gaps:
    """Ticks of the sensor of a workshop's feed (sessions from 2024-05-01 on)."""

    workshop: Workshop
    repository: RepositoryDefinition
    now_us: int
    limit: int = 30
    cursor: str | None = None

    def tick(self, after_seconds: int = 0) -> str:
        self.now_us += after_seconds * 1_000_000
        context = build_sensor_context(self.workshop.instance, cursor=self.cursor, repository_def=self.repository)
        filler = GapFiller(self.workshop.feed, self.workshop.settings, lambda: self.now_us, self.limit, 6 * HOUR)
        result = filler.tick(context)
        self.cursor = result.cursor
        assert isinstance(result.skip_reason, SkipReason)
        return result.skip_reason.skip_message or ""

    @property
    def opened(self) -> list[PartitionBackfill]:
        found = [each for each in self.workshop.instance.get_backfills() if each.status is BulkActionStatus.REQUESTED]
        return list(reversed(found))

    def days(self, backfill: PartitionBackfill) -> list[str]:
        subsets = backfill.get_asset_backfill_data(self.repository.asset_graph).target_subset
        return sorted(subsets.partitions_subsets_by_asset_key[AssetKey(["demo", "raw_bars"])].get_partition_keys())

    def close(self, *, bringing: bool) -> list[str]:
        """End the open backfill, with its data or without any; returns its days."""
        (backfill,) = self.opened
        days = self.days(backfill)
        if bringing:
            assert self.workshop.run(days).succeeded
        end_backfill(self.workshop.instance, backfill)
        return days


@pytest.fixture
def gaps(workshop: Workshop) -> Gaps:
    definitions = Definitions(assets=workshop.graph())
    return Gaps(workshop, definitions.get_repository_def(), us("2024-05-10 22:00"))


def test_missing_sessions_are_asked_for_in_one_backfill(gaps: Gaps) -> None:
    reason = gaps.tick()

    (backfill,) = gaps.opened
    assert gaps.days(backfill) == [
        "2024-05-01", "2024-05-02", "2024-05-03", "2024-05-06", "2024-05-07", "2024-05-08", "2024-05-09", "2024-05-10",
    ]  # fmt: skip
    assert backfill.tags["marketdata/opened_by"] == "demo__gaps"
    assert "marketdata/acquire" not in backfill.tags
    assert reason.endswith("8 sessions missing in 2024-05-01 … 2024-05-10")


def test_the_newest_ones_come_first_up_to_the_limit(gaps: Gaps) -> None:
    gaps.limit = 3
    gaps.tick()
    first = gaps.close(bringing=True)
    gaps.tick(after_seconds=6 * HOUR)
    second = gaps.close(bringing=True)

    assert first == ["2024-05-08", "2024-05-09", "2024-05-10"]
    assert second == ["2024-05-03", "2024-05-06", "2024-05-07"]


def test_nothing_is_asked_for_while_a_backfill_of_the_feed_is_open(gaps: Gaps) -> None:
    gaps.tick()

    reason = gaps.tick(after_seconds=7 * HOUR)

    assert "is open; gaps are looked for once it is over" in reason
    assert len(gaps.opened) == 1


def test_after_a_backfill_comes_a_rest(gaps: Gaps) -> None:
    gaps.tick()
    gaps.close(bringing=False)

    reason = gaps.tick(after_seconds=6 * HOUR - 1)

    assert reason == ("a backfill was opened at 2024-05-10 22:00 UTC; the next one not before 2024-05-11 04:00 UTC")


def test_what_was_tried_in_vain_rests_twice_as_long_each_time(gaps: Gaps) -> None:
    asked_after_hours = []
    for hour in range(0, 91, 6):
        before = len(gaps.opened)
        gaps.tick(after_seconds=6 * HOUR if hour else 0)
        if len(gaps.opened) > before:
            asked_after_hours.append(hour)
            gaps.close(bringing=False)

    # Over the weekend; the session of Monday the 13th, closed after 70 hours, is new and does not wait for the others.
    assert asked_after_hours == [0, 12, 36, 72, 84]


def test_partitions_tried_in_vain_step_back_behind_those_not_tried_yet(gaps: Gaps) -> None:
    gaps.limit = 3
    gaps.tick()
    gaps.close(bringing=False)

    gaps.tick(after_seconds=12 * HOUR)

    assert gaps.close(bringing=False) == ["2024-05-03", "2024-05-06", "2024-05-07"]


def test_a_feed_that_lacks_nothing_says_so(gaps: Gaps) -> None:
    gaps.tick()
    days = gaps.close(bringing=True)
    for period in (Period.WEEK, Period.MONTH):
        keys = {Period.WEEK: ["2024-04-29", "2024-05-06"], Period.MONTH: ["2024-05-01"]}[period]
        assert gaps.workshop.run(keys, period).succeeded

    reason = gaps.tick(after_seconds=6 * HOUR)

    assert days
    assert reason == "demo lacks nothing that its calendar shows"


def test_data_that_came_in_and_was_not_derived_is_derived(gaps: Gaps) -> None:
    lake = Lake(gaps.workshop.settings.lake)
    every_day = ["2024-05-01", "2024-05-02", "2024-05-03", *(f"2024-05-{day:02}" for day in range(6, 11))]
    acquire(lake, gaps.workshop.feed, None, every_day, run_id="run", now_us=gaps.now_us)

    reason = gaps.tick()

    assert gaps.days(gaps.opened[0]) == every_day
    assert reason.endswith("11 partitions behind the raw data")


def test_it_is_stopped_until_somebody_starts_it(workshop: Workshop) -> None:
    sensor = gap_sensor(workshop.feed, workshop.settings)

    assert sensor.name == "demo__gaps"
    assert sensor.default_status.value == "STOPPED"


def test_a_cursor_reads_back_and_one_of_another_make_is_forgotten() -> None:
    memory = GapMemory(5, {"2024-05-01": (2, 7)})

    assert GapMemory.from_text(memory.text()) == memory
    assert GapMemory.from_text("{") == GapMemory()
    assert GapMemory.from_text('{"tried": {"a": 1}}') == GapMemory()
