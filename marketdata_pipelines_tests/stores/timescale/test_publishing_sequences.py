"""Whatever is published, corrected, removed and late, in whatever order: the store equals a fresh publication."""

from datetime import time

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.stores.timescale import chunks
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
from marketdata_pipelines_tests.builders import LATER, make_feed
from marketdata_pipelines_tests.published_bars import Shape, lake_tables, partition_bars

# A session, a half-day, and a holiday without any.
DAYS = ("2024-07-02", "2024-07-03", "2024-07-04")
SHAPES: tuple[dict[str, Shape], ...] = (
    {"A": Shape(gaps=0.7), "B": Shape(gaps=0.9, unknown_volumes=0.2)},
    {"A": Shape(4, gaps=0.8, with_vwap=True), "B": Shape(gaps=0.9), "C": Shape(gaps=0.9, with_trades=True)},
    {"C": Shape(0, 3, gaps=0.6)},
    {},
)
STEPS = st.tuples(
    st.sampled_from(("publish", "publish", "correct", "late", "remove", "compress")),
    st.integers(0, len(DAYS) - 1),
    st.integers(0, len(SHAPES) - 1),
    st.integers(0, 1000),
)


@pytest.fixture(params=[1, 100_000], ids=["a chunk a session", "one chunk"])
def store(store_database: Database, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> TimescaleStore:
    monkeypatch.setattr(chunks, "_ROWS_OF_A_LARGE_SESSION", request.param)
    return TimescaleStore(store_database)


def keyed(bars: pa.Table) -> dict[tuple[str, int], int]:
    return {key: at for at, key in enumerate(zip(bars["symbol"].to_pylist(), bars["ts"].to_pylist(), strict=True))}


def merged(bars: pa.Table, late: pa.Table) -> pa.Table:
    """`late` in place of or beside what is there, by (symbol, ts)."""
    both = pa.concat_tables([bars, late]).unify_dictionaries().combine_chunks()
    last = keyed(both)
    return both.take(pa.array([last[key] for key in sorted(last)], pa.int64()))


class Model:
    """The lake's side of the story, and the store's calls that belong to it."""

    def __init__(self, store: TimescaleStore, feed: Feed) -> None:
        self.store, self.feed = store, feed
        self.bars: dict[str, pa.Table] = {}

    def step(self, kind: str, day: str, shape: int, seed: int) -> None:
        fresh = partition_bars(self.feed, day, SHAPES[shape], seed)
        if kind == "publish":
            self.publish(day, fresh, seed)
        elif kind == "correct" and day in self.bars:
            kept = np.flatnonzero(np.random.default_rng(seed).random(self.bars[day].num_rows) < 0.98)
            self.publish(day, self.bars[day].take(pa.array(kept)), seed)
        elif kind == "late" and fresh.num_rows:
            late = fresh.take(pa.array(np.arange(seed % 7, fresh.num_rows, 7)))
            self.store.upsert_rows(self.feed, late)
            if late.num_rows:
                self.bars[day] = merged(self.bars.get(day, late.slice(0, 0)), late)
        elif kind == "remove":
            self.store.remove_partition(self.feed, VALIDATED_BARS, day)
            self.bars.pop(day, None)
        elif kind == "compress":
            self.store.compress(self.feed, after_days=-1)

    def publish(self, day: str, bars: pa.Table, seed: int) -> None:
        self.store.replace_partition(self.feed, VALIDATED_BARS, day, bars, str(seed), LATER)
        self.bars[day] = bars

    def check(self) -> None:
        ledger = self.store.published(self.feed.name, VALIDATED_BARS)
        assert {day: entry.rows for day, entry in ledger.items()} == {
            day: bars.num_rows for day, bars in sorted(self.bars.items())
        }
        for day in DAYS if ledger else ():
            bars = self.bars.get(day, partition_bars(self.feed, day, {}))
            assert self.store.compare(self.feed, VALIDATED_BARS, day, bars) == []
            assert self.store.compare_rollups(self.feed, day, lake_tables(self.feed, day, bars)) == []


def test_any_sequence_leaves_what_a_fresh_publication_of_the_last_state_leaves(store: TimescaleStore) -> None:
    feeds = iter(range(100))

    @settings(
        max_examples=4,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=[HealthCheck.too_slow],
        deadline=None,
    )
    @given(st.lists(STEPS, min_size=3, max_size=7))
    def run(steps: list[tuple[str, int, int, int]]) -> None:
        feed = make_feed("XNYS", "1m", name=f"feed_{next(feeds)}", extended_hours=(time(7), time(18)))
        model = Model(store, feed)
        for kind, day, shape, seed in steps:
            model.step(kind, DAYS[day], shape, seed)

        model.check()

    run()
