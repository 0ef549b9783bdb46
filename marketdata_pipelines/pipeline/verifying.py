"""Compares a feed's files with what the catalog says of them: is everything there, whole, in order and as recorded?

Whether stored tables follow from their raw parts is in `rederiving`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marketdata_pipelines.domain.quality.records import QUALITY_TABLES, SYMBOL_PROFILES
from marketdata_pipelines.errors import PartitionMissing, SchemaMismatch, StoreError
from marketdata_pipelines.stores.lake.catalog import RawPart, Stored
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.lake.origins import is_origin, read_origin
from marketdata_pipelines.stores.lake.parquet import file_signature, read_file
from marketdata_pipelines.stores.lake.symbol_rows import SYMBOL, order_of, ordered_codes
from marketdata_pipelines.stores.lake.table_writes import extent_of

# A bar may stand out in several ways, and what is said of a whole session has no symbol.
_WITHOUT_KEY = frozenset(QUALITY_TABLES) - {SYMBOL_PROFILES}


class Fault(StrEnum):
    MISSING = "missing"
    UNREADABLE = "unreadable"
    DIFFERENT = "different"
    UNSORTED = "unsorted"
    NOT_DERIVED = "not_derived"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong in one partition of a table, of raw parts or of origins; `text` says what, and what to do."""

    feed: str
    table: str
    partition: str
    fault: Fault
    text: str


def verify_files(lake: Lake, feed: str) -> Iterator[Finding]:
    """What is wrong with a feed's tables, raw parts and origins; one partition is in memory at a time."""
    for table, owner, *_ in lake.catalog.tables():
        if owner == feed:
            for stored in lake.catalog.stored(table, feed):
                yield from verify_stored(lake, stored)
    removed = lake.catalog.removals.of(feed)
    for part in lake.catalog.raw_parts(feed):
        if part.path not in removed or (lake.layout.root / part.path).exists():
            yield from _verify_part(lake, feed, part)
    yield from _verify_origins(lake, feed)


def verify_stored(lake: Lake, stored: Stored) -> Iterator[Finding]:
    """What is wrong with one partition of a table."""
    try:
        rows = lake.read(stored.tbl, stored.feed, stored.partition)
        signatures = [file_signature(lake.layout.root / file.path) for file in stored.files]
        manifest = lake.manifest(stored)
        size = sum((lake.layout.root / file.path).stat().st_size for file in stored.files)
    except (StoreError, FileNotFoundError) as error:
        fault = Fault.UNREADABLE
        if isinstance(error, PartitionMissing | FileNotFoundError):
            now = lake.catalog.stored_partition(stored.tbl, stored.feed, stored.partition)
            if now != stored:
                # Replaced since the list was made: what is there now is looked at instead, if anything.
                yield from () if now is None else verify_stored(lake, now)
                return
            fault = Fault.MISSING
        yield _finding(stored, fault, str(error))
        return
    for what, said, found in _differences(stored, rows, signatures, manifest, size):
        yield _finding(stored, Fault.DIFFERENT, f"{what}: the index says {said}, the file {found}")
    problem = disorder(stored.tbl, rows)
    if problem is not None:
        yield _finding(stored, Fault.UNSORTED, problem)


def disorder(table: str, rows: pa.Table) -> str | None:
    """Where rows are not in the order of their table, or two have the same key; None where all is well."""
    if table in _WITHOUT_KEY:
        return None
    try:
        order = order_of(table, rows.column_names)
    except SchemaMismatch:
        return None
    if rows.num_rows < 2:
        return None
    before = np.zeros(rows.num_rows - 1, np.int8)
    for name in order:
        values = _comparable(rows[name])
        step = np.sign(values[1:] - values[:-1])
        before = np.where(before == 0, step, before)
    wrong = np.flatnonzero(before < 0 if order[0] != SYMBOL else before <= 0)
    if not len(wrong):
        return None
    row = rows.slice(int(wrong[0]) + 1, 1).select(list(order)).to_pylist()[0]
    told = ", ".join(f"{name} {value}" for name, value in row.items())
    return f"row {int(wrong[0]) + 2} ({told}) does not come after the one before it"


def _differences(
    stored: Stored, rows: pa.Table, signatures: list[str], manifest: dict[str, object], size: int
) -> Iterator[tuple[str, object, object]]:
    extent = extent_of(rows)
    pairs: list[tuple[str, object, object]] = [
        ("rows", stored.rows, extent.rows),
        ("symbols", stored.symbols, extent.symbols),
        ("first ts", stored.first_ts_us, extent.first_ts_us),
        ("last ts", stored.last_ts_us, extent.last_ts_us),
        ("bytes", stored.bytes, size),
        # Not its inputs: a file whose rows came out the same from others is kept as it is.
        ("table", stored.tbl, manifest.get("table")),
        ("partition", stored.partition, manifest.get("partition")),
    ]
    said = [stored.signature] if not stored.deltas else [delta.signature for delta in stored.deltas]
    pairs += [("encoding", *pair) for pair in zip(said, signatures[-len(said) :], strict=True)]
    return (pair for pair in pairs if pair[1] != pair[2])


def _verify_part(lake: Lake, feed: str, part: RawPart) -> Iterator[Finding]:
    try:
        rows = read_file(lake.layout.root / part.path).num_rows
    except PartitionMissing as error:
        yield Finding(feed, part.tbl, part.partition, Fault.MISSING, f"{error}; restore the raw part from a backup")
    except StoreError as error:
        yield Finding(feed, part.tbl, part.partition, Fault.UNREADABLE, f"{error}; restore it from a backup")
    else:
        if rows != part.rows:
            text = f"raw part {part.part_id}: the ledger says {part.rows} rows, the file has {rows}; restore it"
            yield Finding(feed, part.tbl, part.partition, Fault.DIFFERENT, f"{text} from a backup")


def _verify_origins(lake: Lake, feed: str) -> Iterator[Finding]:
    """Vendors' answers: there, whole, and with the SHA-256 they were kept under."""
    for ingest in lake.catalog.ingests(feed):
        if not is_origin(ingest.path):
            continue
        partition = "" if ingest.pulled is None else ingest.pulled.partition
        try:
            read_origin(lake.layout, feed, ingest.path)
        except PartitionMissing as error:
            yield Finding(feed, "origins", partition, Fault.MISSING, str(error))
        except StoreError as error:
            yield Finding(feed, "origins", partition, Fault.UNREADABLE, str(error))


def _finding(stored: Stored, fault: Fault, text: str) -> Finding:
    advice = f"run: marketdata backfill {stored.feed} --start {stored.partition} --end {stored.partition}"
    return Finding(stored.feed, stored.tbl, stored.partition, fault, text if advice in text else f"{text}; {advice}")


def _comparable(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Numbers in the order of the column's values; null is the greatest."""
    if pa.types.is_dictionary(column.type) or pa.types.is_string(column.type):
        return ordered_codes(column)[0].astype(np.int64)
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if pa.types.is_date32(array.type):
        array = array.view(pa.int32())
    numbers = array.cast(pa.int64()).fill_null(np.iinfo(np.int64).max // 2)
    return numbers.to_numpy(zero_copy_only=False)
