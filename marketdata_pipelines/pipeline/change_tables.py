"""Changes of bars as a table, and in words: with the ingests that caused them and the rows' places in the source."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.corrections import CORRECTION_SCHEMA, KINDS, VALUES, ChangeKind
from marketdata_pipelines.domain.frames import symbol_column, timestamps
from marketdata_pipelines.domain.repairs.records import REPAIR
from marketdata_pipelines.domain.session_grid import Ints
from marketdata_pipelines.pipeline.bar_history import BarHistory
from marketdata_pipelines.pipeline.ingest import IngestStatus
from marketdata_pipelines.stores.lake.catalog import Ingest

_PULL, _REPARSE = "pull", "reparse"


def change_table(history: BarHistory, *, first: bool) -> pa.Table:
    """The changes of a partition's bars, sorted by (symbol, ts, known_at, seq); `first` keeps those of that kind."""
    changes = history.changes
    if not first:
        changes = changes.take(changes.kind != KINDS.index(ChangeKind.FIRST))
    # Bars are numbered in the order of (symbol, ts), steps in that of the ledger.
    changes = changes.take(np.lexsort((changes.step, changes.key)))
    ingests, parts = history.ingests, history.parts
    brought = {part.standing.ingest.seq: part.standing.part.part_id for part in parts}
    old, new = _source_of(history, changes.old), _source_of(history, changes.new)
    files = pa.array([part.standing.ingest.file for part in parts], pa.string())
    seqs = pa.array([part.standing.ingest.seq for part in parts], pa.int64())
    own_parts = pa.array([part.standing.part.part_id for part in parts], pa.string())
    step = pa.array(changes.step)
    columns = {
        "symbol": symbol_column(history.keys.code[changes.key].astype(np.int32), history.symbols),
        "ts": timestamps(history.keys.ts[changes.key]),
        "session_date": pa.array(history.days[changes.key].astype(np.int32)).view(pa.date32()),
        "kind": pa.array([kind.value for kind in KINDS], pa.string()).take(pa.array(changes.kind)),
        **{f"old_{name}": _of_rows(history, name, changes.old) for name in VALUES},
        **{f"new_{name}": _of_rows(history, name, changes.new) for name in VALUES},
        "known_at": timestamps(np.array([ingest.known_at_us for ingest in ingests], np.int64)[changes.step]),
        "seq": pa.array([ingest.seq for ingest in ingests], pa.int64()).take(step),
        "file": pc.coalesce(files.take(new), pa.array([ingest.file for ingest in ingests], pa.string()).take(step)),
        "line": _of_rows(history, "line", changes.new),
        "row": _of_rows(history, "row", changes.new),
        "part": pc.coalesce(
            own_parts.take(new), pa.array([brought.get(ingest.seq) for ingest in ingests], pa.string()).take(step)
        ),
        "cause": pa.array(ingest_causes(ingests), pa.string()).take(step),
        "previous_file": files.take(old),
        "previous_seq": seqs.take(old),
    }
    return pa.table(columns, schema=CORRECTION_SCHEMA)


def describe_changes(table: pa.Table, names: Sequence[str] = VALUES) -> list[str]:
    """What the old_ and new_ columns of each row say, in a few words: `close 10 → 11, volume 5 → unknown`.

    The close comes first; where there was no bar, or is none now, that of the other one is all that is told.
    """
    ordered = sorted(names, key=lambda name: name != "close")
    columns = {name: (table[f"old_{name}"].to_pylist(), table[f"new_{name}"].to_pylist()) for name in ordered}
    texts = []
    for row in range(table.num_rows):
        pairs = {name: (old[row], new[row]) for name, (old, new) in columns.items()}
        if None in pairs["close"]:
            pairs = {"close": pairs["close"]}
        texts.append(", ".join(_in_words(name, *pair) for name, pair in pairs.items() if pair[0] != pair[1]))
    return texts


def _in_words(name: str, old: object, new: object) -> str:
    nothing = "none" if name == "close" else "unknown"
    return f"{name} {_value(old, nothing)} → {_value(new, nothing)}"


def _value(value: object, nothing: str) -> str:
    if value is None:
        return nothing
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _source_of(history: BarHistory, rows: Ints) -> pa.Array:
    """The part each row is of; null for no row."""
    if not len(history.source):
        return pa.nulls(len(rows), pa.int64())
    return pa.array(history.source[np.maximum(rows, 0)], mask=rows < 0)


def _of_rows(history: BarHistory, name: str, rows: Ints) -> pa.ChunkedArray:
    found = history.raw[name].take(pa.array(rows, mask=rows < 0))
    # Not a number is unknown here as everywhere.
    return pc.if_else(pc.is_nan(found), None, found) if pa.types.is_floating(found.type) else found


def ingest_causes(ingests: Sequence[Ingest]) -> list[str]:
    """How each ingest did what it did: its mode, or that it pulled, repaired, or parsed a content again."""
    accepted: set[str] = set()
    causes = []
    for ingest in ingests:
        again = _REPARSE if ingest.sha256 in accepted else ingest.mode
        pulled = _PULL if ingest.pulled is None or ingest.pulled.provider != REPAIR else REPAIR
        causes.append(again if ingest.pulled is None else pulled)
        if ingest.status == IngestStatus.ACCEPTED:
            accepted.add(ingest.sha256)
    return causes
