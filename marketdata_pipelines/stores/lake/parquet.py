"""Lake files: written atomically with a manifest, read back guarded.

Same table and manifest give the same bytes. A file appears whole or not at all: it is written in the lake's
folder for temporary files, synced, and renamed; what a killed writer left there is removed by the next one.
"""

import json
import os
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from marketdata_pipelines.errors import PartitionMissing, StoreError
from marketdata_pipelines.stores.lake.encoding import decode_table, encode_table

MANIFEST_KEY = b"marketdata.manifest"
ROW_GROUP_ROWS = 1 << 18
_SYNCS = 8
_TEMPORARY = ".tmp"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A whole, synced file that waits to take its place; `signature` is how its float columns are encoded."""

    temporary: Path
    path: Path
    bytes: int
    signature: str


def write_file(path: Path, table: pa.Table, manifest: dict[str, object], temporary_folder: Path) -> int:
    """Write a table with its manifest to `path`, replacing what was there; returns the bytes written."""
    prepared = prepare_file(path, table, manifest, temporary_folder)
    publish_files([prepared])
    return prepared.bytes


def prepare_file(path: Path, table: pa.Table, manifest: dict[str, object], temporary_folder: Path) -> Prepared:
    """Write a table with its manifest beside its place; `publish_files` or `discard_files` must follow."""
    temporary_folder.mkdir(parents=True, exist_ok=True)
    temporary = temporary_folder / f"{os.getpid()}-{secrets.token_hex(6)}{_TEMPORARY}"
    encoded = encode_table(table)
    try:
        content = _parquet_bytes(encoded, manifest)
        with temporary.open("wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return Prepared(temporary, path, len(content), _signature(encoded.schema))


def publish_files(prepared: Sequence[Prepared]) -> None:
    """Put files into their places, each replacing what was there, and make that last."""
    for item in prepared:
        try:
            os.replace(item.temporary, item.path)
        except FileNotFoundError:
            item.path.parent.mkdir(parents=True, exist_ok=True)
            os.replace(item.temporary, item.path)
    folders = list(dict.fromkeys(item.path.parent for item in prepared))
    # The file system writes what waits together at once.
    with ThreadPoolExecutor(max(min(len(folders), _SYNCS), 1)) as pool:
        list(pool.map(_sync_folder, folders))


def discard_files(prepared: Sequence[Prepared]) -> None:
    """Remove files that are not to take their places."""
    for item in prepared:
        item.temporary.unlink(missing_ok=True)


def remove_leftovers(temporary_folder: Path) -> None:
    """Remove what killed writers left in the folder for temporary files."""
    if temporary_folder.is_dir():
        for leftover in temporary_folder.glob(f"*{_TEMPORARY}"):
            pid = leftover.name.split("-", 1)[0]
            if pid.isdigit() and not _is_alive(int(pid)):
                leftover.unlink(missing_ok=True)


def read_file(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a lake file with decimals as exact float64.

    Errors: PartitionMissing when the file is not there; StoreError when it cannot be read.
    """
    try:
        return decode_table(pq.ParquetFile(path).read(columns=list(columns) if columns is not None else None))
    except FileNotFoundError as error:
        raise PartitionMissing(f"{path.name} is not in {path.parent}; run: marketdata doctor") from error
    except (OSError, pa.ArrowInvalid) as error:
        raise StoreError(f"{path} cannot be read ({error}); delete it and materialize its partition again") from error


def read_manifest(path: Path) -> dict[str, object]:
    """The manifest stored in a lake file."""
    metadata = pq.read_metadata(path).metadata or {}
    manifest = json.loads(metadata.get(MANIFEST_KEY, b"{}"))
    return dict(manifest)


def _signature(schema: pa.Schema) -> str:
    """How the float columns of a file are encoded: `open:2,close:double`."""
    parts = []
    for field in schema:
        if pa.types.is_decimal(field.type):
            parts.append(f"{field.name}:{field.type.scale}")
        elif pa.types.is_float64(field.type):
            parts.append(f"{field.name}:double")
    return ",".join(parts)


def _parquet_bytes(encoded: pa.Table, manifest: dict[str, object]) -> pa.Buffer:
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    encoded = encoded.replace_schema_metadata({MANIFEST_KEY: text.encode()})
    dictionary = [field.name for field in encoded.schema if _is_text(field.type)]
    packed = {field.name: _encoding(field.type) for field in encoded.schema if _encoding(field.type)}
    sink = pa.BufferOutputStream()
    pq.write_table(
        encoded,
        sink,
        row_group_size=ROW_GROUP_ROWS,
        compression="zstd",
        compression_level=1,
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


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
