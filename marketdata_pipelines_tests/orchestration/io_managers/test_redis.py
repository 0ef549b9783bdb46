"""The IO manager of Redis keeps what the settings say."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.orchestration.io_managers.redis import redis_io_manager
from marketdata_pipelines.settings.environment import Settings


def test_times_budget_and_compression_are_those_of_the_settings(tmp_path: Path) -> None:
    settings = Settings(
        home=tmp_path,
        redis_url=SecretStr("redis://:hidden@127.0.0.1:1/0"),
        redis_namespace="desk",
        redis_ttl="2d, bars_5m=1d",
        redis_mb=64,
        redis_zstd_kb=100,
    )

    manager = redis_io_manager(settings)

    assert (manager.namespace, manager.ttl_seconds) == ("desk", 2 * 86_400)
    assert (manager.zstd_bytes, manager.budget_bytes) == (100_000, 64_000_000)
    assert "hidden" not in repr(manager)


def test_without_an_address_there_is_no_manager(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="set MARKETDATA_REDIS_URL"):
        redis_io_manager(Settings(home=tmp_path, redis_url=None))
