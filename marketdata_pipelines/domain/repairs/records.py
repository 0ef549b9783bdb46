"""Repairs of bars: their kinds, what one consists of, how sure it is, and the id it is known by.

How they are found is in the modules beside; how one becomes a raw part is `pipeline.repairs.applying`'s.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.bars import PRICES, TS
from marketdata_pipelines.domain.corrections import VALUES
from marketdata_pipelines.domain.frames import float_values, int_values
from marketdata_pipelines.domain.intervals import SECOND_US

# The provider that the ledger names for what a repair brought.
REPAIR = "repair"
# Below this a repair is a guess that nobody should have to read.
LEAST_CONFIDENCE = 0.05


class RepairKind(StrEnum):
    """What is done to bars; an untold corporate action is advice, and changes none."""

    HIGH_LOW_SWAPPED = "high_low_swapped"
    PRICE_SCALE = "price_scale"  # some prices divided or multiplied by 10, 100 or 1000
    PRICE_SIGN = "price_sign"
    PRICE_MISSING = "price_missing"  # one price taken from the others
    VOLUME_MENDED = "volume_mended"  # its sign, its scale, or a counter that went over
    FIELD_UNKNOWN = "field_unknown"  # volume, vwap or trade count said to be unknown
    BAR_DROPPED = "bar_dropped"
    WICK_CLIPPED = "wick_clipped"
    DUPLICATE_CHOSEN = "duplicate_chosen"  # the other one of two rows for a bar
    TIME_SHIFTED = "time_shifted"
    LABEL_SHIFTED = "label_shifted"
    COLUMNS_SWAPPED = "columns_swapped"  # a file that was refused whole
    CORPORATE_ACTION = "corporate_action"


# Rows as they are to stand, with the place of the rows they are made of and what those said.
REPAIR_ROW_SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("ts", TS),
        *((name, pa.float64()) for name in (*PRICES, "volume", "vwap")),
        ("trade_count", pa.int64()),
        ("file", pa.string()),
        ("line", pa.int64()),
        ("row", pa.int64()),
        ("part", pa.string()),
        ("was", pa.string()),
    ]
)

# One row a proposal. `start` and `end` are the opens of the first and last bar concerned, both included.
PROPOSED_REPAIR_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("kind", pa.string()),
        ("symbol", pa.string()),
        ("session_date", pa.date32()),
        ("start", TS),
        ("end", TS),
        ("rows", pa.int64()),
        ("confidence", pa.float64()),
        ("evidence", pa.string()),
        ("rule", pa.string()),
        ("file", pa.string()),
        ("line", pa.int64()),
        ("partition", pa.string()),
        ("can_apply", pa.bool_()),
    ]
)


@dataclass(frozen=True, slots=True)
class BarRow:
    """A raw row of one bar: its values by name (None: unknown), its place, and the rules it broke."""

    symbol: str
    ts_us: int
    values: Mapping[str, float | None]
    file: str
    line: int | None
    row: int
    part: str
    rules: frozenset[str] = frozenset()

    def prices(self) -> tuple[float | None, ...]:
        """Open, high, low, close."""
        return tuple(self.values[name] for name in PRICES)


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a row might say instead: new `values` (None: the bar goes), how sure that is, and why."""

    kind: RepairKind
    values: Mapping[str, float | None] | None
    confidence: float
    evidence: str
    detail: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Repair:
    """One proposal for one partition.

    `rows` (REPAIR_ROW_SCHEMA) are to stand from then on. `replaces`: what else these symbols have with
    first_us <= ts <= last_us goes. `advice` says what to do instead where no bar is changed.
    """

    feed: str
    kind: RepairKind
    partition: str
    symbols: tuple[str, ...]
    session: date | None
    first_us: int
    last_us: int
    rows: pa.Table
    replaces: bool
    confidence: float
    evidence: str
    rule: str
    advice: str | None = None

    @property
    def id(self) -> str:
        """The partition and 8 hex digits of what the repair does; the same for the same rows, whenever proposed."""
        return f"{self.partition}-{self.sha256[:8]}"

    @property
    def sha256(self) -> str:
        """64 hex digits of everything the repair does, without how sure it is or why."""
        whole = hashlib.sha256()
        head = [self.feed, self.kind, self.partition, self.symbols, self.replaces, self.advice]
        if self.replaces or not self.rows.num_rows:
            head += [self.first_us, self.last_us]
        whole.update(json.dumps(head).encode())
        for piece in _canonical(self.rows):
            whole.update(len(piece).to_bytes(8, "little") + piece)
        return whole.hexdigest()

    @property
    def count(self) -> int:
        """How many bars it is about: those it brings, or the one it drops."""
        return max(self.rows.num_rows, 1)


def repaired_rows(pairs: Sequence[tuple[BarRow, Mapping[str, float | None]]]) -> pa.Table:
    """Rows with new values as REPAIR_ROW_SCHEMA, sorted by (symbol, ts); a `ts` among the values moves the bar."""
    ordered = sorted(pairs, key=lambda pair: (pair[0].symbol, pair[1].get("ts", pair[0].ts_us) or 0))
    rows = [
        {
            "symbol": row.symbol,
            "ts": int(values.get("ts") or row.ts_us),
            **{name: values[name] for name in VALUES if name != "trade_count"},
            "trade_count": None if values["trade_count"] is None else int(values["trade_count"]),
            "file": row.file,
            "line": row.line,
            "row": row.row,
            "part": row.part,
            "was": said(row),
        }
        for row, values in ordered
    ]
    return pa.Table.from_pylist(rows, REPAIR_ROW_SCHEMA)


def said(row: BarRow) -> str:
    """What a raw row said, in one line."""
    values = [f"{name} {number(row.values[name])}" for name in VALUES if row.values.get(name) is not None]
    return f"{instant(row.ts_us)} {' '.join(values)}"


def proposal_table(repairs: Sequence[Repair]) -> pa.Table:
    """Proposals as PROPOSED_REPAIR_SCHEMA, the surest first."""
    ordered = sorted(repairs, key=lambda repair: (-repair.confidence, repair.partition, repair.symbols, repair.id))
    return pa.Table.from_pylist([_proposal(repair) for repair in ordered], PROPOSED_REPAIR_SCHEMA)


def number(value: float | None) -> str:
    """A value for people, in up to ten digits."""
    return "unknown" if value is None else f"{value:.10g}"


def instant(us: int) -> str:
    """An instant as ISO 8601 with Z, to the second."""
    return datetime.fromtimestamp(us // SECOND_US, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _canonical(rows: pa.Table) -> Iterable[bytes]:
    """What makes rows these: their values and the rows they are made of, a column at a time."""
    for name in ("symbol", "ts", *VALUES, "file", "row", "part"):
        column = rows[name].combine_chunks()
        if pa.types.is_string(column.type):
            encoded = column.dictionary_encode()
            yield "\n".join(encoded.dictionary.to_pylist()).encode()
            column = encoded.indices
        yield column.is_null().to_numpy(zero_copy_only=False).tobytes()
        if pa.types.is_floating(column.type):
            yield np.nan_to_num(float_values(column), nan=0.0).astype("<f8").tobytes()
        else:
            yield int_values(column).astype("<i8").tobytes()


def _proposal(repair: Repair) -> dict[str, object]:
    first = repair.rows.slice(0, 1).to_pylist()
    symbols = repair.symbols
    return {
        "id": repair.id,
        "kind": repair.kind.value,
        "symbol": symbols[0] if len(symbols) == 1 else f"{len(symbols)} symbols",
        "session_date": repair.session,
        "start": repair.first_us,
        "end": repair.last_us,
        "rows": repair.count,
        "confidence": round(repair.confidence, 4),
        "evidence": repair.evidence,
        "rule": repair.rule,
        "file": first[0]["file"] if first else None,
        "line": first[0]["line"] if first else None,
        "partition": repair.partition,
        "can_apply": repair.advice is None,
    }
