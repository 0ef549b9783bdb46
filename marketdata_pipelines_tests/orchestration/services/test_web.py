"""Dagster's web server with our pages; what they show is in `test_quality_pages`, the rest in the live tests."""

from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from starlette.routing import Mount, Route

from marketdata_pipelines.orchestration.services.web import MarketDataWebserver
from marketdata_pipelines_tests.orchestration.conftest import Workshop


def test_the_quality_pages_come_before_dagsters_that_answers_every_address(workshop: Workshop) -> None:
    with WorkspaceProcessContext(workshop.instance, EmptyWorkspaceTarget()) as context:
        routes = MarketDataWebserver(context, workshop.settings).build_routes()

    paths = [route.path for route in routes if isinstance(route, Route | Mount)]
    assert paths[:2] == ["/quality", "/quality"]
    assert paths.index("/graphql") < paths.index("/{path:path}")
