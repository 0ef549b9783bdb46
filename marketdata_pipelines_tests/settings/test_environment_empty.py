"""Variables that are set to nothing, as compose files and CI leave them."""

import pytest

from marketdata_pipelines.settings.environment import Settings


@pytest.mark.parametrize("name", ["TIMESCALE_DSN", "REDIS_URL", "DAGSTER_STORAGE", "HOME", "MAX_RUNS"])
def test_a_variable_that_is_set_to_nothing_is_not_set(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(f"MARKETDATA_{name}", raising=False)
    unset = Settings()

    monkeypatch.setenv(f"MARKETDATA_{name}", "")

    assert Settings() == unset
