"""Which views of a store are late, and that it is told without runs."""

from datetime import UTC, datetime

from dagster import AssetCheckKey, AssetCheckSeverity, AssetMaterialization, DagsterInstance, build_sensor_context
from pydantic import SecretStr

from marketdata_pipelines.orchestration.automation.freshness import CHECK
from marketdata_pipelines.orchestration.automation.store_freshness import (
    store_freshness_checks,
    store_freshness_sensor,
    view_verdicts,
)
from marketdata_pipelines.orchestration.keys import asset_key
from marketdata_pipelines.pipeline.store_views import view_range
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.orchestration.conftest import Workshop

DAYS = ["2024-05-02", "2024-05-03"]
KEY = asset_key("demo", "timescale_top_volume")
# Its cadence is five minutes.
LATE_SECONDS = 600.0


def refresh(workshop: Workshop) -> None:
    wanted = view_range(Lake(workshop.settings.lake), workshop.feed, "top_volume")
    assert wanted is not None
    workshop.instance.report_runless_asset_event(AssetMaterialization(KEY, metadata={"revision": wanted.inputs}))


def verdict(workshop: Workshop, after_seconds: float = 0.0) -> tuple[bool, AssetCheckSeverity, str]:
    now = datetime.now(UTC).timestamp() + after_seconds
    found = view_verdicts(workshop.instance, Lake(workshop.settings.lake), workshop.feed, now)
    passed, severity, text, _ = found[KEY]
    return passed, severity, text


def test_a_view_is_late_once_the_lake_has_had_other_rows_for_two_cadences(workshop: Workshop) -> None:
    empty = verdict(workshop, LATE_SECONDS * 9)
    workshop.run(DAYS[:1])
    refresh(workshop)
    held = verdict(workshop, LATE_SECONDS * 9)
    workshop.run(DAYS[1:])

    newer = verdict(workshop, LATE_SECONDS - 60)
    late, very_late = verdict(workshop, LATE_SECONDS + 60), verdict(workshop, LATE_SECONDS * 3)

    assert (empty[0], empty[2]) == (True, "the lake has nothing of it yet")
    assert (held[0], held[2]) == (True, "holds what the lake has")
    assert (newer[0], newer[2]) == (True, "the lake has newer rows, which the next refresh brings")
    assert late[:2] == (False, AssetCheckSeverity.WARN)
    assert very_late[:2] == (False, AssetCheckSeverity.ERROR)
    assert "behind the lake since" in late[2]
    assert "refreshed every 5 minutes" in late[2]


def test_a_view_that_was_never_refreshed_is_not_late_by_a_history_that_is_not_there(workshop: Workshop) -> None:
    workshop.run(DAYS[:1])
    walked = verdict(workshop, LATE_SECONDS * 9)
    with DagsterInstance.ephemeral() as fresh:
        found = view_verdicts(fresh, Lake(workshop.settings.lake), workshop.feed, datetime.now(UTC).timestamp())

    assert walked[:2] == (False, AssetCheckSeverity.WARN)
    assert found[KEY][0]
    assert found[KEY][2].startswith("was never refreshed")


def test_the_sensor_tells_it_without_a_run(workshop: Workshop) -> None:
    settings = Settings(home=workshop.settings.home, timescale_dsn=SecretStr("postgresql://a@b/c"))
    workshop.run(DAYS[:1])
    refresh(workshop)
    sensor = store_freshness_sensor([workshop.feed], settings)
    assert sensor is not None

    first = sensor.evaluate_tick(build_sensor_context(workshop.instance)).skip_message
    second = sensor.evaluate_tick(build_sensor_context(workshop.instance)).skip_message

    check = AssetCheckKey(KEY, CHECK)
    record = workshop.instance.event_log_storage.get_latest_asset_check_execution_by_key([check])[check]
    assert (first, second) == ("demo: every view is on time", "nothing has changed")
    assert record.evaluation is not None
    assert record.evaluation.passed


def test_without_a_store_nothing_is_watched(workshop: Workshop) -> None:
    assert store_freshness_checks([workshop.feed], workshop.settings) == []
    assert store_freshness_sensor([workshop.feed], workshop.settings) is None
