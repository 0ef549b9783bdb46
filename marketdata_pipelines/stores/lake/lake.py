"""The embedded lake: files and catalog behind one door, for everyone above the stores.

Who writes what lives in `pipeline`; how questions are answered in `serving`.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from filelock import FileLock, Timeout

from marketdata_pipelines.errors import PartitionConflict, PartitionMissing, StoreError
from marketdata_pipelines.stores.lake.catalog import Catalog, Stored
from marketdata_pipelines.stores.lake.layout import LakeLayout
from marketdata_pipelines.stores.lake.parquet import (
    FileWrite,
    Prepared,
    discard_files,
    prepare_files,
    publish_files,
    read_file,
    remove_leftovers,
    write_file,
)

_PUBLISH_SECONDS = 120


@dataclass(frozen=True, slots=True)
class TableWrite:
    """A derived table ready to be stored for one partition; None as `table` removes the partition's file."""

    name: str
    partition: str
    table: pa.Table | None
    inputs: str


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
    ) -> list[Stored]:
        """Write derived tables and index them in one commit.

        Every file is replaced atomically; the index follows once all are in place, so a reader never finds a path
        that is not there. `holds` is asked when nobody else can store tables of this feed any more: False when what
        the tables were made from has changed since. Returns what was stored, in order, without removals.

        Errors: PartitionConflict when `holds` says no; nothing is changed then.
        """
        kept = [write for write in writes if write.table is not None]
        removed = [(write.name, feed, write.partition) for write in writes if write.table is None]
        prepared = prepare_files([self._file(feed, write, manifest) for write in kept], self.layout.temporary)
        try:
            stored = [self._stored(feed, write, file) for write, file in zip(kept, prepared, strict=True)]
            with self._publishing(feed):
                if not holds():
                    raise PartitionConflict(
                        f"what {_named(writes)} of {feed} was made from has changed meanwhile; walk it again"
                    )
                publish_files(prepared)
                self.catalog.commit_stored(stored, removed)
                for name, _, partition in removed:
                    self.layout.table_file(name, feed, partition).unlink(missing_ok=True)
        except BaseException:
            discard_files(prepared)
            raise
        return stored

    def read(self, table: str, feed: str, partition: str, columns: Sequence[str] | None = None) -> pa.Table:
        """One partition of a derived table.

        Errors: PartitionMissing when it is not stored.
        """
        stored = self.catalog.stored_partition(table, feed, partition)
        if stored is None:
            raise PartitionMissing(
                f"{feed} has no {table} for {partition}; "
                f"run: marketdata backfill {feed} --start {partition} --end {partition}"
            )
        return read_file(self.layout.root / stored.path, columns)

    def read_many(
        self, table: str, feed: str, start: str, end: str, columns: Sequence[str] | None = None
    ) -> Iterator[tuple[str, pa.Table]]:
        """(partition, table) of the stored partitions with a key in start..end, one at a time."""
        for stored in self.catalog.stored(table, feed, start, end):
            yield stored.partition, read_file(self.layout.root / stored.path, columns)

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
    def _publishing(self, feed: str) -> Iterator[None]:
        """One at a time may put tables of a feed into their places; it takes milliseconds."""
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

    def _file(self, feed: str, write: TableWrite, manifest: dict[str, object]) -> FileWrite:
        assert write.table is not None
        path = self.layout.table_file(write.name, feed, write.partition)
        whole = {**manifest, "table": write.name, "partition": write.partition, "inputs": write.inputs}
        return FileWrite(path, write.table, {**whole, "rows": write.table.num_rows})

    def _stored(self, feed: str, write: TableWrite, file: Prepared) -> Stored:
        # Readers of the lake need no kernels, whose compiler takes a while to load.
        from marketdata_pipelines.domain.frames import count_symbols

        table = write.table
        assert table is not None
        first, last = _time_span(table)
        return Stored(
            tbl=write.name,
            feed=feed,
            partition=write.partition,
            path=self.layout.relative(file.path),
            rows=table.num_rows,
            bytes=file.bytes,
            symbols=count_symbols(table),
            first_ts_us=first,
            last_ts_us=last,
            signature=file.signature,
            inputs=write.inputs,
        )


def _named(writes: Sequence[TableWrite]) -> str:
    return ", ".join(sorted({write.partition for write in writes}))


def digest(parts: Iterable[str]) -> str:
    """16 hex digits over texts, order included."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(part.encode() + b"\n")
    return whole.hexdigest()[:16]


def _time_span(table: pa.Table) -> tuple[int | None, int | None]:
    if "ts" not in table.column_names or not table.num_rows:
        return None, None
    ts = table["ts"].cast(pa.timestamp("us", tz="UTC"), safe=False).cast(pa.int64()).drop_null()
    if not len(ts):
        return None, None
    values = ts.to_numpy()
    return int(np.min(values)), int(np.max(values))
