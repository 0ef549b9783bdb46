"""Progress of long work: a bar with counts and time left on a terminal, nothing elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from marketdata_pipelines.cli.consoles import notes


class Bar(Protocol):
    """One bar."""

    def advance(self, steps: int = 1) -> None: ...

    def tell(self, text: str) -> None:
        """Show what is in hand."""
        ...


@contextmanager
def progress_bar(label: str, total: int) -> Iterator[Bar]:
    """A bar over `total` steps on standard error; gone when the block ends."""
    console = notes()
    columns = (
        TextColumn("{task.description}", style="bold"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[told]}", style="dim"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield _Bar(progress, label, total)


class _Bar:
    def __init__(self, progress: Progress, label: str, total: int) -> None:
        self._progress = progress
        self._task = progress.add_task(label, total=total, told="")

    def advance(self, steps: int = 1) -> None:
        self._progress.advance(self._task, steps)

    def tell(self, text: str) -> None:
        self._progress.update(self._task, told=text)
