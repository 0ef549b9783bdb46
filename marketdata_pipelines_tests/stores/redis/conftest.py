"""Servers and stores of the tests of Redis: the shared server for what is within a namespace, own ones for faults."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from marketdata_pipelines.stores.redis.client import connect
from marketdata_pipelines.stores.redis.store import RedisStore
from marketdata_pipelines_tests.redis_servers import (
    ClusterServers,
    RedisServer,
    SentinelServers,
    start_cluster,
    start_redis,
    start_sentinel,
)
from marketdata_pipelines_tests.servers import ServerMissing

T = TypeVar("T")


@pytest.fixture
def store(redis_url: str, redis_namespace: str) -> Iterator[RedisStore]:
    """A store in the namespace of this test."""
    opened = RedisStore.at(redis_url, redis_namespace, timeout_seconds=5)
    yield opened
    opened.close()


@pytest.fixture
def own_server() -> Iterator[RedisServer]:
    """A server that this test may stop, pause and flush."""
    yield from _served(lambda folder: start_redis(folder), lambda server: server.stop())


@pytest.fixture
def small_server() -> Iterator[RedisServer]:
    """A server that is full soon, and then refuses to write."""
    options = ("--maxmemory", "3mb", "--maxmemory-policy", "noeviction")
    yield from _served(lambda folder: start_redis(folder, *options), lambda server: server.stop())


@pytest.fixture
def sentinel_servers() -> Iterator[SentinelServers]:
    """A master, its replica and a Sentinel, which this test may stop."""
    yield from _served(start_sentinel, lambda servers: servers.stop())


@pytest.fixture(scope="session")
def cluster_servers() -> Iterator[ClusterServers]:
    """Three masters that share the keys."""
    yield from _served(start_cluster, lambda servers: servers.stop())


@pytest.fixture
def cluster_store(cluster_servers: ClusterServers, redis_namespace: str) -> Iterator[RedisStore]:
    """A store over the cluster."""
    opened = RedisStore(connect(cluster_servers.url, timeout_seconds=5), redis_namespace)
    yield opened
    opened.close()


def _served(start: Callable[[Path], T], stop: Callable[[T], None]) -> Iterator[T]:
    folder = Path(tempfile.mkdtemp(prefix="redis-"))
    try:
        servers = start(folder / "servers")
    except ServerMissing as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    else:
        yield servers
        stop(servers)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
