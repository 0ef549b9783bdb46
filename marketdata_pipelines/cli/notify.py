"""`marketdata notify`: who is told of failures, and whether a message gets there."""

from typing import Annotated

import typer

from marketdata_pipelines.cli.options import AsJson


def notify(
    test: Annotated[bool, typer.Option("--test", help="Send a test message through every channel.")] = False,
    as_json: AsJson = False,
) -> None:
    """The channels of notifications.yaml, what waits for each, and with --test whether each one works.

    Exit code 1 when a channel failed or refused.

    [bold]Examples[/bold]

    marketdata notify

    marketdata notify --test --json
    """
    from marketdata_pipelines.cli.notify_channels import channel_states
    from marketdata_pipelines.settings.environment import Settings

    states = channel_states(Settings(), test=test)
    if as_json:
        import json
        from dataclasses import asdict

        print(json.dumps([asdict(state) for state in states], indent=2, ensure_ascii=False))
    else:
        from rich.table import Table

        from marketdata_pipelines.cli.consoles import output, plain

        styles = {"ok": "green", "failed": "bold red"}
        grid = Table.grid(padding=(0, 2))
        for state in states:
            grid.add_row(plain(state.state, styles[state.state]), plain(state.channel, "bold"), plain(state.text))
        output().print(grid)
    raise typer.Exit(int(any(state.state == "failed" for state in states)))
