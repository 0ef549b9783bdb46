"""Reference files of instruments and their dated symbols into rows of RAW_INSTRUMENT_SCHEMA, good and bad.

A CSV has a header with an instrument's id and any of the other columns; a row with a symbol is an alias. LEAN map files
are rows of aliases too. What all rows together say is `domain.instruments`; how a cell is read is in `cells`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pyarrow as pa

from marketdata_pipelines.domain.instruments import RAW_INSTRUMENT_SCHEMA
from marketdata_pipelines.errors import SourceRejected
from marketdata_pipelines.sources.files.dialect import guess_delimiter, split_fields
from marketdata_pipelines.sources.files.encoding import detect_encoding
from marketdata_pipelines.sources.reference import instrument_cells as cells
from marketdata_pipelines.sources.reference.lean_map import (
    looks_like_map,
    map_entity,
    map_spans,
    read_map_rows,
)

_LONGEST_ORIGINAL = 2000
_HEAD_BYTES = 65536
_HEAD_LINES = 64
_LINE_END = re.compile(r"\r\n|\n|\r")
# SIP participants, as LEAN writes them.
_PARTICIPANTS = {
    "A": "XASE", "B": "XBOS", "C": "XCIS", "J": "EDGA", "K": "EDGX", "M": "XCHI", "N": "XNYS", "P": "ARCX", "Q": "XNAS",
    "T": "XNAS", "V": "IEXG", "W": "CBSX", "X": "XPHL", "Y": "BATY", "Z": "BATS",
}  # fmt: skip


class InstrumentStyle(StrEnum):
    """How a file of instruments is written."""

    AUTO = "auto"
    INSTRUMENTS = "instruments"
    LEAN_MAP = "lean_map"


def read_instruments(content: bytes, name: str, style: str = InstrumentStyle.AUTO) -> pa.Table:
    """Every row of a reference file, good or bad, in its order.

    Shape:   RAW_INSTRUMENT_SCHEMA; `rules` is null for good rows, else ids of INSTRUMENT_RULES or of `domain.rules`.
             A map file gives a row for every ticker's stretch of days at the place of its last line, and its bad lines.
    Errors:  SourceRejected (empty_file, no_rows, missing_column, duplicate_header, unknown_format); nothing else,
             whatever the bytes are.
    """
    text = _text(content)
    if not text.replace("\0", "").strip():
        raise SourceRejected(f"{name} is empty; fetch it again", rule="empty_file")
    if style == InstrumentStyle.LEAN_MAP or (style == InstrumentStyle.AUTO and looks_like_map(text[:_HEAD_BYTES])):
        return _map_table(content, name)
    return _csv_table(text, name)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line that is not empty; `fields` is None where a quote is opened and never closed."""

    row: int
    line: int
    text: str
    fields: list[str] | None


def _text(content: bytes) -> str:
    """The text, with unreadable bytes as U+FFFD: only their cells are bad."""
    return content.decode(detect_encoding(content[:4096]), "replace").removeprefix("\ufeff")


def _csv_table(text: str, name: str) -> pa.Table:
    lines = _lines(text)
    header = next(lines).fields or []
    columns = _columns(header, name)
    records = [_record(line, columns, len(header)) for line in lines]
    if not records:
        raise SourceRejected(f"{name} has a header and no rows", rule="no_rows")
    return pa.Table.from_pylist(records, schema=RAW_INSTRUMENT_SCHEMA)


def _lines(text: str) -> Iterator[_Line]:
    """The lines that are not empty, the header first as row 0.

    A line is a row: no column holds line breaks, and so a quote left open spoils one row, not all that follow.
    """
    numbered = [(number, line) for number, line in enumerate(_LINE_END.split(text), 1) if line.strip()]
    delimiter = guess_delimiter([line[:_LONGEST_ORIGINAL] for _, line in numbered[:_HEAD_LINES]]) or ","
    for row, (number, line) in enumerate(numbered):
        yield _Line(row, number, line, split_fields(line, delimiter))


def _columns(header: list[str], name: str) -> dict[str, int]:
    """The place of each known column; others are left alone.

    Errors: SourceRejected for a header without an instrument's id, or with a column twice.
    """
    found: dict[str, int] = {}
    for place, text in enumerate(header):
        column = cells.column_of(text)
        if column is None:
            continue
        if column in found:
            raise SourceRejected(
                f"{name}: columns {header[found[column]]!r} and {text!r} are both the {column}; leave one out",
                rule="duplicate_header",
            )
        found[column] = place
    if "instrument_id" not in found:
        shown = ", ".join(text.strip()[:30] for text in header[:8])
        raise SourceRejected(
            f"{name} has no column instrument_id (there: {shown}); its first line is to name the columns",
            rule="missing_column",
        )
    return found


def _record(line: _Line, columns: Mapping[str, int], width: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    fields, broken = line.fields or [], [] if line.fields else ["unclosed_quote"]
    # A row may leave out empty cells at its end, and end with a separator.
    if any(field.strip() for field in fields[width:]):
        fields, broken = [], ["row_too_long"]
    for column, place in columns.items():
        text = fields[place].strip() if place < len(fields) else ""
        if not text:
            continue
        try:
            values[column] = _READERS[column](text)
        except cells.CellInvalid as error:
            broken.append(error.rule)
    broken += _row_rules(values, broken)
    return {
        "row": line.row,
        "line": line.line,
        **values,
        "rules": ";".join(dict.fromkeys(broken)) or None,
        "original": line.text[:_LONGEST_ORIGINAL] if broken else None,
    }


def _row_rules(values: Mapping[str, Any], broken: list[str]) -> Iterator[str]:
    """What is wrong with a row as a whole."""
    begins, ends = values.get("from_date"), values.get("to_date")
    if "instrument_id" not in values and not broken:
        yield "instrument_no_id"
    if "symbol" not in values and "instrument_bad_symbol" not in broken and (begins or ends):
        yield "instrument_no_symbol"
    for first, last in ((begins, ends), (values.get("listed"), values.get("delisted"))):
        if first and last and first > last:
            yield "instrument_bad_range"


def _map_table(content: bytes, name: str) -> pa.Table:
    entity = map_entity(name)
    rows = read_map_rows(content, name)
    spans = map_spans(rows)
    bad_name = cells.id_rule(entity)
    good = [
        {
            "row": span.row.row,
            "line": span.row.line,
            "instrument_id": entity,
            "symbol": span.ticker,
            "from_date": span.first_date,
            "to_date": span.last_date,
            "mic": _mic(span.exchange),
            "whole": True,
            "rules": bad_name,
            "original": span.row.original if bad_name else None,
        }
        for span in spans
    ]
    bad = [
        {"row": row.row, "line": row.line, "instrument_id": entity, "rules": row.rules, "original": row.original}
        for row in rows
        if row.rules is not None
    ]
    places = [span.row.row for span in spans] + [row.row for row in rows if row.rules is not None]
    listed = [record for _, record in sorted(zip(places, [*good, *bad], strict=True), key=lambda pair: pair[0])]
    return pa.Table.from_pylist(listed, schema=RAW_INSTRUMENT_SCHEMA)


def _mic(exchange: str) -> str | None:
    return _PARTICIPANTS.get(exchange.upper())


_READERS: Mapping[str, Callable[[str], Any]] = {
    "instrument_id": cells.read_id,
    "symbol": cells.read_symbol,
    "from_date": cells.read_date,
    "to_date": cells.read_last_date,
    "type": cells.read_type,
    "mic": cells.read_mic,
    "currency": cells.read_currency,
    "tick_size": cells.read_size,
    "lot_size": cells.read_size,
    "multiplier": cells.read_size,
    "listed": cells.read_date,
    "delisted": cells.read_last_date,
    "name": cells.read_text,
    "root": cells.read_symbol,
    "expiry": cells.read_date,
    "contract_month": cells.read_month,
    "status": cells.read_status,
}
