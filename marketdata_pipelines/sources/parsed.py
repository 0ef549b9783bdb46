"""What every source hands to the pipeline: parsed chunks of rows and what was noticed about a file.

Only the shapes shared by the sources; parsing lives in each source's own folder.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.feeds import DataKind


@dataclass(frozen=True, slots=True)
class Finding:
    """Something true of a whole file: `rule` is a FILE or WARNING rule id, `text` says what and what next."""

    rule: str
    text: str


class Chunk(Protocol):
    """Consecutive rows of one file.

    `table` has RAW_BAR_SCHEMA or RAW_TRADE_SCHEMA without `original`: one row per data row of the file,
    readable or not, `row` strictly increasing inside a chunk; `rules` is null where the parser read all.
    """

    @property
    def kind(self) -> DataKind: ...

    @property
    def table(self) -> pa.Table: ...

    def originals(self, positions: np.ndarray) -> Sequence[str]:
        """The source text of the rows at these positions of `table`, shortened to 2,000 characters."""
        ...


@dataclass(frozen=True, slots=True)
class TableChunk:
    """A chunk whose source text can be rebuilt from its columns (sources that are not text)."""

    kind: DataKind
    table: pa.Table

    def originals(self, positions: np.ndarray) -> Sequence[str]:
        table = self.table.drop_columns(["rules"]).take(pa.array(positions))
        try:
            rows = table.to_pylist()
        except OverflowError:
            # Times that Python's dates cannot hold, Arrow can still write.
            position = table.schema.get_field_index("ts")
            rows = table.set_column(position, "ts", table["ts"].cast(pa.string())).to_pylist()
        return [",".join("" if v is None else str(v) for v in list(row.values())[2:]) for row in rows]
