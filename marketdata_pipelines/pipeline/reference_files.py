"""A file of reference data as read once: its content, its rows, and what the ledger knows it by.

Whether it is new is decided in `reference_intake`; how its bytes are understood in `sources.reference`.
"""

import os
from dataclasses import dataclass

import pyarrow as pa

from marketdata_pipelines.domain.references import Reference, ReferenceKind
from marketdata_pipelines.errors import SourceRejected, SourceUnavailable
from marketdata_pipelines.sources.files.compression import is_url, open_stream
from marketdata_pipelines.sources.files.listing import file_digest
from marketdata_pipelines.sources.reference.actions import read_actions
from marketdata_pipelines.sources.reference.instruments_csv import read_instruments


@dataclass(frozen=True, slots=True)
class ReferenceFile:
    """A file's unpacked content, as read once, with the digest and number of its bytes as stored (0 for URLs)."""

    name: str
    path: str
    sha256: str
    size_bytes: int
    content: bytes

    @property
    def named_identity(self) -> str:
        """What the ledger knows a content by whose meaning depends on the file's name."""
        return f"{self.sha256} {self.name}"


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """A file's rows; `identity` is what the ledger knows its content by."""

    file: ReferenceFile
    rows: pa.Table
    identity: str

    @property
    def good(self) -> int:
        return int(self.rows["rules"].null_count)

    @property
    def rejected(self) -> int:
        return self.rows.num_rows - self.good


def read_reference_file(path: str) -> ReferenceFile:
    """A file as it is now, unpacked.

    Errors: SourceRejected where the compression is damaged; SourceUnavailable where it is not there or is changing.
    """
    before = file_digest(path)
    with open_stream(path) as stream:
        content = stream.read_all()
    if file_digest(path) != before:
        raise SourceUnavailable(f"{base_name(path)} changed while it was read; it is left for later")
    return ReferenceFile(base_name(path), path, before, stored_bytes(path), content)


def parse_reference_file(file: ReferenceFile, reference: Reference) -> ParsedFile:
    """A file's rows, good and bad.

    Errors: SourceRejected.
    """
    rows = _rows(file.content, file.name, reference)
    # A file may be about the symbol it is named after; two symbols may then have files of the same bytes.
    _, dot, endings = file.name.partition(".")
    try:
        by_content = _rows(file.content, f"another{dot}{endings}", reference).equals(rows)
    except SourceRejected:
        by_content = False
    return ParsedFile(file, rows, file.sha256 if by_content else file.named_identity)


def stored_bytes(path: str) -> int:
    """The size of a local file; 0 for a URL."""
    return 0 if is_url(path) else os.path.getsize(path)


def base_name(path: str) -> str:
    """A path's or URL's last part."""
    return path.rstrip("/").rsplit("/", 1)[-1]


def _rows(content: bytes, name: str, reference: Reference) -> pa.Table:
    if reference.kind is ReferenceKind.CORPORATE_ACTIONS:
        return read_actions(content, name, reference.style)
    return read_instruments(content, name, reference.style)
