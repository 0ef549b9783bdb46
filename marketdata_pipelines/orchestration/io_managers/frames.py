"""What an asset's function may return and ask for: Arrow tables, pandas and polars frames, one or many partitions.

Which annotation asks for what is decided here; where rows are kept is not.
"""

import hashlib
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from marketdata_pipelines.errors import PartitionMissing, SchemaMismatch

# Turns a table into what an input is annotated with.
Shape = Callable[[pa.Table], Any]


def to_arrow(frame: object, what: str) -> pa.Table:
    """A frame as an Arrow table; pandas' index is left out unless it has a name.

    Errors: SchemaMismatch for anything that is no frame; `what` is the asset.
    """
    if isinstance(frame, pa.Table):
        return frame
    if isinstance(frame, pa.RecordBatch):
        return pa.Table.from_batches([frame])
    kind = type(frame).__module__.partition(".")[0]
    try:
        if kind == "pandas" and hasattr(frame, "columns") and hasattr(frame, "index"):
            named = any(name is not None for name in frame.index.names)
            return pa.Table.from_pandas(frame, preserve_index=named).replace_schema_metadata(None)
        if kind == "polars" and hasattr(frame, "collect_schema"):
            whole: Any = frame.collect() if hasattr(frame, "collect") else frame
            return whole.to_arrow()
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise SchemaMismatch(f"{what} returned a frame that is no table: {error}") from error
    raise SchemaMismatch(
        f"{what} returned {type(frame).__name__}; return an Arrow table, a pandas or a polars frame, or for several "
        "partitions a mapping or an iterator of (partition, frame)"
    )


def is_frame(value: object) -> bool:
    """Whether a value is one frame, and not a mapping or iterator of them."""
    kind = type(value).__module__.partition(".")[0]
    return isinstance(value, pa.Table | pa.RecordBatch) or (kind in ("pandas", "polars") and hasattr(value, "columns"))


def parts_of(value: object, keys: Iterable[str], what: str) -> Iterator[tuple[str, pa.Table]]:
    """A run's output partition by partition, each made a table when it is its turn.

    Errors: SchemaMismatch for a partition the run has not, or twice; PartitionMissing for those that are left out.
    """
    left = dict.fromkeys(keys)
    if is_frame(value):
        if len(left) != 1:
            raise SchemaMismatch(
                f"{what} returned one frame for {len(left)} partitions; return a mapping or an iterator of "
                "(partition, frame), one for each of context.partition_keys"
            )
        yield next(iter(left)), to_arrow(value, what)
        return
    for key, frame in _pairs(value, what):
        if key not in left:
            raise SchemaMismatch(f"{what} returned partition {key!r}, which this run does not have, or twice")
        del left[key]
        yield key, to_arrow(frame, what)
    if left:
        named = ", ".join(list(left)[:5]) + (f" and {len(left) - 5} more" if len(left) > 5 else "")
        raise PartitionMissing(f"{what} returned nothing for {named}; return a frame without rows where there are none")


def _pairs(value: object, what: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        # One by one: a mapping may make its values when asked for them.
        for key in value:
            yield str(key), value[key]
        return
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        to_arrow(value, what)
        return
    for item in value:
        if not isinstance(item, tuple) or len(item) != 2:
            raise SchemaMismatch(f"{what} returned an iterator of {type(item).__name__}; give (partition, frame) pairs")
        yield str(item[0]), item[1]


def shape_of(annotation: object) -> Shape:
    """How a table of an input is handed over, by its annotation: a pandas or polars frame, else an Arrow table.

    Of `dict[str, X]` X decides; of `PandasPartitions` and `PolarsPartitions` their names.
    """
    asked = typing.get_args(annotation)[1] if is_mapping(annotation) and typing.get_args(annotation) else annotation
    module, name = getattr(asked, "__module__", "").partition(".")[0], getattr(asked, "__name__", "")
    if asked is PandasPartitions or (module == "pandas" and name == "DataFrame"):
        return lambda table: table.to_pandas()
    if asked is PolarsPartitions or (module == "polars" and name == "DataFrame"):
        return _polars
    return _polars_lazily if module == "polars" and name == "LazyFrame" else _arrow


def is_mapping(annotation: object) -> bool:
    """Whether an input asks for partitions by key, however many there are."""
    origin = typing.get_origin(annotation) or annotation
    return isinstance(origin, type) and issubclass(origin, Mapping)


def partitions_of(annotation: object, keys: Iterable[str], read: Callable[[str], Any]) -> Mapping[str, Any]:
    """Several partitions as the annotation asks for them.

    For `dict[str, X]` and `Mapping[str, X]` Dagster demands a dict and looks at every value: these are read at once.
    """
    origin = typing.get_origin(annotation) or annotation
    if isinstance(origin, type) and issubclass(origin, LazyPartitions):
        return origin(keys, read)
    return {key: read(key) for key in keys} if is_mapping(annotation) else LazyPartitions(keys, read)


def _arrow(table: pa.Table) -> Any:
    return table


def _polars(table: pa.Table) -> Any:
    import polars

    return polars.from_arrow(table)


def _polars_lazily(table: pa.Table) -> Any:
    return _polars(table).lazy()


class LazyPartitions(Mapping[str, Any]):
    """The partitions of an input by key, each read when it is asked for and kept by nobody."""

    def __init__(self, keys: Iterable[str], read: Callable[[str], Any]) -> None:
        self._keys, self._read = dict.fromkeys(keys), read

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys:
            raise KeyError(key)
        return self._read(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __repr__(self) -> str:
        return f"LazyPartitions({list(self._keys)})"


class PandasPartitions(LazyPartitions):
    """The same of pandas frames."""


class PolarsPartitions(LazyPartitions):
    """The same of polars frames."""


def content_revision(table: pa.Table) -> str:
    """16 hex digits over a table's columns, types and rows, however it is chunked or dictionary-encoded."""
    plain = [
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in table.schema
    ]
    whole = table.cast(pa.schema(plain)).replace_schema_metadata(None).combine_chunks()
    found = hashlib.sha256()
    with pa.output_stream(_Hashed(found)) as sink, pa.ipc.new_stream(sink, whole.schema) as writer:
        for batch in whole.to_batches(max_chunksize=1 << 16):
            writer.write_batch(batch)
    return found.hexdigest()[:16]


class _Hashed:
    """A file that keeps only the digest of what is written."""

    def __init__(self, found: "hashlib._Hash") -> None:
        self._found = found
        self.closed = False

    def write(self, data: Any) -> int:
        self._found.update(data)
        return len(data)

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        self.closed = True
