"""The assets that keep a store's views for dashboards: finished rows of the lake, replaced whole in one transaction.

How often each is asked for is in `automation.store_view_schedules`.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from dagster import (
    AssetDep,
    AssetExecutionContext,
    AssetsDefinition,
    Failure,
    FreshnessPolicy,
    MaterializeResult,
    MetadataValue,
    asset,
)

from marketdata_pipelines.domain.due import is_watched, longest_wait
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.store_tables import store_views, view_asset
from marketdata_pipelines.errors import MarketDataError, StoreUnavailable
from marketdata_pipelines.orchestration.assets.columns import column_schema
from marketdata_pipelines.orchestration.assets.publishing import is_published
from marketdata_pipelines.orchestration.keys import asset_key, asset_owners, asset_tags
from marketdata_pipelines.pipeline.serving_stores import timescale_store
from marketdata_pipelines.pipeline.store_views import ViewRefreshed, ViewRows, refresh_view
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake

# A refresh may wait for a run that is at work.
_CADENCES_LATE = 2


def store_view_assets(feeds: Iterable[Feed], settings: Settings, rows: ViewRows) -> list[AssetsDefinition]:
    """`[feed, timescale_<view>]` of every published feed; `rows` finishes a view."""
    return [
        _view_asset(feed, view, minutes, settings, rows)
        for feed in feeds
        if is_published(feed, settings)
        for view, minutes in store_views(feed).items()
    ]


def _view_asset(feed: Feed, view: str, minutes: int, settings: Settings, rows: ViewRows) -> AssetsDefinition:
    key = asset_key(feed.name, view_asset(view))

    @asset(
        key=key,
        deps=[AssetDep(asset_key(feed.name, view))],
        description=_text(feed, view, minutes),
        group_name=feed.name,
        kinds={"postgres"},
        owners=asset_owners(feed),
        tags=asset_tags(feed),
        metadata={"dagster/column_schema": column_schema(view)},
        freshness_policy=_freshness(feed, minutes),
        pool=f"{feed.name}_store_views",
    )
    def refresh(context: AssetExecutionContext) -> MaterializeResult:  # type: ignore[type-arg] # Dagster knows the plain class only.
        try:
            with timescale_store(settings) as store:
                done = refresh_view(Lake(settings.lake), store, feed, view, rows)
                engine = store.database.engine.label
        except MarketDataError as error:
            retry = isinstance(error, StoreUnavailable)
            raise Failure(f"{view} of {feed.name} was not refreshed: {error}", allow_retries=retry) from error
        context.log.info(f"{view} of {feed.name}: {done.rows} rows in {done.seconds:.2f} s")
        return MaterializeResult(asset_key=key, metadata=_metadata(feed, done, engine))

    return refresh


def _metadata(feed: Feed, done: ViewRefreshed, engine: str) -> dict[str, Any]:
    return {
        "dagster/row_count": done.rows,
        "seconds": round(done.seconds, 3),
        "first session": done.first.isoformat(),
        "last session": done.last.isoformat(),
        "revision": done.inputs,
        "store": engine,
        "SQL": MetadataValue.md(f'```sql\nselect *\nfrom "{feed.name}".{done.view}\nlimit 100\n```'),
    }


def _freshness(feed: Feed, minutes: int) -> FreshnessPolicy | None:
    """Dagster knows only when it was refreshed last: the window spans the calendar's longest closure."""
    if not minutes or not is_watched(feed):
        return None
    return FreshnessPolicy.time_window(fail_window=longest_wait(feed) + timedelta(minutes=_CADENCES_LATE * minutes))


def _text(feed: Feed, view: str, minutes: int) -> str:
    every = f"every {minutes} minutes where something changed" if minutes else "when asked"
    return (
        f'The view {view} of `{feed.name}` over the last {feed.publish.view_days} days, as `"{feed.name}".{view}` in '
        f"the store, for dashboards: the same rows as `marketdata table {feed.name} {view}`, replaced in one "
        f"transaction, refreshed {every}."
    )
