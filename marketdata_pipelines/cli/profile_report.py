"""How a feed's profile is told: to a person, and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from marketdata_pipelines.cli.consoles import counted, output, plain
from marketdata_pipelines.cli.terminal import readable
from marketdata_pipelines.domain.quality.feed_profile import FeedFigures
from marketdata_pipelines.domain.quality.suggestions import Suggestion, settings_snippet

_SHOWN_SYMBOLS = 5
_COLUMNS = ("count", "nulls", "distinct", "min", "p1", "p50", "p99", "max", "mean", "std", "zero_share")
_SYMBOL_COLUMNS = ("sessions", "bars", "coverage", "gaps", "longest_gap", "zero_volume_share", "unchanged_share",
                   "largest_return", "low", "high")  # fmt: skip
_SHARES = ("zero_share", "coverage", "zero_volume_share", "unchanged_share", "largest_return")


def print_profile(feed: str, figures: FeedFigures, suggestions: Sequence[Suggestion], path: Path | None) -> None:
    """Columns, symbols, suggested limits, and where expectations were written."""
    out = output()
    told = f"{counted(figures.bars, 'bar')} of {counted(len(figures.symbols), 'symbol')} in "
    out.print(plain(f"{feed}: {told}{counted(len(figures.sessions), 'session')}", "bold"))
    out.print(_grid("column", _COLUMNS, figures.column_table().to_pylist(), last="histogram"))
    symbols = figures.symbol_table().to_pylist()
    cut = len(symbols) > 2 * _SHOWN_SYMBOLS
    shown = symbols[:_SHOWN_SYMBOLS] + symbols[-_SHOWN_SYMBOLS:] if cut else symbols
    out.print(plain("Symbols, the least complete first" + (", the first and last few" if cut else ""), "bold"))
    out.print(_grid("symbol", _SYMBOL_COLUMNS, shown))
    snippet = settings_snippet(feed, suggestions)
    if snippet:
        out.print(plain("Limits these bars suggest; what you want of them goes into feeds.yaml", "bold"))
        for line in snippet.splitlines():
            out.print(plain(line), soft_wrap=True)
    else:
        out.print(plain("Too few bars to suggest limits from.", "dim"))
    if path is not None:
        out.print(plain(f"expectations written to {path}"), soft_wrap=True)


def profile_json(feed: str, figures: FeedFigures, suggestions: Sequence[Suggestion], path: Path | None) -> str:
    """Everything as one JSON object."""
    whole = {
        "feed": feed,
        "bars": figures.bars,
        "sessions": len(figures.sessions),
        "columns": figures.column_table().to_pylist(),
        "symbols": figures.symbol_table().to_pylist(),
        "suggestions": [asdict(each) for each in suggestions],
        "expectations": None if path is None else str(path),
    }
    return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False)


def _grid(first: str, names: Sequence[str], rows: Sequence[dict[str, Any]], last: str | None = None) -> Table:
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    grid.add_column(first, no_wrap=True)
    for name in names:
        grid.add_column(name.replace("_", " "), justify="right", no_wrap=True)
    if last is not None:
        grid.add_column(last, no_wrap=True)
    for row in rows:
        cells = [_cell(name, row[name]) for name in names]
        ends = [] if last is None else [plain(str(row[last]))]
        grid.add_row(plain(str(row[first])), *[plain(cell) for cell in cells], *ends)
    return grid


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return ""
    if name in _SHARES:
        return f"{value:.2%}"
    return f"{value:,}" if isinstance(value, int) else readable(value)
