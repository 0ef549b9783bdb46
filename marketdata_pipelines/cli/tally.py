"""What a run of the graph did, added up over its partitions, for summaries and for JSON."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from marketdata_pipelines.domain.intervals import TIMEFRAMES, table_name
from marketdata_pipelines.domain.tables import QUALITY, REJECTED_BARS, VALIDATED_BARS
from marketdata_pipelines.pipeline.outcome import PartitionOutcome

_TIMEFRAMES = {table_name(timeframe): timeframe for timeframe in TIMEFRAMES}


@dataclass(slots=True)
class Tally:
    """Counts over partitions; `rejected` is by rule, a row counts under each of its rules.

    `interval`: the feed's own, whose bars are the accepted rows that survived.
    """

    interval: str
    partitions: int = 0
    raw_rows: int = 0
    accepted: int = 0
    rejected_rows: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    bars: Counter[str] = field(default_factory=Counter)
    blocked: dict[str, str] = field(default_factory=dict)
    failed_checks: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    findings: Counter[str] = field(default_factory=Counter)
    scores: list[float] = field(default_factory=list)

    @property
    def score(self) -> float | None:
        """The mean score of the partitions judged, 0 to 100; None where none was."""
        return sum(self.scores) / len(self.scores) if self.scores else None

    @property
    def succeeded(self) -> bool:
        return not (self.blocked or self.failures or self.failed_checks)

    def add(self, outcome: PartitionOutcome) -> None:
        """Count one partition, or what was found when it was judged."""
        for result in outcome.results if outcome.is_verdict else ():
            self.findings.update({str(each["rule"]): int(each["findings"] or 0) for each in result.examples})
            self.scores.append(float(result.facts.get("score", 0.0)))
        if outcome.is_verdict:
            return
        self.partitions += 1
        if outcome.blocked is not None:
            self.blocked[outcome.partition] = outcome.blocked
        for check in outcome.checks:
            # A blocking check that failed is what the partition is blocked by.
            # What warns about the data is told as findings; it is no failure of the work.
            if not check.passed and outcome.blocked is None and check.asset != QUALITY:
                self.failed_checks.append(f"{outcome.partition} {check.asset} {check.name}: {check.message}")
        for result in outcome.results:
            if result.asset == VALIDATED_BARS:
                self.raw_rows += int(result.facts.get("raw_rows", 0))
                self.accepted += int(result.facts.get("accepted_rows", 0))
                self.bars[self.interval] += result.rows
            elif result.asset == REJECTED_BARS:
                self.rejected_rows += result.rows
                self.rejected.update(_counts(result.facts))
            for name, rows in result.table_rows.items():
                if name in _TIMEFRAMES:
                    self.bars[_TIMEFRAMES[name]] += rows

    def add_run(self, *, succeeded: bool, message: str) -> None:
        """Note how a run ended; that partitions were blocked is known already."""
        if not succeeded and not self.blocked:
            self.failures.append(message)
        elif succeeded and message:
            self.notes.append(message)

    def as_json(self) -> dict[str, object]:
        """Plain values for `--json`."""
        return {
            "partitions": self.partitions,
            "raw_rows": self.raw_rows,
            "accepted": self.accepted,
            "rejected": self.rejected_rows,
            "rejected_by_rule": dict(self.rejected.most_common()),
            "bars": dict(self.bars),
            "blocked": self.blocked,
            "failed_checks": self.failed_checks,
            "failures": self.failures,
            "notes": self.notes,
            "findings": dict(self.findings.most_common()),
            "score": None if self.score is None else round(self.score, 2),
        }


def _counts(facts: Mapping[str, int | float | str]) -> dict[str, int]:
    return {rule: int(count) for rule, count in facts.items() if isinstance(count, int)}
