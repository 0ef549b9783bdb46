"""What a write makes of a stored table: which rows go into which file, and what the index says of it then.

Nothing is put into its place here (see `lake`).
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.errors import PartitionMissing, SchemaMismatch
from marketdata_pipelines.stores.lake.deltas import LARGEST_SHARE, MOST_DELTAS, Delta, with_delta
from marketdata_pipelines.stores.lake.layout import LakeLayout
from marketdata_pipelines.stores.lake.parquet import FileWrite, Prepared, read_columns, read_manifest
from marketdata_pipelines.stores.lake.stored import Stored
from marketdata_pipelines.stores.lake.stored_rows import merged_rows, read_stored
from marketdata_pipelines.stores.lake.symbol_rows import SYMBOL, is_of, order_of, symbols_in

# Below this, merging a table and writing it again takes less than twice as long as a delta, which costs every reader
# (benchmarks/one_symbol_history.py).
SMALLEST_BASE_ROWS = 40_000
# The index lists them.
_MOST_SYMBOLS = 1_000
# What a manifest says of one file only.
_OF_THE_FILE = ("table", "partition", "rows", "symbols")


@dataclass(frozen=True, slots=True)
class TableWrite:
    """A derived table ready to be stored for one partition; None as `table` removes the partition.

    With `symbols` the table holds all rows of exactly these symbols, perhaps none, and those of other symbols stay.
    NO_SYMBOL ("") among them stands for the rows without a symbol. None: the whole table.
    """

    name: str
    partition: str
    table: pa.Table | None
    inputs: str
    symbols: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """A stored partition as it was found: its entry, and which file was at its path."""

    stored: Stored | None
    file: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Extent:
    """What the index says of a table's rows; times in UTC microseconds."""

    rows: int
    symbols: int
    first_ts_us: int | None
    last_ts_us: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """The rows of the file to be written and the extent of the whole table with it.

    `is_there`: the stored file holds these rows already and keeps its bytes; only the index is written.
    `seen` is what the plan was made on and `make` makes it on something else; None where that does not matter.
    `manifest` takes the place of the one given with the write.
    """

    write: TableWrite
    rows: pa.Table
    extent: Extent
    seen: Seen | None = None
    make: "PlanMaker | None" = None
    is_delta: bool = False
    is_there: bool = False
    manifest: dict[str, object] | None = None

    def file(self, path: Path, manifest: dict[str, object]) -> FileWrite:
        """The file of the plan; where it will lie is decided when it is put there."""
        write = self.write
        whole = {
            **(self.manifest or manifest),
            "table": write.name,
            "partition": write.partition,
        }
        if self.is_delta:
            whole["symbols"] = sorted(write.symbols or ())
        return FileWrite(path, self.rows, {**whole, "rows": self.rows.num_rows})


PlanMaker = Callable[[Seen], Plan | None]


def look(root: Path, stored: Stored | None) -> Seen:
    """What an index entry stands for now: a file may have been replaced since it was indexed."""
    if stored is None:
        return Seen(None, None)
    try:
        found = (root / stored.path).stat()
    except FileNotFoundError:
        return Seen(stored, None)
    return Seen(stored, (found.st_ino, found.st_mtime_ns))


def check_writes(writes: Sequence[TableWrite]) -> None:
    """Refuse writes that contradict themselves or each other.

    Errors: SchemaMismatch for a table that can only be written whole, ValueError for rows that are not of its symbols.
    """
    places: set[tuple[str, str]] = set()
    by_symbols: set[tuple[str, str]] = set()
    for write in writes:
        place = (write.name, write.partition)
        if place in by_symbols or (write.symbols is not None and place in places):
            raise ValueError(
                f"{write.name} of {write.partition} is written twice at once; join the rows of all symbols"
            )
        places.add(place)
        if write.symbols is None:
            continue
        by_symbols.add(place)
        if write.table is None:
            raise ValueError(f"{write.name} of {write.partition} is removed whole, not by symbols")
        order_of(write.name, write.table.column_names)
        others = symbols_in(write.table) - set(write.symbols)
        if others:
            raise ValueError(
                f"{write.name} of {write.partition} has rows of {min(others)!r}, which is not among its symbols"
            )


def plan_whole(write: TableWrite, root: Path, manifest: Mapping[str, object], seen: Seen) -> Plan:
    """Write a table whatever is stored, unless that is the same rows, made under the same versions.

    Errors: PartitionMissing when files of `seen` have been replaced meanwhile.
    """
    assert write.table is not None
    plan = Plan(write, write.table, extent_of(write.table), seen)
    stored = seen.stored
    if stored is None or stored.deltas or seen.file is None or stored.rows != write.table.num_rows:
        return plan
    try:
        versions = read_manifest(root / stored.path)
    except FileNotFoundError as error:
        raise PartitionMissing(f"{stored.path} was replaced meanwhile; read it again") from error
    if any(versions.get(name) != value for name, value in manifest.items()):
        return plan
    rows = read_stored(root, stored).replace_schema_metadata(None)
    return replace(plan, is_there=rows.equals(write.table.replace_schema_metadata(None)))


def plan_merge(root: Path, seen: Seen) -> Plan | None:
    """Write what is stored as one file, as if it had been written whole; None where it is one.

    Errors: PartitionMissing when files of `seen` have been replaced meanwhile.
    """
    stored = seen.stored
    if stored is None or not stored.deltas:
        return None
    rows = read_stored(root, stored)
    try:
        newest = read_manifest(root / stored.deltas[-1].path)
    except FileNotFoundError as error:
        # Between reading the rows and this, another process has merged them.
        raise PartitionMissing(f"{stored.deltas[-1].path} was replaced meanwhile; read it again") from error
    manifest = {name: value for name, value in newest.items() if name not in _OF_THE_FILE}
    write = TableWrite(stored.tbl, stored.partition, rows, stored.inputs)
    return Plan(write, rows, extent_of(rows), seen, manifest=manifest)


def plan_symbols(write: TableWrite, root: Path, seen: Seen) -> Plan:
    """Write the rows of some symbols: beside a large table where they are few, else merged into it.

    Errors: PartitionMissing when files of `seen` have been replaced meanwhile; SchemaMismatch when the stored table
    has other columns.
    """
    table, symbols, stored = write.table, frozenset(write.symbols or ()), seen.stored
    assert table is not None
    if stored is None:
        return Plan(write, table, extent_of(table), seen)
    kept = [delta for delta in stored.deltas if not symbols.issuperset(delta.symbols)]
    if stored.rows >= SMALLEST_BASE_ROWS and len(kept) < MOST_DELTAS and len(symbols) <= _MOST_SYMBOLS:
        known = read_columns(root / stored.path)
        if set(known) != set(table.column_names):
            raise SchemaMismatch(
                f"{write.name} is stored with the columns {', '.join(known)}, the new rows of {write.partition} have "
                f"{', '.join(table.column_names)}; write it whole"
            )
        keys = read_stored(root, stored, [name for name in (SYMBOL, "ts") if name in known])
        replaced = is_of(keys[SYMBOL], symbols)
        changed = int(replaced.sum()) + table.num_rows
        if changed + sum(delta.rows for delta in kept) < stored.rows * LARGEST_SHARE:
            left = keys.filter(pa.array(~replaced))
            return Plan(write, table, _together(extent_of(left), extent_of(table)), seen, is_delta=True)
    merged = merged_rows(write.name, read_stored(root, stored, without=symbols), table)
    return Plan(write, merged, extent_of(merged), seen)


def still_there(plan: Plan) -> Stored:
    """The index entry of a table whose file stays as it is."""
    assert plan.seen is not None
    assert plan.seen.stored is not None
    return replace(plan.seen.stored, inputs=plan.write.inputs)


def placed(layout: LakeLayout, feed: str, plan: Plan, file: Prepared, before: Stored | None) -> tuple[Prepared, Stored]:
    """The file with its place, and the index entry that follows; `before` is the entry it takes the place of.

    A file that deltas belong to is never replaced in its place: until the index changes, readers join the two.
    """
    write, extent = plan.write, plan.extent
    base = layout.table_file(write.name, feed, write.partition)
    deltas: tuple[Delta, ...] = ()
    size, signature = file.bytes, file.signature
    if plan.is_delta and before is not None:
        path = layout.delta_file(write.name, feed, write.partition, _digest(file.temporary))
        symbols = tuple(sorted(set(write.symbols or ())))
        deltas = with_delta(
            before.deltas, Delta(layout.relative(path), symbols, plan.rows.num_rows, file.bytes, file.signature)
        )
        size = before.bytes + sum(delta.bytes for delta in deltas) - sum(delta.bytes for delta in before.deltas)
        signature, base = _widest(before.signature, signature), layout.root / before.path
    else:
        if before is not None and before.deltas and before.path == layout.relative(base):
            base = layout.other_file(write.name, feed, write.partition)
        path = base
    entry = Stored(
        tbl=write.name, feed=feed, partition=write.partition, path=layout.relative(base), rows=extent.rows, bytes=size,
        symbols=extent.symbols, first_ts_us=extent.first_ts_us, last_ts_us=extent.last_ts_us, signature=signature,
        inputs=write.inputs, deltas=deltas,
    )  # fmt: skip
    return replace(file, path=path), entry


def extent_of(table: pa.Table) -> Extent:
    """What the index says of these rows."""
    names = table.column_names
    symbols = len(pc.unique(table[SYMBOL]).drop_null()) if SYMBOL in names else 0
    if "ts" not in names or not table.num_rows:
        return Extent(table.num_rows, symbols, None, None)
    ts = table["ts"].cast(pa.timestamp("us", tz="UTC"), safe=False).cast(pa.int64()).drop_null()
    if not len(ts):
        return Extent(table.num_rows, symbols, None, None)
    values = ts.to_numpy()
    return Extent(table.num_rows, symbols, int(np.min(values)), int(np.max(values)))


def _together(one: Extent, other: Extent) -> Extent:
    """Of rows of different symbols."""
    firsts = [each.first_ts_us for each in (one, other) if each.first_ts_us is not None]
    lasts = [each.last_ts_us for each in (one, other) if each.last_ts_us is not None]
    return Extent(
        one.rows + other.rows, one.symbols + other.symbols, min(firsts, default=None), max(lasts, default=None)
    )


def _widest(one: str, other: str) -> str:
    """How the float columns of two files would be encoded in one, as far as their encodings tell."""
    scales = [dict(part.split(":") for part in text.split(",") if part) for text in (one, other)]
    names = dict.fromkeys([*scales[0], *scales[1]])
    return ",".join(f"{name}:{max((found.get(name, '0') for found in scales), key=_width)}" for name in names)


def _width(scale: str) -> int:
    return 99 if scale == "double" else int(scale)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
