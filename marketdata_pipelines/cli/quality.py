"""`marketdata quality`: how good a feed's data is, what was found in it, and where the reports are."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from marketdata_pipelines.cli.options import (
    AnswerFormat,
    AsJson,
    End,
    Format,
    Out,
    Start,
    Symbols,
    answer_format,
    split_symbols,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from marketdata_pipelines.serving.answers import LakeReader


_Where = tuple[str | None, str | None, list[str] | None]


class ByChoice(StrEnum):
    DAY = "day"
    SYMBOL = "symbol"
    DIMENSION = "dimension"


class SeverityChoice(StrEnum):
    BLOCK = "block"
    WARN = "warn"


def quality(
    feed: Annotated[
        str | None, typer.Argument(metavar="FEED", help="A feed of feeds.yaml (see: marketdata feeds).")
    ] = None,
    start: Start = None,
    end: End = None,
    symbols: Symbols = None,
    findings: Annotated[bool, typer.Option("--findings", help="List what was found, each with its place.")] = False,
    scores: Annotated[bool, typer.Option("--scores", help="List the scores of every symbol-session.")] = False,
    by: Annotated[ByChoice | None, typer.Option(help="Scores by day, symbol (worst first) or dimension.")] = None,
    rule: Annotated[str | None, typer.Option(metavar="RULE", help="Only what this rule found.")] = None,
    severity: Annotated[SeverityChoice | None, typer.Option(help="Only what such rules found.")] = None,
    rules: Annotated[bool, typer.Option("--rules", help="Print every rule as Markdown; needs no feed.")] = False,
    report: Annotated[
        bool | None,
        typer.Option(
            "--report/--no-report",
            help="Bring reports and Data Docs up to date first; default: where they are behind, but not for lists.",
            show_default=False,
        ),
    ] = None,
    open_report: Annotated[bool, typer.Option("--open", help="Open the report in the browser.")] = False,
    form: AnswerFormat = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Scores, findings, rejected rows and blocked partitions of a feed.

    Ends with 1 where a rule that blocks was broken in the range, whatever is listed of it; warnings alone end with 0.
    Scores go from 0 to 100 in six dimensions. Dates are session dates, both included.

    [bold]Examples[/bold]

    marketdata quality demo_nyse_1m

    marketdata quality demo_nyse_1m --start 2024-07-01 --end 2024-07-31 --by symbol

    marketdata quality demo_nyse_1m --findings --rule price_spike --format csv --out findings.csv

    marketdata quality demo_nyse_1m --open

    marketdata quality --rules
    """
    if rules:
        _print_rules(feed)
        return
    if feed is None:
        raise typer.BadParameter("name a feed (see: marketdata feeds), or give --rules")
    listed = _listed(findings=findings, scores=scores, by=by)
    wanted = answer_format(form, out, as_json=as_json)
    if listed is None and wanted in (Format.CSV, Format.PARQUET):
        raise typer.BadParameter(f"--format {wanted} is for lists: add --findings, --scores or --by")
    from marketdata_pipelines.serving.answers import LakeReader
    from marketdata_pipelines.serving.quality_summary import is_blocking
    from marketdata_pipelines.serving.ranges import date_range

    reader = LakeReader()
    reader.feed(feed)
    date_range(start, end)
    if report or (report is None and listed is None and wanted is Format.TABLE):
        from marketdata_pipelines.cli.quality_reports import renew_reports

        renew_reports(reader, feed, asked=bool(report))
    where = (start, end, split_symbols(symbols))
    if listed is None:
        blocking = _summary(reader, feed, where, rule, severity, wanted, out)
    else:
        from marketdata_pipelines.cli.answers import write_answer

        found = _list(reader, feed, where, rule, severity, listed)
        if wanted is Format.TABLE:
            from marketdata_pipelines.cli.quality_text import for_people

            found = for_people(found)
        write_answer(found, wanted, out, title=f"{feed} quality {listed}")
        blocking = is_blocking(reader.quality(feed, *where), reader.findings(feed, *where, severity="block"))
    if open_report:
        from marketdata_pipelines.cli.quality_reports import show_report

        show_report(reader.settings.folder, feed, reader.quality(feed, start, end)["session_date"][-1].as_py())
    raise typer.Exit(int(blocking))


def _print_rules(feed: str | None) -> None:
    if feed is not None:
        raise typer.BadParameter("--rules prints the rules of every feed; leave FEED out")
    from marketdata_pipelines.domain.quality.rule_pages import rules_page

    print(rules_page(), end="")


def _listed(*, findings: bool, scores: bool, by: ByChoice | None) -> str | None:
    """What is to be listed: findings, scores, or scores by something; None for the summary."""
    asked = [name for name, given in (("findings", findings), ("scores", scores)) if given]
    asked += [] if by is None else [f"by {by}"]
    if len(asked) > 1:
        raise typer.BadParameter(f"--{asked[0]} and --{asked[1]} ask for two lists; give one")
    return asked[0] if asked else None


def _list(
    reader: "LakeReader", feed: str, where: _Where, rule: str | None, severity: SeverityChoice | None, listed: str
) -> "pa.Table":
    if listed == "findings":
        return reader.findings(feed, *where, rule=rule, severity=severity)
    if rule is not None or severity is not None:
        raise typer.BadParameter("--rule and --severity choose findings; scores are of all rules")
    found = reader.quality(feed, *where)
    if listed == "scores":
        return found
    from marketdata_pipelines.serving.quality import By, scores_by

    return scores_by(found, By(listed.removeprefix("by ")))


def _summary(
    reader: "LakeReader",
    feed: str,
    where: _Where,
    rule: str | None,
    severity: SeverityChoice | None,
    wanted: Format,
    out: Path | None,
) -> bool:
    from marketdata_pipelines.cli.quality_reports import report_places
    from marketdata_pipelines.cli.quality_text import print_summary, summary_text

    summary = reader.quality_summary(feed, *where, rule=rule, severity=severity)
    places = report_places(reader.settings.folder, feed, summary.last)
    if wanted is not Format.JSON and out is None:
        print_summary(summary, places)
        return summary.blocking
    text = summary_text(summary, places)
    if wanted is Format.JSON:
        import json

        document = {**summary.document(), "reports": {name: str(path) for name, path in places.items()}}
        text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
    if out is None:
        print(text, end="")
        return summary.blocking
    from marketdata_pipelines.cli.atomic import whole_file

    with whole_file(out) as sink:
        sink.write(text.encode())
    return summary.blocking
