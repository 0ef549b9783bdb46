"""`marketdata reference`: takes in corporate actions and instruments, and shows what is known of them."""

from typing import TYPE_CHECKING, Annotated

import typer

from marketdata_pipelines.cli.options import (
    AnswerFormat,
    AsJson,
    AsOf,
    End,
    FeedName,
    Out,
    Start,
    answer_format,
    split_symbols,
)

if TYPE_CHECKING:
    from marketdata_pipelines.domain.references import Reference
    from marketdata_pipelines.pipeline.reference_intake import TakenFile
    from marketdata_pipelines.settings.environment import Settings
    from marketdata_pipelines.stores.lake.lake import Lake

reference = typer.Typer(
    name="reference",
    help="Corporate actions and instruments: take in, list, show.",
    epilog="[bold]Examples[/bold]: marketdata reference ingest us_actions | marketdata reference list",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
ReferenceName = Annotated[
    str, typer.Argument(metavar="NAME", help="A reference of feeds.yaml (see: marketdata reference list).")
]


@reference.command("ingest")
def ingest_reference(
    name: ReferenceName,
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATH", help="Files, folders, globs or URLs; the reference's own path when left out."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="These files are the whole truth: what they leave out is deleted.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take in files of a reference: each content once, whole or not at all.

    Exit code 1 when a file was refused or left. What was known before stays known as of then.

    [bold]Examples[/bold]

    marketdata reference ingest us_actions

    marketdata reference ingest us_actions splits.csv dividends.csv

    marketdata reference ingest us_instruments instruments.csv --replace
    """
    from marketdata_pipelines.cli.reference_report import print_taken, taken_json
    from marketdata_pipelines.pipeline.reference_intake import TakenStatus

    settings, lake, found = _open(name)
    taken = _take_in(settings, lake, found, paths or [], replace=replace)
    if as_json:
        print(taken_json(lake, found, taken))
    else:
        print_taken(lake, found, taken)
    bad = [each for each in taken if each.status in (TakenStatus.REFUSED, TakenStatus.LEFT)]
    raise typer.Exit(int(bool(bad) or not taken))


@reference.command("list")
def list_references(form: AnswerFormat = None, out: Out = None, as_json: AsJson = False) -> None:
    """The references of feeds.yaml: what is known of each, since when, and the feeds that name it.

    [bold]Examples[/bold]

    marketdata reference list

    marketdata reference list --json
    """
    wanted = answer_format(form, out, as_json=as_json)
    from marketdata_pipelines.cli.answers import write_answer
    from marketdata_pipelines.cli.reference_report import reference_inventory
    from marketdata_pipelines.settings.environment import Settings
    from marketdata_pipelines.settings.feeds_file import load_feeds
    from marketdata_pipelines.settings.references_file import load_references
    from marketdata_pipelines.stores.lake.lake import Lake

    settings = Settings()
    feeds, references = load_feeds(settings.feeds_file), load_references(settings.feeds_file)
    found = reference_inventory(Lake(settings.lake), references.values(), feeds.values())
    write_answer(found, wanted, out, title="references")


@reference.command("show")
def show_reference(
    name: ReferenceName,
    symbols: Annotated[
        list[str] | None,
        typer.Option("--symbol", "--symbols", metavar="A,B", help="Symbols, comma-separated; all when left out."),
    ] = None,
    as_of: AsOf = None,
    form: AnswerFormat = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """What stands of a reference: its actions, or its instruments and their dated symbols.

    [bold]Examples[/bold]

    marketdata reference show us_actions --symbol AAPL

    marketdata reference show us_actions --as-of 2026-03-01 --format csv
    """
    wanted = answer_format(form, out, as_json=as_json)
    from marketdata_pipelines.cli.answers import write_answer
    from marketdata_pipelines.pipeline.references import known_rows
    from marketdata_pipelines.serving.ranges import instant_us

    _, lake, found = _open(name)
    rows = known_rows(lake, found, instant_us(as_of))
    chosen = split_symbols(symbols)
    if chosen is not None:
        import pyarrow as pa
        import pyarrow.compute as pc

        rows = rows.filter(pc.is_in(rows["symbol"], pa.array(chosen, pa.string())))
    write_answer(rows, wanted, out, title=name if as_of is None else f"{name} as of {as_of}")


@reference.command("rejected")
def rejected_reference(
    name: ReferenceName, form: AnswerFormat = None, out: Out = None, as_json: AsJson = False
) -> None:
    """Rows and files of a reference that were kept out, with place, rules and original text.

    Of a file that came in several times its newest content counts.

    [bold]Examples[/bold]

    marketdata reference rejected us_actions
    """
    wanted = answer_format(form, out, as_json=as_json)
    from marketdata_pipelines.cli.answers import write_answer
    from marketdata_pipelines.pipeline.references import rejected_rows

    _, lake, found = _open(name)
    write_answer(rejected_rows(lake, found), wanted, out, title=f"{name} rejected")


@reference.command("propose")
def propose_reference(
    feed: FeedName,
    start: Start = None,
    end: End = None,
    form: AnswerFormat = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Jumps in a feed's daily bars that look like splits nobody told of.

    Proposals only: nothing applies them. Check one, then take it in as an action.

    [bold]Examples[/bold]

    marketdata reference propose us_equities_1d --start 2014-01-01

    marketdata reference propose us_equities_1d --format csv --out proposals.csv
    """
    wanted = answer_format(form, out, as_json=as_json)
    from marketdata_pipelines.cli.answers import write_answer
    from marketdata_pipelines.serving.answers import LakeReader

    write_answer(LakeReader().proposed_actions(feed, start, end), wanted, out, title=f"{feed} proposed splits")


def _open(name: str) -> "tuple[Settings, Lake, Reference]":
    """Errors: SettingsInvalid naming the references there are."""
    from marketdata_pipelines.errors import SettingsInvalid
    from marketdata_pipelines.settings.environment import Settings
    from marketdata_pipelines.settings.references_file import load_references
    from marketdata_pipelines.stores.lake.lake import Lake

    settings = Settings()
    references = load_references(settings.feeds_file)
    if name not in references:
        known = ", ".join(references) or "none yet (see README, “Corporate actions and instruments”)"
        raise SettingsInvalid(f"reference {name!r} is not in {settings.feeds_file}; there: {known}")
    return settings, Lake(settings.lake), references[name]


def _take_in(
    settings: "Settings", lake: "Lake", found: "Reference", paths: list[str], *, replace: bool
) -> "list[TakenFile]":
    import secrets
    import time

    from marketdata_pipelines.domain.references import ReferenceMode
    from marketdata_pipelines.errors import SettingsInvalid
    from marketdata_pipelines.pipeline.reference_intake import IntakeRun, take_in_reference
    from marketdata_pipelines.sources.files.listing import list_files

    if not paths and found.path is None:
        raise SettingsInvalid(f"{found.name} names no path in feeds.yaml; give the files to take in, or add one")
    listed = paths or [settings.source_path(found.path or "")]
    files = list(dict.fromkeys(file for path in listed for file in list_files(path)))
    run = IntakeRun(f"reference-{secrets.token_hex(6)}", time.time_ns() // 1000)
    return take_in_reference(lake, found, files, run, ReferenceMode.REPLACE if replace else None)
