"""`marketdata feeds`: what is configured and what is stored."""

from typing import Annotated

import typer

from marketdata_pipelines.cli.options import AnswerFormat, AsJson, Out, answer_format


def feeds(
    tables: Annotated[
        bool, typer.Option("--tables", help="A row for every stored table instead of every feed.")
    ] = False,
    form: AnswerFormat = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """The feeds that are configured, and what is stored of each.

    [bold]Examples[/bold]

    marketdata feeds

    marketdata feeds --tables --json
    """
    wanted = answer_format(form, out, as_json=as_json)
    from marketdata_pipelines.cli.answers import write_answer
    from marketdata_pipelines.cli.inventory import feed_inventory, table_inventory
    from marketdata_pipelines.serving.answers import LakeReader

    reader = LakeReader()
    found = table_inventory(reader.lake) if tables else feed_inventory(reader.feeds, reader.lake)
    write_answer(found, wanted, out, title="tables" if tables else "feeds")
