"""What a partition's scores and findings say as checks, one a dimension, and as figures that make curves."""

import math

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.quality.records import Dimension
from marketdata_pipelines.domain.tables import QUALITY
from marketdata_pipelines.quality.examples import SHOWN, findings_by_rule
from marketdata_pipelines.quality.outcome import CheckOutcome, Facts


def quality_checks(scores: pa.Table, findings: pa.Table) -> tuple[CheckOutcome, ...]:
    """One check a dimension: it passes where nothing was found. SCORE_SCHEMA and FINDING_SCHEMA of one partition.

    Findings on rows that another file has taken the place of are told but break nothing.
    """
    standing = findings.filter(pc.fill_null(findings["standing"], True)) if findings.num_rows else findings
    whole = _totals(scores)
    return tuple(_check(dimension, whole, standing) for dimension in Dimension)


def score_facts(scores: pa.Table) -> Facts:
    """Score, grade and the six dimensions of a partition: over its sessions, weighted by their raw rows."""
    whole = _totals(scores)
    facts: Facts = {"score": _mean(whole, "score")}
    if whole.num_rows == 1:
        facts |= {"grade": str(whole["grade"][0].as_py()), "quality": str(whole["quality"][0].as_py())}
    facts |= {str(dimension): _mean(whole, str(dimension)) for dimension in Dimension}
    for name in ("findings", "rejected_rows"):
        facts[name] = int(pc.sum(whole[name]).as_py() or 0)
    return facts


def _check(dimension: Dimension, whole: pa.Table, findings: pa.Table) -> CheckOutcome:
    own = findings.filter(pc.equal(findings["dimension"], str(dimension)))
    value = _mean(whole, str(dimension))
    by_rule = findings_by_rule(own)
    found = ", ".join(f"{each['rule']} {each['findings']}" for each in by_rule)
    facts: Facts = {"score": value, "findings": own.num_rows}
    text = f"{value:.1f} of 100; " + (f"{own.num_rows} findings: {found}" if own.num_rows else "nothing found")
    return CheckOutcome(str(dimension), QUALITY, not own.num_rows, False, text, facts, by_rule[:SHOWN])


def _totals(scores: pa.Table) -> pa.Table:
    return scores.filter(pc.is_null(scores["symbol"]))


def _mean(whole: pa.Table, column: str) -> float:
    values = whole[column].to_pylist()
    weights = [rows or 1 for rows in whole["raw_rows"].to_pylist()]
    known = [(value, weight) for value, weight in zip(values, weights, strict=True) if value is not None]
    if not known:
        return 0.0
    mean = math.fsum(value * weight for value, weight in known) / sum(weight for _, weight in known)
    return round(mean, 2)
