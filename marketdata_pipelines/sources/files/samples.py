"""What planning looks at: a file's first rows as text, by column."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

SAMPLE_ROWS = 2000


class TimeType(StrEnum):
    """How a typed format (Parquet, Excel) stores times."""

    AWARE = "aware"
    NAIVE = "naive"
    DATE = "date"


@dataclass(frozen=True, slots=True)
class Sample:
    """A file's columns with their first cells as text ("" for none), all of one length.

    `named`: the sources are column names, else 1-based positions. `times`: the typed time columns.
    `text_columns`: columns of text in a typed format. `symbol`: named inside the file but in no column.
    `has_symbols`: each part of the file (a sheet, a key) is one symbol.
    """

    sources: tuple[str, ...]
    named: bool
    cells: Mapping[str, Sequence[str]]
    times: Mapping[str, TimeType] = field(default_factory=dict)
    text_columns: frozenset[str] = frozenset()
    symbol: str | None = None
    has_symbols: bool = False

    @property
    def rows(self) -> int:
        return max((len(cells) for cells in self.cells.values()), default=0)


@dataclass(frozen=True, slots=True)
class Container:
    """What is known of a file before its columns: format and how its text is written.

    `guessed` and `findings` as in FilePlan.
    """

    path: str
    format: str
    compression: str | None
    encoding: str = "utf-8"
    delimiter: str | None = None
    header: bool = True
    decimal: str = "."
    guessed: tuple[str, ...] = ()
    findings: tuple[tuple[str, str], ...] = ()
