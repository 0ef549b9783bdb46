"""Answers that take several statements, read while the partition they are about is published again and again."""

import threading

import pyarrow as pa
import pytest

from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.errors import StoreUnavailable
from marketdata_pipelines.stores.timescale import chunks
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
from marketdata_pipelines.stores.timescale.read_snapshot import Snapshot
from marketdata_pipelines.stores.timescale.reading import TimescaleQueries
from marketdata_pipelines_tests.builders import LATER, make_feed
from marketdata_pipelines_tests.published_bars import Shape, partition_bars

FEED = make_feed("XNYS", "1m", name="shares_1m")
DAY = "2024-03-08"
BARS = {seed: partition_bars(FEED, DAY, {name: Shape() for name in ("A", "B", "C")}, seed) for seed in (1, 2)}


def publish(store: TimescaleStore, seed: int) -> None:
    store.replace_partition(FEED, VALIDATED_BARS, DAY, BARS[seed], str(seed), LATER)


@pytest.fixture(autouse=True)
def narrow_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session is a chunk, as in feeds of many symbols: to publish it anew empties its chunk."""
    monkeypatch.setattr(chunks, "_ROWS_OF_A_LARGE_SESSION", 10)


@pytest.mark.parametrize("symbols", [None, ("A", "B", "C")])
@pytest.mark.parametrize("timeframe", ["1m", "5m", "15m", "1h"])
def test_every_answer_is_of_one_publication(
    store_database: Database, timeframe: str, symbols: tuple[str, ...] | None
) -> None:
    store, queries = TimescaleStore(store_database), TimescaleQueries(store_database)
    answers = []
    for seed in (1, 2):
        publish(store, seed)
        answers.append(queries.bars(FEED, symbols, timeframe).drop_columns(["vwap"]))
    done = threading.Event()

    def publish_on() -> None:
        try:
            for turn in range(12):
                publish(store, 1 + turn % 2)
        finally:
            done.set()

    writer = threading.Thread(target=publish_on)
    writer.start()
    seen: list[pa.Table] = []
    try:
        while not done.is_set():
            seen.append(queries.bars(FEED, symbols, timeframe).drop_columns(["vwap"]))
    finally:
        writer.join()

    wrong = [answer for answer in seen if not any(answer.equals(whole) for whole in answers)]
    assert len(seen) > 3
    assert not wrong, (len(wrong), len(seen), wrong[0].num_rows, answers[0].num_rows)


def test_who_is_published_into_asks_again(store_database: Database) -> None:
    store, queries = TimescaleStore(store_database), TimescaleQueries(store_database)
    publish(store, 1)
    asked = Interrupted(store, times=2)

    found = queries.answered(FEED, asked)

    assert asked.count == 3
    assert found == BARS[1].num_rows


def test_publishing_without_end_is_told(store_database: Database) -> None:
    store, queries = TimescaleStore(store_database), TimescaleQueries(store_database)
    publish(store, 1)

    with pytest.raises(StoreUnavailable, match="shares_1m was published 10 times while it was read; ask again"):
        queries.answered(FEED, Interrupted(store, times=100))


class Interrupted:
    """Asks for the partition's rows, and has it published anew in the middle of the first questions."""

    def __init__(self, store: TimescaleStore, times: int) -> None:
        self._store, self._times = store, times
        self.count = 0

    def __call__(self, snapshot: Snapshot) -> int:
        self.count += 1
        rows = snapshot.published(VALIDATED_BARS)[0].rows
        if self.count <= self._times:
            publish(self._store, 2 if self.count % 2 else 1)
        return rows
