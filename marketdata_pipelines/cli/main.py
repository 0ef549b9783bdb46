"""The console script `marketdata`: registers the commands and turns failures into one line and an exit code.

Each command lives in its own module and imports what it needs when it runs, so that `--help` stays quick.
"""

import os
import sys

import typer

from marketdata_pipelines.cli.backfill import backfill
from marketdata_pipelines.cli.bars import bars
from marketdata_pipelines.cli.cache import cache
from marketdata_pipelines.cli.continuous import continuous, rolls
from marketdata_pipelines.cli.corrections import corrections
from marketdata_pipelines.cli.demo import demo
from marketdata_pipelines.cli.diff import diff
from marketdata_pipelines.cli.disputes import disputes
from marketdata_pipelines.cli.doctor import doctor
from marketdata_pipelines.cli.exchange import exchange
from marketdata_pipelines.cli.explain import explain
from marketdata_pipelines.cli.feeds import feeds
from marketdata_pipelines.cli.gaps import gaps
from marketdata_pipelines.cli.ingest import ingest
from marketdata_pipelines.cli.instruments import instruments
from marketdata_pipelines.cli.lake import lake
from marketdata_pipelines.cli.latest import latest
from marketdata_pipelines.cli.notify import notify
from marketdata_pipelines.cli.profile import profile
from marketdata_pipelines.cli.publish import publish
from marketdata_pipelines.cli.quality import quality
from marketdata_pipelines.cli.reference import reference
from marketdata_pipelines.cli.rejected import rejected
from marketdata_pipelines.cli.repair import repair
from marketdata_pipelines.cli.table import table
from marketdata_pipelines.cli.up import up
from marketdata_pipelines.errors import MarketDataError, SettingsInvalid

_LEVEL = "MARKETDATA_LOG_LEVEL"
FAILED, MISUSED, INTERRUPTED = 1, 2, 130

app = typer.Typer(
    name="marketdata",
    help="Market data from files to trusted, aggregated bars.",
    epilog=(
        "[bold]Examples[/bold]: marketdata demo | marketdata bars us_stocks_1d --symbols AAPL --timeframe 1w\n\n"
        "Exit codes: 0 fine, 1 something failed or was found, 2 wrong usage or settings. "
        "The data folder is MARKETDATA_HOME, else data."
    ),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_COMMANDS = (
    demo, up, ingest, backfill, bars, latest, table, explain, quality, rejected, gaps, corrections, diff, disputes,
    repair, profile, instruments, continuous, rolls, publish, feeds, notify, doctor, exchange,
)  # fmt: skip
for command in _COMMANDS:
    app.command()(command)
app.add_typer(reference)
app.add_typer(lake)
app.add_typer(cache)


def main() -> None:
    """Run the command line; always ends with SystemExit."""
    try:
        if _LEVEL in os.environ:
            _log_as_asked()
        app(prog_name="marketdata")
    except MarketDataError as error:
        print(f"marketdata: {error}", file=sys.stderr)
        sys.exit(MISUSED if isinstance(error, SettingsInvalid) else FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _log_as_asked() -> None:
    import logging

    from marketdata_pipelines.logs import configure_logging
    from marketdata_pipelines.settings.environment import Settings

    level = Settings().log_level.upper()
    if level not in logging.getLevelNamesMapping():
        raise SettingsInvalid(f"{_LEVEL} is {level!r}; give DEBUG, INFO, WARNING or ERROR")
    configure_logging(level)
