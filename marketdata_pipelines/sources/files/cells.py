"""Rows as a format's reader hands them on: columns of cells by field, not yet judged.

How cells become bars or trades is in `rows`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from marketdata_pipelines.sources.files.arrays import Column
from marketdata_pipelines.sources.files.chunks import Texts


@dataclass(frozen=True, slots=True)
class Cells:
    """Consecutive data rows of one file, in file order.

    `columns`: field -> cells, text or already typed; `ts` may be a tuple of a date and a time column.
    `rows`: 1-based data rows; `lines`: 1-based physical lines, None where the format has none.
    `rules`: bits of the rules a line breaks as such; its cells are then null as far as they cannot be told.
    `texts`: fetches the source text of the rows at given indices; None where the text is rebuilt from cells.
    """

    columns: Mapping[str, Column]
    times: tuple[Column, ...]
    rows: np.ndarray
    lines: np.ndarray | None
    rules: np.ndarray
    texts: Texts | None

    def __len__(self) -> int:
        return len(self.rows)


CellStream = Iterator[Cells]
