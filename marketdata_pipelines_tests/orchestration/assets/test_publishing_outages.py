"""The asset `[feed, timescale_bars]` under a server that is killed: what the run says, what the next makes good."""

from collections.abc import Iterator

import psycopg
import pytest
from dagster import ExecuteInProcessResult

from marketdata_pipelines.orchestration.assets.publish_events import EQUALS_LAKE, ROLLUPS_AGREE
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import lake_files
from marketdata_pipelines_tests.faulty_servers import FaultyServer, faulty_server
from marketdata_pipelines_tests.orchestration.assets.test_publishing import DAYS, publish, published, verdict
from marketdata_pipelines_tests.orchestration.conftest import Workshop
from marketdata_pipelines_tests.servers import PostgresServer


@pytest.fixture
def faulty(postgres_server: PostgresServer) -> Iterator[FaultyServer]:
    with faulty_server() as server:
        yield server


def failure_of(result: ExecuteInProcessResult) -> str:
    (failed,) = [each for each in result.all_events if each.is_step_failure]
    return str(failed.step_failure_data.user_failure_data)


def stored_days(dsn: str) -> list[str]:
    with psycopg.connect(dsn) as connection:
        rows = connection.execute('select distinct session_date::text from "demo".bars_30m order by 1').fetchall()
    return [day for (day,) in rows]


def test_a_server_killed_in_the_middle_ends_the_run_with_what_is_done_and_the_next_does_the_rest(
    workshop: Workshop, faulty: FaultyServer
) -> None:
    workshop.run(DAYS)
    lake = Lake(workshop.settings.lake)
    before = lake_files(lake)
    database = faulty.new_database()
    publish(workshop, faulty.url(database), end=DAYS[0])
    done = published(workshop.instance)
    faulty.wire.arm_at(b'copy "demo"."bars" ', 1, faulty.kill)

    away = publish(workshop, faulty.url(database).replace("postgres@", "postgres:hush@"), start=DAYS[1])
    faulty.resume()
    left = stored_days(faulty.direct_url(database))
    again = publish(workshop, faulty.url(database), start=DAYS[1])

    told = failure_of(away)
    assert "demo was not published to the end: " in told
    assert f"{faulty.place}/{database} did not answer: " in told
    assert "see that the server runs, then try again (0 partitions are done and stay)" in told
    assert "hush" not in str(away.all_events)
    assert done == left == DAYS[:1]
    assert again.success
    assert published(workshop.instance) == stored_days(faulty.direct_url(database)) == DAYS
    assert verdict(workshop.instance, EQUALS_LAKE) == verdict(workshop.instance, ROLLUPS_AGREE) == (True, None)
    assert lake_files(lake) == before


def test_a_server_that_recovers_while_the_run_goes_on_is_published_to_the_end(
    workshop: Workshop, faulty: FaultyServer
) -> None:
    workshop.run(DAYS)
    database = faulty.new_database()
    faulty.wire.arm(30_000, faulty.kill_and_resume)

    result = publish(workshop, faulty.url(database))

    assert not faulty.wire.is_armed
    assert result.success
    assert published(workshop.instance) == stored_days(faulty.direct_url(database)) == DAYS
    assert verdict(workshop.instance, EQUALS_LAKE) == (True, None)
