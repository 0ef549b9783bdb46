"""What one published partition becomes in Dagster: a materialization, its checks, and what is shown beside them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dagster import (
    AssetCheckEvaluation,
    AssetCheckKey,
    AssetCheckSeverity,
    AssetKey,
    AssetMaterialization,
    MetadataValue,
)
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData as Target,
)

from marketdata_pipelines.orchestration.assets.metadata import records_table
from marketdata_pipelines.orchestration.keys import asset_key
from marketdata_pipelines.pipeline.publishing import PublishOutcome

if TYPE_CHECKING:
    from marketdata_pipelines.stores.timescale.records import Difference

EQUALS_LAKE, ROLLUPS_AGREE = "equals_lake", "rollups_agree"
_NAMED, _LISTED = 3, 12


def publication(outcome: PublishOutcome, engine: str, sql: str) -> AssetMaterialization:
    """One partition of one publishing asset, in the store."""
    rate = outcome.rows / outcome.seconds if outcome.seconds > 0 else 0.0
    metadata: dict[str, Any] = {
        "dagster/row_count": outcome.rows,
        "symbols": outcome.symbols,
        "seconds": round(outcome.seconds, 3),
        "rows a second": round(rate),
        "changed": outcome.changed,
        "store": engine,
        "rows by table": records_table(
            [{"table": each.table, "rows": each.rows, "changed": each.changed} for each in outcome.tables]
        ),
        "revision": ", ".join(dict.fromkeys(each.inputs for each in outcome.tables if each.inputs)),
        "SQL": MetadataValue.md(f"```sql\n{sql}\n```"),
    }
    return AssetMaterialization(
        asset_key=asset_key(outcome.feed, outcome.asset), partition=outcome.partition, metadata=metadata
    )


def publication_checks(
    outcome: PublishOutcome, checks: frozenset[AssetCheckKey], judged: Mapping[AssetKey, Target | None]
) -> list[AssetCheckEvaluation]:
    """Whether the store has what the lake has, for the checks that were selected; none of a failed partition."""
    if outcome.failed is not None:
        return []
    found: list[tuple[str, Sequence[Difference]]] = [(EQUALS_LAKE, outcome.differences)]
    if outcome.rollup_differences is not None:
        found.append((ROLLUPS_AGREE, outcome.rollup_differences))
    key = asset_key(outcome.feed, outcome.asset)
    return [
        _evaluation(outcome, key, name, differences, judged.get(key))
        for name, differences in found
        if AssetCheckKey(key, name) in checks
    ]


def _evaluation(
    outcome: PublishOutcome, key: AssetKey, name: str, differences: "Sequence[Difference]", target: Target | None
) -> AssetCheckEvaluation:
    metadata: dict[str, Any] = {"rows compared": outcome.rows, "differences": len(differences)}
    if differences:
        metadata["first of them"] = records_table([_record(each) for each in differences[:_LISTED]])
    return AssetCheckEvaluation(
        asset_key=key,
        check_name=name,
        passed=not differences,
        metadata=metadata,
        target_materialization_data=target,
        severity=AssetCheckSeverity.ERROR,
        description=_text(differences),
        partition=outcome.partition,
    )


def _record(difference: "Difference") -> dict[str, int | float | str | None]:
    return {
        "table": difference.table,
        "symbol": difference.symbol,
        "ts": str(difference.ts),
        "column": difference.column,
        "in the store": _shown(difference.store),
        "in the lake": _shown(difference.other),
    }


def _shown(value: object) -> str:
    return "nothing" if value is None else str(value)


def _text(differences: "Sequence[Difference]") -> str | None:
    if not differences:
        return None
    more = f" and {len(differences) - _NAMED} more" if len(differences) > _NAMED else ""
    return "; ".join(map(str, differences[:_NAMED])) + more
