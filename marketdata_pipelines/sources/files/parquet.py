"""Reading Parquet: row group by row group, only the columns that are needed."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from marketdata_pipelines.errors import SourceRejected
from marketdata_pipelines.sources.files.arrays import Column
from marketdata_pipelines.sources.files.cells import Cells, CellStream
from marketdata_pipelines.sources.files.compression import open_seekable
from marketdata_pipelines.sources.files.plans import FilePlan
from marketdata_pipelines.sources.files.samples import SAMPLE_ROWS, Sample, TimeType
from marketdata_pipelines.sources.files.values import value_text

# A row of prices, times and a symbol, decoded.
_BYTES_PER_ROW = 100
_DAMAGE = (pa.ArrowException, OSError, ValueError, OverflowError, KeyError, IndexError, MemoryError, TypeError)


def sample_parquet(path: str) -> Sample:
    """The flat columns of a Parquet file and its first rows.

    Errors: SourceRejected(container_damaged | no_rows).
    """
    with _opened(path) as file:
        schema = file.schema_arrow
        flat = [field for field in schema if not pa.types.is_nested(field.type)]
        names = tuple(field.name for field in flat)
        if not file.metadata.num_rows:
            raise SourceRejected(f"{path} has columns and no rows; nothing to ingest", rule="no_rows")
        batch = next(file.iter_batches(SAMPLE_ROWS, columns=list(dict.fromkeys(names))))
        cells = {name: [_text(value) for value in batch.column(name).to_pylist()] for name in batch.schema.names}
        types = {field.name: _stored_type(field.type) for field in flat}
    times = {name: kind for name in names if (kind := _time_type(types[name])) is not None}
    texts = frozenset(
        name for name in names if pa.types.is_string(types[name]) or pa.types.is_large_string(types[name])
    )
    return Sample(names, True, cells, times, texts)


def read_parquet(plan: FilePlan, chunk_bytes: int) -> CellStream:
    """The rows of a Parquet file as planned; they have no lines.

    Errors: SourceRejected(container_damaged).
    """
    sources = plan.sources
    wanted = list(dict.fromkeys(part for source in sources.values() for part in source.split("+")))
    row = 1
    with _opened(plan.path) as file:
        for batch in file.iter_batches(max(chunk_bytes // _BYTES_PER_ROW, 1000), columns=wanted):
            arrays = {name: _plain(batch.column(name)) for name in wanted}
            yield Cells(
                columns={field: arrays[source] for field, source in sources.items() if field != "ts"},
                times=tuple(arrays[part] for part in sources["ts"].split("+")),
                rows=np.arange(row, row + batch.num_rows),
                lines=None,
                rules=np.zeros(batch.num_rows, np.int64),
                texts=None,
            )
            row += batch.num_rows


@contextmanager
def _opened(path: str) -> Iterator[pq.ParquetFile]:
    with open_seekable(path) as stream:
        try:
            with pq.ParquetFile(stream, page_checksum_verification=True) as file:
                yield file
        except _DAMAGE as error:
            raise SourceRejected(
                f"{path} is Parquet that is cut off or damaged ({error}); fetch it again", rule="container_damaged"
            ) from error


def _stored_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _plain(column: Column) -> Column:
    """Dictionaries of anything but text decoded, text checked: what is damaged shows here."""
    if pa.types.is_dictionary(column.type) and not pa.types.is_string(column.type.value_type):
        column = column.cast(column.type.value_type)
    if pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        column = column.cast(pa.string())
    column.validate(full=True)
    return column


def _time_type(kind: pa.DataType) -> TimeType | None:
    if pa.types.is_timestamp(kind):
        return TimeType.NAIVE if kind.tz is None else TimeType.AWARE
    return TimeType.DATE if pa.types.is_date(kind) else None


def _text(value: object) -> str:
    return value_text(value) or ""
