"""Symbol-sessions as a table of its own: scores, and beside them how often each rule was broken."""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.quality.records import SCORE_SCHEMA


def symbol_sessions(scores: pa.Table, findings: pa.Table, rules: Iterable[str]) -> pa.Table:
    """Scores with a column of counts for each rule: the findings of that symbol and session that stand.

    Shape: `scores` has SCORE_SCHEMA, `findings` FINDING_SCHEMA; returns a row for each score, in order, with an int64
           column a rule. Findings without a symbol count in the session's own row (symbol null).
    """
    scores = scores.select(SCORE_SCHEMA.names)
    keys = _keys(scores)
    position = {key: at for at, key in enumerate(keys)}
    counts = {rule: [0] * len(keys) for rule in rules}
    standing = findings.filter(pc.fill_null(findings["standing"], True))
    for rule, key in zip(standing["rule"].to_pylist(), _keys(standing), strict=True):
        at = position.get(key)
        if at is not None and rule in counts:
            counts[rule][at] += 1
    for rule, values in counts.items():
        scores = scores.append_column(rule, pa.array(values, pa.int64()))
    return scores


def _keys(table: pa.Table) -> list[tuple[str | None, int | None]]:
    symbols = table["symbol"].cast(pa.string()).to_pylist()
    days = table["session_date"].cast(pa.int32()).to_pylist()
    return list(zip(symbols, days, strict=True))
