"""What one walked partition becomes in Dagster: materializations, check evaluations, and the mark of a blocked one.

What is told beside each is in `metadata`.
"""

from collections.abc import Mapping

from dagster import (
    AssetCheckEvaluation,
    AssetCheckKey,
    AssetCheckSeverity,
    AssetKey,
    AssetMaterialization,
)
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData as Target,
)

from marketdata_pipelines.orchestration.assets.metadata import asset_metadata, check_metadata
from marketdata_pipelines.orchestration.assets.quality_metadata import verdict_links
from marketdata_pipelines.orchestration.keys import asset_key, asset_name
from marketdata_pipelines.pipeline.outcome import AssetResult, PartitionOutcome
from marketdata_pipelines.quality.outcome import CheckOutcome


def materializations(outcome: PartitionOutcome, assets: frozenset[AssetKey]) -> list[AssetMaterialization]:
    """The materializations of one partition, of the assets that were selected."""
    return [
        materialization(outcome, result)
        for result in outcome.results
        if asset_key(outcome.feed, result.asset) in assets
    ]


def check_evaluations(
    outcome: PartitionOutcome, checks: frozenset[AssetCheckKey], judged: Mapping[AssetKey, Target | None]
) -> list[AssetCheckEvaluation]:
    """The evaluations of one partition, of the checks that were selected; `judged` is what each asset's checks judge.

    A check's status counts for the partition only when it names the materialization it judges.
    """
    found = []
    for check in outcome.checks:
        key = asset_key(outcome.feed, check.asset)
        if AssetCheckKey(key, check.name) in checks:
            found.append(evaluation(outcome, check, judged.get(key)))
    return found


def withheld(outcome: PartitionOutcome, assets: frozenset[AssetKey]) -> list[AssetKey]:
    """The selected assets a blocked partition did not write."""
    written = {result.asset for result in outcome.results}
    return sorted(key for key in assets if asset_name(key) not in written) if outcome.blocked else []


def materialization(outcome: PartitionOutcome, result: AssetResult) -> AssetMaterialization:
    """One asset of one partition, written. Times in the metadata are UTC."""
    return AssetMaterialization(
        asset_key=asset_key(outcome.feed, result.asset),
        partition=outcome.partition,
        metadata=asset_metadata(outcome, result) | verdict_links(outcome, result.asset),
    )


def evaluation(outcome: PartitionOutcome, check: CheckOutcome, target: Target | None) -> AssetCheckEvaluation:
    """One check over one partition: ERROR when a failure blocks, else WARN."""
    return AssetCheckEvaluation(
        asset_key=asset_key(outcome.feed, check.asset),
        check_name=check.name,
        passed=check.passed,
        metadata=check_metadata(outcome, check) | ({} if check.passed else verdict_links(outcome, check.asset)),
        target_materialization_data=target,
        severity=AssetCheckSeverity.ERROR if check.blocking else AssetCheckSeverity.WARN,
        description=check.message,
        blocking=check.blocking,
        partition=outcome.partition,
    )
