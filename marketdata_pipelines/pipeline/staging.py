"""Parsed chunks of one file, gathered by partition and bounded in memory.

Rows wait here until the whole file is known good; then each partition's rows become one raw part.
"""

import shutil
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.session_grid import Ints
from marketdata_pipelines.pipeline.placement import UNPLACED, day_key, ride_along

SPILL_ROWS = 3_000_000


class PartitionStaging:
    """Collects a file's rows by partition; beyond SPILL_ROWS they wait on disk in `folder`."""

    def __init__(self, folder: Path, *, spill_rows: int = SPILL_ROWS) -> None:
        self._folder = folder
        self._spill_rows = spill_rows
        self._held: dict[int, list[pa.Table]] = defaultdict(list)
        self._spilled: dict[int, list[Path]] = defaultdict(list)
        self._waiting: list[pa.Table] = []
        self._rows_held = 0
        self._before = UNPLACED
        self.rows = 0
        self.first_us: int | None = None
        self.last_us: int | None = None

    def add(self, table: pa.Table, days: Ints) -> None:
        """Take rows in file order with the first day of their partition (UNPLACED where they have none)."""
        self.rows += table.num_rows
        days = ride_along(days, self._before)
        if len(days):
            self._before = int(days[-1])
        unplaced = int(np.searchsorted(days != UNPLACED, True))
        if unplaced:
            self._waiting.append(table.slice(0, unplaced))
            table, days = table.slice(unplaced), days[unplaced:]
        if not len(days):
            return
        if self._waiting:
            # Rows ahead of the file's first placed row ride with it.
            self.place_waiting(int(days[0]))
        self._split(table, days)
        if self._rows_held > self._spill_rows:
            self.spill()

    def cover(self, ts: Ints) -> None:
        """Widen the file's span, first_us..last_us, by good rows at these times."""
        if len(ts):
            first, last = int(ts.min()), int(ts.max())
            self.first_us = first if self.first_us is None else min(first, self.first_us)
            self.last_us = last if self.last_us is None else max(last, self.last_us)

    def place_waiting(self, day: int) -> None:
        """Put rows that found no partition into the one whose first day this is."""
        for waiting in self._waiting:
            self._hold(day, waiting)
        self._waiting = []

    def partitions(self) -> list[str]:
        """Keys of the partitions rows were placed in, sorted."""
        return [day_key(day) for day in sorted(set(self._held) | set(self._spilled))]

    def rows_of(self, partition: str) -> pa.Table:
        """A partition's rows in file order."""
        day = next(d for d in set(self._held) | set(self._spilled) if day_key(d) == partition)
        tables = [pa.ipc.open_file(path).read_all() for path in self._spilled.get(day, [])] + self._held.get(day, [])
        return pa.concat_tables(tables).combine_chunks()

    def spill(self) -> None:
        """Move everything held in memory to disk."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for day, tables in self._held.items():
            path = self._folder / f"{day}-{len(self._spilled[day])}.arrow"
            whole = pa.concat_tables(tables).combine_chunks()
            with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, whole.schema) as writer:
                writer.write_table(whole)
            self._spilled[day].append(path)
        self._held.clear()
        self._rows_held = 0

    def clear(self) -> None:
        """Forget everything and remove what is on disk."""
        self._held.clear()
        self._spilled.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _split(self, table: pa.Table, days: Ints) -> None:
        if days[0] == days[-1] and (days == days[0]).all():
            self._hold(int(days[0]), table)
            return
        order = np.argsort(days, kind="stable")
        ordered = table.take(pa.array(order))
        distinct, starts = np.unique(days[order], return_index=True)
        for day, start, end in zip(distinct, starts, [*starts[1:], len(days)], strict=True):
            self._hold(int(day), ordered.slice(int(start), int(end - start)))

    def _hold(self, day: int, table: pa.Table) -> None:
        self._held[day].append(table)
        self._rows_held += table.num_rows
