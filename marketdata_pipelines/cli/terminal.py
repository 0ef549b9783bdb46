"""Answers as tables for people: the first and last rows, as many columns as fit, and how many rows there are."""

import io

import pyarrow as pa
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from marketdata_pipelines.cli.cells import text_cells
from marketdata_pipelines.cli.consoles import counted, output, plain

_SHOWN_WHOLE = 40
_SHOWN_EACH_END = 12
_LONGEST_CELL = 60
_FILE_WIDTH = 220
_BORDERS = 3


def print_table(table: pa.Table, title: str) -> None:
    """Print a table to standard output."""
    _print(table, title, output())


def table_text(table: pa.Table, title: str) -> str:
    """A table as plain text."""
    text = io.StringIO()
    _print(table, title, Console(file=text, width=_FILE_WIDTH, highlight=False))
    return text.getvalue()


def readable(value: float) -> str:
    """A number for people: thousands separated, four decimals where it is one or more, else six digits."""
    if value == 0 or abs(value) >= 1:
        whole, _, decimals = f"{value:,.4f}".partition(".")
        return f"{whole}.{decimals}".rstrip("0").rstrip(".")
    return f"{value:.6g}"


def _print(table: pa.Table, title: str, console: Console) -> None:
    shown, cut = _excerpt(table)
    cells = {name: _readable_cells(shown[name].combine_chunks()) for name in shown.column_names}
    names, left_out = _fitting(cells, console.width)
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for name in names:
        grid.add_column(name, justify="right" if _is_number(shown.schema.field(name).type) else "left", no_wrap=True)
    for row in range(shown.num_rows):
        if cut and row == _SHOWN_EACH_END:
            grid.add_row(*[Text("…", style="dim") for _ in names])
        grid.add_row(*[plain(cells[name][row]) for name in names])
    console.print(grid)
    rows = counted(table.num_rows, "row")
    if cut:
        rows += f", the first and last {_SHOWN_EACH_END} shown; all of them: --format csv"
    if left_out:
        rows += f"; columns that do not fit: {', '.join(left_out)}"
    console.print(plain(f"{title}: {rows}", "dim"), soft_wrap=True)


def _excerpt(table: pa.Table) -> tuple[pa.Table, bool]:
    if table.num_rows <= _SHOWN_WHOLE:
        return table, False
    ends = (table.slice(0, _SHOWN_EACH_END), table.slice(table.num_rows - _SHOWN_EACH_END))
    return pa.concat_tables(ends), True


def _fitting(cells: dict[str, list[str]], width: int) -> tuple[list[str], list[str]]:
    """Columns from the left as far as they fit, and those left out; the first always stays."""
    names: list[str] = []
    used = 0
    for name, texts in cells.items():
        used += max([len(name), *map(len, texts)]) + _BORDERS
        if names and used > width:
            break
        names.append(name)
    return names, list(cells)[len(names) :]


def _readable_cells(column: pa.Array) -> list[str]:
    kind = column.type
    if pa.types.is_floating(kind):
        return ["" if value is None else readable(value) for value in column.to_pylist()]
    if pa.types.is_integer(kind):
        return ["" if value is None else f"{value:,}" for value in column.to_pylist()]
    texts = ["" if text is None else text for text in text_cells(column).to_pylist()]
    if pa.types.is_timestamp(kind):
        return _short_instants(texts)
    return [text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 1] + "…" for text in texts]


def _short_instants(texts: list[str]) -> list[str]:
    for ending in ("T00:00:00Z", ":00Z"):
        if all(text.endswith(ending) for text in texts if text):
            # Midnight labels are dates; of whole minutes the seconds say nothing.
            mark = "" if ending.startswith("T") else "Z"
            return [text.removesuffix(ending).replace("T", " ") + (mark if text else "") for text in texts]
    return [text.replace("T", " ") for text in texts]


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_floating(kind) or pa.types.is_integer(kind)
