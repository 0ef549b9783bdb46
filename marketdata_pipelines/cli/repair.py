"""`marketdata repair`: what could be put right in a feed, how sure that is, and doing it as a revision."""

from typing import TYPE_CHECKING, Annotated

import typer

from marketdata_pipelines.cli.options import (
    AnswerFormat,
    AsJson,
    End,
    FeedName,
    Format,
    Out,
    Start,
    Symbols,
    answer_format,
    split_symbols,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from marketdata_pipelines.cli.tally import Tally
    from marketdata_pipelines.domain.feeds import Feed
    from marketdata_pipelines.domain.repairs.records import Repair
    from marketdata_pipelines.pipeline.repairs.applying import RepairReport
    from marketdata_pipelines.pipeline.repairs.proposing import RepairQuestion
    from marketdata_pipelines.stores.lake.lake import Lake

_MIN_CONFIDENCE = 0.95


def repair(
    feed: FeedName,
    start: Start = None,
    end: End = None,
    symbols: Symbols = None,
    rule: Annotated[
        str | None, typer.Option(metavar="RULE", help="Only what this rule rejected or found: high_below_low.")
    ] = None,
    apply: Annotated[
        list[str] | None, typer.Option("--apply", metavar="ID", help="Apply these proposals; ids, comma-separated.")
    ] = None,
    apply_all: Annotated[
        bool, typer.Option("--apply-all", help="Apply every proposal that is at least --min-confidence sure.")
    ] = False,
    min_confidence: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, metavar="SHARE", help="List or apply only what is this sure.")
    ] = None,
    undo: Annotated[
        list[str] | None, typer.Option("--undo", metavar="ID", help="Withdraw applied repairs; ids, comma-separated.")
    ] = None,
    applied: Annotated[bool, typer.Option("--applied", help="List the repairs that are applied.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the rows that --apply would bring; write nothing.")
    ] = False,
    form: AnswerFormat = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """List repairs of rejected rows and of bars that quality rules found; apply the ones you choose.

    Nothing changes without --apply or --apply-all. A repair becomes a raw part of its own, known from then on: an
    answer as of before stays as it was, `corrections` and `explain` tell of it, and --undo withdraws it.
    `confidence` says how well the repaired rows fit their neighbours. --apply-all applies what is 0.95 sure, or
    --min-confidence.

    Exit code 1 when a repair that was named could not be applied, or a partition was blocked.

    [bold]Examples[/bold]

    marketdata repair us_equities_1m --start 2024-03-01

    marketdata repair us_equities_1m --apply 2024-03-08-1f0c4e2a --dry-run

    marketdata repair us_equities_1m --rule high_below_low --apply-all --min-confidence 0.99

    marketdata repair us_equities_1m --undo 2024-03-08-1f0c4e2a
    """
    wanted = answer_format(form, out, as_json=as_json)
    named, withdrawn = split_symbols(apply), split_symbols(undo)
    _check_options(named, withdrawn, apply_all=apply_all, applied=applied, dry_run=dry_run)
    from marketdata_pipelines.pipeline.repairs.proposing import RepairQuestion
    from marketdata_pipelines.serving.answers import LakeReader
    from marketdata_pipelines.serving.ranges import date_range

    reader = LakeReader()
    definition = reader.feed(feed)
    if withdrawn is not None:
        raise typer.Exit(_undo(reader.lake, definition, withdrawn, as_json=wanted is Format.JSON))
    if applied:
        _list_applied(reader.lake, definition, wanted, out)
        return
    span = date_range(start, end)
    chosen = split_symbols(symbols)
    question = RepairQuestion(span.start_date, span.end_date, None if chosen is None else tuple(chosen), rule)
    least = min_confidence if min_confidence is not None else _MIN_CONFIDENCE if apply_all else 0.0
    repairs = _proposed(reader.lake, definition, question, named, least)
    if named is None and not apply_all:
        _list_proposals(feed, repairs, wanted, out)
        return
    if dry_run:
        _show_rows(reader.lake, definition, repairs, wanted, out)
        return
    raise typer.Exit(_apply(reader.lake, definition, repairs, named, as_json=wanted is Format.JSON))


def _check_options(
    named: list[str] | None, withdrawn: list[str] | None, *, apply_all: bool, applied: bool, dry_run: bool
) -> None:
    asked = [name for name, given in _given(named, withdrawn, apply_all=apply_all, applied=applied) if given]
    if len(asked) > 1:
        raise typer.BadParameter(f"{' and '.join(asked)} ask for different things; give one")
    if dry_run and not (named or apply_all):
        raise typer.BadParameter("--dry-run shows what --apply ID or --apply-all would do; give one of them")


def _given(
    named: list[str] | None, withdrawn: list[str] | None, *, apply_all: bool, applied: bool
) -> list[tuple[str, bool]]:
    return [
        ("--apply", named is not None), ("--apply-all", apply_all), ("--undo", withdrawn is not None),
        ("--applied", applied),
    ]  # fmt: skip


def _proposed(
    lake: "Lake", feed: "Feed", question: "RepairQuestion", named: list[str] | None, least: float
) -> "list[Repair]":
    """The proposals asked for; those named, in whatever range they are.

    Errors: StoreError for a name that is neither proposed nor applied.
    """
    from marketdata_pipelines.cli.progress import progress_bar
    from marketdata_pipelines.pipeline.repairs.proposing import named_repairs, propose_repairs

    if named is not None:
        return named_repairs(lake, feed, named)
    with progress_bar(f"{feed.name} repairs", len(lake.catalog.raw_partitions(feed.name))) as bar:
        found = propose_repairs(lake, feed, question, on_partition=lambda _: bar.advance())
        return [each for each in found if each.confidence >= least]


def _list_proposals(feed: str, repairs: "Sequence[Repair]", wanted: Format, out: "Out") -> None:
    from marketdata_pipelines.cli.answers import write_answer
    from marketdata_pipelines.cli.repair_report import print_proposals
    from marketdata_pipelines.domain.repairs.records import proposal_table

    table = proposal_table(repairs)
    if wanted is Format.TABLE and out is None:
        print_proposals(feed, table)
    else:
        write_answer(table, wanted, out, title=f"{feed} repairs")


def _list_applied(lake: "Lake", feed: "Feed", wanted: Format, out: "Out") -> None:
    from marketdata_pipelines.cli.answers import write_answer
    from marketdata_pipelines.cli.repair_report import applied_table

    write_answer(applied_table(lake, feed), wanted, out, title=f"{feed.name} applied repairs")


def _show_rows(lake: "Lake", feed: "Feed", repairs: "Sequence[Repair]", wanted: Format, out: "Out") -> None:
    from marketdata_pipelines.cli.answers import write_answer
    from marketdata_pipelines.cli.repair_report import rows_table
    from marketdata_pipelines.pipeline.repairs.applying import check_repair

    for each in repairs:
        check_repair(lake, feed, each, _now_us())
    write_answer(rows_table(repairs), wanted, out, title=f"{feed.name}: nothing is written; rows that would come in")


def _apply(lake: "Lake", feed: "Feed", repairs: "Sequence[Repair]", named: list[str] | None, *, as_json: bool) -> int:
    from marketdata_pipelines.cli.progress import progress_bar
    from marketdata_pipelines.pipeline.repairs.applying import RepairStatus, apply_repairs, known_reports

    reports = known_reports(lake, feed, named or ())
    with progress_bar(f"{feed.name} repairs", len(repairs)) as bar:
        for report in apply_repairs(lake, feed, repairs, run_id=_run_id(), clock=_now_us):
            reports.append(report)
            bar.advance()
    left = named is not None and any(
        report.status in (RepairStatus.OVERLAPS, RepairStatus.ADVICE) for report in reports
    )
    return max(_finish(lake, feed, reports, repairs, as_json=as_json), int(left))


def _undo(lake: "Lake", feed: "Feed", ids: list[str], *, as_json: bool) -> int:
    from marketdata_pipelines.pipeline.repairs.applying import undo_repair

    reports = [undo_repair(lake, feed, each, run_id=_run_id(), clock=_now_us) for each in ids]
    return _finish(lake, feed, reports, (), as_json=as_json)


def _finish(
    lake: "Lake", feed: "Feed", reports: "Sequence[RepairReport]", repairs: "Sequence[Repair]", *, as_json: bool
) -> int:
    """Bring the tables up to date and tell what was done; 1 when a partition was blocked."""
    from marketdata_pipelines.cli.repair_report import print_reports, reports_json
    from marketdata_pipelines.cli.tally_text import print_tally

    if not as_json:
        print_reports(reports, repairs)
    tally = _materialize(lake, feed, [each.partition for each in reports if each.partition is not None])
    if as_json:
        print(reports_json(feed.name, reports, tally))
    elif tally is not None:
        print_tally(tally, feed.name)
    return 0 if tally is None or tally.succeeded else 1


def _materialize(lake: "Lake", feed: "Feed", partitions: "Sequence[str]") -> "Tally | None":
    """Walk what is behind of these partitions, also what an earlier repair was killed before."""
    from marketdata_pipelines.cli.materialize import materialize
    from marketdata_pipelines.pipeline.changes import affected_partitions, stale_partitions
    from marketdata_pipelines.settings.environment import Settings

    stale = stale_partitions(lake, feed) if partitions else {}
    reached = affected_partitions(feed, partitions)
    work = {period: sorted({*keys} & {*reached.get(period, ())}) for period, keys in stale.items()}
    return materialize(Settings(), feed, work, acquire=False) if any(work.values()) else None


def _now_us() -> int:
    import time

    return time.time_ns() // 1000


def _run_id() -> str:
    import secrets

    return f"repair-{secrets.token_hex(6)}"
