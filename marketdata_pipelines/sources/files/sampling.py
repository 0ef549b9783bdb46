"""Opening a file for planning: which format it is in, and its first rows."""

import re
from collections.abc import Sequence

from marketdata_pipelines.domain.feeds import SourceSpec
from marketdata_pipelines.errors import SourceRejected
from marketdata_pipelines.sources.files import formats
from marketdata_pipelines.sources.files.compression import ByteStream, named_compression, open_stream
from marketdata_pipelines.sources.files.delimited import head_lines
from marketdata_pipelines.sources.files.dialect import (
    check_decimal,
    check_delimiter,
    guess_delimiter,
    lay_out,
    split_fields,
)
from marketdata_pipelines.sources.files.encoding import UTF8, Utf8Stream, canonical_encoding, detect_encoding
from marketdata_pipelines.sources.files.lines import LONGEST_LINE, LineBlock, split_lines
from marketdata_pipelines.sources.files.samples import SAMPLE_ROWS, Container, Sample

HEAD_BYTES = 256 << 10


def sample_file(path: str, spec: SourceSpec) -> tuple[Container, Sample]:
    """What kind of file it is, and its first rows.

    Errors: SourceRejected(empty_file | unknown_format | compression_damaged | container_damaged | missing_column).
    """
    pinned = formats.canonical_format(spec.format)
    with open_stream(path) as stream:
        head = stream.read(HEAD_BYTES)
        if not head.strip(b"\0 \t\r\n\xef\xbb\xbf\xff\xfe"):
            raise SourceRejected(f"{path} is empty; fetch it again or remove it", rule="empty_file")
        found = pinned or formats.container_format(head)
        container = Container(path, found or "", stream.compression, guessed=() if pinned else ("format",))
        container = _note_compression(container)
        if found == formats.PARQUET:
            from marketdata_pipelines.sources.files.parquet import sample_parquet

            return container, sample_parquet(path)
        if found == formats.EXCEL:
            from marketdata_pipelines.sources.files.excel import sample_excel

            return container, sample_excel(path, spec.sheet)
        return _sample_text(container, spec, _Rewound(stream, head), pinned)


class _Rewound:
    """A stream whose first bytes were looked at already."""

    def __init__(self, stream: ByteStream, head: bytes) -> None:
        self.head = head
        self._left = head
        self._stream = stream

    def read(self, size: int) -> bytes:
        if not self._left:
            return self._stream.read(size)
        taken, self._left = self._left[:size], self._left[size:]
        return taken


def _note_compression(container: Container) -> Container:
    named = named_compression(container.path)
    if named is None or container.compression is not None:
        return container
    text = f"named {named} but not compressed; read as it is, name it without the ending"
    return _changed(container, findings=(*container.findings, ("not_compressed", text)))


def _sample_text(
    container: Container, spec: SourceSpec, stream: _Rewound, pinned: str | None
) -> tuple[Container, Sample]:
    encoding = canonical_encoding(spec.encoding) if spec.encoding else detect_encoding(stream.head)
    if not spec.encoding:
        container = _changed(container, guessed=(*container.guessed, "encoding"))
        if encoding != UTF8:
            note = f"{encoding} converted to UTF-8; pin `encoding: {encoding}`"
            container = _changed(container, findings=(*container.findings, ("transcoded", note)))
    text_stream = Utf8Stream(stream, encoding)
    text, complete = _read_head(text_stream)
    if not text.strip():
        raise SourceRejected(f"{container.path} is empty; fetch it again or remove it", rule="empty_file")
    found = pinned or formats.text_format(container.path, text, complete=complete)
    container = _changed(container, format=found, encoding=encoding)
    if found == formats.CSV:
        return _sample_delimited(container, spec, text, complete=complete)
    if found == formats.JSON_LINES:
        from marketdata_pipelines.sources.files.jsonlines import sample_lines

        return container, sample_lines(container.path, text, complete=complete)
    from marketdata_pipelines.sources.files.jsondocument import sample_document

    return container, sample_document(container.path, encoding)


def _read_head(stream: Utf8Stream) -> tuple[bytes, bool]:
    found = b""
    while len(found) < HEAD_BYTES:
        piece = stream.read(HEAD_BYTES - len(found))
        if not piece:
            return found, True
        found += piece
    return found, not stream.read(1)


def _sample_delimited(
    container: Container, spec: SourceSpec, text: bytes, *, complete: bool
) -> tuple[Container, Sample]:
    block = split_lines(text)
    if not complete and len(block.starts) > 1:
        block = LineBlock(block.data, block.starts[:-1], block.ends[:-1], 1)
    head = head_lines(block)
    delimiter = check_delimiter(spec.delimiter) if spec.delimiter else guess_delimiter(head)
    if delimiter is None:
        raise SourceRejected(
            f"{container.path}: its lines ({head[0][:60]!r} …) have no separator that makes columns of them; "
            "pin `delimiter` in feeds.yaml, or give another format",
            rule="unknown_format",
        )
    layout = lay_out(head, delimiter, spec.header)
    rows = _rows(block, layout.skip, delimiter, layout.width)
    if not rows and any(line.strip() for line in head[layout.skip :]):
        raise SourceRejected(
            f"{container.path}: none of its rows has the {layout.width} fields of its header "
            f"({', '.join(layout.header_cells)}); mend the file, or pin `delimiter` in feeds.yaml",
            rule="missing_column",
        )
    sources = layout.sources
    cells = {source: [row[index] for row in rows] for index, source in reversed(list(enumerate(sources)))}
    decimal = check_decimal(spec.decimal) if spec.decimal else _guess_decimal(rows)
    guessed = [
        name
        for name, value in (("delimiter", spec.delimiter), ("header", spec.header), ("decimal", spec.decimal))
        if value is None
    ]
    noted = [("decimal_comma", 'numbers have a decimal comma; pin `decimal: ","`')] if decimal == "," else []
    container = _changed(
        container,
        delimiter=delimiter,
        header=layout.names is not None,
        decimal=decimal,
        guessed=(*container.guessed, *guessed),
        findings=(*container.findings, *(noted if spec.decimal is None else [])),
    )
    return container, Sample(sources, layout.names is not None, cells)


def _rows(block: LineBlock, skip: int, delimiter: str, width: int) -> list[Sequence[str]]:
    """The fields of the first data lines that have the right number of them."""
    found: list[Sequence[str]] = []
    for index in range(skip, len(block.starts)):
        if len(found) == SAMPLE_ROWS:
            break
        if block.ends[index] - block.starts[index] > LONGEST_LINE:
            continue
        fields = split_fields(block.line(index).decode("utf-8", "replace").replace("\0", ""), delimiter)
        if fields is not None and len(fields) == width and any(field.strip() for field in fields):
            found.append(fields)
    return found


def _guess_decimal(rows: Sequence[Sequence[str]]) -> str:
    cells = [cell.strip() for row in rows for cell in row]
    commas = sum(1 for cell in cells if re.fullmatch(r"[+-]?[0-9]+,[0-9]+", cell))
    return "," if commas > sum(1 for cell in cells if re.fullmatch(r"[+-]?[0-9]+\.[0-9]+", cell)) else "."


def _changed(container: Container, **changes: object) -> Container:
    from dataclasses import replace

    return replace(container, **changes)  # type: ignore[arg-type]
