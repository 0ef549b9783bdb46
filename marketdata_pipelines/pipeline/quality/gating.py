"""What may withhold a partition beyond the built-in checks: blocking quality rules, and the user's expectations.

Only rules that read nothing but the partition: whether it is withheld must not depend on what was walked before.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa

from marketdata_pipelines.domain import tables as t
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.quality.local_rules import judge_local
from marketdata_pipelines.domain.quality.records import VERDICT_SCHEMA, Dimension, Severity
from marketdata_pipelines.domain.quality.settings import active_rules
from marketdata_pipelines.pipeline.quality.suspicion import Noted
from marketdata_pipelines.quality.checks import QUALITY_RULES_CHECK, ValidatedBatch
from marketdata_pipelines.quality.examples import SHOWN, findings_by_rule
from marketdata_pipelines.quality.expectations import (
    UserExpectation,
    expectations_folder,
    has_expectations,
    read_expectations,
)
from marketdata_pipelines.quality.outcome import CheckOutcome, Example, Facts
from marketdata_pipelines.quality.suites.records import RuleOutcome
from marketdata_pipelines.quality.suites.table_suites import suite_of

# What the built-in checks are about.
_DIMENSIONS = {
    "rows_recorded": Dimension.COMPLETENESS,
    "every_row_has_a_reason": Dimension.VALIDITY,
    "rows_conserved": Dimension.COMPLETENESS,
    "sorted_and_unique": Dimension.UNIQUENESS,
    "ohlc_consistent": Dimension.CONSISTENCY,
    "not_empty_when_open": Dimension.COMPLETENESS,
}


class QualityGate:
    """Judges one feed's partitions while they are walked. `home` holds the folder of expectations.

    Errors: SettingsInvalid naming file and key, for an expectation that nobody can evaluate.
    """

    def __init__(self, home: Path, feed: Feed) -> None:
        self._feed = feed
        self._blocking = {
            name: rule
            for name, rule in active_rules(feed.quality).items()
            if rule.severity is Severity.BLOCK and rule.origin != "suites"
        }
        self._folder = expectations_folder(home, feed.name)
        self._expectations: tuple[UserExpectation, ...] | None = None

    def judge(self, batch: ValidatedBatch, noted: Noted) -> tuple[CheckOutcome, pa.Table]:
        """The check over all of them, and what failed beyond the findings (VERDICT_SCHEMA)."""
        found = self._findings(noted)
        expected = self._expected(batch)
        failed = [each for each in expected if not each.passed]
        blocking = [each for each in failed if each.severity is Severity.BLOCK]
        verdicts = _verdicts([_verdict(each) for each in failed])
        if not found and not blocking:
            facts: Facts = {"blocking rules": len(self._blocking), "expectations": len(expected)}
            text = f"{len(self._blocking)} blocking rules and {len(expected)} expectations hold"
            if failed:
                text = f"{len(failed)} of {len(expected)} expectations warn: " + "; ".join(map(_said, failed))
            return CheckOutcome(QUALITY_RULES_CHECK, t.VALIDATED_BARS, True, True, text, facts), verdicts
        day = batch.partition
        see = f"see: marketdata quality {self._feed.name} --start {day} --end {day} --findings"
        text = "; ".join([*map(_told, found), *map(_said, blocking), see])
        counted: Facts = {str(each["rule"]): int(each["findings"] or 0) for each in found}
        counted |= {each.rule: each.violations or 0 for each in blocking}
        examples = found[:SHOWN] or next((each.examples for each in blocking if each.examples), ())
        return CheckOutcome(QUALITY_RULES_CHECK, t.VALIDATED_BARS, False, True, text, counted, examples), verdicts

    def _findings(self, noted: Noted) -> tuple[Example, ...]:
        if not self._blocking:
            return ()
        findings = judge_local(self._blocking, noted.profiles, noted.suspects)
        return findings_by_rule(findings.filter(findings["standing"]))

    def _expected(self, batch: ValidatedBatch) -> tuple[RuleOutcome, ...]:
        """The user's expectations of the validated bars. Great Expectations is imported only where there are any."""
        if self._expectations is None:
            self._expectations = self._read()
        if not self._expectations or not (batch.bars.num_rows or batch.expected_minutes):
            return ()
        from marketdata_pipelines.quality.gx.user_expectations import run_expectations

        name = f"{self._feed.name} {t.VALIDATED_BARS}"
        return run_expectations(name, t.VALIDATED_BARS, self._expectations, batch.bars).rules

    def _read(self) -> tuple[UserExpectation, ...]:
        if not has_expectations(self._folder):
            return ()
        from marketdata_pipelines.quality.gx.user_expectations import check_expectations

        found = tuple(each for each in read_expectations(self._folder) if each.table == t.VALIDATED_BARS)
        check_expectations(found, suite_of(self._feed, t.VALIDATED_BARS))
        return found


def failed_checks(outcomes: Iterable[CheckOutcome]) -> pa.Table:
    """The blocking checks that failed, as verdicts (VERDICT_SCHEMA)."""
    return _verdicts(
        [
            {
                "rule": each.name,
                "dimension": _DIMENSIONS.get(each.name, Dimension.VALIDITY),
                "severity": Severity.BLOCK,
                "bars": None,
                "message": each.message,
            }
            for each in outcomes
            if each.blocking and not each.passed
        ]
    )


def _verdicts(rows: Sequence[dict[str, object]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=VERDICT_SCHEMA)


def _verdict(outcome: RuleOutcome) -> dict[str, object]:
    return {
        "rule": outcome.rule,
        "dimension": outcome.dimension,
        "severity": outcome.severity,
        "bars": outcome.violations,
        "message": _said(outcome),
    }


def _said(outcome: RuleOutcome) -> str:
    return f"{outcome.rule}: {outcome.message}"


def _told(example: Example) -> str:
    first = f", first {example['symbol']} {example['first']}" if example["symbol"] else ""
    return f"{example['rule']}: {example['findings']} findings over {example['bars']} bars{first}"
