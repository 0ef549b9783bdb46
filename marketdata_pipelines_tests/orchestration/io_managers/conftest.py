"""Each IO manager over its real server or folder: one contract for all of them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from marketdata_pipelines.orchestration.io_managers.lake import LakeIOManager
from marketdata_pipelines.orchestration.io_managers.partitioned import PartitionedIOManager
from marketdata_pipelines.orchestration.io_managers.redis import RedisIOManager
from marketdata_pipelines.orchestration.io_managers.timescale import TimescaleIOManager
from marketdata_pipelines_tests.servers import PostgresServer
from marketdata_pipelines_tests.store_databases import TIMESCALE_VARIABLE, new_database, store_database, store_dsn

__all__ = ["manager", "store_database", "store_dsn"]


@pytest.fixture(params=["lake", "postgres", "timescale", "redis"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PartitionedIOManager]:
    """The IO manager of each place, over an empty one."""
    if request.param == "lake":
        yield LakeIOManager(lake=str(tmp_path / "lake"))
    elif request.param == "redis":
        namespace: str = request.getfixturevalue("redis_namespace")
        yield RedisIOManager(url=request.getfixturevalue("redis_url"), namespace=namespace)
    else:
        with new_database(_server(request), with_timescale=request.param == "timescale") as dsn:
            yield TimescaleIOManager(dsn=dsn)


def _server(request: pytest.FixtureRequest) -> str:
    if request.param == "postgres":
        postgres: PostgresServer = request.getfixturevalue("postgres_server")
        return postgres.url("postgres")
    server = os.environ.get(TIMESCALE_VARIABLE)
    if not server:
        pytest.skip(f"NOT TESTED ON TIMESCALEDB: {TIMESCALE_VARIABLE} names no server where databases can be made")
    return server
