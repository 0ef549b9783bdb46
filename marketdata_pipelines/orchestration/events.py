"""What one walked partition becomes in Dagster: materializations, check evaluations, and the mark of a blocked one."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
from dagster import (
    AssetCheckEvaluation,
    AssetCheckKey,
    AssetCheckSeverity,
    AssetKey,
    AssetMaterialization,
    AssetRecordsFilter,
    DagsterInstance,
    MetadataValue,
    TableRecord,
)
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)

from marketdata_pipelines.domain.tables import REJECTED_BARS
from marketdata_pipelines.orchestration.keys import asset_key, asset_name
from marketdata_pipelines.pipeline.outcome import AssetResult, PartitionOutcome
from marketdata_pipelines.quality.outcome import CheckOutcome

Metadata = dict[str, Any]
_PREVIEW_COLUMNS = 12


def outcome_events(
    outcome: PartitionOutcome, assets: frozenset[AssetKey], checks: frozenset[AssetCheckKey], instance: DagsterInstance
) -> Iterator[AssetMaterialization | AssetCheckEvaluation]:
    """The events of one partition, as far as its asset or check was selected: assets first, then their checks.

    Each is to be stored before the next is asked for: a check's status counts for the partition only when it names
    the materialization it judges, which for a blocked partition is an earlier one, if any.
    """
    for result in outcome.results:
        if asset_key(outcome.feed, result.asset) in assets:
            yield materialization(outcome, result)
    targets: dict[AssetKey, AssetCheckEvaluationTargetMaterializationData | None] = {}
    for check in outcome.checks:
        key = asset_key(outcome.feed, check.asset)
        if AssetCheckKey(key, check.name) in checks:
            if key not in targets:
                targets[key] = _latest_materialization(instance, key, outcome.partition)
            yield evaluation(outcome, check, targets[key])


def withheld(outcome: PartitionOutcome, assets: frozenset[AssetKey]) -> list[AssetKey]:
    """The selected assets a blocked partition did not write."""
    written = {result.asset for result in outcome.results}
    return sorted(key for key in assets if asset_name(key) not in written) if outcome.blocked else []


def materialization(outcome: PartitionOutcome, result: AssetResult) -> AssetMaterialization:
    """One asset of one partition, written. Times in the metadata are UTC."""
    metadata: Metadata = {
        "dagster/row_count": result.rows,
        "symbols": result.symbols,
        "bytes": result.bytes,
    }
    if result.first_ts is not None and result.last_ts is not None:
        metadata["first_ts"] = MetadataValue.timestamp(_aware(result.first_ts))
        metadata["last_ts"] = MetadataValue.timestamp(_aware(result.last_ts))
    if len(result.table_rows) > 1:
        records = [TableRecord({"table": name, "rows": rows}) for name, rows in result.table_rows.items()]
        metadata["rows by table"] = MetadataValue.table(records)
    prefix = "rejected/" if result.asset == REJECTED_BARS else ""
    metadata |= {f"{prefix}{name}": value for name, value in result.facts.items()}
    if result.preview is not None and result.preview.num_rows:
        metadata["preview"] = MetadataValue.md(markdown_table(result.preview))
    return AssetMaterialization(
        asset_key=asset_key(outcome.feed, result.asset), partition=outcome.partition, metadata=metadata
    )


def evaluation(
    outcome: PartitionOutcome, check: CheckOutcome, target: AssetCheckEvaluationTargetMaterializationData | None
) -> AssetCheckEvaluation:
    """One check over one partition: ERROR when a failure blocks, else WARN."""
    return AssetCheckEvaluation(
        asset_key=asset_key(outcome.feed, check.asset),
        check_name=check.name,
        passed=check.passed,
        metadata=dict(check.facts),
        target_materialization_data=target,
        severity=AssetCheckSeverity.ERROR if check.blocking else AssetCheckSeverity.WARN,
        description=check.message,
        blocking=check.blocking,
        partition=outcome.partition,
    )


def markdown_table(table: pa.Table) -> str:
    """A few rows as a Markdown table."""
    names = table.column_names[:_PREVIEW_COLUMNS]
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    lines += ["| " + " | ".join(_cell(row[name]) for name in names) + " |" for row in table.to_pylist()]
    return "\n".join(lines)


def _latest_materialization(
    instance: DagsterInstance, key: AssetKey, partition: str
) -> AssetCheckEvaluationTargetMaterializationData | None:
    found = instance.fetch_materializations(AssetRecordsFilter(key, asset_partitions=[partition]), limit=1).records
    if not found:
        return None
    entry = found[0].event_log_entry
    return AssetCheckEvaluationTargetMaterializationData(
        storage_id=found[0].storage_id, run_id=entry.run_id, timestamp=entry.timestamp
    )


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return str(value).replace("|", "\\|").replace("\n", " ")


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
