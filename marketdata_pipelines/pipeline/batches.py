"""What the checks of a walk are given to judge, and the figures told and kept of a partition's rows."""

from collections.abc import Iterable, Sequence

import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.sessions import Session
from marketdata_pipelines.pipeline.validate import LoadedPart, Validated
from marketdata_pipelines.quality.checks import QUALITY_RULES_CHECK, ValidatedBatch
from marketdata_pipelines.quality.outcome import CheckOutcome, Facts
from marketdata_pipelines.stores.lake.walks import WalkCheck, WalkProof

_NEVER_US = 2**62


def validated_batch(
    feed: Feed,
    key: str,
    sessions: Sequence[Session],
    parts: Sequence[LoadedPart],
    validated: Validated,
    bars: pa.Table,
    recorded_rows: int,
) -> ValidatedBatch:
    """A partition between validation and aggregation; `bars` are all of it, where `validated` is of some symbols."""
    # Minutes after the last ingest cannot have been brought; with none at all, everything is expected.
    known_until = max((part.standing.ingest.known_at_us for part in parts), default=_NEVER_US)
    return ValidatedBatch(
        feed=feed,
        partition=key,
        raw_rows=validated.raw_rows,
        recorded_rows=recorded_rows,
        accepted_rows=validated.accepted_rows,
        rejected_rows=validated.rejected.num_rows,
        bars=bars,
        expected_minutes=sum(session.minutes for session in sessions if session.close <= known_until),
        rejected=validated.rejected,
    )


def row_facts(validated: Validated) -> Facts:
    """How many rows there were, and what became of them."""
    rejected = validated.rejected.num_rows
    share = rejected / validated.raw_rows if validated.raw_rows else 0.0
    return {
        "raw_rows": validated.raw_rows,
        "accepted_rows": validated.accepted_rows,
        "rejected_rows": rejected,
        "rejected_percent": round(100 * share, 3),
    }


def walk_proof(batch: ValidatedBatch, outcomes: Iterable[CheckOutcome]) -> WalkProof:
    """What a walk says of a whole partition, to be kept; what its quality rules found is kept in tables."""
    checks = (
        WalkCheck(each.name, each.asset, each.passed, each.blocking, each.message)
        for each in outcomes
        if each.name != QUALITY_RULES_CHECK
    )
    return WalkProof(batch.raw_rows, batch.accepted_rows, batch.rejected_rows, tuple(checks))
