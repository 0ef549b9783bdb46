"""Puts the tiers together from the settings. Redis is imported only where its address is configured."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.serving.cache.loader import LakeLoader, Loader
from marketdata_pipelines.serving.cache.revisions import LakeRevisions, PublishedRevisions
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

    `views` is `LakeReader.table`, or its like. `listens`: hear in a thread what others publish, and share this
    process's figures; for processes that stay.
    """
    counted = statistics or process_statistics()
    second = open_second(settings, counted, listens=listens)
    tiers = CacheTiers(
        LakeLoader(lake, views),
        LakeRevisions(lake.layout.catalog),
        second,
        max_bytes=settings.cache_mb * 1_000_000,
        statistics=counted,
    )
    if second is not None:
        from marketdata_pipelines.serving.cache.sharing import SHARE_SECONDS, FigureSharing

        sharing = FigureSharing(second, counted, tiers.l1, seconds_between=SHARE_SECONDS if listens else None)
        tiers.at_close(sharing.close)
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
    return CacheTiers(loader, revisions, second, max_bytes=settings.cache_mb * 1_000_000, statistics=counted)


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
        RedisStore.at(url, settings.redis_namespace),
        statistics,
        name=f"Redis at {masked(url)}",
        listen=partial(connect, url) if listens else None,
    )
