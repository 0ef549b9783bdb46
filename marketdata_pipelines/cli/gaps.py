"""`marketdata gaps`: what is missing against the calendar."""

from marketdata_pipelines.cli.options import (
    AnswerFormat,
    AsJson,
    End,
    FeedName,
    Out,
    Start,
    Symbols,
    answer_format,
    split_symbols,
)


def gaps(
    feed: FeedName,
    symbols: Symbols = None,
    start: Start = None,
    end: End = None,
    form: AnswerFormat = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Minutes and whole sessions without a bar.

    Between each symbol's first and last bar. Breaks and closed days are no gaps. An empty answer is a good one.

    [bold]Examples[/bold]

    marketdata gaps demo_nyse_1m

    marketdata gaps demo_nyse_1m --symbols ALFA --start 2024-07-03 --end 2024-07-03 --json
    """
    wanted = answer_format(form, out, as_json=as_json)
    from marketdata_pipelines.cli.answers import write_answer
    from marketdata_pipelines.serving.answers import LakeReader

    found = LakeReader().gaps(feed, start, end, split_symbols(symbols))
    write_answer(found, wanted, out, title=f"{feed} gaps")
