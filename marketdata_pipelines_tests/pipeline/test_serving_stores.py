"""What the settings say of Redis is what a real one keeps."""

from typing import Any

import pyarrow as pa
import pytest
from pydantic import SecretStr

from marketdata_pipelines.pipeline.serving_stores import keep_rules, redis_store
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.redis.keys import Group
from marketdata_pipelines.stores.redis.memory import KeepRules

DAY = 86_400
TABLE = pa.table({"symbol": ["AAPL"] * 10_000, "close": [100.0] * 10_000})


@pytest.fixture
def settings(redis_url: str, redis_namespace: str) -> Settings:
    return Settings(redis_url=SecretStr(redis_url), redis_namespace=redis_namespace)


def changed(settings: Settings, **values: Any) -> Settings:
    return settings.model_copy(update=values)


def test_without_settings_values_are_kept_a_week_as_they_are(settings: Settings) -> None:
    assert keep_rules(settings) == KeepRules({}, 7 * DAY, None, None)


def test_the_last_bars_and_what_points_at_them_are_kept_equally_long(settings: Settings) -> None:
    rules = keep_rules(changed(settings, redis_ttl="3d, latest_bars=2h"))

    assert [rules.ttl_of(table) for table in ("latest_bars", "latest", "bars_5m")] == [7_200, 7_200, 3 * DAY]


def test_values_are_kept_for_the_time_of_their_table(settings: Settings) -> None:
    with redis_store(changed(settings, redis_ttl="1d, bars_5m=10m")) as redis:
        groups = [Group("shares", table, "2024-03-04", "r") for table in ("bars_5m", "validated_bars")]
        for group in groups:
            redis.store.put_bars(group, TABLE)
        left = [redis.client.ttl(redis.store.keys.bars_of(group, ["AAPL"])[0]) for group in groups]

    assert 590 <= int(left[0]) <= 600
    assert DAY - 10 <= int(left[1]) <= DAY


@pytest.mark.parametrize(("zstd_kb", "is_smaller"), [(100, True), (1_000, False), (None, False)])
def test_tables_from_a_size_on_are_compressed(settings: Settings, zstd_kb: int | None, is_smaller: bool) -> None:
    with redis_store(changed(settings, redis_zstd_kb=zstd_kb)) as redis:
        size = redis.store.put_table(Group("shares", "results", "all", "r"), TABLE)
        found = redis.store.get_table(Group("shares", "results", "all", "r"))

    assert (size < TABLE.nbytes / 5) == is_smaller
    assert found is not None
    assert found.equals(TABLE)


def test_over_the_budget_the_oldest_values_give_way(settings: Settings) -> None:
    days = [f"2024-03-{day:02}" for day in range(1, 11)]
    with redis_store(changed(settings, redis_mb=1)) as redis:
        for day in days:
            redis.store.put_table(Group("shares", "results", day, "r"), TABLE)
        kept = redis.store.namespace_memory()
        there = [day for day in days if redis.store.get_table(Group("shares", "results", day, "r")) is not None]

    assert kept.budget_bytes == 1_000_000
    assert 0 < kept.bytes <= 1_000_000
    assert there == days[-len(there) :]
    assert kept.dropped == len(days) - len(there) > 0
