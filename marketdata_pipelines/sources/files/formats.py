"""Recognising a file's format from its first bytes.

Compression and encoding are undone before (`compression`, `encoding`); separators are in `dialect`.
"""

import json

from marketdata_pipelines.errors import SettingsInvalid, SourceRejected
from marketdata_pipelines.sources.files.lines import split_lines

CSV, JSON, JSON_LINES, PARQUET, EXCEL = "csv", "json", "jsonl", "parquet", "excel"
_ALIASES = {
    "csv": CSV,
    "tsv": CSV,
    "txt": CSV,
    "text": CSV,
    "json": JSON,
    "jsonl": JSON_LINES,
    "ndjson": JSON_LINES,
    "parquet": PARQUET,
    "excel": EXCEL,
    "xlsx": EXCEL,
    "xls": EXCEL,
    "ods": EXCEL,
}
_FOREIGN = (
    *((b"\x89PNG", "a PNG image"), (b"\xff\xd8\xff", "a JPEG image"), (b"GIF8", "a GIF image"), (b"%PDF", "a PDF")),
    *((b"\x7fELF", "a program"), (b"Rar!", "a RAR archive"), (b"7z\xbc\xaf", "a 7z archive"), (b"ORC", "an ORC file")),
    *((b"SQLite format 3", "an SQLite database"), (b"\x89HDF", "an HDF5 file"), (b"DBN", "a Databento DBN file")),
    *((b"ARROW1", "an Arrow IPC file"), (b"Obj\x01", "an Avro file"), (b"\x28\xb5\x2f\xfd", "doubly compressed")),
    *((b"\x1f\x8b", "doubly compressed"), (b"PE\0\0", "a program"), (b"\x93NUMPY", "a NumPy file")),
)
_CONTAINERS = ((b"PAR1", PARQUET), (b"PK\x03\x04", EXCEL), (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", EXCEL))
_CONTROL = bytes(code for code in range(32) if code not in b"\t\n\r\f\v\0")


def canonical_format(name: str | None) -> str | None:
    """A pinned format's own name; None for `auto`.

    Errors: SettingsInvalid for an unknown name.
    """
    if name is None or name == "auto":
        return None
    if name.lower() not in _ALIASES:
        raise SettingsInvalid(f"format {name!r} is unknown; give auto, csv, tsv, json, jsonl, parquet or excel")
    return _ALIASES[name.lower()]


def container_format(head: bytes) -> str | None:
    """Parquet or Excel by the file's magic bytes, None for text."""
    return next((name for magic, name in _CONTAINERS if head.startswith(magic)), None)


def text_format(path: str, head: bytes, *, complete: bool) -> str:
    """csv, json or jsonl from the first bytes as UTF-8; `complete`: they are all of the file.

    Errors: SourceRejected(unknown_format) for images, programs, web pages and other binary data.
    """
    _refuse_foreign(path, head)
    start = head.lstrip()[:1]
    if start == b"[":
        return JSON
    if start != b"{":
        return CSV
    block = split_lines(head)
    lines = [line for index in range(min(len(block.starts), 40)) if (line := block.line(index).strip())]
    if not complete and len(lines) > 1 and len(block.starts) <= 40:
        lines.pop()
    objects = sum(1 for line in lines if _is_record(line))
    if len(lines) == 1:
        return JSON_LINES if objects or (not complete and not _has_nested_start(lines[0])) else JSON
    return JSON_LINES if objects * 2 > len(lines) else JSON


def _is_record(line: bytes) -> bool:
    """Whether a line is a whole JSON object of plain values: one row, not a document of many."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return False
    if not isinstance(value, dict):
        return False
    return not any(
        isinstance(v, dict) or (isinstance(v, list) and any(isinstance(x, dict | list) for x in v))
        for v in value.values()
    ) and (sum(isinstance(v, list) for v in value.values()) < 3)


def _has_nested_start(line: bytes) -> bool:
    return line.count(b"{", 0, 4096) > 1 or b"[" in line[:4096]


def _refuse_foreign(path: str, head: bytes) -> None:
    found = next((what for magic, what in _FOREIGN if head.startswith(magic)), None)
    start = head[:512].lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<body", b"<table", b"<svg")):
        found = "a web page or XML"
    if found is None:
        sample = head[:65_536]
        control = len(sample) - len(sample.translate(None, _CONTROL)) + sample.count(b"\0") // 4
        if control > 0.02 * len(sample):
            found = "binary data"
        elif not sample.isascii():
            broken = sample.decode("utf-8", "replace").count("\ufffd")
            found = "binary data" if broken > 0.1 * len(sample) else None
    if found is not None:
        raise SourceRejected(
            f"{path} is {found}, no market data in a format that can be read; "
            "give CSV, JSON, JSON lines, Parquet or Excel (or pin `format` in feeds.yaml)",
            rule="unknown_format",
        )
