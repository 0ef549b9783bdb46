"""Yahoo's dividends as they were paid: Yahoo divides each by the splits after it, prices in the lake are not."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.actions import RAW_ACTION_SCHEMA, ActionKind, ActionStatus


def restore_amounts(actions: pa.Table) -> pa.Table:
    """Multiply every cash amount by the ratios of its symbol's splits after it, as the file names them.

    Shape:   RAW_ACTION_SCHEMA of one file that holds all splits since its first dividend; returns the same rows.
    """
    rows = actions.to_pylist()
    splits = actions.filter(
        pc.and_(pc.is_null(actions["rules"]), pc.and_(pc.equal(actions["kind"], ActionKind.SPLIT), _active(actions)))
    ).to_pylist()
    by_symbol: dict[str, list[dict[str, Any]]] = {}
    for split in splits:
        by_symbol.setdefault(split["symbol"], []).append(split)
    for row in rows:
        if row["rules"] is None and row["amount"] is not None:
            for split in by_symbol.get(row["symbol"], ()):
                row["amount"] *= split["ratio"] if split["ex_date"] > row["ex_date"] else 1.0
    return pa.Table.from_pylist(rows, RAW_ACTION_SCHEMA)


def _active(actions: pa.Table) -> pa.Array:
    return pc.not_equal(actions["status"], ActionStatus.CANCELLED)
