"""The two rich consoles: answers go to standard output, everything about the work to standard error."""

from functools import lru_cache

from rich.console import Console
from rich.text import Text

# Without a terminal nothing wraps: a log or a file has no edge.
_WIDTH_WITHOUT_TERMINAL = 220


@lru_cache(maxsize=1)
def output() -> Console:
    """Standard output."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDTH_WITHOUT_TERMINAL)


@lru_cache(maxsize=1)
def notes() -> Console:
    """Standard error: progress, hints, what happens next."""
    console = Console(stderr=True, highlight=False)
    return console if console.is_terminal else Console(stderr=True, highlight=False, width=_WIDTH_WITHOUT_TERMINAL)


def counted(count: int, noun: str) -> str:
    """`1 file`, `1,234 files`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def plain(text: str, style: str = "") -> Text:
    """A text shown as it is: no markup is read from it and control characters are written out."""
    return Text("".join(c if c.isprintable() else repr(c)[1:-1] for c in text), style=style)
