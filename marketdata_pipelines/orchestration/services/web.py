"""Dagster's web server with the quality pages beside its own, under one address.

Run as `python -m marketdata_pipelines.orchestration.services.web WORKSPACE HOST PORT`. All else is Dagster's.
"""

import logging
import sys
from asyncio import CancelledError
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from dagster._cli.utils import get_instance_for_cli
from dagster._core.workspace.context import IWorkspaceProcessContext, WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._utils.interrupts import setup_interrupt_handlers
from dagster._utils.log import configure_loggers
from dagster_webserver.cli import (
    DEFAULT_DB_STATEMENT_TIMEOUT,
    DEFAULT_POOL_MAX_OVERFLOW,
    DEFAULT_POOL_RECYCLE,
)
from dagster_webserver.version import __version__
from dagster_webserver.webserver import DagsterWebserver
from starlette.routing import BaseRoute

from marketdata_pipelines.orchestration.services.quality_pages import quality_routes
from marketdata_pipelines.settings.environment import Settings

_POLL_MS = 2000


class MarketDataWebserver(DagsterWebserver[Any, Any]):
    """Dagster's page, which answers every address it does not know; so ours come first."""

    def __init__(self, process_context: IWorkspaceProcessContext[Any], settings: Settings) -> None:
        super().__init__(process_context, live_data_poll_rate=_POLL_MS)
        self._settings = settings

    def build_routes(self) -> list[BaseRoute]:
        own: list[BaseRoute] = super().build_routes()  # type: ignore[no-untyped-call] # Dagster has not typed it.
        return [*quality_routes(self._settings), *own]


def run_web(workspace: str, host: str, port: int) -> None:
    """Serve the instance named by DAGSTER_HOME until interrupted; quality pages are those of MARKETDATA_HOME."""
    configure_loggers(log_level="WARNING")
    setup_interrupt_handlers()
    with get_instance_for_cli() as instance:
        instance.optimize_for_webserver(DEFAULT_DB_STATEMENT_TIMEOUT, DEFAULT_POOL_RECYCLE, DEFAULT_POOL_MAX_OVERFLOW)
        with WorkspaceProcessContext(
            instance,
            version=__version__,
            workspace_load_target=WorkspaceFileTarget([workspace]),
            code_server_log_level="warning",
        ) as context:
            app = MarketDataWebserver(context, Settings()).create_asgi_app(lifespan=_lifespan)
            uvicorn.run(app, host=host, port=port, log_level="warning")


@asynccontextmanager
async def _lifespan(_app: Any) -> AsyncIterator[None]:
    """As Dagster's own: an interrupt cancels what the server waits for, and that is no error."""
    try:
        yield
    except CancelledError:
        logging.getLogger("dagster-webserver").info("the web server was ended")


if __name__ == "__main__":
    run_web(sys.argv[1], sys.argv[2], int(sys.argv[3]))
