"""`marketdata exchange`: the simulated exchange over HTTP, to try out feeds that are pulled from a vendor."""

from typing import Annotated

import typer

from marketdata_pipelines.cli.options import Symbols, split_symbols

_SYMBOLS = 5


def exchange(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the exchange.")] = 8900,
    symbols: Symbols = None,
    calendar: Annotated[str, typer.Option(metavar="NAME", help="When it trades: XNYS, 24/7, fx …")] = "XNYS",
    seed: Annotated[int, typer.Option(help="The same seed is the same market, and the same faults.")] = 0,
    calls_per_second: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Answer 429 to calls beyond that rate.")
    ] = None,
    faults: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND=SHARE", help="Share of calls with a fault: error=0.1, all=0.02 …; may be repeated."),
    ] = None,
) -> None:
    """Serve the simulated exchange on this machine.

    A feed of kind exchange with this url and these symbols is pulled from it; GET /v1/stats tells how often it was
    called. Ctrl-C ends it.

    [bold]Examples[/bold]

    marketdata exchange

    marketdata exchange --symbols ALFA,BRAVO --calls-per-second 5 --faults all=0.03
    """
    import uvicorn

    from marketdata_pipelines.domain.sessions import check_calendar
    from marketdata_pipelines.sources.simulated.exchange import Exchange, ExchangeRules
    from marketdata_pipelines.sources.simulated.exchange_bars import Listing
    from marketdata_pipelines.sources.simulated.exchange_faults import FaultPlan, fault_rates

    plan = FaultPlan(rates=fault_rates(faults or []), seed=seed)
    rules = ExchangeRules(calls=calls_per_second, faults=plan)
    check_calendar(calendar)
    names = split_symbols(symbols)
    listing = Listing(calendar, tuple(names or ()), 0 if names else _SYMBOLS, seed)
    served = Exchange(listing, rules)
    print(f"the simulated exchange is at http://127.0.0.1:{port} (try /v1/symbols); Ctrl-C ends it", flush=True)
    uvicorn.run(served.app, host="127.0.0.1", port=port, log_level="warning", lifespan="off")
