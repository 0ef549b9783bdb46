"""What the demo shows at its end: rows, faults against findings, bars by timeframe, a chart, what to try next."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.panel import Panel
from rich.table import Table

from marketdata_pipelines.cli.candles import draw_candles
from marketdata_pipelines.cli.consoles import output, plain
from marketdata_pipelines.cli.demo_faults import FaultReport, compare_faults
from marketdata_pipelines.cli.demo_run import DemoResult
from marketdata_pipelines.cli.tally_text import print_problems
from marketdata_pipelines.domain.intervals import TIMEFRAMES
from marketdata_pipelines.domain.quality.grades import grade_of
from marketdata_pipelines.serving.answers import LakeReader

# (feed, symbol, timeframe): the first whose feed was loaded is drawn. IBM has no split in these years.
_CHARTS = (("us_stocks_1d", "IBM", "1M"), ("demo_nyse_1m", "ALFA", "15m"), ("demo_crypto_1m", "BTC-USD", "2h"))
_WIDEST_CHART = 120


def print_summary(reader: LakeReader, results: Sequence[DemoResult]) -> None:
    """Print everything to standard output."""
    out = output()
    seconds = sum(result.seconds for result in results)
    rows = sum(result.tally.raw_rows for result in results)
    out.print()
    out.print(plain(f"{rows:,} rows through the graph in {seconds:.0f} s", "bold green"))
    out.print(_rows_grid(results))
    reports = {r.feed.name: compare_faults(reader, r.feed, r.start, r.end) for r in results}
    out.print(_faults_grid({name: report for name, report in reports.items() if report is not None}))
    out.print(_quality_grid(results))
    out.print(_bars_grid(results))
    _print_chart(reader, [result.feed.name for result in results])
    for result in results:
        print_problems(result.tally)
    _print_next([result.feed.name for result in results])


def _grid(title: str, left: Sequence[str], right: Sequence[str]) -> Table:
    grid = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for name in left:
        grid.add_column(name, no_wrap=True)
    for name in right:
        grid.add_column(name, justify="right", no_wrap=True)
    return grid


def _rows_grid(results: Sequence[DemoResult]) -> Table:
    grid = _grid("\nRows", ("feed", "dates"), ("partitions", "rows in", "accepted", "rejected"))
    for result in results:
        tally = result.tally
        grid.add_row(
            result.feed.name, f"{result.start} … {result.end}", f"{tally.partitions:,}", f"{tally.raw_rows:,}",
            plain(f"{tally.accepted:,}", "green"), plain(f"{tally.rejected_rows:,}", "yellow"),
        )  # fmt: skip
    return grid


def _faults_grid(reports: dict[str, FaultReport]) -> Table:
    grid = _grid("\nFaults put in on purpose, and what found them", ("feed", "fault"), ("put in", "located", "named"))
    grid.add_column("by", overflow="fold")
    for name, report in reports.items():
        for count in report.kinds:
            style = "green" if count.located == count.injected else "bold red"
            grid.add_row(
                name, count.kind, f"{count.injected:,}", plain(f"{count.located:,}", style),
                plain(f"{count.named:,}", style), ", ".join(count.rules),
            )  # fmt: skip
        alarms = plain(f"{report.false_alarms:,}", "bold red" if report.false_alarms else "green")
        grid.add_row(name, "good rows rejected", "0", alarms, "", "")
    return grid


def _quality_grid(results: Sequence[DemoResult]) -> Table:
    grid = _grid("\nQuality", ("feed",), ("score", "grade"))
    grid.add_column("findings by rule", overflow="fold")
    for result in results:
        tally = result.tally
        if tally.score is not None:
            found = ", ".join(f"{rule} {count:,}" for rule, count in tally.findings.most_common())
            grid.add_row(result.feed.name, f"{tally.score:.1f}", str(grade_of(tally.score)), found or "none")
    return grid


def _bars_grid(results: Sequence[DemoResult]) -> Table:
    grid = _grid("\nBars written", ("timeframe",), [result.feed.name for result in results])
    for timeframe in TIMEFRAMES:
        written = [result.tally.bars.get(timeframe) for result in results]
        if any(written):
            grid.add_row(timeframe, *["" if rows is None else f"{rows:,}" for rows in written])
    return grid


def _print_chart(reader: LakeReader, loaded: Sequence[str]) -> None:
    chosen = next((chart for chart in _CHARTS if chart[0] in loaded), None)
    if chosen is None:
        return
    feed, symbol, timeframe = chosen
    bars = reader.bars(feed, [symbol], timeframe)
    if not bars.num_rows:
        return
    output().print()
    output().print(plain(f"{symbol}, {timeframe} bars of {feed}", "bold"))
    for line in draw_candles(bars, width=min(output().width, _WIDEST_CHART)):
        output().print(line, soft_wrap=True)


def _program() -> str:
    """How the command was reached: by its name where that is enough, else by its path."""
    called = Path(sys.argv[0])
    if shutil.which("marketdata") or called.name != "marketdata":
        return "marketdata"
    return str(called.relative_to(Path.cwd())) if called.is_relative_to(Path.cwd()) else str(called)


def _print_next(loaded: Sequence[str]) -> None:
    feed = next(name for name in (*("demo_nyse_1m",), *loaded) if name in loaded)
    timeframe = "1w" if feed == "us_stocks_1d" else "1h"
    program = _program()
    commands = [
        ("up", "the graph, its runs and checks, at http://localhost:3000"),
        (f"bars {feed} --timeframe {timeframe}", "bars; add --format csv, json or parquet"),
        (f"table {feed} daily_summary", "one of the views"),
        (f"quality {feed} --open", "scores, findings, and the report in the browser"),
        (f"rejected {feed}", "rejected rows with place, reason and original text"),
        (f"gaps {feed}", "what is missing against the calendar"),
        ("feeds", "what is configured and stored"),
    ]
    grid = Table.grid(padding=(0, 3))
    for command, text in commands:
        grid.add_row(plain(f"{program} {command}", "cyan"), text)
    output().print()
    output().print(Panel(grid, title="Next", title_align="left", expand=False, border_style="dim"))
