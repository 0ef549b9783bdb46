"""Backfills followed as the command line does: their runs are executed here, where a daemon would launch them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from dagster import DagsterInstance
from dagster._core.execution.backfill import BulkActionStatus
from dagster._core.storage.tags import BACKFILL_ID_TAG
from filelock import FileLock

from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.tables import feed_tables
from marketdata_pipelines.errors import WorkFailed
from marketdata_pipelines.orchestration.assets.ranges import ACQUIRE_TAG
from marketdata_pipelines.orchestration.keys import FEED_TAG
from marketdata_pipelines.orchestration.running import following
from marketdata_pipelines.orchestration.running.following import cancel, follow, hand_over, has_daemon
from marketdata_pipelines.orchestration.running.liveness import DAEMON_LOCK
from marketdata_pipelines.orchestration.running.runs import RunReport, run_partitions
from marketdata_pipelines.pipeline.outcome import PartitionOutcome
from marketdata_pipelines_tests.orchestration.conftest import Workshop

DAYS = ["2024-05-06", "2024-05-07", "2024-05-08"]
WORK = {Period.DAY: DAYS, Period.WEEK: ["2024-05-06"]}


@dataclass(slots=True)
class Followed:
    """A backfill of the workshop's feed, and what following it told."""

    workshop: Workshop
    backfill_id: str
    told: list[PartitionOutcome] = field(default_factory=list)

    def run(self, keys: Sequence[str], period: Period = Period.DAY, *, acquire: bool = True) -> RunReport:
        """One of its runs."""
        feed, tags = self.workshop.feed, {BACKFILL_ID_TAG: self.backfill_id, FEED_TAG: "demo"}
        names = [each.name for each in feed_tables(feed) if each.period is period]
        return run_partitions(
            self.workshop.settings, feed, period, keys, names,
            acquire=acquire, tags=tags, instance=self.workshop.instance,
        )  # fmt: skip

    def end(self, status: BulkActionStatus = BulkActionStatus.COMPLETED_SUCCESS) -> None:
        set_status(self.workshop.instance, self.backfill_id, status)

    def follow(self, *meanwhile: Callable[[], object]) -> list[RunReport]:
        """Follow it to its end; each time there is nothing new, the next of these happens."""
        steps = iter(meanwhile)
        return follow(
            self.workshop.instance, self.workshop.settings, self.backfill_id, self.told.append,
            sleep=lambda _seconds: do(next(steps)),
        )  # fmt: skip


def do(step: Callable[[], object]) -> None:
    step()


def set_status(instance: DagsterInstance, backfill_id: str, status: BulkActionStatus) -> None:
    backfill = instance.get_backfill(backfill_id)
    assert backfill is not None
    instance.update_backfill(backfill.with_status(status))  # type: ignore[no-untyped-call]


@pytest.fixture
def followed(workshop: Workshop) -> Followed:
    backfill_id = hand_over(workshop.instance, workshop.settings, workshop.feed, WORK, None, {})
    assert backfill_id is not None
    return Followed(workshop, backfill_id)


@pytest.fixture
def daemon(workshop: Workshop) -> Iterator[Path]:
    """The lock of a daemon that works on the home."""
    path = workshop.settings.dagster_home / DAEMON_LOCK
    with FileLock(path):
        yield path


def test_work_handed_over_is_a_backfill_that_names_its_span(workshop: Workshop, followed: Followed) -> None:
    found = workshop.instance.get_backfill(followed.backfill_id)

    assert found is not None
    assert found.title == "demo 2024-05-06 … 2024-05-08 (command line)"
    assert found.status is BulkActionStatus.REQUESTED


def test_tags_go_with_it(workshop: Workshop) -> None:
    found = hand_over(
        workshop.instance, workshop.settings, workshop.feed, {Period.DAY: DAYS}, frozenset({"daily_bars"}),
        {ACQUIRE_TAG: "refetch"},
    )  # fmt: skip

    backfill = workshop.instance.get_backfill(str(found))
    assert backfill is not None
    assert backfill.tags == {ACQUIRE_TAG: "refetch", FEED_TAG: "demo"}
    assert [key.path[-1] for key in backfill.asset_selection or ()] == ["daily_bars"]


@pytest.mark.parametrize(
    "work",
    [
        {Period.DAY: ["2024-04-30", "2024-05-06"]},
        {Period.DAY: ["2024-05-06"], Period.WEEK: ["2024-04-22"]},
        {Period.DAY: ["2024-05-11"]},
    ],
)
def test_work_the_daemon_has_no_partition_for_is_not_handed_over(
    workshop: Workshop, work: dict[Period, Sequence[str]]
) -> None:
    found = hand_over(workshop.instance, workshop.settings, workshop.feed, work, None, {})

    assert found is None
    assert workshop.instance.get_backfills() == []


def test_partitions_are_told_as_their_own_process_tells_them(workshop: Workshop, followed: Followed) -> None:
    own: list[PartitionOutcome] = []
    workshop.run(DAYS, on_outcome=own.append)

    reports = followed.follow(
        lambda: followed.run(DAYS), lambda: followed.run(["2024-05-06"], Period.WEEK), followed.end
    )

    assert [outcome.partition for outcome in followed.told] == [*DAYS, "2024-05-06"]
    assert [report.succeeded for report in reports] == [True, True]
    for told, seen in zip(followed.told, own, strict=False):
        assert gist(told) == gist(seen)
        assert told.passed


def gist(outcome: PartitionOutcome) -> object:
    """What a tally counts."""
    results = {
        result.asset: (result.rows, result.symbols, result.table_rows, counts(result.facts))
        for result in outcome.results
    }
    checks = {(check.name, check.asset, check.passed, check.blocking, check.message) for check in outcome.checks}
    return outcome.feed, outcome.partition, outcome.blocked, results, checks


def counts(facts: object) -> dict[str, object]:
    """Rows by rule, and those of validation."""
    assert isinstance(facts, dict)
    return {
        name: value
        for name, value in facts.items()
        if name not in ("parts", "files", "rejected_rows", "rejected_percent")
    }


def test_partitions_are_told_before_the_backfill_is_over(followed: Followed) -> None:
    seen: list[int] = []

    followed.follow(
        lambda: followed.run(DAYS[:2]),
        lambda: seen.append(len(followed.told)),
        lambda: followed.run(DAYS[2:]),
        lambda: seen.append(len(followed.told)),
        followed.end,
    )

    assert seen == [2, 3]
    assert sorted(outcome.partition for outcome in followed.told) == DAYS


def test_a_blocked_partition_is_told_with_its_reason(followed: Followed) -> None:
    followed.run(DAYS[:1])
    report = followed.run(DAYS[:2], acquire=False)

    reports = followed.follow(lambda: followed.end(BulkActionStatus.COMPLETED_FAILED))

    blocked = [outcome for outcome in followed.told if outcome.blocked]
    assert [outcome.partition for outcome in blocked] == [DAYS[1]]
    assert "not_empty_when_open: " in str(blocked[0].blocked)
    assert [each.succeeded for each in reports] == [True, False]
    assert reports[1] == report
    assert "1 of 2 partitions of demo are blocked" in reports[1].message


def test_a_backfill_that_is_over_is_told_at_once_and_whole(followed: Followed) -> None:
    followed.run(DAYS)
    followed.end()

    reports = followed.follow()

    assert [outcome.partition for outcome in followed.told] == DAYS
    assert [report.succeeded for report in reports] == [True]


def test_many_events_come_page_by_page(followed: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_PAGE", 7)
    followed.run(DAYS)
    followed.end()

    followed.follow()

    assert [outcome.partition for outcome in followed.told] == DAYS
    assert all(outcome.passed and len(outcome.checks) > 7 for outcome in followed.told)


def test_a_backfill_that_launched_nothing_is_a_failure(followed: Followed) -> None:
    followed.end(BulkActionStatus.FAILED)

    (report,) = followed.follow()

    assert not report.succeeded
    assert report.message == f"backfill {followed.backfill_id} is failed and launched no run"


def test_a_backfill_that_is_not_there_is_a_failure(workshop: Workshop) -> None:
    (report,) = Followed(workshop, "nothing").follow()

    assert (report.succeeded, report.message) == (False, "backfill nothing is gone and launched no run")


def test_other_backfills_runs_are_not_told(workshop: Workshop, followed: Followed) -> None:
    workshop.run(DAYS)
    followed.run(DAYS[:1])
    followed.end()

    followed.follow()

    assert [outcome.partition for outcome in followed.told] == DAYS[:1]


def test_without_a_daemon_it_is_given_up_after_a_while(followed: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_SECONDS_WITHOUT_DAEMON", 0.0)

    with pytest.raises(WorkFailed, match=r"stands still: no daemon runs on this data folder .* start `marketdata up`"):
        followed.follow(*[lambda: None] * 3)


def test_with_a_daemon_it_is_waited_for(followed: Followed, daemon: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_SECONDS_WITHOUT_DAEMON", 0.1)

    followed.follow(*[lambda: None] * 20, lambda: followed.run(DAYS[:1]), followed.end)

    assert daemon.exists()
    assert [outcome.partition for outcome in followed.told] == DAYS[:1]


def test_a_cancelled_backfill_is_the_daemons_to_stop(workshop: Workshop, followed: Followed) -> None:
    cancel(workshop.instance, followed.backfill_id)

    found = workshop.instance.get_backfill(followed.backfill_id)
    assert found is not None
    assert found.status is BulkActionStatus.CANCELING


@pytest.mark.parametrize("status", [BulkActionStatus.COMPLETED_SUCCESS, BulkActionStatus.CANCELED])
def test_one_that_is_over_cannot_be_cancelled(workshop: Workshop, followed: Followed, status: BulkActionStatus) -> None:
    followed.end(status)

    cancel(workshop.instance, followed.backfill_id)
    cancel(workshop.instance, "nothing")

    found = workshop.instance.get_backfill(followed.backfill_id)
    assert found is not None
    assert found.status is status


def test_a_home_has_a_daemon_while_its_lock_is_held(workshop: Workshop, daemon: Path) -> None:
    assert has_daemon(workshop.settings)


def test_a_home_nobody_works_on_has_none(workshop: Workshop) -> None:
    assert not has_daemon(workshop.settings)
