"""Checks of the walk that failed as a whole, as findings of their partition."""

from datetime import date

import pyarrow as pa

from marketdata_pipelines.domain.quality.records import FINDING_SCHEMA


def verdict_findings(verdicts: pa.Table, day: date) -> pa.Table:
    """FINDING_SCHEMA rows without a symbol, one a verdict (VERDICT_SCHEMA), dated on the partition's first day."""
    rows = [
        {
            "rule": row["rule"],
            "dimension": row["dimension"],
            "severity": row["severity"],
            "session_date": day,
            "bars": row["bars"],
            "message": row["message"],
            "standing": True,
        }
        for row in verdicts.to_pylist()
    ]
    return pa.Table.from_pylist(rows, schema=FINDING_SCHEMA)
