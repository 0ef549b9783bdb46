"""Arguments and options that several commands share, and how their texts are read."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


class AdjustmentChoice(StrEnum):
    """How prices are adjusted for corporate actions."""

    RAW = "raw"
    SPLIT = "split"
    TOTAL = "total"


class StoreName(StrEnum):
    """From where bars are answered."""

    LAKE = "lake"
    TIMESCALE = "timescale"
    AUTO = "auto"


FeedName = Annotated[str, typer.Argument(metavar="FEED", help="A feed of feeds.yaml (see: marketdata feeds).")]
Symbols = Annotated[
    list[str] | None, typer.Option("--symbols", metavar="A,B", help="Symbols, comma-separated; all when left out.")
]
Start = Annotated[
    str | None,
    typer.Option(metavar="D|T", help="First session date (2024-03-08), or first open (2024-03-08T14:30:00Z)."),
]
End = Annotated[str | None, typer.Option(metavar="D|T", help="Last session date, included; or an instant, excluded.")]
AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of", metavar="T", help="As was known then: 2024-03-08T14:30:00Z, or a date for the end of that UTC day."
    ),
]
MinQuality = Annotated[
    float | None,
    typer.Option(
        "--min-quality",
        metavar="N",
        help="Only sessions that score at least N of 100 (see: marketdata quality); unscored ones do not.",
    ),
]
FromStore = Annotated[
    StoreName,
    typer.Option(
        "--store",
        help="`timescale`: what is published in PostgreSQL or TimescaleDB (MARKETDATA_TIMESCALE_DSN); `auto`: that "
        "where it holds all the lake has of the range, else the lake.",
    ),
]
AnswerFormat = Annotated[
    Format | None, typer.Option("--format", help="How to write it; default: by the ending of --out, else a table.")
]
Out = Annotated[Path | None, typer.Option(metavar="FILE", help="Write to a file, whole or not at all.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON for machines (like --format json).")]


def split_symbols(texts: list[str] | None) -> list[str] | None:
    """Symbols of one or more comma-separated texts, in order, each once; None for none at all."""
    names = [name.strip() for text in texts or () for name in text.split(",")]
    return list(dict.fromkeys(name for name in names if name)) or None


def answer_format(chosen: Format | None, out: Path | None, *, as_json: bool) -> Format:
    """The format to write in: asked for, else by the file's ending, else a table.

    Errors: BadParameter when two formats are asked for, or Parquet for a terminal.
    """
    if as_json and chosen not in (None, Format.JSON):
        raise typer.BadParameter(f"--json and --format {chosen} ask for two formats; give one")
    if as_json:
        return Format.JSON
    if chosen is None and out is not None:
        by_ending = {".csv": Format.CSV, ".json": Format.JSON, ".parquet": Format.PARQUET}
        chosen = by_ending.get(out.suffix.lower())
        if chosen is None:
            raise typer.BadParameter(f"--out {out}: give --format csv, json or parquet, or one of these as its ending")
    return chosen or Format.TABLE
