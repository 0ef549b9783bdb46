"""Processes that walk partitions beside each other, for the one process that reports them.

Forked early, while their parent is one thread with everything imported; they end with it, however it ends. What
walking is stays in `walk`; that two may store tables of one feed at once is the lake's affair (`Lake.store`).
"""

import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.errors import MarketDataError
from marketdata_pipelines.pipeline.outcome import PartitionOutcome
from marketdata_pipelines.pipeline.quality.judging import Beside, PartitionJudge
from marketdata_pipelines.pipeline.walk import PartitionWalker, walker_of
from marketdata_pipelines.stores.lake.lake import Lake

JUDGED_AT_ONCE = 32
# Neighbours go to the same process: buckets of several days tie them together.
_CHUNK = 4
_Walked = tuple[list[PartitionOutcome], MarketDataError | OSError | None]


class Walkers:
    """`count` processes, to be made before this process has threads; a context manager."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool = ProcessPoolExecutor(count, mp_context=get_context("fork"), initializer=_end_with_parent)
        # With this start method all of them are forked at the first task.
        self._pool.submit(os.getpid).result()

    def __enter__(self) -> Self:
        global _own
        _own = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        global _own
        _own = None
        # After an error or an interrupt nobody waits for what is in hand; these processes end with this one.
        self._pool.shutdown(wait=kind is None, cancel_futures=True)

    def submit_judging(
        self, lake: Lake, feed: Feed, beside: Beside, keys: Sequence[str], at_us: int
    ) -> Future[list[PartitionOutcome]]:
        """Have some walked partitions judged, beside the walking."""
        return self._pool.submit(_judge, lake.layout.root, feed, beside, keys, at_us)

    def judge(
        self, lake: Lake, feed: Feed, beside: Beside, keys: Sequence[str], at_us: int
    ) -> Iterator[PartitionOutcome]:
        """The verdicts on walked partitions, in order."""
        chunks = [keys[at : at + JUDGED_AT_ONCE] for at in range(0, len(keys), JUDGED_AT_ONCE)]
        waiting = [self.submit_judging(lake, feed, beside, chunk, at_us) for chunk in chunks]
        try:
            for future in waiting:
                yield from future.result()
        finally:
            for future in waiting:
                future.cancel()

    def walk(
        self, lake: Lake, feed: Feed, period: Period, keys: Iterable[str], wanted: frozenset[str], run_id: str = ""
    ) -> Iterator[PartitionOutcome]:
        """The outcomes of partitions in order, each once it and the few walked with it are stored.

        Errors: as `PartitionWalker.walk`, and whatever `keys` raises, once all before it are told; partitions after
                the failing one may be stored without an outcome.
        """
        drawn = _chunks(iter(keys))
        waiting: deque[Future[_Walked]] = deque()
        failure: Exception | None = None
        try:
            while True:
                # Two a process: one in hand, one to go on with while this process is busy otherwise.
                while failure is None and len(waiting) < 2 * self.count and (next_few := next(drawn, None)) is not None:
                    chunk, failure = next_few
                    waiting.append(self._pool.submit(_walk, lake.layout.root, feed, period, chunk, wanted, run_id))
                if not waiting:
                    if failure is not None:
                        raise failure
                    return
                outcomes, error = waiting.popleft().result()
                yield from outcomes
                if error is not None:
                    raise error
        finally:
            for future in waiting:
                future.cancel()


def own_walkers() -> Walkers | None:
    """Those of this process, while they are entered; None in a process that has none."""
    return _own


_own: Walkers | None = None


def _chunks(keys: Iterator[str]) -> Iterator[tuple[list[str], Exception | None]]:
    """A few keys at a time, with what was raised instead of more: what came before is to be told first."""
    while True:
        chunk: list[str] = []
        try:
            for key in islice(keys, _CHUNK):
                chunk.append(key)
        except Exception as error:
            yield chunk, error
            return
        if not chunk:
            return
        yield chunk, None


def _walk(root: Path, feed: Feed, period: Period, keys: Sequence[str], wanted: frozenset[str], run_id: str) -> _Walked:
    outcomes: list[PartitionOutcome] = []
    try:
        walker = _walker(root, feed, run_id)
        for key in keys:
            outcomes.append(_compact(walker.walk_period(key, period, wanted)))
    except (MarketDataError, OSError) as error:
        # What is stored already must be told too.
        return outcomes, error
    return outcomes, None


@lru_cache(maxsize=4)
def _walker(root: Path, feed: Feed, run_id: str) -> PartitionWalker:
    return walker_of(Lake(root), feed, run_id=run_id)


def _judge(root: Path, feed: Feed, beside: Beside, keys: Sequence[str], at_us: int) -> list[PartitionOutcome]:
    judge = PartitionJudge(Lake(root), feed, beside)
    return [_compact(outcome) for outcome in judge.judge(keys, at_us=at_us)]


def _compact(outcome: PartitionOutcome) -> PartitionOutcome:
    """Without the tables its previews are slices of, which would be sent whole."""
    results = tuple(
        result if result.preview is None
        else replace(result, preview=result.preview.take(np.arange(result.preview.num_rows)))
        for result in outcome.results
    )  # fmt: skip
    return replace(outcome, results=results)


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None

    def watch(sentinel: int) -> None:
        connection.wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, args=(parent.sentinel,), daemon=True).start()
