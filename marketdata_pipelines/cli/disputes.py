"""`marketdata disputes`: what other feeds say differently about a feed's bars, and who is likelier right."""

from typing import TYPE_CHECKING

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

_SHOWN = ("symbol", "ts", "bars", "dispute", "likelier", "witness")


def disputes(
    feed: FeedName,
    symbols: Symbols = None,
    start: Start = None,
    end: End = None,
    form: AnswerFormat = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Where other sources of the same instruments say something else, and who is likelier right.

    The feeds to compare with are named in feeds.yaml (quality: compare_with). Bars of one interval are compared one by
    one, feeds of different intervals by their daily bars. A constant ratio of prices is told once, as a scale.
    `likelier` is own, other or unknown, told by a third feed or by the neighbours.

    [bold]Examples[/bold]

    marketdata disputes us_equities_1m --start 2024-03-08 --end 2024-03-08

    marketdata disputes us_stocks_1d --symbols AAPL --format csv --out disputes.csv
    """
    wanted = answer_format(form, out, as_json=as_json)
    from marketdata_pipelines.cli.answers import write_answer
    from marketdata_pipelines.serving.answers import LakeReader
    from marketdata_pipelines.serving.disputes import answer_disputes

    reader = LakeReader()
    found = answer_disputes(reader.lake, reader.feed(feed), start, end, split_symbols(symbols))
    write_answer(_in_words(found) if wanted is Format.TABLE else found, wanted, out, title=f"{feed} disputes")


def _in_words(found: "pa.Table") -> "pa.Table":
    """For people: some columns, and what is disputed in words."""
    import pyarrow as pa

    texts = [_sentence(row) for row in found.to_pylist()]
    shown = found.append_column("dispute", pa.array(texts, pa.string())).select(list(_SHOWN))
    return shown.replace_schema_metadata(found.schema.metadata)


def _sentence(row: dict[str, object]) -> str:
    other, value, against = row["other_feed"], row["value"], row["other_value"]
    if value is None or against is None:
        return f"only {other if value is None else 'this feed'} has it{'' if value is None else f', not {other}'}"
    if row["field"] == "scale":
        return f"prices {float(str(value)) / float(str(against)):.6g} times those of {other}"
    return f"{row['field']} {value:.10g}, {other} {against:.10g}"
