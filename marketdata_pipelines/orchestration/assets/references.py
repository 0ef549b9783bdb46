"""The asset of each reference: takes in what is new below its path, and shows what is known.

It has no partitions and no edge to any feed: tables hold bars as traded, and what is known of actions and instruments
is applied when they are read, so new reference data make no table late (docs/decisions/0032).
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetsDefinition,
    Failure,
    MaterializeResult,
    MetadataValue,
    asset,
)

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.references import Reference, ReferenceKind
from marketdata_pipelines.errors import MarketDataError
from marketdata_pipelines.orchestration.assets.metadata import markdown_table, records_table
from marketdata_pipelines.orchestration.assets.reference_columns import reference_column_schema
from marketdata_pipelines.orchestration.keys import asset_key, owner_names
from marketdata_pipelines.pipeline.reference_intake import IntakeRun, TakenFile, TakenStatus, take_in_own_files
from marketdata_pipelines.pipeline.references import known_rows, rejected_rows, summary, users_of
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake

ROWS_ARE_VALID = "rows_are_valid"
_PREVIEW_ROWS, _LISTED = 8, 100
_SECOND_US = 1_000_000
_TEXTS = {
    ReferenceKind.CORPORATE_ACTIONS: (
        "Splits, dividends, symbol changes and delistings as far as they are known. Prices are adjusted by them when "
        "they are asked for; what is stored stays as traded."
    ),
    ReferenceKind.INSTRUMENTS: (
        "Instruments and the symbols they bore, with dates. Symbols are resolved by them when bars are asked for."
    ),
}


def reference_assets(
    references: Iterable[Reference], feeds: Sequence[Feed], settings: Settings
) -> list[AssetsDefinition]:
    """One asset a reference: `[reference, corporate_actions]` or `[reference, instruments]`."""
    return [_reference_asset(each, users_of(each, feeds), settings) for each in references]


def _reference_asset(reference: Reference, users: Sequence[str], settings: Settings) -> AssetsDefinition:
    key = asset_key(reference.name, str(reference.kind))

    @asset(
        key=key,
        description=_text(reference, users),
        group_name=reference.name,
        kinds={"parquet", "file"},
        owners=owner_names(reference.owners),
        tags={"reference": str(reference.kind)},
        metadata={
            "dagster/column_schema": reference_column_schema(reference.kind),
            "feeds": ", ".join(users) or "none",
        },
        check_specs=[
            AssetCheckSpec(
                ROWS_ARE_VALID, asset=key, description="No row and no file was kept out, of what each file said last."
            )
        ],
        pool=reference.name,
    )
    def take_in(context: AssetExecutionContext) -> MaterializeResult:  # type: ignore[type-arg] # Dagster knows the plain class only.
        lake = Lake(settings.lake)
        taken = _take_in(context, lake, reference, settings)
        return MaterializeResult(
            asset_key=key, metadata=_metadata(lake, reference, taken), check_results=[_check(lake, reference)]
        )

    return take_in


def _take_in(context: AssetExecutionContext, lake: Lake, reference: Reference, settings: Settings) -> list[TakenFile]:
    source = None if reference.path is None else settings.source_path(reference.path)
    try:
        taken = take_in_own_files(lake, reference, source, IntakeRun(context.run.run_id, time.time_ns() // 1000))
    except MarketDataError as error:
        raise Failure(f"{reference.name} took nothing in: {error}", allow_retries=False) from error
    for file in taken:
        if file.status in (TakenStatus.REFUSED, TakenStatus.LEFT):
            context.log.warning(f"{reference.name}: {file.file} is {file.status}: {file.message}")
    return taken


def _metadata(lake: Lake, reference: Reference, taken: Sequence[TakenFile]) -> Mapping[str, Any]:
    found, rows = summary(lake, reference), known_rows(lake, reference)
    metadata: dict[str, Any] = {
        "dagster/row_count": found.rows,
        "symbols": found.symbols,
        "rejected": found.rejected,
        "files": found.files,
        "files refused": found.refused,
        "new files": sum(file.status is TakenStatus.ACCEPTED for file in taken),
        "read it": f"marketdata reference show {reference.name}",
    }
    if found.first_date is not None and found.last_date is not None:
        metadata |= {"first_date": found.first_date.isoformat(), "last_date": found.last_date.isoformat()}
    if found.last_known_at_us is not None:
        metadata["last known_at"] = MetadataValue.timestamp(found.last_known_at_us / _SECOND_US)
    if taken:
        metadata["what became of each file"] = records_table(
            [{**asdict(file), "status": str(file.status)} for file in taken[:_LISTED]]
        )
    if rows.num_rows:
        shown = rows.select([name for name in rows.column_names if name != "rules"])
        metadata["preview"] = MetadataValue.md(markdown_table(shown.slice(0, _PREVIEW_ROWS)))
    return metadata


def _check(lake: Lake, reference: Reference) -> AssetCheckResult:
    bad = rejected_rows(lake, reference)
    metadata: dict[str, Any] = {"kept out": bad.num_rows}
    if bad.num_rows:
        metadata["first of them"] = records_table(bad.slice(0, _LISTED).to_pylist())
        metadata["read it"] = f"marketdata reference rejected {reference.name}"
    return AssetCheckResult(
        check_name=ROWS_ARE_VALID,
        passed=bad.num_rows == 0,
        severity=AssetCheckSeverity.WARN,
        description=f"kept out: {bad.num_rows} (rows, or files as a whole)" if bad.num_rows else None,
        metadata=metadata,
    )


def _text(reference: Reference, users: Sequence[str]) -> str:
    about = f": {reference.description}" if reference.description else ""
    source = f"Files below `{reference.path}`" if reference.path else "Files handed over on the command line"
    named = f"Named by {', '.join(f'`{user}`' for user in users)}." if users else "No feed names it yet."
    return "\n\n".join(
        [
            _TEXTS[reference.kind],
            f"Reference `{reference.name}`{about}. {source}; each content once. {named}",
            f"Read it: `marketdata reference show {reference.name}`",
        ]
    )
