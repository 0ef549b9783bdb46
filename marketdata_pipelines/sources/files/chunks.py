"""The chunks this folder hands on: tables of rows with the way back to their source text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.feeds import DataKind

Texts = Callable[[np.ndarray], list[str]]


@dataclass(frozen=True, slots=True)
class SourcedChunk:
    """A chunk whose rows come from source rows `places` (indices given to `texts`, which fetches their text)."""

    kind: DataKind
    table: pa.Table
    places: np.ndarray
    texts: Texts

    def originals(self, positions: np.ndarray) -> Sequence[str]:
        """The source text of the rows at these positions, shortened to 2,000 characters."""
        return self.texts(self.places[np.asarray(positions, np.int64)])


@dataclass(frozen=True, slots=True)
class CopiedChunk:
    """A chunk that holds its rows' source text itself."""

    kind: DataKind
    table: pa.Table
    lines: tuple[str, ...]

    def originals(self, positions: np.ndarray) -> Sequence[str]:
        """The source text of the rows at these positions, shortened to 2,000 characters."""
        return [self.lines[position] for position in np.asarray(positions).tolist()]
