"""The assets that fill Redis: `redis_bars` writes through what changed, `cache_warmup` loads the symbol universe.

They have no partitions: each brings everything that is behind up to date. What is written is in `pipeline.hot_set`;
how a cache is warmed is handed in.
"""

import dataclasses
import time
from collections.abc import Callable, Iterable
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetDep,
    AssetExecutionContext,
    AssetsDefinition,
    Failure,
    MaterializeResult,
    asset,
    define_asset_job,
    in_process_executor,
)
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.tables import LATEST_BARS, VALIDATED_BARS
from marketdata_pipelines.errors import MarketDataError, StoreUnavailable
from marketdata_pipelines.orchestration.assets.metadata import records_table
from marketdata_pipelines.orchestration.keys import FEED_TAG, asset_key, asset_owners, asset_tags
from marketdata_pipelines.pipeline.hot_set import HotWritten, fill_hot_set, hot_set_behind
from marketdata_pipelines.pipeline.serving_stores import redis_store
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake

REDIS_BARS, CACHE_WARMUP = "redis_bars", "cache_warmup"
NEWEST_REVISIONS, WARM_IN_TIME = "newest_revisions", "warm_in_time"
WARM_SECONDS = 30.0
_LISTED = 12
# Loads a feed's symbol universe into the cache; returns a record of figures, `seconds` among them.
Warm = Callable[[Feed], object]


def is_cached(feed: Feed, settings: Settings) -> bool:
    """Whether a feed goes to Redis: one is configured, and its `publish` does not say no."""
    return settings.redis_url is not None and feed.publish.redis


def redis_job_name(feed: str) -> str:
    """The job that brings a feed's hot set up to date: `us_equities_1m__hot_set`."""
    return f"{feed}__hot_set"


def cache_assets(feeds: Iterable[Feed], settings: Settings, warm: Warm) -> list[AssetsDefinition]:
    """`[feed, redis_bars]` and `[feed, cache_warmup]` of every cached feed; none where no Redis is configured."""
    return [
        each
        for feed in feeds
        if is_cached(feed, settings)
        for each in (_redis_bars(feed, settings), _cache_warmup(feed, warm))
    ]


def redis_jobs(feeds: Iterable[Feed], settings: Settings) -> list[UnresolvedAssetJobDefinition]:
    """A job for the hot set of each cached feed."""
    return [
        define_asset_job(
            name=redis_job_name(feed.name),
            selection=[asset_key(feed.name, REDIS_BARS)],
            description=f"Brings the hot set of `{feed.name}` in Redis up to date.",
            tags={FEED_TAG: feed.name},
            executor_def=in_process_executor,
        )
        for feed in feeds
        if is_cached(feed, settings)
    ]


def _redis_bars(feed: Feed, settings: Settings) -> AssetsDefinition:
    key = asset_key(feed.name, REDIS_BARS)

    @asset(
        key=key,
        deps=[AssetDep(asset_key(feed.name, VALIDATED_BARS)), AssetDep(asset_key(feed.name, LATEST_BARS))],
        description=_text(feed),
        group_name=feed.name,
        kinds={"redis"},
        owners=asset_owners(feed),
        tags=asset_tags(feed),
        check_specs=[
            AssetCheckSpec(NEWEST_REVISIONS, asset=key, description="Redis names the revisions the lake has now.")
        ],
        pool=f"{feed.name}_{REDIS_BARS}",
    )
    def write_hot_set(context: AssetExecutionContext) -> MaterializeResult:  # type: ignore[type-arg] # Dagster knows the plain class only.
        lake, began, written = Lake(settings.lake), time.monotonic(), list[HotWritten]()
        try:
            with redis_store(settings) as redis:
                for each in fill_hot_set(lake, redis, feed):
                    context.log.info(
                        f"{feed.name} {each.table} {each.partition}: {each.rows} rows in {each.seconds:.2f} s"
                    )
                    written.append(each)
                behind = hot_set_behind(lake, redis.store, feed)
        except MarketDataError as error:
            raise _failed(f"{REDIS_BARS} of {feed.name}", error) from error
        return MaterializeResult(
            asset_key=key,
            metadata=_metadata(written, time.monotonic() - began),
            check_results=[_check(behind)],
        )

    return write_hot_set


def _cache_warmup(feed: Feed, warm: Warm) -> AssetsDefinition:
    key = asset_key(feed.name, CACHE_WARMUP)

    @asset(
        key=key,
        deps=[AssetDep(asset_key(feed.name, REDIS_BARS))],
        description=f"Loads the symbols of `{feed.name}` into the cache: `marketdata cache warm {feed.name}`.",
        group_name=feed.name,
        kinds={"redis"},
        owners=asset_owners(feed),
        tags=asset_tags(feed),
        check_specs=[
            AssetCheckSpec(WARM_IN_TIME, asset=key, description=f"It takes less than {WARM_SECONDS:.0f} seconds.")
        ],
        pool=f"{feed.name}_{REDIS_BARS}",
    )
    def warm_cache() -> MaterializeResult:  # type: ignore[type-arg] # Dagster knows the plain class only.
        began = time.monotonic()
        try:
            report = warm(feed)
        except MarketDataError as error:
            raise _failed(f"{CACHE_WARMUP} of {feed.name}", error) from error
        seconds = time.monotonic() - began
        return MaterializeResult(
            asset_key=key,
            metadata=_figures(report) | {"seconds": round(seconds, 3)},
            check_results=[
                AssetCheckResult(
                    check_name=WARM_IN_TIME, passed=seconds < WARM_SECONDS, severity=AssetCheckSeverity.WARN,
                    metadata={"seconds": round(seconds, 3)},
                )
            ],
        )  # fmt: skip

    return warm_cache


def _failed(what: str, error: MarketDataError) -> Failure:
    return Failure(f"{what} was not done: {error}", allow_retries=isinstance(error, StoreUnavailable))


def _figures(report: object) -> dict[str, Any]:
    if not dataclasses.is_dataclass(report) or isinstance(report, type):
        return {}
    return {name: value for name, value in dataclasses.asdict(report).items() if isinstance(value, int | float | str)}


def _metadata(written: list[HotWritten], seconds: float) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "dagster/row_count": sum(each.rows for each in written),
        "bytes": sum(each.bytes for each in written),
        "partitions written": len(written),
        "seconds": round(seconds, 3),
    }
    if written:
        metadata["newest"] = records_table(
            [
                {"table": each.table, "partition": each.partition, "rows": each.rows, "revision": each.revision}
                for each in written[-_LISTED:]
            ]
        )
    return metadata


def _check(behind: dict[str, str]) -> AssetCheckResult:
    named = ", ".join(list(behind)[:3]) + (" …" if len(behind) > 3 else "")
    return AssetCheckResult(
        check_name=NEWEST_REVISIONS,
        passed=not behind,
        severity=AssetCheckSeverity.WARN,
        description=f"written while it ran: {named}" if behind else None,
        metadata={"behind": len(behind)},
    )


def _text(feed: Feed) -> str:
    return (
        f"The hot set of `{feed.name}` in Redis: the last bar of each symbol, and the bars of the newest partitions, "
        "under keys that carry their revision. Every process that keeps some of them is told.\n\n"
        f"On the command line: `marketdata publish {feed.name} --store redis`"
    )
