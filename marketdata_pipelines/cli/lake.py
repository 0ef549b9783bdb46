"""`marketdata lake`: what the lake's folder holds, whether it is whole, and what may be merged or removed."""

from typing import TYPE_CHECKING, Annotated

import typer

from marketdata_pipelines.cli.options import AnswerFormat, AsJson, FeedName, Out, answer_format

if TYPE_CHECKING:
    from marketdata_pipelines.serving.answers import LakeReader

lake = typer.Typer(
    name="lake",
    help="Upkeep of the lake: status, compact, verify, vacuum.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
OneFeed = Annotated[str | None, typer.Argument(metavar="[FEED]", help="One feed or reference; all when left out.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be removed; remove nothing.")]
_HOUR_SECONDS = 3600.0


@lake.command("status")
def status(feed: OneFeed = None, form: AnswerFormat = None, out: Out = None, as_json: AsJson = False) -> None:
    """What is stored: a row a table, with its delta files, superseded raw parts and files nothing leads to.

    [bold]Examples[/bold]

    marketdata lake status

    marketdata lake status demo_nyse_1m --json
    """
    wanted = answer_format(form, out, as_json=as_json)
    from marketdata_pipelines.cli.answers import write_answer
    from marketdata_pipelines.cli.lake_report import status_table
    from marketdata_pipelines.pipeline.upkeep import lake_status
    from marketdata_pipelines.serving.answers import LakeReader

    reader = LakeReader()
    found = [row for name in _names(reader, feed) for row in lake_status(reader.lake, name)]
    write_answer(status_table(found), wanted, out, title="lake")


@lake.command("compact")
def compact(
    feed: FeedName,
    start: Annotated[
        str | None, typer.Option(metavar="D", help="Only partitions that hold dates from here on.")
    ] = None,
    end: Annotated[str | None, typer.Option(metavar="D", help="Only partitions that hold dates up to here.")] = None,
    table: Annotated[str | None, typer.Option(metavar="TABLE", help="One table, such as bars_5m.")] = None,
    form: AnswerFormat = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Merge delta files into the files they belong to; no row changes.

    The lake does so by itself when a partition has many: this is for reads that should be quick right now.

    [bold]Examples[/bold]

    marketdata lake compact demo_nyse_1m

    marketdata lake compact demo_nyse_1m --start 2024-07-01 --end 2024-07-31 --table validated_bars --json
    """
    wanted = answer_format(form, out, as_json=as_json)
    from marketdata_pipelines.cli.answers import write_answer
    from marketdata_pipelines.cli.lake_report import compacted_table
    from marketdata_pipelines.pipeline.upkeep import compact as compact_tables
    from marketdata_pipelines.serving.answers import LakeReader
    from marketdata_pipelines.serving.ranges import date_range

    reader, dates = LakeReader(), date_range(start, end)
    done = list(compact_tables(reader.lake, reader.feed(feed), table, dates.start_date, dates.end_date))
    write_answer(compacted_table(feed, done), wanted, out, title=f"{feed} compacted")


@lake.command("verify")
def verify(
    feed: OneFeed = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Also derive every table once more from its raw parts and compare.")
    ] = False,
    form: AnswerFormat = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Compare every file with what the catalog says of it; an empty answer is a good one.

    Exit code 1 when something is missing, damaged, out of order, or differs.

    [bold]Examples[/bold]

    marketdata lake verify

    marketdata lake verify demo_nyse_1m --deep --json
    """
    wanted = answer_format(form, out, as_json=as_json)
    from marketdata_pipelines.cli.answers import write_answer
    from marketdata_pipelines.cli.lake_report import findings_table
    from marketdata_pipelines.pipeline.rederiving import verify_derived
    from marketdata_pipelines.pipeline.verifying import verify_files
    from marketdata_pipelines.serving.answers import LakeReader

    reader = LakeReader()
    names = _names(reader, feed)
    found = [finding for name in names for finding in verify_files(reader.lake, name)]
    if deep:
        found += [f for name in names if name in reader.feeds for f in verify_derived(reader.lake, reader.feeds[name])]
    write_answer(findings_table(found), wanted, out, title="findings")
    raise typer.Exit(int(bool(found)))


@lake.command("vacuum")
def vacuum(
    feed: OneFeed = None,
    dry_run: DryRun = False,
    age_seconds: Annotated[
        float, typer.Option("--age-seconds", min=0, help="Leave files that were written more recently than this.")
    ] = _HOUR_SECONDS,
    superseded: Annotated[
        bool,
        typer.Option("--superseded", help="Also raw parts that the feed's policy (keep: superseded_raw) lets go."),
    ] = False,
    form: AnswerFormat = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Remove files that nothing leads to: what killed writers left. Raw parts in the ledger stay.

    With --superseded also the files of raw parts of which nothing has counted for longer than the feed's policy says.
    Answers as of an instant before they were superseded cannot be given any more.

    [bold]Examples[/bold]

    marketdata lake vacuum --dry-run

    marketdata lake vacuum demo_nyse_1m --superseded
    """
    wanted = answer_format(form, out, as_json=as_json)
    import time

    from marketdata_pipelines.cli.answers import write_answer
    from marketdata_pipelines.cli.lake_report import removed_table
    from marketdata_pipelines.pipeline.retention import remove_superseded
    from marketdata_pipelines.pipeline.vacuuming import vacuum as vacuum_feed
    from marketdata_pipelines.serving.answers import LakeReader

    if superseded and feed is None:
        raise typer.BadParameter("--superseded is for one feed; name it")
    reader, now_us = LakeReader(), time.time_ns() // 1000
    rows: list[dict[str, object]] = []
    for name in _names(reader, feed):
        strays = vacuum_feed(reader.lake, name, now_us=now_us, age_seconds=age_seconds, dry_run=dry_run)
        rows += [{"feed": name, "path": s.path, "bytes": s.bytes, "why": "unindexed"} for s in strays]
        if superseded:
            parts = remove_superseded(reader.lake, reader.feed(name), now_us=now_us, dry_run=dry_run)
            rows += [{"feed": name, "path": p.path, "bytes": p.bytes, "why": "superseded"} for p in parts]
    write_answer(removed_table(rows), wanted, out, title="would be removed" if dry_run else "removed")


def _names(reader: "LakeReader", feed: str | None) -> list[str]:
    """The feed that was named, or all that are configured, then those that only the lake knows.

    Errors: SettingsInvalid for a name neither knows.
    """
    known = reader.lake.catalog.feeds()
    if feed is None:
        return [*reader.feeds, *(name for name in known if name not in reader.feeds)]
    return [feed] if feed in known else [reader.feed(feed).name]
