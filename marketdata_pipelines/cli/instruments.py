"""`marketdata instruments`: a feed's instruments and their dated symbols, and what a symbol was on a date."""

from typing import Annotated

import typer

from marketdata_pipelines.cli.options import AnswerFormat, AsJson, AsOf, FeedName, Out, answer_format


def instruments(
    feed: FeedName,
    symbol: Annotated[str | None, typer.Option(metavar="X", help="Everybody who ever bore this symbol.")] = None,
    instrument_id: Annotated[str | None, typer.Option("--id", metavar="ID", help="One instrument's symbols.")] = None,
    on: Annotated[
        str | None, typer.Option(metavar="D", help="On this date: whose the symbol, or what the name, was.")
    ] = None,
    as_of: AsOf = None,
    form: AnswerFormat = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Instruments and their dated symbols; with --on, which instrument a symbol was.

    `before` and `after` say whose a symbol was around that date. Exit code 1 when it was nobody's, though somebody bore
    it on other days; a symbol that the reference data do not know at all is an instrument of its own.

    [bold]Examples[/bold]

    marketdata instruments us_equities_1m

    marketdata instruments us_equities_1m --symbol GOOG --on 2014-04-03

    marketdata instruments us_equities_1m --id QQQ --on 2008-01-02 --json
    """
    wanted = answer_format(form, out, as_json=as_json)
    if symbol is not None and instrument_id is not None:
        raise typer.BadParameter("--symbol and --id ask for two things; give one")
    from marketdata_pipelines.cli.answers import write_answer
    from marketdata_pipelines.serving import instruments as known
    from marketdata_pipelines.serving.answers import LakeReader
    from marketdata_pipelines.serving.ranges import date_range, instant_us
    from marketdata_pipelines.settings.environment import Settings
    from marketdata_pipelines.settings.references_file import load_references

    reader = LakeReader()
    day = date_range(on, None).start_date
    references = load_references(Settings().feeds_file)
    standing = known.feed_instruments(reader.lake, reader.feed(feed), references, instant_us(as_of))
    if day is None or (symbol is None and instrument_id is None):
        found = known.list_instruments(standing, symbol, instrument_id, day)
        write_answer(found, wanted, out, title=f"{feed} instruments")
        return
    if symbol is not None:
        found = known.resolve_symbol(standing, symbol, day)
    else:
        found = known.resolve_instrument(standing, instrument_id or "", day)
    write_answer(found, wanted, out, title=f"{feed} {symbol or instrument_id} on {day}")
    raise typer.Exit(int(found["state"][0].as_py() == known.State.UNRESOLVED))
