"""The way from a command into the graph: in this process, or through the daemon of the data folder."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from dagster._core.execution.backfill import BulkActionStatus
from dagster._core.storage.tags import BACKFILL_ID_TAG
from filelock import FileLock

from marketdata_pipelines.cli.materialize import assets_of, materialize, materialize_with_daemon
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.orchestration.history.instance import instance_for
from marketdata_pipelines.orchestration.running.liveness import DAEMON_LOCK
from marketdata_pipelines.orchestration.running.runs import run_partitions
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.settings.feeds_file import load_feeds
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import make_home
from marketdata_pipelines_tests.waiting import wait_until

FEEDS = """
feeds:
  demo:
    source: {kind: simulated, symbols: [AAA], seed: 3}
    interval: 30m
    calendar: XNYS
    partition: day
    start: 2024-05-01
"""
EVERYTHING = frozenset({"raw_bars", "validated_bars", "rejected_bars", "daily_bars", "weekly_bars"})


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    make_home(tmp_path, FEEDS)
    return Settings(home=tmp_path)


@pytest.fixture
def feed(settings: Settings) -> Feed:
    return load_feeds(settings.feeds_file)["demo"]


@pytest.fixture
def daemon(settings: Settings) -> Iterator[None]:
    """The lock of a daemon that works on the home."""
    settings.dagster_home.mkdir(exist_ok=True)
    with FileLock(settings.dagster_home / DAEMON_LOCK):
        yield


def test_periods_are_walked_in_order_and_added_up(settings: Settings, feed: Feed) -> None:
    work = {Period.DAY: ["2024-05-06", "2024-05-07"], Period.WEEK: ["2024-05-06"], Period.MONTH: []}

    tally = materialize(settings, feed, work, EVERYTHING)

    lake = Lake(settings.lake)
    assert tally.succeeded
    assert [stored.rows for stored in lake.catalog.stored("bars_1d", "demo")] == [1, 1]
    assert [stored.rows for stored in lake.catalog.stored("bars_1w", "demo")] == [1]
    assert lake.catalog.stored("top_volume", "demo") == []


def test_work_that_fails_is_told_and_the_rest_is_done(settings: Settings, feed: Feed) -> None:
    work = {Period.DAY: ["2024-05-06"], Period.WEEK: ["1999-01-04"]}

    tally = materialize(settings, feed, work, EVERYTHING)

    assert not tally.succeeded
    assert len(Lake(settings.lake).catalog.stored("bars_1d", "demo")) == 1


def test_without_daemon_nothing_is_handed_over(settings: Settings, feed: Feed) -> None:
    found = materialize_with_daemon(settings, feed, {Period.DAY: ["2024-05-06"]}, EVERYTHING)

    assert found is None
    # To find that out costs no Dagster home.
    assert not settings.dagster_home.exists()


@pytest.mark.usefixtures("daemon")
def test_partitions_the_daemon_does_not_have_are_not_handed_over(settings: Settings, feed: Feed) -> None:
    found = materialize_with_daemon(settings, feed, {Period.DAY: ["1999-01-04"]}, EVERYTHING)

    assert found is None
    with instance_for(settings) as instance:
        assert instance.get_backfills() == []


@pytest.mark.usefixtures("daemon")
def test_work_handed_over_is_added_up_as_if_done_here(
    settings: Settings, feed: Feed, capsys: pytest.CaptureFixture[str]
) -> None:
    work = {Period.DAY: ["2024-05-06", "2024-05-07"], Period.WEEK: ["2024-05-06"]}
    here = materialize(settings, feed, work, EVERYTHING)
    with daemons_work(settings, feed, work, BulkActionStatus.COMPLETED_SUCCESS):
        there = materialize_with_daemon(settings, feed, work, EVERYTHING)

    assert there is not None
    assert there.succeeded
    assert there.as_json() == here.as_json()
    assert "is with the daemon of this data folder; Ctrl-C cancels it" in capsys.readouterr().err


@pytest.mark.usefixtures("daemon")
def test_a_backfill_that_fails_is_told(settings: Settings, feed: Feed) -> None:
    with daemons_work(settings, feed, {}, BulkActionStatus.FAILED):
        tally = materialize_with_daemon(settings, feed, {Period.DAY: ["2024-05-06"]}, EVERYTHING)

    assert tally is not None
    assert not tally.succeeded
    assert "is failed and launched no run" in tally.failures[0]


@contextmanager
def daemons_work(
    settings: Settings, feed: Feed, work: Mapping[Period, Sequence[str]], status: BulkActionStatus
) -> Iterator[None]:
    """What a daemon does with the next backfill: runs of its own over this work, and the end."""

    def do() -> None:
        with instance_for(settings) as instance:
            (backfill,) = wait_until(instance.get_backfills, "a backfill")
            tags = {BACKFILL_ID_TAG: backfill.backfill_id}
            for period, keys in work.items():
                names = assets_of(feed, period, EVERYTHING)
                run_partitions(settings, feed, period, keys, names, tags=tags, instance=instance)
            instance.update_backfill(backfill.with_status(status))  # type: ignore[no-untyped-call]

    doing = threading.Thread(target=do)
    doing.start()
    yield
    doing.join()


@pytest.mark.usefixtures("daemon")
def test_ctrl_c_cancels_what_was_handed_over(settings: Settings) -> None:
    command = [sys.executable, "-m", "marketdata_pipelines.cli", "backfill", "demo", "--start", "2024-05-06", "--end"]
    environment = {**os.environ, "MARKETDATA_HOME": str(settings.folder)}
    with subprocess.Popen(
        [*command, "2024-05-07"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        while "Ctrl-C cancels it" not in (line := process.stderr.readline()):
            assert line, "it ended without handing over"

        process.send_signal(signal.SIGINT)

        told = process.communicate(timeout=60)[0]
    with instance_for(settings) as instance:
        (backfill,) = instance.get_backfills()
    assert backfill.status is BulkActionStatus.CANCELING
    assert process.returncode == 1
    assert "was cancelled; what was written stays" in told


def test_assets_of_a_period_come_upstream_first(feed: Feed) -> None:
    assert assets_of(feed, Period.DAY, EVERYTHING) == ["raw_bars", "validated_bars", "rejected_bars", "daily_bars"]
    assert assets_of(feed, Period.WEEK) == ["weekly_bars"]
    assert assets_of(feed, Period.DAY, frozenset()) == []
