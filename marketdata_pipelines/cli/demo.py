"""`marketdata demo`: real and simulated data through the whole graph, and a summary worth reading."""

import typer


def demo() -> None:
    """Load a sample, run the whole graph over it, and show what was found.

    Thirteen years of real daily bars of five US stocks, and a simulated week of minute bars of two venues with faults
    put in on purpose. Takes under a minute; running it again gives the same.

    [bold]Examples[/bold]

    marketdata demo

    MARKETDATA_HOME=/tmp/playground marketdata demo
    """
    from marketdata_pipelines.cli.demo_run import prepare_home, run_demo
    from marketdata_pipelines.cli.demo_summary import print_summary
    from marketdata_pipelines.serving.answers import LakeReader
    from marketdata_pipelines.settings.environment import Settings

    settings = Settings()
    prepare_home(settings)
    reader = LakeReader()
    results = run_demo(settings, reader)
    print_summary(reader, results)
    raise typer.Exit(int(not all(result.tally.succeeded for result in results)))
