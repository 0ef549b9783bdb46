"""Which failed runs still wait for their retry: what Dagster's daemon is asked to look at a second time."""

import uuid
from datetime import UTC, datetime

import pytest
from dagster import DagsterRun, DagsterRunStatus
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, WILL_RETRY_TAG

from marketdata_pipelines.orchestration.services.retries import waiting_for_retry
from marketdata_pipelines_tests.orchestration.conftest import Workshop


def add_run(workshop: Workshop, status: DagsterRunStatus, **tags: str) -> str:
    run = DagsterRun(job_name="demo__day", run_id=str(uuid.uuid4()), status=status, tags=tags)
    return workshop.instance.add_run(run).run_id


def test_a_failed_run_that_is_to_be_retried_waits_until_it_is(workshop: Workshop) -> None:
    waiting = add_run(workshop, DagsterRunStatus.FAILURE, **{WILL_RETRY_TAG: "true"})
    add_run(workshop, DagsterRunStatus.FAILURE, **{WILL_RETRY_TAG: "true", AUTO_RETRY_RUN_ID_TAG: "another"})

    assert [run.run_id for run in waiting_for_retry(workshop.instance)] == [waiting]


@pytest.mark.parametrize(
    ("status", "will_retry"), [(DagsterRunStatus.FAILURE, "false"), (DagsterRunStatus.STARTED, "true")]
)
def test_what_is_not_to_be_retried_or_has_not_failed_is_left_alone(
    workshop: Workshop, status: DagsterRunStatus, will_retry: str
) -> None:
    add_run(workshop, status, **{WILL_RETRY_TAG: will_retry})

    assert waiting_for_retry(workshop.instance) == []


def test_what_failed_days_ago_stays_failed(workshop: Workshop) -> None:
    add_run(workshop, DagsterRunStatus.FAILURE, **{WILL_RETRY_TAG: "true"})

    assert waiting_for_retry(workshop.instance, datetime(2100, 1, 1, tzinfo=UTC)) == []
