"""Bars that a later file changed after they had been delivered: the rule `unannounced_revision`.

How changes are traced is in `corrections`.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.corrections import ChangeKind
from marketdata_pipelines.domain.quality.records import FINDING_SCHEMA
from marketdata_pipelines.domain.quality.rules import QualityRule
from marketdata_pipelines.domain.repairs.records import REPAIR

UNANNOUNCED_REVISION = "unannounced_revision"
# What a revision is not: a bar brought late, or brought back.
_REVISING = (ChangeKind.CHANGED, ChangeKind.REMOVED)
# Our own doing, not the source's: the same content read anew, or a proposal that somebody applied.
_OWN_CAUSES = ("reparse", REPAIR)
_FILES_SHOWN = 3


def revision_findings(corrections: pa.Table, rules: Mapping[str, QualityRule], bars: int) -> pa.Table:
    """One finding an ingest that changed more than `share` of a partition's bars.

    Shape:   a partition's CORRECTION_SCHEMA; `bars` are all its accepted bars. Returns FINDING_SCHEMA, sorted by
             (session_date, ts): `symbol` where only one is concerned, `ts` .. `ts_last` the first and last changed bar,
             `value` the share, `file` and `part` what changed them.
    Counted: bars changed or removed. Every accepted bar was complete when it was delivered: unfinished ones are
             rejected. Late bars, contents read anew and repairs are no revisions.
    """
    rule = rules.get(UNANNOUNCED_REVISION)
    if rule is None or not corrections.num_rows:
        return FINDING_SCHEMA.empty_table()
    counted = pc.and_(
        pc.is_in(corrections["kind"], pa.array([str(kind) for kind in _REVISING])),
        pc.invert(pc.is_in(corrections["cause"], pa.array(_OWN_CAUSES))),
    )
    changes = corrections.filter(counted)
    found = []
    for seq in sorted(pc.unique(changes["seq"]).to_pylist()):
        own = changes.filter(pc.equal(changes["seq"], seq))
        # What was removed is no longer among the bars.
        removed = int(pc.sum(pc.equal(own["kind"], ChangeKind.REMOVED)).as_py())
        share = own.num_rows / max(bars + removed, own.num_rows)
        if share > rule.limits["share"]:
            found.append(_finding(rule, own, share, removed))
    found.sort(key=lambda row: (row["session_date"], row["ts"]))
    return pa.Table.from_pylist(found, schema=FINDING_SCHEMA)


def _finding(rule: QualityRule, changes: pa.Table, share: float, removed: int) -> dict[str, Any]:
    symbols = sorted(set(changes["symbol"].to_pylist()))
    at = pc.min_max(changes["ts"]).as_py()
    day: date = pc.min(changes["session_date"]).as_py()
    by_file = changes["file"].to_pylist()
    return {
        "rule": rule.id,
        "dimension": str(rule.dimension),
        "severity": str(rule.severity),
        "symbol": symbols[0] if len(symbols) == 1 else None,
        "session_date": day,
        "ts": at["min"],
        "ts_last": at["max"],
        "bars": changes.num_rows,
        "value": share,
        "limit": rule.limits["share"],
        "message": _message(changes, symbols, share, removed),
        "file": by_file[0] if len(set(by_file)) == 1 else None,
        "part": changes["part"][0].as_py(),
        "standing": True,
    }


def _message(changes: pa.Table, symbols: list[str], share: float, removed: int) -> str:
    earlier = _named(changes["previous_file"].to_pylist())
    verb = "removed" if removed == changes.num_rows else "changed or removed" if removed else "changed"
    of = f" of {symbols[0]}" if len(symbols) == 1 else f" of {len(symbols)} symbols"
    count = "1 bar" if changes.num_rows == 1 else f"{changes.num_rows} bars"
    largest = _largest_move(changes)
    moved = f"; closes by up to {largest:.2%}" if largest > 0 else ""
    return f"{_named(changes['file'].to_pylist())} {verb} {count}{of} ({share:.1%}) that {earlier} had brought{moved}"


def _largest_move(changes: pa.Table) -> float:
    """The greatest change of a close, as a share of the old one; 0 where no close changed."""
    moves = pc.abs(pc.subtract(pc.divide(changes["new_close"], changes["old_close"]), 1.0)).drop_null().to_numpy()
    finite = moves[np.isfinite(moves)]
    return float(finite.max()) if len(finite) else 0.0


def _named(files: list[str | None]) -> str:
    names = sorted({name for name in files if name is not None})
    more = f" and {len(names) - _FILES_SHOWN} more" if len(names) > _FILES_SHOWN else ""
    return ", ".join(names[:_FILES_SHOWN]) + more
