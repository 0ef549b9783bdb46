"""What Dagster's daemon is told about backfills and code; what comes of it is in the live tests (`acceptance`)."""

import time
import uuid
from pathlib import Path

from dagster import DagsterRun, DagsterRunStatus, Definitions
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, BACKFILL_ID_TAG, WILL_RETRY_TAG

from marketdata_pipelines.orchestration.running.backfills import open_backfill
from marketdata_pipelines.orchestration.services.daemon import open_with_runs, wait_for_code
from marketdata_pipelines_tests.orchestration.conftest import Workshop


def ask(workshop: Workshop) -> str:
    graph = Definitions(assets=workshop.graph()).get_repository_def().asset_graph
    return open_backfill(workshop.instance, graph, workshop.feed, ["2024-05-31"], title="a day")


def add_run(workshop: Workshop, backfill: str, status: DagsterRunStatus, **tags: str) -> str:
    run = DagsterRun(
        job_name="demo__day", run_id=str(uuid.uuid4()), status=status, tags={BACKFILL_ID_TAG: backfill, **tags}
    )
    return workshop.instance.add_run(run).run_id


def unfinished(workshop: Workshop) -> list[frozenset[str]]:
    return [runs for _, runs in open_with_runs(workshop.instance)]


def test_a_backfill_is_left_alone_while_its_run_works(workshop: Workshop) -> None:
    backfill = ask(workshop)
    working = add_run(workshop, backfill, DagsterRunStatus.STARTED)
    add_run(workshop, backfill, DagsterRunStatus.SUCCESS)

    assert unfinished(workshop) == [frozenset({working})]


def test_a_backfill_is_left_alone_until_the_retry_of_its_run_has_come(workshop: Workshop) -> None:
    dead = add_run(workshop, ask(workshop), DagsterRunStatus.FAILURE, **{WILL_RETRY_TAG: "true"})

    before = unfinished(workshop)
    workshop.instance.add_run_tags(dead, {AUTO_RETRY_RUN_ID_TAG: "another"})

    assert (before, unfinished(workshop)) == ([frozenset({dead})], [frozenset()])


def test_a_failed_run_without_a_retry_holds_nothing_up(workshop: Workshop) -> None:
    add_run(workshop, ask(workshop), DagsterRunStatus.FAILURE, **{WILL_RETRY_TAG: "false"})

    assert unfinished(workshop) == [frozenset()]


def test_code_that_never_answers_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    nobody = GrpcServerCodeLocationOrigin(host="localhost", socket=str(tmp_path / "code"), location_name="nobody")
    begun = time.monotonic()

    wait_for_code([nobody], 0.3)

    assert 0.3 <= time.monotonic() - begun < 30
