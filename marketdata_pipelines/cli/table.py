"""`marketdata table`: a view such as daily_summary."""

from typing import Annotated

import typer

from marketdata_pipelines.cli.options import (
    AdjustmentChoice,
    AnswerFormat,
    AsJson,
    AsOf,
    End,
    FeedName,
    MinQuality,
    Out,
    Start,
    answer_format,
)


def table(
    feed: FeedName,
    view: Annotated[
        str,
        typer.Argument(
            metavar="VIEW", help="daily_summary, hourly_volume, symbol_performance, top_volume or latest_bars."
        ),
    ],
    start: Start = None,
    end: End = None,
    as_of: AsOf = None,
    adjustment: Annotated[
        AdjustmentChoice | None,
        typer.Option(
            help="Of prices and returns; default: prices as traded, returns by split where the feed names actions."
        ),
    ] = None,
    min_quality: MinQuality = None,
    form: AnswerFormat = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """A view: daily_summary, hourly_volume, top_volume …

    [bold]Examples[/bold]

    marketdata table us_stocks_1d symbol_performance --start 2012-01-01 --end 2012-12-31

    marketdata table demo_nyse_1m daily_summary --format csv --out summary.csv

    marketdata table demo_nyse_1m daily_summary --min-quality 70
    """
    wanted = answer_format(form, out, as_json=as_json)
    from marketdata_pipelines.cli.answers import write_answer
    from marketdata_pipelines.serving.answers import LakeReader

    write_answer(
        LakeReader().table(feed, view, start, end, as_of=as_of, adjustment=adjustment, min_quality=min_quality),
        wanted,
        out,
        title=f"{feed} {view}",
    )
