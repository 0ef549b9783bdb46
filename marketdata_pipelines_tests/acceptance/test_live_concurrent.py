"""Eight backfills at once over one `marketdata up`: every event is there, no lock failed, the lake is as in a row."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
from dagster import DagsterEvent, DagsterEventType, DagsterInstance, DagsterRunStatus, RunRecord, RunsFilter
from dagster._core.storage.tags import BACKFILL_ID_TAG

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.tables import QUALITY, asset_sets
from marketdata_pipelines.orchestration.history.instance import instance_for
from marketdata_pipelines.pipeline.changes import affected_partitions
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.acceptance.live import (
    MortalDagster,
    assets_of,
    complaints,
    feeds_in,
    files_of,
    kill_all_of,
    leftovers,
    recorded,
    sources,
    told_by,
    walk_undisturbed,
)
from marketdata_pipelines_tests.builders import make_home

pytestmark = [
    pytest.mark.xdist_group("live"),
    pytest.mark.timeout(900),
    # Dagster's client calls its own library in a way that is on its way out.
    pytest.mark.filterwarnings("ignore:Using variable_values and operation_name"),
]
FEEDS = """\
feeds:
  stocks:
    source: {kind: simulated, symbols: 3, seed: 3, faults: {high_lt_low: 2, dup_exact: 2}}
    interval: 30m
    calendar: XNYS
    partition: day
    start: 2024-01-02
  coins:
    source: {kind: simulated, symbols: 2, seed: 5}
    interval: 15m
    calendar: 24/7
    start: 2024-02-01
  minutes:
    source: {kind: simulated, symbols: 2, seed: 7}
    interval: 1m
    calendar: XNYS
    start: 2024-03-01
  hours:
    source: {kind: simulated, symbols: 3, seed: 9}
    interval: 1h
    calendar: XNYS
    start: 2022-01-03
  funds:
    source: {kind: simulated, symbols: 5, seed: 11}
    interval: 1d
    calendar: XNYS
    start: 2015-01-02
  urgent:
    source: {kind: simulated, symbols: 2, seed: 13}
    interval: 30m
    calendar: XNYS
    partition: day
    start: 2024-01-02
"""
# (feed, first and last key): four of one feed that overlap, four of others, by day, month and year.
ASKED = (
    ("stocks", "2024-01-02", "2024-01-19"),
    ("stocks", "2024-01-10", "2024-01-31"),
    ("stocks", "2024-01-02", "2024-01-31"),
    ("stocks", "2024-01-16", "2024-02-09"),
    ("coins", "2024-02-01", "2024-02-14"),
    ("minutes", "2024-03-01", "2024-03-15"),
    ("hours", "2022-01-01", "2022-12-01"),
    ("funds", "2015-01-01", "2020-01-01"),
)
_Place = TypeVar("_Place", bound=tuple[str, ...])
# Run, feed, asset, partition.
Place = tuple[str, str, str, str]
URGENT_DAY = "2024-01-05"


@dataclass(frozen=True, slots=True)
class Asked:
    """A backfill that was asked for."""

    id: str
    feed: Feed
    keys: list[str]

    def expected(self) -> Counter[tuple[str, str]]:
        """Each of its (asset, partition) once."""
        affected = affected_partitions(self.feed, self.keys)
        return Counter(
            (table_set.name, key) for table_set in asset_sets(self.feed) for key in affected[table_set.period]
        )


@pytest.fixture
def dagster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MortalDagster]:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    home = make_home(tmp_path / "concurrent", FEEDS)
    try:
        yield MortalDagster(home)
    finally:
        kill_all_of(home)


def test_eight_backfills_at_once_do_what_they_do_in_a_row(dagster: MortalDagster, tmp_path: Path) -> None:
    feeds = feeds_in(dagster.home)
    asked = [launched(dagster, feeds[name], first, last) for name, first, last in ASKED]

    with instance_for(Settings(home=dagster.home)) as instance:
        dagster.until("backfills to queue", lambda: backfills_queue(instance))
        tags = {"dagster/priority": "10", "dagster/partition": URGENT_DAY}
        urgent = dagster.client.submit_job_execution("urgent__day", tags=tags)
        ended = [dagster.over(each.id) for each in asked]
        dagster.until("the urgent run to end", lambda: instance.get_run_by_id(urgent).is_finished)  # type: ignore[union-attr]
        overtaken = waiting_at_start_of(instance, urgent)
        found = [events_of(instance, each) for each in asked]
        index, made = indexed(instance, feeds.values()), logged(instance, DagsterEventType.ASSET_MATERIALIZATION)
        judged = logged(instance, DagsterEventType.ASSET_CHECK_EVALUATION)
    dagster.close()

    assert ended == ["COMPLETED_SUCCESS"] * len(ASKED)
    assert overtaken, "the urgent run waited for all runs of the backfills"
    for counted, each in zip(found, asked, strict=True):
        expected = each.expected()
        assert walked(counted) == walked(expected)
        # Days are judged once more where earlier ones come after them.
        assert expected.keys() <= counted.keys()
    assert walked(made) == walked(index)
    assert walked(judged).keys() == walked(made).keys()
    assert told_by(dagster.home) >= {"code.log", "daemon.log", "web.log"}
    assert complaints(dagster.home) == []
    lake = Lake(dagster.home / "lake")
    in_a_row = Lake(make_home(tmp_path / "in_a_row", FEEDS) / "lake")
    for each in asked:
        walk_undisturbed(in_a_row, each.feed, each.keys)
    for feed in {each.feed.name: each.feed for each in asked}.values():
        assert files_of(lake, feed) == files_of(in_a_row, feed), feed.name
        assert sources(lake, feed) == sources(in_a_row, feed)
    assert leftovers(lake) == []


def launched(dagster: MortalDagster, feed: Feed, first: str, last: str) -> Asked:
    keys = [key for key in dagster.partition_keys(feed.name, "raw_bars") if first <= key <= last]
    title = f"{feed.name} {first} … {last}"
    return Asked(dagster.launch(feed.name, assets_of(feed), keys, title), feed, keys)


def backfills_queue(instance: DagsterInstance) -> bool:
    """Whether some of their runs work and others cannot yet."""
    working = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED]
    counts = [instance.get_runs_count(RunsFilter(statuses=each)) for each in (working, [DagsterRunStatus.QUEUED])]
    return counts[0] >= 3 and counts[1] >= 2


def waiting_at_start_of(instance: DagsterInstance, run_id: str) -> list[str]:
    """The backfills' runs that were asked for before a run and started after it."""
    records = {record.dagster_run.run_id: record for record in instance.get_run_records()}
    urgent = records[run_id]
    return [
        other
        for other, record in records.items()
        if BACKFILL_ID_TAG in record.dagster_run.tags
        and record.create_timestamp < urgent.create_timestamp
        and started_at(record) > started_at(urgent)
    ]


def started_at(record: RunRecord) -> float:
    assert record.start_time is not None, f"{record.dagster_run.run_id} never started"
    return record.start_time


def events_of(instance: DagsterInstance, asked: Asked) -> Counter[tuple[str, str]]:
    """How often its runs materialized each (asset, partition)."""
    runs = set(instance.get_run_ids(RunsFilter(tags={BACKFILL_ID_TAG: asked.id})))
    found = recorded(instance, asked.feed)
    return Counter({place: count for place, by in found.items() if (count := sum(run in runs for run in by))})


def walked(found: Counter[_Place]) -> Counter[_Place]:
    """Without verdicts and the reports on them, which come and go with the days beside them."""
    return Counter({place: count for place, count in found.items() if not {QUALITY, "quality_report"} & set(place)})


def indexed(instance: DagsterInstance, feeds: Iterable[Feed]) -> Counter[Place]:
    """Every materialization in the index."""
    return Counter(
        (run_id, feed.name, asset, key)
        for feed in feeds
        for (asset, key), runs in recorded(instance, feed).items()
        for run_id in runs
    )


def logged(instance: DagsterInstance, kind: DagsterEventType) -> Counter[Place]:
    """Every materialization, or every check's verdict, in the runs' own logs."""
    events = [(run_id, entry) for run_id in instance.get_run_ids() for entry in instance.all_logs(run_id, of_type=kind)]
    return Counter((run_id, *place_of(entry.get_dagster_event())) for run_id, entry in events)


def place_of(event: DagsterEvent) -> tuple[str, str, str]:
    """The feed, asset and partition of a materialization or of a check's verdict."""
    checked = event.event_type is DagsterEventType.ASSET_CHECK_EVALUATION
    about = event.asset_check_evaluation_data if checked else event.step_materialization_data.materialization
    feed, asset = about.asset_key.path
    return feed, asset, str(about.partition)
