"""MARKETDATA_* variables."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.settings.environment import Settings


def test_the_home_moves_everything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MARKETDATA_HOME", str(tmp_path / "elsewhere"))

    settings = Settings()

    assert settings.feeds_file == tmp_path / "elsewhere" / "feeds.yaml"
    assert settings.lake == tmp_path / "elsewhere" / "lake"
    assert settings.dagster_home == tmp_path / "elsewhere" / "dagster"


def test_the_home_is_the_folder_data_unless_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MARKETDATA_HOME", raising=False)
    monkeypatch.chdir(tmp_path)

    assert Settings().folder == tmp_path / "data"


def test_settings_are_read_once_and_do_not_follow_the_working_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings(home=Path("data"))
    before = settings.lake
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")

    assert settings.lake == before
    with pytest.raises(ValidationError):
        settings.home = Path("other")


def test_source_paths_are_below_the_home_unless_absolute_or_urls(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)

    assert settings.source_path("landing/us") == str(tmp_path / "landing" / "us")
    assert settings.source_path("/mnt/us") == "/mnt/us"
    assert settings.source_path("s3://bucket/us") == "s3://bucket/us"


def test_a_variable_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKETDATA_MAX_RUNS", "0")

    with pytest.raises(SettingsInvalid, match="MARKETDATA_MAX_RUNS: Input should be greater than or equal to 1"):
        Settings()


def test_the_storage_address_is_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKETDATA_DAGSTER_STORAGE", "postgresql://ann:hunter2@db/history")

    settings = Settings()

    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump_json()}"


def test_what_redis_keeps_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKETDATA_REDIS_TTL", "7d, bars_5m=2d")
    monkeypatch.setenv("MARKETDATA_REDIS_MB", "512")
    monkeypatch.setenv("MARKETDATA_REDIS_ZSTD_KB", "64")

    settings = Settings()

    assert (settings.redis_times.default_seconds, dict(settings.redis_times.by_table)) == (
        604_800,
        {"bars_5m": 172_800},
    )
    assert (settings.redis_mb, settings.redis_zstd_kb) == (512, 64)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("REDIS_TTL", "a week", "MARKETDATA_REDIS_TTL: 'a week' is no time that values can be kept; .* like 30m"),
        ("REDIS_MB", "0", "MARKETDATA_REDIS_MB: Input should be greater than or equal to 1"),
        ("REDIS_ZSTD_KB", "much", "MARKETDATA_REDIS_ZSTD_KB: Input should be a valid integer"),
    ],
)
def test_what_redis_cannot_keep_is_told_by_variable(
    name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"MARKETDATA_{name}", value)

    with pytest.raises(SettingsInvalid, match=told):
        Settings()
