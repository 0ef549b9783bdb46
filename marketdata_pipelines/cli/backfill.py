"""`marketdata backfill`: a range of dates through the graph."""

from typing import Annotated

import typer

from marketdata_pipelines.cli.options import AsJson, FeedName


def backfill(
    feed: FeedName,
    start: Annotated[str, typer.Option(metavar="D", help="First session date, such as 2024-07-01.")],
    end: Annotated[str, typer.Option(metavar="D", help="Last session date, included.")],
    to: Annotated[
        str | None, typer.Option(metavar="TABLE", help="Stop at this asset or table, such as daily_bars or bars_5m.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show partitions, rows, bytes and time; run nothing.")
    ] = False,
    refetch: Annotated[
        bool, typer.Option("--refetch", help="Ask a vendor again for sessions it has already answered.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring and derive every partition of a range of dates.

    One Dagster run for each of day, week and month: by the daemon of `marketdata up` where it runs on the data
    folder, else in this process.

    Exit code 1 when a partition was blocked; the others are written all the same.

    [bold]Examples[/bold]

    marketdata backfill demo_nyse_1m --start 2024-07-01 --end 2024-07-05

    marketdata backfill us_stocks_1d --start 2000-01-01 --end 2013-12-31 --to daily_bars --dry-run
    """
    from marketdata_pipelines.cli.backfill_work import plan_backfill
    from marketdata_pipelines.cli.materialize import materialize, materialize_with_daemon
    from marketdata_pipelines.cli.tally_text import print_tally
    from marketdata_pipelines.serving.answers import LakeReader
    from marketdata_pipelines.settings.environment import Settings

    reader = LakeReader()
    definition = reader.feed(feed)
    planned = plan_backfill(definition, start, end, to)
    if dry_run:
        from marketdata_pipelines.cli.backfill_estimate import show_estimate

        show_estimate(reader.lake, definition, planned, as_json=as_json, refetch=refetch)
        return
    settings = Settings()
    tally = materialize_with_daemon(settings, definition, planned.partitions, planned.assets, refetch=refetch)
    if tally is None:
        tally = materialize(settings, definition, planned.partitions, planned.assets, refetch=refetch)
    if as_json:
        import json

        print(json.dumps({"feed": feed, **tally.as_json()}, indent=2, ensure_ascii=False))
    else:
        print_tally(tally, feed)
    raise typer.Exit(0 if tally.succeeded else 1)
