"""Simulated days as a vendor's files, one a day, with a table of labels that tells every fault in them."""

import csv
import gzip
import hashlib
import io
import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.sources.simulated.historical import SimulatedDay, historical
from marketdata_pipelines.sources.simulated.injection import InjectedFault
from marketdata_pipelines.sources.simulated.lines import csv_line, json_line
from marketdata_pipelines.sources.simulated.rates import GAP, fault_rates

FileFormat = Literal["csv", "jsonl", "parquet"]
Compression = Literal["gz", "zst"]

# Hidden, so that taking in the folder leaves it out.
LABELS_NAME = ".labels.csv"
_LABEL_COLUMNS = (
    *("file", "line", "row", "symbol", "ts_utc", "defect", "scope", "expect"),
    *("column", "original", "injected"),
)
# What a format cannot hold: a JSON object has no cells too many, a typed column no word for a number.
_UNWRITABLE = {
    "csv": frozenset[str](),
    "jsonl": frozenset({"ragged_short", "ragged_long"}),
    "parquet": frozenset({"ragged_short", "ragged_long", "volume_bad_format"}),
}
_EXPECT = {
    "dup_exact": "dedupe",
    "dup_conflict": "quarantine_row",
    "out_of_session": "quarantine_row",
    "volume_bad_format": "reject_row_or_warn",
    "symbol_case_space": "normalise_or_reject_row",
    GAP: "warn",
}


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file that was written: its path, session date, data rows, SHA-256 of its bytes, and its faults."""

    path: str
    day: date
    rows: int
    sha256: str
    faults: tuple[InjectedFault, ...]


def write_files(
    feed: Feed,
    start: date,
    end: date,
    folder: str,
    *,
    format: FileFormat = "csv",  # noqa: A002 (the natural keyword at the call)
    compression: Compression | None = None,
) -> list[WrittenFile]:
    """Write the feed's sessions from start to end, both included, to `folder` as `2024-03-04.csv` …

    Labels:  when the feed asks for faults, `.labels.csv` beside them has a row for each (and one `none` for a file
             without any): file, line, row, symbol, ts_utc, defect, scope, expect, column, original, injected.
    Bytes:   CSV and JSON lines are the same on every machine; files appear whole or not at all.
    Errors:  SettingsInvalid for faults the format cannot hold and for Parquet with a compression (it has its own).
    """
    require_writable(feed, format, compression)
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for day in historical(feed, start, end):
        name = f"{day.day.isoformat()}.{format}" + (f".{compression}" if compression else "")
        content = _compressed(_content(day, format), compression)
        _write(target / name, content)
        digest = hashlib.sha256(content).hexdigest()
        written.append(WrittenFile(str(target / name), day.day, day.table.num_rows, digest, day.faults))
    if fault_rates(feed):
        _write(target / LABELS_NAME, _labels(written, format).encode())
    return written


def require_writable(feed: Feed, file_format: FileFormat, compression: Compression | None) -> None:
    """Errors: SettingsInvalid for a format that is not written, or a fault it cannot hold or the feed cannot have."""
    if file_format not in _UNWRITABLE:
        raise SettingsInvalid(f"format {file_format!r} is not written; use csv, jsonl or parquet")
    if compression not in (None, "gz", "zst") or (compression and file_format == "parquet"):
        raise SettingsInvalid(
            f"{file_format} with compression {compression!r} is not written; use csv or jsonl, gz or zst"
        )
    unwritable = [asked.kind for asked in fault_rates(feed) if asked.kind in _UNWRITABLE[file_format]]
    if unwritable:
        raise SettingsInvalid(
            f"{feed.name}: {file_format} cannot hold {', '.join(unwritable)}; write csv or remove them"
        )


def _content(day: SimulatedDay, file_format: FileFormat) -> bytes:
    if file_format == "parquet":
        return _parquet(day)
    chunk = day.chunk
    cells = chunk.cells(np.arange(chunk.table.num_rows))
    if file_format == "csv":
        lines = [csv_line(chunk.style.header), *map(csv_line, cells)]
    else:
        lines = [json_line(chunk.style.header, row) for row in cells]
    return "".join(f"{line}\n" for line in lines).encode()


def _parquet(day: SimulatedDay) -> bytes:
    names = {name: "ts" if name == "timestamp" else name for name in day.chunk.style.header}
    table = day.table.select(list(names.values())).rename_columns(list(names))
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _compressed(content: bytes, compression: Compression | None) -> bytes:
    if compression == "gz":
        # No time in the header: same rows, same bytes.
        return gzip.compress(content, 6, mtime=0)
    if compression == "zst":
        packed: bytes = pa.Codec("zstd", compression_level=3).compress(content, asbytes=True)
        return packed
    return content


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(f"{path.name}.part")
    partial.write_bytes(content)
    os.replace(partial, path)


def _labels(written: list[WrittenFile], file_format: FileFormat) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_LABEL_COLUMNS)
    for file in written:
        name = os.path.basename(file.path)
        if not file.faults:
            writer.writerow([name, "", "", "", "", "none", "file", "accept", "", "", ""])
        for fault in file.faults:
            line = {"csv": fault.row + 1, "jsonl": fault.row, "parquet": ""}[file_format]
            scope, expect = "block" if fault.kind == GAP else "row", _EXPECT.get(fault.kind, "reject_row")
            where = (name, line, fault.row, fault.symbol, f"{fault.ts:%Y-%m-%dT%H:%M:%SZ}")
            what = (fault.kind, scope, expect, fault.column, fault.original, fault.injected)
            writer.writerow((*where, *what))
    return buffer.getvalue()
