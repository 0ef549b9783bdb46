"""`marketdata ingest`: files into raw parts, once per content; with --materialize the rest of the graph."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from marketdata_pipelines.cli.options import AsJson, FeedName

if TYPE_CHECKING:
    from marketdata_pipelines.cli.tally import Tally
    from marketdata_pipelines.domain.feeds import Feed
    from marketdata_pipelines.pipeline.ingest import FileReport
    from marketdata_pipelines.stores.lake.lake import Lake


class Mode(StrEnum):
    UPSERT = "upsert"
    REPLACE_WINDOW = "replace_window"


def ingest(
    feed: FeedName,
    paths: Annotated[list[str], typer.Argument(metavar="PATH", help="Files, folders, globs or fsspec URLs.")],
    plan: Annotated[bool, typer.Option("--plan", help="Show how each file would be read; load nothing.")] = False,
    do_materialize: Annotated[
        bool, typer.Option("--materialize", help="Then run the graph for every partition that is behind.")
    ] = False,
    mode: Annotated[
        Mode,
        typer.Option(
            help="`replace_window`: rows of a file's time span that it leaves out, of any symbol, are deleted."
        ),
    ] = Mode.UPSERT,
    workers: Annotated[int, typer.Option(min=1, max=64, metavar="N", help="Files parsed at once.")] = 1,
    resume: Annotated[
        bool, typer.Option("--resume/--restart", help="Skip contents taken in before, or read them again.")
    ] = True,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 1 also for rejected rows and for guesses that should be pinned.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take in files: each content once, whole or not at all.

    Exit code 1 when a file was refused or a partition was blocked.

    [bold]Examples[/bold]

    marketdata ingest us_equities_1m ~/downloads/SPY.csv --plan

    marketdata ingest us_equities_1m ~/downloads --materialize

    marketdata ingest us_equities_1m "landing/*.csv.gz" --workers 2 --strict
    """
    from marketdata_pipelines.cli.ingest_files import take_in
    from marketdata_pipelines.cli.ingest_report import print_files, report_json
    from marketdata_pipelines.pipeline.acquire import check_is_files
    from marketdata_pipelines.serving.answers import LakeReader
    from marketdata_pipelines.sources.files.listing import list_files

    reader = LakeReader()
    definition = reader.feed(feed)
    check_is_files(definition)
    found = list(dict.fromkeys(file for path in paths for file in list_files(path)))
    if plan:
        from marketdata_pipelines.cli.ingest_plan import show_plans

        raise typer.Exit(show_plans(definition, found, as_json=as_json))
    reports = take_in(reader.lake, definition, found, mode=mode, workers=workers, restart=not resume)
    if not as_json:
        print_files(feed, reports, materialized=do_materialize)
    tally = _materialize(reader.lake, definition, reports, quiet=as_json) if do_materialize else None
    if as_json:
        print(report_json(feed, reports, tally))
    raise typer.Exit(_exit_code(reader.lake, feed, reports, tally, strict=strict))


def _materialize(lake: "Lake", feed: "Feed", reports: "list[FileReport]", *, quiet: bool) -> "Tally":
    from marketdata_pipelines.cli.consoles import output
    from marketdata_pipelines.cli.materialize import materialize
    from marketdata_pipelines.cli.tally import Tally
    from marketdata_pipelines.cli.tally_text import print_tally
    from marketdata_pipelines.domain.partitions import period_of
    from marketdata_pipelines.pipeline.changes import affected_partitions, stale_partitions
    from marketdata_pipelines.pipeline.quality.unjudged import unjudged
    from marketdata_pipelines.settings.environment import Settings

    work = affected_partitions(feed, [key for report in reports for key in report.partitions])
    # What an earlier ingest brought without materializing it, or was killed before, is behind as well.
    for period, keys in stale_partitions(lake, feed).items():
        work[period] = sorted({*work.get(period, []), *keys})
    base = period_of(feed.partition)
    work[base] = sorted({*work.get(base, []), *unjudged(lake, feed)})
    if not any(work.values()):
        if not quiet:
            output().print("Nothing to materialize: every partition is up to date.")
        return Tally(feed.interval.name)
    tally = materialize(Settings(), feed, work, acquire=False)
    if not quiet:
        print_tally(tally, feed.name)
    return tally


def _exit_code(lake: "Lake", feed: str, reports: "list[FileReport]", tally: "Tally | None", *, strict: bool) -> int:
    from marketdata_pipelines.cli.ingest_report import rejected_files
    from marketdata_pipelines.pipeline.ingest import IngestStatus

    if any(report.status is IngestStatus.REFUSED for report in reports) or (tally and not tally.succeeded):
        return 1
    if not strict:
        return 0
    warned = any(report.findings for report in reports)
    return int(warned or rejected_files(lake, feed, reports) or bool(tally and tally.rejected_rows))
