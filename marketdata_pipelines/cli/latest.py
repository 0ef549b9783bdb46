"""`marketdata latest`: the last bar of each symbol."""

import sys
from contextlib import closing

from marketdata_pipelines.cli.options import (
    AnswerFormat,
    AsJson,
    FeedName,
    Out,
    Symbols,
    answer_format,
    split_symbols,
)


def latest(
    feed: FeedName,
    symbols: Symbols = None,
    form: AnswerFormat = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """The last bar of each symbol, extended hours included; from Redis where MARKETDATA_REDIS_URL is set.

    Symbols are those the source gives. An answer is never older than the lake.

    [bold]Examples[/bold]

    marketdata latest demo_nyse_1m

    marketdata latest demo_crypto_1m --symbols BTC-USD --json
    """
    wanted = answer_format(form, out, as_json=as_json)
    from marketdata_pipelines.cli.answers import write_answer
    from marketdata_pipelines.serving.answers import LakeReader

    reader = LakeReader()
    definition = reader.feed(feed)
    with closing(reader.tiers):
        found = reader.latest(definition.name, split_symbols(symbols))
    if not found.num_rows:
        from marketdata_pipelines.cli.lake_state import filling_hint

        hint = filling_hint(reader.lake, definition)
        if hint:
            print(f"note: {hint}", file=sys.stderr)
    write_answer(found, wanted, out, title=f"{feed} latest")
