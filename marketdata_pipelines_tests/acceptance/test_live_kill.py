"""SIGKILL of Dagster's processes at random points of a backfill: it goes on, and the lake is as if nothing had been."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import AssetKey, DagsterInstance

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.orchestration.history.instance import instance_for
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.acceptance.live import (
    NO_RETRY,
    SECONDS_TO_GO_ON,
    MortalDagster,
    Part,
    assets_of,
    feeds_in,
    files_of,
    kill_all_of,
    kill_worker,
    leftovers,
    not_in_the_lake,
    processes_of,
    recorded,
    sources,
    walk_undisturbed,
)
from marketdata_pipelines_tests.browser.live import wait_for
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
    interval: 5m
    calendar: XNYS
    start: 2024-01-02
  coins:
    source: {kind: simulated, symbols: 2, seed: 5}
    interval: 15m
    calendar: 24/7
    start: 2024-01-01
"""
LAST = {"stocks": "2024-05-10", "coins": "2024-01-31"}
SEED = 23


class Scene:
    """A home and what runs on it; `live` is whichever `marketdata up` runs now."""

    def __init__(self, home: Path, instance: DagsterInstance) -> None:
        self.home, self.instance = home, instance
        self.lake, self.feeds = Lake(home / "lake"), feeds_in(home)
        self.live = MortalDagster(home)
        self._moments = random.Random(SEED)

    def keys(self, feed: str) -> list[str]:
        return [key for key in self.live.partition_keys(feed, "raw_bars") if key <= LAST[feed]]

    def moves(self, feed: str) -> None:
        """Wait until a few more partitions are there; how many is left to chance."""
        target = self._done(feed) + self._moments.randrange(2, 10)
        wait_for(f"{target} partitions of {feed}", lambda: self._done(feed) >= target, SECONDS_TO_GO_ON)

    def shown_falsely(self, feed: str) -> list[tuple[str, str]]:
        """What Dagster shows as done and the lake does not have."""
        return not_in_the_lake(self.lake, self.feeds[feed], set(recorded(self.instance, self.feeds[feed])))

    def _done(self, feed: str) -> int:
        return len(self.instance.get_materialized_partitions(AssetKey([feed, "validated_bars"])))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    home = make_home(tmp_path_factory.mktemp("killed") / "home", FEEDS)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME", raising=False)
        with instance_for(Settings(home=home)) as instance:
            found = Scene(home, instance)
            try:
                yield found
                found.live.close()
                # Dagster's watchers look every few seconds whether whom they watch for is there.
                wait_for("the end of every process", lambda: processes_of(home) == [], 15)
            finally:
                kill_all_of(home)


def test_a_backfill_outlives_the_death_of_every_process(scene: Scene, tmp_path: Path) -> None:
    feed, keys = scene.feeds["stocks"], scene.keys("stocks")
    backfill = scene.live.launch("stocks", assets_of(feed), keys, "To be killed")

    for part in (Part.DAEMON, Part.WEB):
        scene.moves("stocks")
        scene.live.kill(part)
    scene.moves("stocks")
    kill_worker(scene.instance, backfill)
    scene.moves("stocks")
    scene.live.kill_everything()
    shown_falsely = scene.shown_falsely("stocks")
    scene.live = MortalDagster(scene.home)
    status = scene.live.over(backfill)

    assert status == "COMPLETED_SUCCESS"
    assert shown_falsely == []
    check_as_undisturbed(scene, feed, keys, tmp_path)


def test_a_backfill_given_up_goes_on_when_launched_again(scene: Scene, tmp_path: Path) -> None:
    feed, keys = scene.feeds["coins"], scene.keys("coins")
    backfill = scene.live.launch("coins", assets_of(feed), keys, "To be given up", [NO_RETRY])

    scene.moves("coins")
    kill_worker(scene.instance, backfill)
    given_up = scene.live.over(backfill)
    ended = scene.live.over(scene.live.launch_again(backfill))

    assert (given_up, ended) == ("COMPLETED_FAILED", "COMPLETED_SUCCESS")
    check_as_undisturbed(scene, feed, keys, tmp_path)


def check_as_undisturbed(scene: Scene, feed: Feed, keys: list[str], folder: Path) -> None:
    undisturbed = Lake(make_home(folder / "undisturbed", FEEDS) / "lake")
    walk_undisturbed(undisturbed, feed, keys)

    assert files_of(scene.lake, feed) == files_of(undisturbed, feed)
    assert sources(scene.lake, feed) == sources(undisturbed, feed)
    assert scene.shown_falsely(feed.name) == []
    assert {len(runs) for runs in recorded(scene.instance, feed).values()} == {1}
    assert leftovers(scene.lake) == []
