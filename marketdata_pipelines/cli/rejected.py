"""`marketdata rejected`: rows and files kept out, with their place and reasons."""

from typing import Annotated

import typer

from marketdata_pipelines.cli.options import AnswerFormat, AsJson, AsOf, End, FeedName, Out, Start, answer_format


def rejected(
    feed: FeedName,
    start: Start = None,
    end: End = None,
    superseded: Annotated[
        bool, typer.Option("--superseded", help="Also rows that a later ingest replaced or deleted.")
    ] = False,
    findings: Annotated[
        bool, typer.Option("--findings", help="Also the rows that quality rules found something in.")
    ] = False,
    as_of: AsOf = None,
    form: AnswerFormat = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Rejected rows and files with place, rules and original text.

    `line` and `row` are empty where a rule is about the whole file. With --start or --end only rows of these dates are
    listed, no files. With --findings a row of a finding has the rule's id beside those it was rejected by, and what is
    missing is told at the first row after it.

    [bold]Examples[/bold]

    marketdata rejected demo_nyse_1m

    marketdata rejected demo_nyse_1m --format csv --out rejected.csv

    marketdata rejected demo_nyse_1m --findings --start 2024-07-03 --end 2024-07-03
    """
    wanted = answer_format(form, out, as_json=as_json)
    from marketdata_pipelines.cli.answers import write_answer
    from marketdata_pipelines.serving.answers import LakeReader

    found = LakeReader().rejected(feed, start, end, superseded=superseded, findings=findings, as_of=as_of)
    write_answer(found, wanted, out, title=f"{feed} rejected")
