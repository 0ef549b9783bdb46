"""Fixtures of the whole suite: folders and data that tests need; rows and feeds come from `builders`."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import make_home
from marketdata_pipelines_tests.redis_servers import RedisServer, redis_or_skip
from marketdata_pipelines_tests.servers import PostgresServer, ServerMissing, start_postgres

# Kernels are compiled on first use, and the machine may be busy: no example has a deadline.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

PROJECT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real market data beside the project; tests that need it are skipped where it is not."""
    folder = PROJECT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the real market data in {folder}, which is not here")
    return folder


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake."""
    return Lake(tmp_path / "data" / "lake")


@pytest.fixture
def home(tmp_path: Path) -> Callable[[str], Path]:
    """Makes the data folder of this test with a feeds.yaml; its lake is the one of the fixture `lake`."""

    return lambda feeds: make_home(tmp_path / "data", feeds)


@pytest.fixture(scope="session", autouse=True)
def _own_storage() -> Iterator[None]:
    """No test writes into the database of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MARKETDATA_DAGSTER_STORAGE", "MARKETDATA_TIMESCALE_DSN", "MARKETDATA_REDIS_URL"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL for the session (one a worker); missing locally skips, missing in CI fails."""
    # Not below pytest's own folder, which only its owner may enter: the server runs as another user.
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    folder.chmod(0o755)
    try:
        server = start_postgres(folder / "server")
    except ServerMissing as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    else:
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The address of a new, empty database of a role with a password."""
    name, password = f"test_{uuid.uuid4().hex[:12]}", f"secret{uuid.uuid4().hex[:12]}"
    postgres_server.run(f"create role {name} login password '{password}'", f"create database {name} owner {name}")
    yield postgres_server.url(name, user=name, password=password)
    postgres_server.run(f"drop database {name} with (force)", f"drop role {name}")


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis for the session (one a worker), which no test stops; missing locally skips, missing in CI fails."""
    with redis_or_skip() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The address of a Redis that tests share: keep below `redis_namespace`, and never flush it."""
    return redis_server.url


@pytest.fixture
def redis_namespace() -> str:
    """A namespace of this test alone."""
    return f"test_{uuid.uuid4().hex[:12]}"
