"""`marketdata doctor`: what works on this machine, and what to do about the rest."""

import typer

from marketdata_pipelines.cli.options import AsJson


def doctor(as_json: AsJson = False) -> None:
    """Check this installation, the settings and the lake.

    Exit code 1 when something is broken.

    [bold]Examples[/bold]

    marketdata doctor

    marketdata doctor --json
    """
    from marketdata_pipelines.cli.diagnosis import diagnose
    from marketdata_pipelines.settings.environment import Settings

    findings = diagnose(Settings())
    if as_json:
        import json
        from dataclasses import asdict

        print(json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False))
    else:
        from rich.table import Table

        from marketdata_pipelines.cli.consoles import output, plain

        styles = {"ok": "green", "note": "yellow", "broken": "bold red"}
        grid = Table.grid(padding=(0, 2))
        for finding in findings:
            told = f"{finding.text}; {finding.advice}" if finding.advice else finding.text
            grid.add_row(plain(finding.state, styles[finding.state]), plain(finding.what, "bold"), plain(told))
        output().print(grid)
    raise typer.Exit(int(any(finding.state == "broken" for finding in findings)))
