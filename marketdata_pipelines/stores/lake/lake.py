"""The embedded lake: files and catalog behind one door, for everyone above the stores.

Who writes what lives in `pipeline`; how questions are answered in `serving`.
"""

import hashlib
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow as pa
from filelock import FileLock, Timeout

from marketdata_pipelines.errors import PartitionConflict, PartitionMissing, StoreError
from marketdata_pipelines.stores.lake.catalog import Catalog, RawPart
from marketdata_pipelines.stores.lake.layout import LakeLayout
from marketdata_pipelines.stores.lake.parquet import (
    Prepared,
    discard_files,
    prepare_files,
    publish_files,
    read_manifest,
    remove_leftovers,
    write_file,
)
from marketdata_pipelines.stores.lake.raw_parts import is_symbol_apart, part_rows, read_part
from marketdata_pipelines.stores.lake.replaced import while_replaced
from marketdata_pipelines.stores.lake.stored import Stored, with_runs
from marketdata_pipelines.stores.lake.stored_rows import read_stored
from marketdata_pipelines.stores.lake.table_writes import (
    Plan,
    PlanMaker,
    Seen,
    check_writes,
    extent_of,
    look,
    placed,
    plan_merge,
    plan_symbols,
    plan_whole,
    still_there,
)
from marketdata_pipelines.stores.lake.table_writes import TableWrite as TableWrite

_PUBLISH_SECONDS = 120


class Lake:
    """One lake folder."""

    def __init__(self, root: Path) -> None:
        self.layout = LakeLayout(root)
        self.catalog = Catalog(self.layout.catalog)

    def store(
        self,
        feed: str,
        writes: Sequence[TableWrite],
        manifest: dict[str, object],
        *,
        holds: Callable[[], bool] = lambda: True,
        run_id: str = "",
    ) -> list[Stored]:
        """Write derived tables and index them in one commit; `run_id` names who did, in the index only.

        Every file is replaced atomically; the index follows once all are in place, so a reader never finds a path
        that is not there. `holds` is asked when nobody else can store tables of this feed any more: False when what
        the tables were made from has changed since. Returns what was stored, in order, without removals.

        Errors: PartitionConflict when `holds` says no; nothing is changed then.
        """
        check_writes(writes)
        there = self.catalog.stored_at(feed, {(write.name, write.partition) for write in writes})
        plans = [plan for write in writes if (plan := self._plan(feed, write, manifest, there)) is not None]
        return self._put(feed, plans, [write for write in writes if write.table is None], manifest, holds, run_id)

    def compact(self, table: str, feed: str, partition: str) -> Stored | None:
        """Merge a partition's deltas into one file, as if it had been written whole; None where there are none.

        Rows never change, nor what the index says they were made of.
        """
        plan = self._plan_on(feed, table, partition, partial(plan_merge, self.layout.root))
        stored = self._put(feed, [] if plan is None else [plan], (), {}, lambda: True)
        return stored[0] if stored else None

    def read(
        self,
        table: str,
        feed: str,
        partition: str,
        columns: Sequence[str] | None = None,
        *,
        symbols: Collection[str] | None = None,
    ) -> pa.Table:
        """One partition of a derived table, or its rows of some symbols, in the table's order.

        Errors: PartitionMissing when it is not stored.
        """
        stored = self.catalog.stored_partition(table, feed, partition)
        if stored is None:
            raise PartitionMissing(
                f"{feed} has no {table} for {partition}; "
                f"run: marketdata backfill {feed} --start {partition} --end {partition}"
            )
        return self._read(stored, columns, symbols)

    def read_many(
        self,
        table: str,
        feed: str,
        start: str,
        end: str,
        columns: Sequence[str] | None = None,
        *,
        symbols: Collection[str] | None = None,
    ) -> Iterator[tuple[str, pa.Table]]:
        """(partition, table) of the stored partitions with a key in start..end, one at a time."""
        for stored in self.catalog.stored(table, feed, start, end):
            yield stored.partition, self._read(stored, columns, symbols)

    def manifest(self, stored: Stored) -> dict[str, object]:
        """The manifest of the newest write into a stored partition."""
        return read_manifest(self.layout.root / stored.files[-1].path)

    def read_part(self, feed: str, part: RawPart, only: Collection[str] | None = None) -> pa.Table:
        """The rows of a raw part, or those of some symbols.

        Errors: PartitionMissing when its file is not there, also by the feed's policy of retention.
        """
        return read_part(self.layout.root, self.catalog.removals, feed, part, only)

    def is_symbol_apart(self, feed: str, part: RawPart, symbol: str) -> bool:
        """Whether reading the rows of one symbol takes less than reading the whole part. Errors as `read_part`."""
        return is_symbol_apart(self.layout.root, self.catalog.removals, feed, part, symbol)

    def part_rows(self, feed: str, part: RawPart) -> int:
        """How many rows the file of a raw part has. Errors as `read_part`."""
        return part_rows(self.layout.root, self.catalog.removals, feed, part)

    def write_raw(self, path: Path, table: pa.Table, manifest: dict[str, object]) -> int:
        """Write one raw part."""
        return write_file(path, table, manifest, self.layout.temporary)

    @contextmanager
    def writing(self, feed: str) -> Iterator[None]:
        """Hold the feed's write lock: one ingest at a time; leftovers of killed ones are cleared first.

        Errors: PartitionConflict when another process holds it for more than two minutes.
        """
        path = self.layout.lock(feed)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(path, timeout=120):
                remove_leftovers(self.layout.temporary)
                shutil.rmtree(self.layout.staging(feed), ignore_errors=True)
                yield
                shutil.rmtree(self.layout.staging(feed), ignore_errors=True)
        except Timeout as error:
            raise PartitionConflict(f"another ingest into {feed} is running ({path} is locked); wait for it") from error

    def clear_leftovers(self) -> None:
        """Remove temporary files of killed writers."""
        remove_leftovers(self.layout.temporary)

    @contextmanager
    def publishing(self, feed: str) -> Iterator[None]:
        """One at a time may put tables of a feed into their places, or remove them; it takes milliseconds.

        Errors: StoreError when another process holds it for two minutes.
        """
        path = self.layout.publish_lock(feed)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(path, timeout=_PUBLISH_SECONDS, poll_interval=0.002):
                yield
        except Timeout as error:
            raise StoreError(
                f"tables of {feed} could not be stored: {path} has been locked for {_PUBLISH_SECONDS} s; "
                "end the process that holds it"
            ) from error

    def _read(self, stored: Stored, columns: Sequence[str] | None, symbols: Collection[str] | None) -> pa.Table:
        def look_again() -> Stored | None:
            return self.catalog.stored_partition(stored.tbl, stored.feed, stored.partition)

        def read(entry: Stored | None) -> pa.Table:
            if entry is None:
                raise PartitionMissing(f"{stored.feed} has no {stored.tbl} for {stored.partition} any more")
            return read_stored(self.layout.root, entry, columns, only=symbols)

        first: Stored | None = stored
        return while_replaced(first, look_again, read)

    def _plan(
        self, feed: str, write: TableWrite, manifest: dict[str, object], there: Collection[tuple[str, str]]
    ) -> Plan | None:
        if write.table is None:
            return None
        if write.symbols is None and (write.name, write.partition) not in there:
            return Plan(write, write.table, extent_of(write.table))
        if write.symbols is not None:
            return self._plan_on(feed, write.name, write.partition, partial(plan_symbols, write, self.layout.root))
        make = partial(plan_whole, write, self.layout.root, manifest)
        plan = self._plan_on(feed, write.name, write.partition, make)
        # What is written anew is so whatever others may have stored meanwhile.
        return plan if plan is None or plan.is_there else replace(plan, make=None)

    def _plan_on(self, feed: str, table: str, partition: str, make: PlanMaker) -> Plan | None:
        """A plan on what is stored now."""

        def look_again() -> Seen:
            return self._seen(table, feed, partition)

        plan = while_replaced(look_again(), look_again, make)
        return None if plan is None else replace(plan, make=make)

    def _put(
        self,
        feed: str,
        plans: Sequence[Plan],
        removals: Sequence[TableWrite],
        manifest: dict[str, object],
        holds: Callable[[], bool],
        run_id: str | None = None,
    ) -> list[Stored]:
        if not plans and not removals:
            return []
        prepared = self._prepare(plans, manifest)
        try:
            with self.publishing(feed):
                self._renew(feed, prepared, manifest)
                if not holds():
                    named = _named([*(plan.write for plan in plans), *removals])
                    raise PartitionConflict(
                        f"what {named} of {feed} was made from has changed meanwhile; walk it again"
                    )
                return self._publish(feed, prepared, removals, run_id)
        except BaseException:
            discard_files(_files(prepared))
            raise

    def _renew(self, feed: str, prepared: list[tuple[Plan, Prepared | None]], manifest: dict[str, object]) -> None:
        """Plan again what was planned on tables that others have changed since; now nobody can."""
        for at, (plan, file) in reversed(list(enumerate(prepared))):
            name, partition = plan.write.name, plan.write.partition
            if plan.make is not None and self._seen(name, feed, partition) != plan.seen:
                fresh = self._plan_on(feed, name, partition, plan.make)
                prepared[at : at + 1] = [] if fresh is None else self._prepare([fresh], manifest)
                discard_files([] if file is None else [file])

    def _prepare(self, plans: Sequence[Plan], manifest: dict[str, object]) -> list[tuple[Plan, Prepared | None]]:
        """The file of each plan; None where the one that is there stays."""
        files = [plan.file(self.layout.temporary, manifest) for plan in plans if not plan.is_there]
        made = iter(prepare_files(files, self.layout.temporary))
        return [(plan, None if plan.is_there else next(made)) for plan in plans]

    def _publish(
        self,
        feed: str,
        prepared: Sequence[tuple[Plan, Prepared | None]],
        removals: Sequence[TableWrite],
        run_id: str | None,
    ) -> list[Stored]:
        """Put files into their places, index them, and remove the files nothing leads to any more.

        `run_id` None: the tables keep the run that made their rows.
        """
        places = {(write.name, write.partition) for write in (*(plan.write for plan, _ in prepared), *removals)}
        before = self.catalog.stored_at(feed, places)
        found = [
            (None, still_there(plan))
            if file is None
            else placed(self.layout, feed, plan, file, before.get((plan.write.name, plan.write.partition)))
            for plan, file in prepared
        ]
        publish_files([file for file, _ in found if file is not None])
        stored = with_runs([entry for _, entry in found], before, run_id)
        self.catalog.commit_stored(stored, [(write.name, feed, write.partition) for write in removals])
        used = {file.path for entry in stored for file in entry.files}
        for name, partition in places:
            self._sweep(name, feed, partition, used)
        return stored

    def _sweep(self, table: str, feed: str, partition: str, used: Collection[str]) -> None:
        """Remove a partition's files that nothing leads to any more, also those that killed writers left."""
        plain = self.layout.table_file(table, feed, partition)
        beside = self.layout.other_file(table, feed, partition).parent
        for path in (plain, *(beside.glob("*.parquet") if beside.is_dir() else ())):
            if self.layout.relative(path) not in used:
                path.unlink(missing_ok=True)
        if beside.is_dir():
            with suppress(OSError):
                # It is left where files are in it.
                beside.rmdir()

    def _seen(self, table: str, feed: str, partition: str) -> Seen:
        return look(self.layout.root, self.catalog.stored_partition(table, feed, partition))


def _files(prepared: Sequence[tuple[Plan, Prepared | None]]) -> list[Prepared]:
    return [file for _, file in prepared if file is not None]


def _named(writes: Sequence[TableWrite]) -> str:
    return ", ".join(sorted({write.partition for write in writes}))


def digest(parts: Iterable[str]) -> str:
    """16 hex digits over texts, order included."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(part.encode() + b"\n")
    return whole.hexdigest()[:16]
