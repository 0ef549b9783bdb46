"""Small delimited text as records: every line that says something, with its place, never an exception.

What a record's cells mean is in the readers of actions; files of bars are read in chunks by `sources.files`.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from marketdata_pipelines.errors import SourceRejected
from marketdata_pipelines.sources.files.encoding import detect_encoding

LONGEST_ORIGINAL = 2000
_COMMENT = "#"


@dataclass(frozen=True, slots=True)
class Record:
    """One record: the physical line it begins on, its cells without outer blanks, its text as written.

    `cells` is None where the line cannot be split: a quote is not closed, a field is beyond all reason, a NUL.
    """

    line: int
    cells: tuple[str, ...] | None
    text: str

    @property
    def original(self) -> str:
        return self.text[:LONGEST_ORIGINAL]


def decode_text(content: bytes, name: str) -> str:
    """A file's text; bytes that are none in its encoding come out as U+FFFD, so that only their rows are bad.

    Errors: SourceRejected (empty_file).
    """
    if not content.strip(b"\0 \t\r\n\xef\xbb\xbf"):
        raise SourceRejected(f"{name} is empty; fetch it again", rule="empty_file")
    return content.decode(detect_encoding(content[:4096]), "replace").removeprefix("\ufeff")


def split_records(text: str, delimiter: str) -> list[Record]:
    """The records of a text; empty lines and comments (`#`) are none. Quoted cells may hold line breaks."""
    lines = list(io.StringIO(text, newline=""))
    try:
        found = list(_quoted(lines, delimiter))
    except csv.Error:
        # One damaged quote would swallow all lines up to the next: each line is taken by itself.
        found = [_single(number, line, delimiter) for number, line in enumerate(lines, 1)]
    return [record for record in found if _says_something(record)]


def _quoted(lines: list[str], delimiter: str) -> Iterator[Record]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    begins = 0
    for cells in reader:
        source = "".join(lines[begins : reader.line_num]).rstrip("\r\n")
        yield _record(begins + 1, cells, source)
        begins = reader.line_num


def _single(number: int, line: str, delimiter: str) -> Record:
    source = line.rstrip("\r\n")
    if source.count('"') % 2:
        return Record(number, None, source)
    try:
        return _record(number, next(csv.reader([source], delimiter=delimiter), []), source)
    except csv.Error:
        return Record(number, None, source)


def _record(line: int, cells: list[str], source: str) -> Record:
    return Record(line, None if "\0" in source else tuple(cell.strip() for cell in cells), source)


def _says_something(record: Record) -> bool:
    said = record.text.lstrip()
    return bool(said) and not said.startswith(_COMMENT) and (record.cells is None or any(record.cells))
