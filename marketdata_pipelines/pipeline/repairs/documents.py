"""A repair's record in the lake: what it did to which rows, how sure it was, why, and by which release; and back again.

It lies among the origins, as vendors' answers do, and an ingest names it: so a receipt leads from a repaired bar to it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa

from marketdata_pipelines.domain.corrections import VALUES
from marketdata_pipelines.domain.repairs.records import REPAIR, REPAIR_ROW_SCHEMA, Repair, instant
from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.pipeline.versions import code_version
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.lake.origins import OriginPayload, read_origin, write_origin

_PREFIX = "repair-"


@dataclass(frozen=True, slots=True)
class RepairRecord:
    """What the record of an applied repair says of it."""

    id: str
    kind: str
    symbols: tuple[str, ...]
    session: date | None
    first_us: int
    last_us: int
    rows: int
    confidence: float
    evidence: str
    rule: str
    code_version: str


def write_record(lake: Lake, repair: Repair, now_us: int) -> str:
    """Keep a repair's record; returns the name by which the ledger leads to it."""
    document = {
        "repair": repair.id,
        "feed": repair.feed,
        "kind": repair.kind.value,
        "partition": repair.partition,
        "symbols": list(repair.symbols),
        "session": None if repair.session is None else repair.session.isoformat(),
        "first_us": repair.first_us,
        "last_us": repair.last_us,
        "replaces": repair.replaces,
        "confidence": round(repair.confidence, 4),
        "evidence": repair.evidence,
        "rule": repair.rule,
        "code_version": code_version(),
        "rows": [_row(row) for row in repair.rows.to_pylist()],
    }
    payload = OriginPayload(json.dumps(document, ensure_ascii=False).encode(), f"repair {repair.id}", now_us)
    return write_origin(lake.layout, repair.feed, REPAIR, [payload])


def read_record(lake: Lake, feed: str, path: str) -> RepairRecord:
    """The record an ingest of a repair names.

    Errors: PartitionMissing when it is not there; StoreError when it is damaged.
    """
    content = read_origin(lake.layout, feed, path)[0].content
    try:
        said: dict[str, Any] = json.loads(content)
        return RepairRecord(
            id=said["repair"],
            kind=said["kind"],
            symbols=tuple(said["symbols"]),
            session=None if said["session"] is None else date.fromisoformat(said["session"]),
            first_us=said["first_us"],
            last_us=said["last_us"],
            rows=max(len(said["rows"]), 1),
            confidence=said["confidence"],
            evidence=said["evidence"],
            rule=said["rule"],
            code_version=said["code_version"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"the record {path} of {feed} cannot be read ({error}); restore it from a backup") from error


def file_name(repair_id: str) -> str:
    """The name that stands for a source file where a repair brought a row."""
    return f"{_PREFIX}{repair_id}"


def repair_id(file: str) -> str:
    """The id in such a name."""
    return file.removeprefix(_PREFIX)


def recorded_bars(content: bytes) -> pa.Table:
    """The rows a record brings, in their order: symbol, ts and the values."""
    return recorded_rows(content).select(["symbol", "ts", *VALUES])


def recorded_rows(content: bytes) -> pa.Table:
    """The same with the places of the rows they are made of (REPAIR_ROW_SCHEMA)."""
    rows = [{**row, "ts": row["ts_us"]} for row in json.loads(content)["rows"]]
    return pa.Table.from_pylist(rows, REPAIR_ROW_SCHEMA)


def recorded_texts(content: bytes, symbol: object, ts_us: int) -> Iterator[str]:
    """What a record says of one bar: its new values, the repair, and what the row said before."""
    said = json.loads(content)
    for row in said["rows"]:
        if row["symbol"] == symbol and row["ts_us"] == ts_us:
            head = {name: said[name] for name in ("repair", "kind", "confidence", "evidence")}
            kept: Mapping[str, object] = {name: value for name, value in row.items() if name != "ts_us"}
            yield json.dumps({**head, **kept}, ensure_ascii=False)


def _row(row: dict[str, Any]) -> dict[str, object]:
    moment = row["ts"]
    us = (moment.toordinal() - date(1970, 1, 1).toordinal()) * 86_400_000_000
    us += ((moment.hour * 60 + moment.minute) * 60 + moment.second) * 1_000_000 + moment.microsecond
    return {**row, "ts": instant(us), "ts_us": us}
