"""`marketdata diff`: what would have been answered differently at one instant than at an earlier one, and why."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from marketdata_pipelines.cli.options import (
    AnswerFormat,
    AsJson,
    FeedName,
    Format,
    Out,
    Symbols,
    answer_format,
    split_symbols,
)

if TYPE_CHECKING:
    import pyarrow as pa

_SHOWN = ("symbol", "ts", "kind", "change", "cause", "seqs", "file", "known_at")


def diff(
    feed: FeedName,
    earlier: Annotated[
        str, typer.Option("--from", metavar="D|T", help="As of this instant; a date: by the end of that UTC day.")
    ],
    later: Annotated[str | None, typer.Option("--to", metavar="D|T", help="And as of this one; default: now.")] = None,
    symbols: Symbols = None,
    timeframe: Annotated[
        str | None, typer.Option(metavar="TF", help="1s … 12h, 1d, 2d, 1w, 1M; default: the feed's own interval.")
    ] = None,
    start: Annotated[str | None, typer.Option(metavar="D", help="First session date.")] = None,
    end: Annotated[str | None, typer.Option(metavar="D", help="Last session date, included.")] = None,
    summary: Annotated[bool, typer.Option("--summary", help="Only how many bars differ, by cause.")] = False,
    form: AnswerFormat = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Bars that would have been answered differently, and the ingests that are the cause.

    Both answers are derived again, from what was known then. A bucket's causes are those of the bars in it; `seq`,
    `file` and `known_at` are of the newest. Without any difference it says so; that is no failure.

    [bold]Examples[/bold]

    marketdata diff us_stocks_1d --from 2026-01-31 --summary

    marketdata diff demo_nyse_1m --from 2024-07-08 --to 2024-07-09T12:00:00Z --timeframe 1h --format csv
    """
    wanted = answer_format(form, out, as_json=as_json)
    from marketdata_pipelines.serving.answers import LakeReader
    from marketdata_pipelines.serving.revisions import answer_differences

    reader = LakeReader()
    chosen = split_symbols(symbols)
    found = answer_differences(reader.lake, reader.feed(feed), earlier, later, timeframe, start, end, chosen)
    if wanted is Format.TABLE and out is None:
        _print(found, feed, summary=summary)
    else:
        _write(found, feed, wanted, out, summary=summary)


def _write(found: "pa.Table", feed: str, wanted: Format, out: Path | None, *, summary: bool) -> None:
    from marketdata_pipelines.cli.answers import write_answer
    from marketdata_pipelines.pipeline.differences import difference_counts

    if summary:
        write_answer(difference_counts([found]), wanted, out, title=f"{feed} differences by cause")
    else:
        write_answer(_in_words(found) if wanted is Format.TABLE else found, wanted, out, title=f"{feed} differences")


def _print(found: "pa.Table", feed: str, *, summary: bool) -> None:
    from marketdata_pipelines.cli.consoles import output, plain
    from marketdata_pipelines.cli.terminal import print_table
    from marketdata_pipelines.pipeline.differences import difference_counts

    if not found.num_rows:
        output().print(plain(f"{feed}: nothing would have been answered differently"))
        return
    print_table(difference_counts([found]), f"{feed} differences by cause")
    if not summary:
        print_table(_in_words(found), f"{feed} differences")


def _in_words(found: "pa.Table") -> "pa.Table":
    """For people: some columns, and what changed in words."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from marketdata_pipelines.pipeline.change_tables import describe_changes
    from marketdata_pipelines.pipeline.differences import TOLD

    texts = pa.array(describe_changes(found, TOLD), pa.string())
    # What has no number of its own, such as a session date, is told by name.
    told = pc.if_else(pc.equal(texts, ""), found["columns"], texts)
    return found.append_column("change", told).select(list(_SHOWN))
