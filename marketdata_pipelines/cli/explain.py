"""`marketdata explain`: the receipt of one bar."""

from typing import Annotated

import typer

from marketdata_pipelines.cli.options import AsJson, AsOf, FeedName


def explain(
    feed: FeedName,
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="As the source names it.")],
    ts: Annotated[
        str,
        typer.Argument(
            metavar="TS", help="The bar's open, or any instant in it (UTC unless it says otherwise); a date from 1d on."
        ),
    ],
    timeframe: Annotated[
        str | None, typer.Option(metavar="TF", help="1s … 12h, 1d, 2d, 1w, 1M; default: the feed's own interval.")
    ] = None,
    as_of: AsOf = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Derive the bar again and read its sources again; exit 1 when unequal.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """The way back from a bar: base bars, checks, raw rows, files, lines.

    Without --verify a source file is known by its SHA-256 up to 64 MB, a larger one by its size and time, and lines
    far into a large file are left out. --json has all base bars.

    [bold]Examples[/bold]

    marketdata explain us_stocks_1d AAPL 2012-09-21

    marketdata explain demo_nyse_1m ALFA 2024-07-03T14:30Z --timeframe 1h --verify

    marketdata explain demo_nyse_1m ALFA 2024-07-03 --timeframe 1w --json
    """
    from marketdata_pipelines.cli.explain_text import SHOWN, print_receipt
    from marketdata_pipelines.serving.answers import LakeReader
    from marketdata_pipelines.serving.explaining import explain_and_verify, explain_bar, receipt_document

    reader = LakeReader()
    definition = reader.feed(feed)
    verification = None
    listed = None if as_json else SHOWN
    if verify:
        receipt, verification = explain_and_verify(reader.lake, definition, symbol, ts, timeframe, as_of, listed=listed)
    else:
        receipt = explain_bar(reader.lake, definition, symbol, ts, timeframe, as_of, listed=listed)
    if as_json:
        import json

        print(json.dumps(receipt_document(receipt, verification), ensure_ascii=False, indent=1))
    else:
        print_receipt(receipt, verification)
    raise typer.Exit(int(verification is not None and not verification.equal))
