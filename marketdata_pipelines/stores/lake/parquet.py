"""Lake files: written atomically with a manifest, read back guarded.

Same table and manifest give the same bytes. A file appears whole or not at all: it is written in the lake's
folder for temporary files, synced, and renamed; what a killed writer left there is removed by the next one.
"""

import json
import os
import secrets
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from marketdata_pipelines.errors import PartitionMissing, StoreError
from marketdata_pipelines.stores.lake.deltas import NO_SYMBOL
from marketdata_pipelines.stores.lake.encoding import decode_table, encode_table
from marketdata_pipelines.stores.lake.symbol_rows import SYMBOL, only_rows
from marketdata_pipelines.stores.processes import is_alive

MANIFEST_KEY = b"marketdata.manifest"
# Rows lie by symbol in most tables, and a group is what is read for one of them: a fifth of the time for a session of
# 500 symbols, while writing and reading all of it take the same.
ROW_GROUP_ROWS = 1 << 15
_WRITERS = 4
_LARGE_ROWS = 50_000
# Below this zstd takes as long to begin as the rest of the file, and saves nothing.
_FEW_ROWS = 2_000
_TEMPORARY = ".tmp"


@dataclass(frozen=True, slots=True)
class FileWrite:
    """A table to be written to `path` with its manifest."""

    path: Path
    table: pa.Table
    manifest: dict[str, object]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A whole, synced file that waits to take its place; `signature` is how its float columns are encoded."""

    temporary: Path
    path: Path
    bytes: int
    signature: str


def write_file(path: Path, table: pa.Table, manifest: dict[str, object], temporary_folder: Path) -> int:
    """Write a table with its manifest to `path`, replacing what was there; returns the bytes written."""
    prepared = prepare_files([FileWrite(path, table, manifest)], temporary_folder)
    publish_files(prepared)
    return prepared[0].bytes


def prepare_files(writes: Sequence[FileWrite], temporary_folder: Path) -> list[Prepared]:
    """Write tables beside their places, all or none; `publish_files` or `discard_files` must follow."""
    temporary_folder.mkdir(parents=True, exist_ok=True)
    prepared: list[Prepared] = []
    try:
        # Encoding lets other threads go on, which pays for large tables only: small ones pass the lock to and fro.
        if len(writes) > 1 and sum(write.table.num_rows for write in writes) > _LARGE_ROWS:
            with ThreadPoolExecutor(_WRITERS) as pool:
                files = [pool.submit(_write, write, temporary_folder) for write in writes]
            prepared += [file.result() for file in files if file.exception() is None]
            for file in files:
                file.result()
        else:
            for write in writes:
                prepared.append(_write(write, temporary_folder))
        # All are on their way to the disk: the first sync waits for what the others would wait for one by one.
        for item in prepared:
            _sync(item.temporary)
    except BaseException:
        discard_files(prepared)
        raise
    return prepared


def _write(write: FileWrite, temporary_folder: Path) -> Prepared:
    temporary = temporary_folder / f"{os.getpid()}-{secrets.token_hex(6)}{_TEMPORARY}"
    encoded = encode_table(write.table)
    content = _parquet_bytes(encoded, write.manifest)
    try:
        with temporary.open("wb") as handle:
            handle.write(content)
            handle.flush()
            _begin_writing(handle.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return Prepared(temporary, write.path, len(content), _signature(encoded.schema))


def publish_files(prepared: Sequence[Prepared]) -> None:
    """Put files into their places, each replacing what was there, and make that last."""
    folders: dict[Path, None] = {}
    for item in prepared:
        try:
            os.replace(item.temporary, item.path)
        except FileNotFoundError:
            item.path.parent.mkdir(parents=True, exist_ok=True)
            os.replace(item.temporary, item.path)
            # A new folder lasts once the one it is in knows of it.
            folders[item.path.parent.parent] = None
        folders[item.path.parent] = None
    for folder in folders:
        _sync(folder)


def discard_files(prepared: Sequence[Prepared]) -> None:
    """Remove files that are not to take their places."""
    for item in prepared:
        item.temporary.unlink(missing_ok=True)


def remove_leftovers(temporary_folder: Path) -> None:
    """Remove what killed writers left in the folder for temporary files."""
    if temporary_folder.is_dir():
        for leftover in temporary_folder.glob(f"*{_TEMPORARY}"):
            pid = leftover.name.split("-", 1)[0]
            if pid.isdigit() and not is_alive(int(pid)):
                leftover.unlink(missing_ok=True)


def read_file(
    path: Path,
    columns: Sequence[str] | None = None,
    *,
    only: Collection[str] | None = None,
    without: Collection[str] = (),
) -> pa.Table:
    """Read a lake file with decimals as exact float64: the rows of the symbols `only` (None: of all) and of none of
    `without`; `columns` must have the symbol then.

    Errors: PartitionMissing when the file is not there; StoreError when it cannot be read.
    """
    names = None if columns is None else list(columns)
    with _opened(path) as file:
        threads = file.metadata.num_rows > _LARGE_ROWS
        if only is None:
            table = file.read(columns=names, use_threads=threads)
        else:
            groups = _groups_of(file, only)
            table = file.read_row_groups(groups, columns=names, use_threads=threads)
        return decode_table(table if only is None and not without else only_rows(table, only, without))


def read_manifest(path: Path) -> dict[str, object]:
    """The manifest stored in a lake file."""
    metadata = pq.read_metadata(path).metadata or {}
    manifest = json.loads(metadata.get(MANIFEST_KEY, b"{}"))
    return dict(manifest)


def row_count(path: Path) -> int:
    """How many rows a file has, by its footer. Errors as `read_file`."""
    with _opened(path) as file:
        return int(file.metadata.num_rows)


def is_apart(path: Path, symbol: str) -> bool:
    """Whether a symbol's rows are in some row groups only, so that reading them takes less than reading all.

    Errors as `read_file`.
    """
    with _opened(path) as file:
        return len(_groups_of(file, [symbol])) < int(file.metadata.num_row_groups)


def read_columns(path: Path) -> list[str]:
    """The names of a file's columns. Errors as `read_file`."""
    with _opened(path) as file:
        return list(file.schema_arrow.names)


def file_signature(path: Path) -> str:
    """How the float columns of a file are encoded. Errors as `read_file`."""
    with _opened(path) as file:
        return _signature(file.schema_arrow)


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        # The files are local: reading ahead on other threads costs small ones more than the reading.
        with pq.ParquetFile(path, pre_buffer=False) as file:
            yield file
    except FileNotFoundError as error:
        raise PartitionMissing(f"{path.name} is not in {path.parent}; run: marketdata doctor") from error
    except (OSError, pa.ArrowInvalid) as error:
        raise StoreError(f"{path} cannot be read ({error}); delete it and materialize its partition again") from error


def _groups_of(file: pq.ParquetFile, symbols: Collection[str]) -> list[int]:
    """The row groups that can have rows of some symbols."""
    metadata = file.metadata
    names = [metadata.schema.column(at).name for at in range(metadata.num_columns)]
    if NO_SYMBOL in symbols or SYMBOL not in names:
        return list(range(metadata.num_row_groups))
    found = []
    for group in range(metadata.num_row_groups):
        known = metadata.row_group(group).column(names.index(SYMBOL)).statistics
        if known is None or not known.has_min_max or any(known.min <= symbol <= known.max for symbol in symbols):
            found.append(group)
    return found


@lru_cache(maxsize=4096)
def _signature(schema: pa.Schema) -> str:
    """How the float columns of a file are encoded: `open:2,close:double`."""
    parts = []
    for field in schema:
        if pa.types.is_decimal(field.type):
            parts.append(f"{field.name}:{field.type.scale}")
        elif pa.types.is_float64(field.type):
            parts.append(f"{field.name}:double")
    return ",".join(parts)


@lru_cache(maxsize=4096)
def _encodings(schema: pa.Schema) -> tuple[list[str], dict[str, str]]:
    """The columns written with a dictionary, and the encoding of others."""
    dictionary = [field.name for field in schema if _is_text(field.type)]
    found = {field.name: _encoding(field.type) for field in schema}
    return dictionary, {name: encoding for name, encoding in found.items() if encoding is not None}


def _parquet_bytes(encoded: pa.Table, manifest: dict[str, object]) -> pa.Buffer:
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    dictionary, packed = _encodings(encoded.schema)
    encoded = encoded.replace_schema_metadata({MANIFEST_KEY: text.encode()})
    few = encoded.num_rows < _FEW_ROWS
    sink = pa.BufferOutputStream()
    pq.write_table(
        encoded,
        sink,
        row_group_size=ROW_GROUP_ROWS,
        compression="snappy" if few else "zstd",
        compression_level=None if few else 1,
        use_dictionary=dictionary,
        column_encoding=packed,
        store_decimal_as_integer=True,
        write_statistics=True,
        data_page_size=1 << 18,
    )
    return sink.getvalue()


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_dictionary(kind) or pa.types.is_string(kind)


def _encoding(kind: pa.DataType) -> str | None:
    if pa.types.is_decimal(kind) or pa.types.is_timestamp(kind) or pa.types.is_int64(kind) or pa.types.is_date32(kind):
        return "DELTA_BINARY_PACKED"
    return "BYTE_STREAM_SPLIT" if pa.types.is_float64(kind) else None


def _begin_writing(file: int) -> None:
    """Let the system begin to write a file's bytes to the disk, without waiting for it."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)


def _sync(path: Path) -> None:
    """Make a file's bytes, or a folder's names, last."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
