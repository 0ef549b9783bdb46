"""Connections to Redis: from an address to a client, from the client's errors to ours. No key or value here.

Only commands of Redis 6.2 are used by this package. No message shows a user, a password or a query of an address.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

from marketdata_pipelines.errors import SettingsInvalid, StoreError, StoreUnavailable

RedisClient: TypeAlias = redis.Redis | RedisCluster

_FORMS = (
    "redis://[user:password@]host:port/db, rediss://…, unix:///path?db=0, "
    "redis+sentinel://host:port,host:port/master/db or redis+cluster://host:port,host:port"
)
_UNSHOWN = "the address in MARKETDATA_REDIS_URL"
_DEFAULT_PORTS = {"sentinel": 26379, "cluster": 6379}
_SLOTS = 16_384
# What an address may say of certificates, as the client knows it.
_CERTIFICATES = ("ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname")
_UNAVAILABLE = (redis.ConnectionError, redis.TimeoutError, redis.RedisClusterException, redis.exceptions.ClusterError)
# What a server says while it can't answer, but will: a replica that was a master, keys that move to another node.
_PASSING = (redis.ReadOnlyError, redis.exceptions.AskError, redis.exceptions.TryAgainError)
_PASSING_WORDS = ("BUSY ", "NOREPLICAS ")
# A script passes on what its commands were told, in words of its own.
_DISTRUST = "CERTIFICATE_VERIFY_FAILED"
_FULL = "OOM command not allowed"


@dataclass(frozen=True, slots=True)
class _Address:
    """An address of several servers, taken apart; `path` without its leading slash."""

    hosts: list[tuple[str, int]]
    path: str
    secrets: dict[str, Any]
    query: dict[str, str]
    is_encrypted: bool


def connect(url: str, *, timeout_seconds: float = 0.5) -> RedisClient:
    """A client for an address, safe to use from several threads and after a fork.

    Values are bytes. A server that does not answer within `timeout_seconds` is given up; a connection that broke
    meanwhile is made anew once. One server and Sentinel are connected to when first asked, a cluster at once.

    Errors: SettingsInvalid for an address of another form; StoreUnavailable when a cluster does not answer.
    """
    kind = _kind(url)
    try:
        if kind == "sentinel":
            return _sentinel(_several(url, kind), timeout_seconds)
        if kind == "cluster":
            with translated(url):
                return _cluster(_several(url, kind), timeout_seconds)
        return redis.Redis.from_url(url, **_options(timeout_seconds))
    except (ValueError, TypeError):
        # The parser's own words may quote a part of the password.
        raise _malformed() from None


def masked(url: str) -> str:
    """The address as it may be shown: kind, hosts and path, without user, password and query."""
    try:
        kind, parts = _kind(url), urlsplit(url)
    except (SettingsInvalid, ValueError):
        return _UNSHOWN
    # A password with a mark that parts an address would stand where hosts and path do.
    if parts.netloc.count("@") != url.partition("?")[0].count("@"):
        return _UNSHOWN
    place = parts.path if kind == "unix" else parts.netloc.rpartition("@")[2] + parts.path
    return f"{parts.scheme}://{place}"


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Raises the client's errors as StoreUnavailable where trying again may help, else as StoreError.

    `url` is shown masked.
    """
    try:
        yield
    except redis.exceptions.AuthenticationError:
        raise StoreError(f"Redis at {masked(url)} refuses the user or password; mend MARKETDATA_REDIS_URL") from None
    except redis.exceptions.AuthorizationError:
        raise StoreError(f"Redis at {masked(url)} wants a user or password; mend MARKETDATA_REDIS_URL") from None
    except _UNAVAILABLE as error:
        raise StoreUnavailable(_untrusted(url) if _DISTRUST in str(error) else _silent(url)) from error
    except redis.RedisError as error:
        raise _refusal(url, error) from None


def describe(url: str, *, timeout_seconds: float = 0.5) -> str:
    """One line about the server: kind, version, role, memory in use, its limit and what it does when that is reached.

    Errors: as `connect`, and StoreUnavailable when it does not answer.
    """
    client = connect(url, timeout_seconds=timeout_seconds)
    try:
        with translated(url):
            infos = server_infos(client)
    finally:
        client.close()
    kind = {"sentinel": "Sentinel", "cluster": f"Cluster of {len(infos)} masters"}.get(_kind(url), "standalone")
    first = infos[0]
    limit = sum(int(info.get("maxmemory", 0)) for info in infos)
    role = "" if isinstance(client, RedisCluster) else f", {first.get('role', 'role unknown')}"
    used = sum(int(info["used_memory"]) for info in infos)
    allowed = f"of {_megabytes(limit)} MB, {first.get('maxmemory_policy', '')}" if limit else "without a limit"
    return f"Redis {first['redis_version']}, {kind}{role}, {_megabytes(used)} MB in use {allowed}"


def address_of(client: RedisClient) -> str:
    """Where a client connects to, without secrets; in the form `translated` takes."""
    if isinstance(client, RedisCluster):
        return "redis+cluster://" + ",".join(sorted(client.nodes_manager.nodes_cache))
    if isinstance(client.connection_pool, SentinelConnectionPool):
        return f"redis+sentinel:///{client.connection_pool.service_name}"
    given = client.connection_pool.connection_kwargs
    if "path" in given:
        return f"unix://{given['path']}"
    return f"redis://{given.get('host', 'localhost')}:{given.get('port', 6379)}/{given.get('db', 0)}"


def server_infos(client: RedisClient) -> list[dict[str, Any]]:
    """What each server says of itself (INFO); of a cluster its masters. Raises the client's own errors."""
    if not isinstance(client, RedisCluster):
        return [dict(client.info())]
    told: Any = client.info(target_nodes=RedisCluster.PRIMARIES)
    return [told] if "redis_version" in told else [told[name] for name in sorted(told)]


def check_whole(client: RedisCluster) -> None:
    """Nothing where every key of a cluster is served.

    Errors: the client's own; a cluster of which a part is away counts as away.
    """
    told: Any = client.cluster_info(target_nodes=RedisCluster.PRIMARIES)
    for state in [told] if "cluster_state" in told else list(told.values()):
        if state["cluster_state"] != "ok" or int(state["cluster_slots_ok"]) != _SLOTS:
            raise redis.exceptions.ClusterDownError("some of its keys are not served")


def _options(timeout_seconds: float) -> dict[str, Any]:
    return {
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
        # A day of one symbol's minutes is 35 KB: read in one piece.
        "socket_read_size": 131_072,
        # As many threads may ask at once as there are; the client's own limit would be taken for an outage.
        "max_connections": 10_000,
        # Understood by every server and proxy; nothing here needs the newer one.
        "protocol": 2,
        # Servers before 7.2 refuse to be told the client's name: two questions less for each new connection.
        "driver_info": None,
        # A dead connection is noticed on its first use: once more on a new one. Silence is not tried again.
        "retry": Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
    }


def _sentinel(address: _Address, timeout_seconds: float) -> redis.Redis:
    name, _, db = address.path.partition("/")
    if not name:
        raise ValueError("no master's name")
    options = _options(timeout_seconds)
    asking = {"username": address.query.get("sentinel_username"), "password": address.query.get("sentinel_password")}
    encrypted = _encryption(address)
    given = {key: value for key, value in asking.items() if value}
    sentinel = Sentinel(address.hosts, sentinel_kwargs={**options, **encrypted, **given})  # type: ignore[no-untyped-call]
    master: redis.Redis = sentinel.master_for(  # type: ignore[no-untyped-call]
        name, db=int(db or 0), **options, **address.secrets, **encrypted
    )
    return master


def _cluster(address: _Address, timeout_seconds: float) -> RedisCluster:
    if address.path not in ("", "0"):
        raise ValueError("a cluster has one database")
    options = _options(timeout_seconds)
    options["retry"] = Retry(NoBackoff(), 1)
    nodes = [ClusterNode(host, port) for host, port in address.hosts]  # type: ignore[no-untyped-call]
    return RedisCluster(startup_nodes=nodes, **options, **address.secrets, **_encryption(address))


def _encryption(address: _Address) -> dict[str, Any]:
    if not address.is_encrypted:
        return {}
    given: dict[str, Any] = {name: address.query[name] for name in _CERTIFICATES if name in address.query}
    if "ssl_check_hostname" in given:
        given["ssl_check_hostname"] = given["ssl_check_hostname"].lower() in ("1", "true", "yes", "on")
    return {"ssl": True, **given}


def _kind(url: str) -> str:
    scheme = url.partition("://")[0]
    for end in ("sentinel", "cluster"):
        if scheme in (f"redis+{end}", f"rediss+{end}"):
            return end
    if scheme in ("redis", "rediss", "unix") and "://" in url:
        return scheme
    raise _malformed()


def _several(url: str, kind: str) -> _Address:
    parts = urlsplit(url)
    user, has_user, places = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    secrets = {"username": unquote(name), "password": unquote(password)} if has_user else {}
    hosts = []
    for place in places.split(","):
        one = urlsplit(f"//{place}")
        if not one.hostname:
            raise ValueError("a host is missing")
        hosts.append((one.hostname, one.port or _DEFAULT_PORTS[kind]))
    given = {key: value for key, value in secrets.items() if value}
    return _Address(
        hosts, parts.path.strip("/"), given, dict(parse_qsl(parts.query)), parts.scheme.startswith("rediss")
    )


def _malformed() -> SettingsInvalid:
    return SettingsInvalid(f"MARKETDATA_REDIS_URL is not an address of Redis; write {_FORMS}")


def _silent(url: str) -> str:
    return f"Redis at {masked(url)} does not answer; is it running, and reachable from here?"


def _untrusted(url: str) -> str:
    return (
        f"Redis at {masked(url)} shows a certificate that nobody vouches for here; name its authority's in "
        "MARKETDATA_REDIS_URL: ?ssl_ca_certs=/path/ca.pem"
    )


def _refusal(url: str, error: redis.RedisError) -> StoreError:
    # The client repeats the command that failed, and a server one that it does not know: values and passwords.
    said = str(error).rpartition("of pipeline caused error: ")[2].partition("with args")[0].strip(" ,")[:200]
    place = f"Redis at {masked(url)}"
    if isinstance(error, redis.exceptions.OutOfMemoryError) or _FULL in said:
        return StoreError(
            f"{place} is full and refuses to write; raise its maxmemory, lower the budget, or let it evict "
            "(maxmemory-policy allkeys-lru)"
        )
    if isinstance(error, _PASSING) or said.startswith(_PASSING_WORDS):
        return StoreUnavailable(f"{place} can't answer now ({said}); try again")
    return StoreError(f"{place} refused: {said}; see its log and the rights of the user")


def _megabytes(count: int) -> str:
    return f"{count / 1_000_000:,.0f}" if count >= 10_000_000 else f"{count / 1_000_000:,.1f}"
