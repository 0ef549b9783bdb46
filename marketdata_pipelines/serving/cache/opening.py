"""Puts the tiers together from the settings. Redis is imported only where its address is configured."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.pipeline.serving_stores import keep_rules
from marketdata_pipelines.serving.cache.loader import LakeLoader, Loader
from marketdata_pipelines.serving.cache.revisions import LakeRevisions, PublishedRevisions, RevisionSource
from marketdata_pipelines.serving.cache.statistics import Statistics, process_statistics
from marketdata_pipelines.serving.cache.tiers import CacheTiers
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake

if TYPE_CHECKING:
    from marketdata_pipelines.serving.cache.second import SecondTier


def open_tiers(
    settings: Settings,
    lake: Lake,
    views: Callable[..., pa.Table],
    *,
    listens: bool = False,
    statistics: Statistics | None = None,
) -> CacheTiers:
    """The tiers over a lake; with Redis where MARKETDATA_REDIS_URL is set. Whoever opened them closes them.

    Where there is no lake and MARKETDATA_TIMESCALE_DSN is set, they are over the SQL store (see `open_store_tiers`).
    `views` is `LakeReader.table`, or its like. `listens`: hear in a thread what others publish, and share this
    process's figures; for processes that stay.
    """
    if settings.timescale_dsn is not None and not lake.layout.catalog.exists():
        return open_store_tiers(settings, listens=listens, statistics=statistics)
    counted = statistics or process_statistics()
    second = open_second(settings, counted, listens=listens)
    return _joined(
        settings, LakeLoader(lake, views), LakeRevisions(lake.layout.catalog), second, counted, listens=listens
    )


def open_store_tiers(settings: Settings, *, listens: bool = False, statistics: Statistics | None = None) -> CacheTiers:
    """The tiers of a process without a lake, such as a dashboard's: the SQL store behind memory and Redis, where set.

    What was published there is answered at the latest MARKETDATA_CACHE_SECONDS later (0: at once, its ledger being
    asked before each answer); `listens` as in `open_tiers`. Views are not answered.

    Errors: SettingsInvalid where no SQL store is configured. A store that does not answer is told by the answers.
    """
    if settings.timescale_dsn is None:
        raise SettingsInvalid(
            "no SQL store is configured; set MARKETDATA_TIMESCALE_DSN to postgresql://user:password@host/database"
        )
    from marketdata_pipelines.serving.cache.store_loader import LedgerReading, StoreLoader
    from marketdata_pipelines.stores.timescale.database import Database

    counted = statistics or process_statistics()
    database = Database(settings.timescale_dsn.get_secret_value())
    revisions = PublishedRevisions(LedgerReading(database), settings.cache_seconds)
    second = open_second(settings, counted, listens=listens)
    tiers = _joined(settings, StoreLoader(database), revisions, second, counted, listens=listens)
    tiers.at_close(database.close)
    return tiers


def open_published_tiers(settings: Settings, loader: Loader, *, statistics: Statistics | None = None) -> CacheTiers:
    """The tiers where no lake is at hand: Redis says which revisions are the newest, `loader` reads what it lacks.

    What was published is answered at the latest MARKETDATA_CACHE_SECONDS later, also where word of it is lost.

    Errors: SettingsInvalid where no Redis is configured.
    """
    counted = statistics or process_statistics()
    second = open_second(settings, counted, listens=True)
    if second is None:
        raise SettingsInvalid("no Redis is configured; set MARKETDATA_REDIS_URL to redis://host:port/0")
    revisions = PublishedRevisions(second.revisions, settings.cache_seconds)
    return _joined(settings, loader, revisions, second, counted, listens=True)


def open_second(settings: Settings, statistics: Statistics, *, listens: bool = False) -> "SecondTier | None":
    """Redis as the second tier; None where no address is configured.

    Errors: SettingsInvalid for an address that can't be read. A server that does not answer is no error.
    """
    if settings.redis_url is None:
        return None
    from marketdata_pipelines.serving.cache.second import SecondTier
    from marketdata_pipelines.stores.redis.client import connect, masked
    from marketdata_pipelines.stores.redis.store import RedisStore

    url = settings.redis_url.get_secret_value()
    return SecondTier(
        RedisStore.at(url, settings.redis_namespace, keep_rules(settings)),
        statistics,
        name=f"Redis at {masked(url)}",
        listen=partial(connect, url) if listens else None,
    )


def _joined(
    settings: Settings,
    loader: Loader,
    revisions: RevisionSource,
    second: "SecondTier | None",
    counted: Statistics,
    *,
    listens: bool,
) -> CacheTiers:
    """The tiers together; what they did is shared over Redis, where there is one."""
    tiers = CacheTiers(loader, revisions, second, max_bytes=settings.cache_mb * 1_000_000, statistics=counted)
    if second is not None:
        from marketdata_pipelines.serving.cache.sharing import SHARE_SECONDS, FigureSharing

        sharing = FigureSharing(second, counted, tiers.l1, seconds_between=SHARE_SECONDS if listens else None)
        tiers.at_close(sharing.close)
    return tiers
