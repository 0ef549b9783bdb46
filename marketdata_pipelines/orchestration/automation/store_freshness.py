"""Freshness of a store's views: `is_fresh` of each, and the sensor that keeps it told without runs.

A view is late when the lake has had other rows for it for two of its cadences. The lake's own tables are told in
`freshness`.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetKey,
    DagsterInstance,
    DefaultSensorStatus,
    MetadataValue,
    SensorDefinition,
    SensorEvaluationContext,
    SkipReason,
    multi_asset_check,
    sensor,
)

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.store_tables import store_views, view_asset
from marketdata_pipelines.orchestration.assets.publishing import is_published
from marketdata_pipelines.orchestration.automation.freshness import CHECK, Verdict, tell_verdicts
from marketdata_pipelines.orchestration.automation.store_view_schedules import last_refresh
from marketdata_pipelines.orchestration.keys import asset_key
from marketdata_pipelines.pipeline.store_views import view_range
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake

SENSOR = "store_views_freshness"
_SECONDS_BETWEEN = 60
_CADENCES_LATE = 2


def store_freshness_checks(feeds: Iterable[Feed], settings: Settings) -> list[AssetChecksDefinition]:
    """`is_fresh` of the views of every published feed; no job runs them, the sensor tells them."""
    return [_checks(feed, settings) for feed in _watched(feeds, settings)]


def store_freshness_sensor(feeds: Iterable[Feed], settings: Settings) -> SensorDefinition | None:
    """One sensor for the code location; None where no view is refreshed by itself."""
    watched = _watched(feeds, settings)
    if not watched:
        return None

    @sensor(
        name=SENSOR,
        minimum_interval_seconds=_SECONDS_BETWEEN,
        default_status=DefaultSensorStatus.RUNNING,
        description="Tells each minute which views of the serving store are behind the lake.",
    )
    def store_views_freshness(context: SensorEvaluationContext) -> SkipReason:
        lake, now = Lake(settings.lake), datetime.now(UTC)
        lines = []
        for feed in watched:
            verdicts = view_verdicts(context.instance, lake, feed, now.timestamp())
            if tell_verdicts(context.instance, verdicts, now):
                late = [key.path[-1] for key, verdict in verdicts.items() if not verdict[0]]
                lines.append(f"{feed.name}: " + (f"late: {', '.join(late)}" if late else "every view is on time"))
        return SkipReason("; ".join(lines) or "nothing has changed")

    return store_views_freshness


def view_verdicts(instance: DagsterInstance, lake: Lake, feed: Feed, now_seconds: float) -> dict[AssetKey, Verdict]:
    """Whether each view of a feed's store is on time, how bad it is, a sentence, and the facts behind it."""
    cadences = {view: minutes for view, minutes in store_views(feed).items() if minutes}
    return {
        asset_key(feed.name, view_asset(view)): _verdict(instance, lake, feed, view, minutes, now_seconds)
        for view, minutes in cadences.items()
    }


def _watched(feeds: Iterable[Feed], settings: Settings) -> Sequence[Feed]:
    return [feed for feed in feeds if is_published(feed, settings) and any(store_views(feed).values())]


def _checks(feed: Feed, settings: Settings) -> AssetChecksDefinition:
    specs = [
        AssetCheckSpec(
            CHECK,
            asset=asset_key(feed.name, view_asset(view)),
            description=f"Holds what the lake has, {_CADENCES_LATE * minutes} minutes later at most.",
        )
        for view, minutes in store_views(feed).items()
        if minutes
    ]

    @multi_asset_check(name=f"{feed.name}__store_freshness", specs=specs, can_subset=True)
    def store_freshness(context: AssetCheckExecutionContext) -> Iterator[AssetCheckResult]:
        verdicts = view_verdicts(context.instance, Lake(settings.lake), feed, time.time())
        for key in sorted(context.selected_asset_check_keys):
            passed, severity, text, facts = verdicts[key.asset_key]
            yield AssetCheckResult(
                passed=passed, asset_key=key.asset_key, check_name=key.name, severity=severity, description=text,
                metadata=facts,
            )  # fmt: skip

    return store_freshness


def _verdict(instance: DagsterInstance, lake: Lake, feed: Feed, view: str, minutes: int, now_seconds: float) -> Verdict:
    wanted = view_range(lake, feed, view)
    if wanted is None:
        return True, AssetCheckSeverity.WARN, "the lake has nothing of it yet", {}
    revision, refreshed = last_refresh(instance, feed, view)
    if revision == wanted.inputs:
        return True, AssetCheckSeverity.WARN, "holds what the lake has", {}
    written = instance.get_latest_materialization_event(asset_key(feed.name, view))
    if revision is None and written is None:
        # A new history, of a lake that is older: nobody can say since when.
        return True, AssetCheckSeverity.WARN, "was never refreshed; the publishing sensor asks for it", {}
    since = max(refreshed, 0.0 if written is None else written.timestamp)
    late_after = _CADENCES_LATE * minutes * 60
    if now_seconds - since <= late_after:
        return True, AssetCheckSeverity.WARN, "the lake has newer rows, which the next refresh brings", {}
    # One refresh that failed may be chance; where there was none, a store was configured just now.
    may_pass = revision is None or now_seconds - since <= 2 * late_after
    severity = AssetCheckSeverity.WARN if may_pass else AssetCheckSeverity.ERROR
    changed = datetime.fromtimestamp(since, UTC)
    facts: dict[str, MetadataValue] = {"behind_since": MetadataValue.timestamp(changed)}
    text = (
        f"behind the lake since {changed:%Y-%m-%d %H:%M} UTC; refreshed every {minutes} minutes: look at the runs of "
        f"{view_asset(view)}, or materialize it"
    )
    return False, severity, text, facts
