"""`marketdata bars`: bars of one timeframe."""

from enum import StrEnum
from typing import Annotated

import typer

from marketdata_pipelines.cli.options import (
    AdjustmentChoice,
    AnswerFormat,
    AsJson,
    AsOf,
    End,
    FeedName,
    FromStore,
    MinQuality,
    Out,
    Start,
    StoreName,
    Symbols,
    answer_format,
    split_symbols,
)


class SessionChoice(StrEnum):
    REGULAR = "regular"
    ALL = "all"


class FillChoice(StrEnum):
    NONE = "none"
    FORWARD = "forward"


def bars(
    feed: FeedName,
    symbols: Symbols = None,
    timeframe: Annotated[
        str | None, typer.Option(metavar="TF", help="1s … 12h, 1d, 2d, 1w, 1M; default: the feed's own interval.")
    ] = None,
    start: Start = None,
    end: End = None,
    session: Annotated[SessionChoice, typer.Option(help="`all` adds the extended hours.")] = SessionChoice.REGULAR,
    fill: Annotated[
        FillChoice, typer.Option(help="`forward` fills empty buckets with the last close and says so.")
    ] = FillChoice.NONE,
    as_of: AsOf = None,
    adjustment: Annotated[
        AdjustmentChoice,
        typer.Option(
            help="`split`: splits and stock dividends; `total`: cash paid out as well. Volume follows splits."
        ),
    ] = AdjustmentChoice.RAW,
    adjust_as_of: Annotated[
        str | None,
        typer.Option(metavar="D", help="Whose scale of prices; default: the end of the range, else today."),
    ] = None,
    instruments: Annotated[
        list[str] | None,
        typer.Option("--instruments", metavar="ID,ID", help="Instruments by id, whatever they were called when."),
    ] = None,
    instrument_ids: Annotated[bool, typer.Option("--instrument-ids", help="Add the column instrument_id.")] = False,
    min_quality: MinQuality = None,
    store: FromStore = StoreName.LAKE,
    form: AnswerFormat = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Bars of one timeframe; `ts` is the open, UTC.

    [bold]Examples[/bold]

    marketdata bars us_stocks_1d --symbols AAPL,IBM --timeframe 1w

    marketdata bars demo_nyse_1m --timeframe 5m --start 2024-07-02 --format csv

    marketdata bars us_stocks_1d --timeframe 1M --as-of 2026-01-31

    marketdata bars us_equities_1d --symbols AAPL --adjustment total --timeframe 1w

    marketdata bars demo_nyse_1m --timeframe 1d --min-quality 90

    marketdata bars demo_nyse_1m --symbols SPY --timeframe 1h --store auto

    marketdata bars demo_crypto_1m --timeframe 1h --fill forward --out btc.parquet
    """
    wanted = answer_format(form, out, as_json=as_json)
    from marketdata_pipelines.cli.answers import write_answer
    from marketdata_pipelines.serving.answers import LakeReader

    reader = LakeReader()
    found = reader.bars(
        feed, split_symbols(symbols), timeframe, start, end, session=session, fill=fill, as_of=as_of,
        adjustment=adjustment, adjust_as_of=adjust_as_of, instruments=split_symbols(instruments),
        instrument_ids=instrument_ids, min_quality=min_quality, store=store,
    )  # fmt: skip
    write_answer(found, wanted, out, title=f"{feed} {timeframe or reader.feed(feed).interval}")
