"""What `marketdata doctor` finds of the serving stores: the SQL store and Redis; nothing there is changed.

Both are optional: one that no variable names is well.
"""

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from marketdata_pipelines.cli.diagnosis import Finding, State
from marketdata_pipelines.errors import MarketDataError
from marketdata_pipelines.settings.environment import Settings

if TYPE_CHECKING:
    from marketdata_pipelines.stores.redis.memory import NamespaceMemory, ServerMemory

_SQL = "sql store"
_REDIS = "redis"
_SECONDS = 10.0


def diagnose_stores(settings: Settings) -> Iterator[Finding]:
    """Which engines run, whether they answer, whether the layout is this program's, and what the login may."""
    yield from _sql_store(settings.timescale_dsn.get_secret_value() if settings.timescale_dsn else "")
    yield from _redis(settings)


def _sql_store(dsn: str) -> Iterator[Finding]:
    if not dsn:
        yield Finding(_SQL, State.OK, "none: MARKETDATA_TIMESCALE_DSN is not set")
        return
    from marketdata_pipelines.stores.timescale.database import Database
    from marketdata_pipelines.stores.timescale.engine import unused_timescale
    from marketdata_pipelines.stores.timescale.migrating import stored_version
    from marketdata_pipelines.stores.timescale.roles import roles_of

    try:
        with Database(dsn, pool_size=1, timeout_seconds=_SECONDS) as database:
            engine = database.engine
            yield Finding(_SQL, State.OK, f"{engine.label} at {database.address.shown} answers")
            for remark in engine.remarks:
                yield Finding(_SQL, State.NOTE, remark)
            with database.connection("looking at its layout") as connection:
                roles = roles_of(connection)
                version = stored_version(connection)
                unused = "" if engine.timescale_version else unused_timescale(connection)
            if unused:
                told = f"TimescaleDB {unused} is on that server, but not in this database: used as plain PostgreSQL"
                yield Finding(_SQL, State.NOTE, told, "before the first publication: create extension timescaledb")
            yield _layout(version)
            yield Finding(f"{_SQL} roles", State.NOTE if roles.advice else State.OK, roles.label, roles.advice)
    except MarketDataError as error:
        yield Finding(_SQL, State.BROKEN, str(error))


def _layout(version: str | None) -> Finding:
    from marketdata_pipelines.stores.timescale.migrating import migrations, newest_version

    what = f"{_SQL} layout"
    if version is None:
        return Finding(what, State.NOTE, "nothing is published there yet", "the first publication makes the tables")
    if version == newest_version():
        return Finding(what, State.OK, f"{version}, up to date")
    if version in {step.version for step in migrations()}:
        told = f"{version}, older than this program's {newest_version()}"
        return Finding(what, State.NOTE, told, "the next publication brings it up to date")
    told = f"{version}, newer than this program's {newest_version()}"
    return Finding(what, State.BROKEN, told, "update marketdata-pipelines")


def _redis(settings: Settings) -> Iterator[Finding]:
    if settings.redis_url is None:
        yield Finding(_REDIS, State.OK, "none: MARKETDATA_REDIS_URL is not set")
        return
    from marketdata_pipelines.pipeline.serving_stores import keep_rules
    from marketdata_pipelines.stores.redis.client import describe
    from marketdata_pipelines.stores.redis.store import RedisStore

    url, keep = settings.redis_url.get_secret_value(), keep_rules(settings)
    try:
        yield Finding(_REDIS, State.OK, describe(url))
        with closing(RedisStore.at(url, settings.redis_namespace, keep, timeout_seconds=_SECONDS)) as store:
            memory, kept = store.server_memory(), store.namespace_memory()
    except MarketDataError as error:
        yield Finding(_REDIS, State.BROKEN, str(error))
        return
    told, _, advice = (memory.warning(keep.budget_bytes) or "").partition(": ")
    state = State.NOTE if told else State.OK
    yield Finding(f"{_REDIS} memory", state, "; ".join(filter(None, (_memory(memory, kept), told))), advice)


def _memory(server: "ServerMemory", kept: "NamespaceMemory") -> str:
    """What the namespace takes of its budget, and what gave way on the server."""
    budget = f" of a budget of {_mb(kept.budget_bytes)} MB" if kept.budget_bytes else ", without a budget"
    dropped = f", {kept.dropped:,} times something dropped for it" if kept.dropped else ""
    evicted = f"; {server.evicted:,} keys evicted by the server" if server.evicted else ""
    return f"{_mb(kept.bytes)} MB in this namespace{budget}{dropped}{evicted}"


def _mb(count: int) -> str:
    return f"{count / 1e6:,.1f}"
