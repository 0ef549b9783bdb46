"""The report asset of each feed: validates by Great Expectations what was walked, and makes the pages people review.

It has no partitions: one run brings all that is behind up to date. How is in `pipeline.quality.reporting`.
"""

import time
from collections.abc import Iterable, Sequence
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetDep,
    AssetExecutionContext,
    AssetObservation,
    AssetsDefinition,
    Failure,
    MaterializeResult,
    MetadataValue,
    TableColumn,
    TableSchema,
    asset,
)

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.quality.records import Level
from marketdata_pipelines.domain.tables import QUALITY, VALIDATED_BARS
from marketdata_pipelines.errors import MarketDataError
from marketdata_pipelines.orchestration.assets.metadata import records_table
from marketdata_pipelines.orchestration.assets.quality_metadata import page_link, symbol_records
from marketdata_pipelines.orchestration.assets.quality_plot import trend_markdown
from marketdata_pipelines.orchestration.keys import asset_key, asset_owners, asset_tags
from marketdata_pipelines.pipeline.quality.headlines import SessionScore, recent_sessions, scores_of, worst_symbols
from marketdata_pipelines.pipeline.quality.reporting import SECONDS_TO_WAIT, Reported, bring_up_to_date, disagreements
from marketdata_pipelines.pipeline.quality.state import Validation
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake

QUALITY_REPORT = "quality_report"
SUITES_AGREE = "suites_agree"
# What is not done by then is asked for again, so that no run of old history holds a worker for hours.
BUDGET_SECONDS = 900.0
_WORST, _LISTED = 10, 12
_COLUMNS = {
    "partition": ("string", "The partition: first day of its period."),
    "tables": ("int64", "Tables whose suites were run."),
    "rows": ("int64", "Their rows, every one of which was looked at by the rules that block."),
    "rules": ("int64", "Rules that were evaluated."),
    "blocking": ("string", "Broken rules that block, as Great Expectations found them."),
    "by the walk": ("string", "Broken rules that block, as the walk found them."),
    "warned": ("string", "Broken rules that only warn."),
}


def has_reports(feed: Feed) -> bool:
    """Whether the feed asks for any verdict."""
    return feed.quality.level is not Level.NONE


def quality_report_assets(feeds: Iterable[Feed], settings: Settings) -> list[AssetsDefinition]:
    """One asset a judged feed: `[feed, quality_report]`."""
    return [_report_asset(feed, settings) for feed in feeds if has_reports(feed)]


def _report_asset(feed: Feed, settings: Settings) -> AssetsDefinition:
    key = asset_key(feed.name, QUALITY_REPORT)

    @asset(
        key=key,
        deps=[AssetDep(asset_key(feed.name, QUALITY))],
        description=_text(feed),
        group_name=feed.name,
        kinds={"greatexpectations", "html"},
        owners=asset_owners(feed),
        tags=asset_tags(feed),
        metadata={
            "dagster/column_schema": TableSchema(
                [TableColumn(name, type=kind, description=text) for name, (kind, text) in _COLUMNS.items()]
            )
        },
        check_specs=[
            AssetCheckSpec(
                SUITES_AGREE, asset=key, description="Great Expectations breaks the same blocking rules as the walk."
            )
        ],
        pool=f"{feed.name}_{QUALITY_REPORT}",
    )
    def make_report(context: AssetExecutionContext) -> MaterializeResult:  # type: ignore[type-arg] # Dagster knows the plain class only.
        lake = Lake(settings.lake)
        done = _bring_up_to_date(context, lake, feed, settings)
        sessions = recent_sessions(lake, feed.name)
        if done.validated and sessions:
            context.log_event(_observation(feed, sessions, done))
        disagreeing = disagreements(feed, settings)
        return MaterializeResult(
            asset_key=key,
            metadata=_metadata(lake, feed, settings, done, sessions),
            check_results=[_check(disagreeing, done)],
        )

    return make_report


def _bring_up_to_date(context: AssetExecutionContext, lake: Lake, feed: Feed, settings: Settings) -> Reported:
    run_url = None if settings.ui_url is None else f"{settings.ui_url.rstrip('/')}/runs/{context.run.run_id}"
    try:
        return bring_up_to_date(
            lake, feed, settings,
            now_us=time.time_ns() // 1000, run_url=run_url, progress=context.log.info,
            budget_seconds=BUDGET_SECONDS, seconds_to_wait=SECONDS_TO_WAIT,
        )  # fmt: skip
    except MarketDataError as error:
        raise Failure(f"the reports of {feed.name} were not made: {error}", allow_retries=False) from error


def _observation(feed: Feed, sessions: Sequence[SessionScore], done: Reported) -> AssetObservation:
    """One for a run, however many sessions: events are what a backfill waits for."""
    newest = sessions[-1]
    keys = [validation.partition for validation in done.validated]
    return AssetObservation(
        asset_key(feed.name, VALIDATED_BARS),
        description=f"The verdict on {newest.session}, after {len(keys)} partitions were validated.",
        metadata={
            **_figures(newest),
            "session": newest.session.isoformat(),
            "partitions": f"{min(keys)} … {max(keys)}" if len(keys) > 1 else keys[0],
        },
    )


def _figures(session: SessionScore) -> dict[str, Any]:
    return {"score": round(session.score, 2), **{name: round(at, 2) for name, at in session.dimensions.items()}}


def _metadata(
    lake: Lake, feed: Feed, settings: Settings, done: Reported, sessions: Sequence[SessionScore]
) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    if sessions:
        newest = sessions[-1]
        metadata["trend"] = MetadataValue.md(trend_markdown(sessions))
        worst = worst_symbols(scores_of(lake, feed.name, [newest.partition]), _WORST)
        if worst:
            metadata["worst symbols"] = records_table(symbol_records(worst))
        metadata |= _figures(newest) | {"grade": newest.grade, "level": newest.level}
        metadata |= {"findings": newest.findings, "session": newest.session.isoformat()}
        metadata["report"] = page_link(settings.ui_url, "reports", feed.name, "latest.html")
        metadata["all reports"] = page_link(settings.ui_url, "reports", feed.name, "index.html")
        metadata["Data Docs"] = page_link(settings.ui_url, "docs", feed.name, "index.html")
    metadata |= {
        "partitions validated": len(done.validated),
        "rows validated": sum(each.rows for each in done.validated),
        "rules evaluated": sum(each.rules for each in done.validated),
        "reports written": len(done.reports),
        "sites brought up to date": len(done.months),
        "partitions left": done.left,
        "folder": MetadataValue.path(str(settings.folder / "quality")),
        "on the command line": f"marketdata quality {feed.name} --open",
    }
    if done.validated:
        metadata["validated"] = records_table([_record(each) for each in done.validated[-_LISTED:]])
    return metadata


def _check(disagreeing: Sequence[Validation], done: Reported) -> AssetCheckResult:
    metadata: dict[str, Any] = {"partitions that differ": len(disagreeing), "validated now": len(done.validated)}
    if disagreeing:
        metadata["first of them"] = records_table([_record(each) for each in disagreeing[:_LISTED]])
    return AssetCheckResult(
        check_name=SUITES_AGREE,
        passed=not disagreeing,
        severity=AssetCheckSeverity.ERROR,
        description=_difference(disagreeing) if disagreeing else None,
        metadata=metadata,
    )


def _difference(disagreeing: Sequence[Validation]) -> str:
    named = ", ".join(each.partition for each in disagreeing[:3]) + (" …" if len(disagreeing) > 3 else "")
    return f"{len(disagreeing)} partitions differ: {named}" if len(disagreeing) > 1 else f"1 partition differs: {named}"


def _record(validation: Validation) -> dict[str, int | float | str | None]:
    return {
        "partition": validation.partition,
        "tables": validation.tables,
        "rows": validation.rows,
        "rules": validation.rules,
        "blocking": ", ".join(validation.blocking),
        "by the walk": ", ".join(validation.walk_blocking),
        "warned": ", ".join(validation.warned),
    }


def _text(feed: Feed) -> str:
    return "\n\n".join(
        [
            "Validates every row of the partitions that were walked since the last time by their Great Expectations "
            "suites, and brings the Data Docs and the quality reports up to date. Nothing that is up to date is done "
            "again; what one run has no time for is left to the next.",
            f"On the command line: `marketdata quality {feed.name} --report --open`",
        ]
    )
