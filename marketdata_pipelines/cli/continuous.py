"""`marketdata continuous` and `marketdata rolls`: a futures root as one series, and when it rolls."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from marketdata_pipelines.cli.options import AnswerFormat, AsJson, AsOf, End, FeedName, Out, Start, answer_format

if TYPE_CHECKING:
    import pyarrow as pa


class RollChoice(StrEnum):
    CALENDAR = "calendar"
    VOLUME = "volume"
    OPEN_INTEREST = "open_interest"


class AdjustChoice(StrEnum):
    NONE = "none"
    RATIO = "ratio"
    DIFFERENCE = "difference"


class MissingChoice(StrEnum):
    ERROR = "error"
    LAST = "last"
    KEEP = "keep"


Root = Annotated[str, typer.Argument(metavar="ROOT", help="What the contracts have in common: ES of ESZ3, ES_201312.")]
Roll = Annotated[
    RollChoice,
    typer.Option(help="When to go on to a later contract: some sessions before expiry, or once it has more."),
]
Rank = Annotated[int, typer.Option(min=0, max=1, help="0 the contract in force, 1 the one after it.")]
Before = Annotated[
    int | None,
    typer.Option("--before-expiry", metavar="N", min=0, help="Calendar: sessions before expiry's; default 6."),
]
Exceeded = Annotated[
    int | None,
    typer.Option("--exceeded", metavar="K", min=1, help="Volume, open interest: sessions in a row; default 1."),
]
Months = Annotated[str | None, typer.Option(metavar="HMUZ", help="Only contracts of these month codes; default: all.")]
Interest = Annotated[
    Path | None,
    typer.Option("--open-interest", metavar="FILE", help="CSV or Parquet: symbol, session_date, open_interest."),
]


def continuous(
    feed: FeedName,
    root: Root,
    roll: Roll = RollChoice.VOLUME,
    rank: Rank = 0,
    adjust: Annotated[
        AdjustChoice, typer.Option(help="Bring earlier contracts' prices to the last one's.")
    ] = AdjustChoice.NONE,
    on_missing: Annotated[
        MissingChoice,
        typer.Option(help="Adjusted, where two contracts' closes do not meet: their `last` common ones, or `keep`."),
    ] = MissingChoice.ERROR,
    timeframe: Annotated[
        str | None, typer.Option(metavar="TF", help="1s … 12h, 1d, 2d, 1w, 1M; default: the feed's own interval.")
    ] = None,
    start: Start = None,
    end: End = None,
    before_expiry: Before = None,
    exceeded: Exceeded = None,
    months: Months = None,
    open_interest: Interest = None,
    as_of: AsOf = None,
    form: AnswerFormat = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """A futures root as one series of bars; `contract` says whose each bar is.

    Its symbol is ROOT.RULE.RANK, the rule c, v or n: ES.v.0 is the contract in force by volume. Without --adjust
    every bar is the contract's own.

    [bold]Examples[/bold]

    marketdata continuous cme_1m ES --timeframe 1d

    marketdata continuous cme_1m ES --roll calendar --adjust ratio --timeframe 1h --start 2024-01-02

    marketdata continuous cme_1m GC --months GJMQZ --rank 1 --adjust difference --timeframe 1w --out gold.parquet
    """
    wanted = answer_format(form, out, as_json=as_json)
    from marketdata_pipelines.cli.answers import write_answer
    from marketdata_pipelines.serving.answers import LakeReader

    found = LakeReader().continuous(
        feed,
        root,
        timeframe,
        start,
        end,
        adjust=adjust,
        on_missing=on_missing,
        roll=roll,
        rank=rank,
        **_choice(before_expiry, exceeded, months, open_interest, as_of),
    )
    write_answer(found, wanted, out, title=f"{feed} {root} {timeframe or ''}".rstrip())


def rolls(
    feed: FeedName,
    root: Root,
    roll: Roll = RollChoice.VOLUME,
    rank: Rank = 0,
    start: Start = None,
    end: End = None,
    before_expiry: Before = None,
    exceeded: Exceeded = None,
    months: Months = None,
    open_interest: Interest = None,
    as_of: AsOf = None,
    form: AnswerFormat = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """When a series goes from contract to contract, by which figures, and at which prices they meet.

    `roll_date` is the first session on the new contract; the volumes are of `decided_on`, the closes of `closes_on`.

    [bold]Examples[/bold]

    marketdata rolls cme_1m ES

    marketdata rolls cme_1m ES --roll calendar --before-expiry 4 --json
    """
    wanted = answer_format(form, out, as_json=as_json)
    from marketdata_pipelines.cli.answers import write_answer
    from marketdata_pipelines.serving.answers import LakeReader

    found = LakeReader().rolls(
        feed, root, start, end, roll=roll, rank=rank, **_choice(before_expiry, exceeded, months, open_interest, as_of)
    )
    write_answer(found, wanted, out, title=f"{feed} {root} rolls by {roll}")


def _choice(
    before_expiry: int | None, exceeded: int | None, months: str | None, open_interest: Path | None, as_of: str | None
) -> dict[str, Any]:
    return {
        "sessions_before_expiry": before_expiry,
        "sessions_exceeded": exceeded,
        "months": months,
        "open_interest": _read_open_interest(open_interest) if open_interest else None,
        "as_of": as_of,
    }


def _read_open_interest(path: Path) -> "pa.Table":
    """A file's table; its columns are looked at where they are used.

    Errors: BadParameter when it cannot be read.
    """
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    try:
        if path.suffix.lower() == ".parquet":
            return pa.parquet.read_table(path)
        return pa.csv.read_csv(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise typer.BadParameter(f"--open-interest {path}: {error}") from error
