"""Whether a receipt holds: its values against the bar derived again, and the raw rows against their sources.

Equal means equal: floats bit for bit, nulls, flags and times. What could not be compared is said, never taken as equal.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.frames import int_values
from marketdata_pipelines.pipeline.receipts.provenance import SymbolRows
from marketdata_pipelines.pipeline.receipts.records import Difference, PartitionProof, Receipt, Value, Verification
from marketdata_pipelines.pipeline.receipts.rows import plain_values
from marketdata_pipelines.pipeline.receipts.sources import RowSources
from marketdata_pipelines.pipeline.validate import LoadedPart
from marketdata_pipelines.stores.lake.catalog import StandingPart

# Enough to see what happened; a rewritten file differs everywhere.
_MOST_DIFFERENCES = 50
_NOT_COMPARED = ("original",)
_COUNTS = ("raw_rows", "accepted_rows", "rejected_rows")


@dataclass(frozen=True, slots=True)
class PartitionEvidence:
    """A bar's base bars in one partition, as stored and as derived again, and the raw rows they rest on.

    `recorded`: every raw part of the partition, with the rows its file really has. `checked`: the partition with its
    rows counted and its checks evaluated now.
    """

    key: str
    stored: pa.Table
    derived: pa.Table
    rows: SymbolRows
    recorded: Sequence[tuple[StandingPart, int]]
    checked: PartitionProof


@dataclass(frozen=True, slots=True)
class Evidence:
    """A bar derived again, one row or none, and what it is made of."""

    bar: pa.Table
    partitions: tuple[PartitionEvidence, ...]


def verify_evidence(receipt: Receipt, evidence: Evidence, sources: RowSources) -> Verification:
    """Compare a receipt with what was derived again, and the raw rows with what their sources say now."""
    found = _bar_differences(receipt, evidence)
    bars = sum(partition.stored.num_rows for partition in evidence.partitions)
    count = "1 base bar" if bars == 1 else f"{bars} base bars"
    checked = [f"{receipt.timeframe} bar derived again", f"{count} derived again"]
    unchecked: list[str] = []
    told = {proof.key: proof for proof in receipt.partitions}
    for partition in evidence.partitions:
        found += compare_rows(f"validated bars {partition.key}", partition.stored, partition.derived, "ts")
        found += [
            Difference(f"raw part {part.part.path}", "rows", rows, part.part.rows)
            for part, rows in partition.recorded
            if rows != part.part.rows
        ]
        found += _check_differences(told[partition.key], partition.checked)
        for part in (part for part in partition.rows.parts if part.table.num_rows):
            source = _verify_source(part, receipt.symbol, sources)
            found += source.differences
            checked += source.checked
            unchecked += source.unchecked
    said = (tuple(dict.fromkeys(texts)) for texts in (checked, unchecked))
    return Verification(tuple(found[:_MOST_DIFFERENCES]), *said)


def compare_rows(where: str, found: pa.Table, expected: pa.Table, key: str) -> list[Difference]:
    """The differences between two tables whose integer or time column `key` is unique in each."""
    ours, theirs = int_values(found[key]), int_values(expected[key])
    both, left, right = np.intersect1d(ours, theirs, return_indices=True)
    missing, surplus = np.setdiff1d(theirs, ours).tolist(), np.setdiff1d(ours, theirs).tolist()
    named = [f"{where} {_named(key, value)}" for value in both.tolist()]
    differences = [Difference(f"{where} {_named(key, value)}", "row", "missing", "there") for value in missing]
    differences += [Difference(f"{where} {_named(key, value)}", "row", "there", "missing") for value in surplus]
    mine, other = found.take(pa.array(left)), expected.take(pa.array(right))
    for name in found.column_names:
        if name in _NOT_COMPARED or name not in expected.column_names:
            continue
        for place in np.flatnonzero(_unequal(mine[name], other[name])).tolist():
            values = (plain_values(side.slice(place, 1))[0][name] for side in (mine, other))
            differences.append(Difference(named[place], name, *values))
    return differences


def _bar_differences(receipt: Receipt, evidence: Evidence) -> list[Difference]:
    where = f"{receipt.table} {receipt.partition}"
    if not evidence.bar.num_rows:
        return [Difference(where, "bar", "there", "the raw parts give none")]
    expected = plain_values(evidence.bar)[0]
    names = dict.fromkeys((*receipt.bar, *expected))
    return [
        Difference(where, name, receipt.bar.get(name), expected.get(name))
        for name in names
        if not _same(receipt.bar.get(name), expected.get(name))
    ]


def _check_differences(told: PartitionProof, now: PartitionProof) -> list[Difference]:
    """What a partition's walk kept of it, against what is found out again."""
    where = f"partition {told.key}"
    counts = ((name, getattr(told, name), getattr(now, name)) for name in _COUNTS)
    differences = [Difference(where, name, ours, theirs) for name, ours, theirs in counts if ours != theirs]
    passed = {check.name: check.passed for check in now.checks}
    return differences + [
        Difference(where, f"check {check.name}", check.passed, passed.get(check.name))
        for check in told.checks
        if check.passed != passed.get(check.name)
    ]


def _verify_source(part: LoadedPart, symbol: str, sources: RowSources) -> Verification:
    """One part's source: its hash, and the part's rows against the same rows read again."""
    standing, name = part.standing, part.standing.ingest.file
    state = sources.state(standing, limit_bytes=None)
    if state.same is None:
        return Verification((), (), (f"{name}: {state.text}",))
    changed = () if state.same else (Difference(f"source {name}", "content", state.text, standing.ingest.sha256),)
    checked = (f"{name}: {state.text}",) if state.same else ()
    read = sources.parsed(standing, symbol)
    if isinstance(read, str):
        return Verification(changed, checked, (read,))
    same_rows = np.isin(int_values(read["row"]), int_values(part.table["row"]))
    again = read.filter(pc.and_(pc.equal(read["symbol"], symbol), pa.array(same_rows)))
    where = f"{name} in raw part {standing.part.part_id}, row"
    count = f"{part.table.num_rows} row" if part.table.num_rows == 1 else f"{part.table.num_rows} rows"
    differences = (*changed, *compare_rows(where, part.table, again, "row"))
    return Verification(differences, (*checked, f"{count} of {name} read again"))


def _named(key: str, value: int) -> str:
    return str(value) if key == "row" else f"{np.datetime64(value, 'us')}Z"


def _unequal(left: pa.ChunkedArray, right: pa.ChunkedArray) -> np.ndarray:
    """Where two columns differ: floats by their bits."""
    nulls, others = left.is_null().to_numpy(), right.is_null().to_numpy()
    kind = left.type
    if pa.types.is_floating(kind):
        ours, theirs = (side.fill_null(0.0).to_numpy().view(np.int64) for side in (left, right))
    elif pa.types.is_boolean(kind):
        ours, theirs = (side.fill_null(False).to_numpy() for side in (left, right))
    elif pa.types.is_integer(kind) or pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        ours, theirs = (int_values(side, 0) for side in (left, right))
    else:
        ours, theirs = (np.array(side.cast(pa.string()).to_pylist(), object) for side in (left, right))
    unequal: np.ndarray = (nulls != others) | (~nulls & (ours != theirs))
    return unequal


def _same(left: Value, right: Value) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        return struct.pack("<d", left) == struct.pack("<d", right)
    return type(left) is type(right) and left == right
