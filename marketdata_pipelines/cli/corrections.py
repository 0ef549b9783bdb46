"""`marketdata corrections`: which accepted bars were changed later, how, and by which file."""

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
    import pyarrow as pa

_SHOWN = ("symbol", "ts", "kind", "change", "cause", "file", "line", "known_at")


def corrections(
    feed: FeedName,
    symbols: Symbols = None,
    start: Start = None,
    end: End = None,
    since: Annotated[
        str | None, typer.Option(metavar="D|T", help="Only what became known since then (a date: 00:00 UTC of it).")
    ] = None,
    form: AnswerFormat = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Accepted bars that were changed, removed, restored or brought late, with the ingest that did it.

    `old_` and `new_` values are empty where there was, or is, no bar. The first load of a symbol's session is no
    correction, nor is a file that says the same again. An empty answer is a good one.

    [bold]Examples[/bold]

    marketdata corrections us_stocks_1d --symbols AAPL

    marketdata corrections demo_nyse_1m --since 2024-07-08 --format csv
    """
    wanted = answer_format(form, out, as_json=as_json)
    from marketdata_pipelines.cli.answers import write_answer
    from marketdata_pipelines.serving.answers import LakeReader
    from marketdata_pipelines.serving.revisions import answer_corrections

    reader = LakeReader()
    found = answer_corrections(reader.lake, reader.feed(feed), start, end, split_symbols(symbols), since)
    write_answer(_in_words(found) if wanted is Format.TABLE else found, wanted, out, title=f"{feed} corrections")


def _in_words(found: "pa.Table") -> "pa.Table":
    """For people: some columns, and what changed in words."""
    import pyarrow as pa

    from marketdata_pipelines.pipeline.change_tables import describe_changes

    return found.append_column("change", pa.array(describe_changes(found), pa.string())).select(list(_SHOWN))
