"""How references and what was taken into them are told: to a person, and as JSON."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict

import pyarrow as pa

from marketdata_pipelines.cli.consoles import counted, output, plain
from marketdata_pipelines.cli.records import json_bytes
from marketdata_pipelines.cli.terminal import print_table
from marketdata_pipelines.domain.bars import TS
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.references import Reference
from marketdata_pipelines.pipeline.reference_intake import TakenFile, TakenStatus
from marketdata_pipelines.pipeline.references import ReferenceSummary, summary, users_of
from marketdata_pipelines.stores.lake.lake import Lake

_INVENTORY_SCHEMA = pa.schema(
    [
        ("reference", pa.string()),
        ("kind", pa.string()),
        ("rows", pa.int64()),
        ("symbols", pa.int64()),
        ("first_date", pa.date32()),
        ("last_date", pa.date32()),
        ("rejected", pa.int64()),
        ("files", pa.int64()),
        ("files_refused", pa.int64()),
        ("known_since", TS),
        ("last_known_at", TS),
        ("feeds", pa.string()),
        ("mode", pa.string()),
        ("style", pa.string()),
        ("path", pa.string()),
        ("description", pa.string()),
    ]
)
_TAKEN_SCHEMA = pa.schema(
    [
        ("file", pa.string()),
        ("status", pa.string()),
        ("rows", pa.int64()),
        ("rejected", pa.int64()),
        ("rule", pa.string()),
        ("message", pa.string()),
    ]
)
_WORDS = {
    TakenStatus.ACCEPTED: "taken in",
    TakenStatus.KNOWN: "known already",
    TakenStatus.REFUSED: "refused",
    TakenStatus.LEFT: "left",
}
_STANDING = _INVENTORY_SCHEMA.names[2:11]
_SHOWN_FILES = 30


def reference_inventory(lake: Lake, references: Iterable[Reference], feeds: Iterable[Feed]) -> pa.Table:
    """A row a reference, in file order; `known_since` and `last_known_at` are null where nothing was taken in."""
    every = list(feeds)
    rows = [_inventory_row(each, summary(lake, each), users_of(each, every)) for each in references]
    return pa.Table.from_pylist(rows, schema=_INVENTORY_SCHEMA)


def print_taken(lake: Lake, reference: Reference, taken: Sequence[TakenFile]) -> None:
    """A line a file (those with something to know always), totals, and what stands now."""
    shown = [each for each in taken if each.message or each.rejected or len(taken) <= _SHOWN_FILES]
    if shown:
        print_table(pa.Table.from_pylist([asdict(each) for each in shown], schema=_TAKEN_SCHEMA), reference.name)
    counts = Counter(each.status for each in taken)
    files = ", ".join(f"{counts[status]:,} {word}" for status, word in _WORDS.items() if counts[status])
    found = summary(lake, reference)
    out = output()
    out.print(
        plain(f"{counted(len(taken), 'file')}: {files or 'nothing to take in'}; {_standing(found)}"), soft_wrap=True
    )
    if any(each.rejected for each in taken) or counts[TakenStatus.REFUSED]:
        out.print(plain(f"next: marketdata reference rejected {reference.name}", "dim"), soft_wrap=True)


def taken_json(lake: Lake, reference: Reference, taken: Sequence[TakenFile]) -> str:
    """Everything as one JSON object."""
    (standing,) = json.loads(b"".join(json_bytes(reference_inventory(lake, [reference], []).select(_STANDING))))
    whole = {"reference": reference.name, "files": [asdict(each) for each in taken], "standing": standing}
    return json.dumps(whole, indent=2, ensure_ascii=False)


def _standing(found: ReferenceSummary) -> str:
    span = f", {found.first_date} to {found.last_date}" if found.first_date else ""
    return f"{counted(found.rows, 'row')} of {counted(found.symbols, 'symbol')} stand{span}"


def _inventory_row(reference: Reference, found: ReferenceSummary, users: Sequence[str]) -> dict[str, object]:
    return {
        "reference": reference.name,
        "kind": str(reference.kind),
        "rows": found.rows,
        "symbols": found.symbols,
        "first_date": found.first_date,
        "last_date": found.last_date,
        "rejected": found.rejected,
        "files": found.files,
        "files_refused": found.refused,
        "known_since": found.first_known_at_us,
        "last_known_at": found.last_known_at_us,
        "feeds": ", ".join(users),
        "mode": str(reference.mode),
        "style": reference.style,
        "path": reference.path,
        "description": reference.description,
    }
