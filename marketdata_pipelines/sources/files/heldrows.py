"""Rows of repeated local hours, kept back until the file's end shows both passes of the hour.

How a pass is told from the other is in `repeated`.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.feeds import DataKind
from marketdata_pipelines.sources.files.chunks import CopiedChunk
from marketdata_pipelines.sources.files.repeated import RepeatedRows, resolve_repeated
from marketdata_pipelines.sources.files.timestamps import Instants, TimeReading, to_timestamps

_AMBIGUOUS = "local_time_ambiguous"
_HOUR_US = 3_600_000_000


class HeldRows:
    """Rows of one file, in file order, whose local time occurred twice."""

    def __init__(self) -> None:
        self._tables: list[pa.Table] = []
        self._instants: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._texts: list[str] = []

    def add(self, table: pa.Table, instants: Instants, places: np.ndarray, texts: Sequence[str]) -> None:
        """Keep the rows at `places` of a chunk's table, with their source text."""
        self._tables.append(table.take(pa.array(places)))
        self._instants.append((instants.wall[places], instants.values[places], instants.seconds[places]))
        self._texts += texts

    def decide(self, kind: DataKind, reading: TimeReading, interval_us: int) -> CopiedChunk | None:
        """All kept rows with their instants as far as the file's order decides them; None where none was kept."""
        if not self._tables:
            return None
        table = pa.concat_tables(self._tables)
        wall, first, second = (np.concatenate(column) for column in zip(*self._instants, strict=True))
        rows = RepeatedRows(table["symbol"].to_pylist(), wall, first, second)
        hours = interval_us >= _HOUR_US and kind is DataKind.BARS
        values, certain = resolve_repeated(rows, reading.ticks_per_second, equal_restarts=hours)
        rules = [
            found if sure else f"{found};{_AMBIGUOUS}" if found else _AMBIGUOUS
            for found, sure in zip(table["rules"].to_pylist(), certain.tolist(), strict=True)
        ]
        table = _replace(table, "rules", pa.array(rules, pa.string()))
        table = _replace(table, "ts", to_timestamps(values, certain, reading))
        return CopiedChunk(kind, table.combine_chunks(), tuple(self._texts))


def _replace(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), table.schema.field(name), column)
