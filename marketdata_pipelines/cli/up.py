"""`marketdata up`: the Dagster UI and daemon on the data folder."""

from typing import Annotated

import typer


def up(port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the web page.")] = 3000) -> None:
    """Start Dagster's web page and daemon on the data folder.

    Ctrl-C ends both.

    [bold]Examples[/bold]

    marketdata up

    marketdata up --port 3001
    """
    from marketdata_pipelines.orchestration.services.server import serve
    from marketdata_pipelines.settings.environment import Settings

    raise typer.Exit(serve(Settings(), port))
