"""Reading a whole JSON document: arrays of records, arrays of arrays, columns of lists, records by time or symbol.

The document is held in memory; a large one belongs into JSON lines (`jsonlines`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from marketdata_pipelines.errors import SourceRejected
from marketdata_pipelines.sources.files import columns
from marketdata_pipelines.sources.files.cells import Cells, CellStream
from marketdata_pipelines.sources.files.compression import open_stream
from marketdata_pipelines.sources.files.encoding import Utf8Stream
from marketdata_pipelines.sources.files.filenames import is_ticker
from marketdata_pipelines.sources.files.plans import FilePlan
from marketdata_pipelines.sources.files.samples import SAMPLE_ROWS, Sample
from marketdata_pipelines.sources.files.values import sound_text, value_column, value_text

_ROWS_PER_CHUNK = 200_000
_SYMBOL_KEYS = ("symbol", "ticker", "2. symbol", "pair", "product_id", "code", "instrument")
_DEEPEST = 6


@dataclass(frozen=True, slots=True)
class Records:
    """A document's rows as columns of values, all of one length; `named` false: keys are 1-based positions.

    `symbol`: the symbol the document names for all rows.
    """

    values: Mapping[str, Sequence[Any]]
    named: bool
    symbol: str | None

    def __len__(self) -> int:
        return max((len(column) for column in self.values.values()), default=0)


def sample_document(path: str, encoding: str) -> Sample:
    """The first records of a document.

    Errors: SourceRejected(container_damaged | no_rows | missing_column).
    """
    records = load_document(path, encoding)
    cells = {key: [value_text(v) or "" for v in column[:SAMPLE_ROWS]] for key, column in records.values.items()}
    return Sample(tuple(records.values), records.named, cells, symbol=records.symbol)


def read_document(plan: FilePlan) -> CellStream:
    """The rows of a document as planned; their source text is the record written as JSON."""
    records = load_document(plan.path, plan.encoding)
    count = len(records)
    for start in range(0, count, _ROWS_PER_CHUNK):
        stop = min(start + _ROWS_PER_CHUNK, count)
        sources = plan.sources
        arrays = {
            part: value_column(records.values[part][start:stop])
            for source in sources.values()
            for part in source.split("+")
        }
        yield Cells(
            columns={field: arrays[source] for field, source in sources.items() if field != "ts"},
            times=tuple(arrays[part] for part in sources["ts"].split("+")),
            rows=np.arange(start + 1, stop + 1),
            lines=None,
            rules=np.zeros(stop - start, np.int64),
            texts=lambda places, start=start: _texts(records, places + start),  # type: ignore[misc]
        )


def load_document(path: str, encoding: str) -> Records:
    """Parse a document and find its rows.

    Errors: SourceRejected(container_damaged) when it is no JSON, (missing_column) when it holds no rows we know.
    """
    with open_stream(path) as stream:
        data = Utf8Stream(stream, encoding)
        pieces = []
        while piece := data.read(1 << 24):
            pieces.append(piece)
    try:
        document = json.loads(b"".join(pieces).decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise SourceRejected(
            f"{path} is JSON that is cut off or damaged ({error}); fetch it again", rule="container_damaged"
        ) from error
    found = _find_rows(document, None, 0)
    if found is not None:
        values = {key: column for key, column in found.values.items() if sound_text(key) == key}
        found = Records(values, found.named, found.symbol and sound_text(found.symbol))
    if found is None:
        if document in ([], {}):
            raise SourceRejected(f"{path} holds no records; nothing to ingest", rule="no_rows")
        raise SourceRejected(
            f"{path} is JSON without an array of records or of arrays, or columns of lists; convert it to JSON lines",
            rule="missing_column",
        )
    return found


def _texts(records: Records, places: np.ndarray) -> list[str]:
    found = []
    for place in places.tolist():
        row = {key: column[place] for key, column in records.values.items()}
        shown: Any = row if records.named else list(row.values())
        found.append(json.dumps(shown, default=str)[:2000])
    return found


def _find_rows(node: Any, symbol: str | None, depth: int) -> Records | None:
    if depth > _DEEPEST:
        return None
    if isinstance(node, list):
        return _from_list(node, symbol, depth)
    if not isinstance(node, dict):
        return None
    named = next((str(node[key]) for key in node if key.lower() in _SYMBOL_KEYS and isinstance(node[key], str)), symbol)
    if named is None:
        metas = (value for value in node.values() if isinstance(value, dict))
        named = next((str(m[k]) for m in metas for k in m if k.lower() in _SYMBOL_KEYS and isinstance(m[k], str)), None)
    lists = {key: value for key, value in node.items() if isinstance(value, list)}
    if len(lists) >= 3 and columns.is_header(list(lists)):
        return _from_columns(lists, named)
    charted = _from_chart(node, named)
    return charted or _from_parts(node, named, depth)


def _from_list(node: list[Any], symbol: str | None, depth: int) -> Records | None:
    if not node:
        return None
    dicts = [item for item in node if isinstance(item, dict)]
    if dicts and columns.is_header(list(dicts[0])):
        keys = dict.fromkeys(key for item in dicts for key in item)
        # What is no object among records is a row that cannot be read, not one to drop.
        rows = [item if isinstance(item, dict) else {} for item in node]
        return Records({key: [row.get(key) for row in rows] for key in keys}, True, symbol)
    arrays = [item for item in node if isinstance(item, list)]
    if arrays and len(arrays[0]) >= 3:
        width = len(arrays[0])
        rows_of = [(item if isinstance(item, list) else [])[:width] for item in node]
        padded = [row + [None] * (width - len(row)) for row in rows_of]
        return Records({str(at + 1): [row[at] for row in padded] for at in range(width)}, False, symbol)
    found = [inner for item in node[:1000] if (inner := _find_rows(item, symbol, depth + 1)) is not None]
    return max(found, key=len) if found else None


def _from_columns(lists: Mapping[str, list[Any]], symbol: str | None) -> Records:
    longest = max(len(column) for column in lists.values())
    used = {key: column + [None] * (longest - len(column)) for key, column in lists.items() if column}
    return Records(used, True, symbol)


def _from_chart(node: Mapping[str, Any], symbol: str | None) -> Records | None:
    """Yahoo's chart answer: times beside `indicators.quote[0]` with one list a price."""
    times, indicators = node.get("timestamp"), node.get("indicators")
    if not isinstance(times, list) or not isinstance(indicators, dict):
        return None
    quotes = indicators.get("quote")
    if not isinstance(quotes, list) or not quotes or not isinstance(quotes[0], dict):
        return None
    lists = {key: value for key, value in quotes[0].items() if isinstance(value, list)}
    return _from_columns({"timestamp": times, **lists}, symbol)


def _from_parts(node: Mapping[str, Any], symbol: str | None, depth: int) -> Records | None:
    """Records keyed by time or by symbol, or the largest part that holds rows."""
    inner = {key: value for key, value in node.items() if isinstance(value, dict)}
    if any(_is_row(value) for value in inner.values()) or (len(inner) > 2 and columns.is_header(list(inner))):
        keys = dict.fromkeys(key for row in inner.values() for key in row)
        if columns.is_header(list(inner)):
            return _from_columns({key: list(value.values()) for key, value in inner.items()}, symbol)
        return Records(
            {"time": list(inner), **{key: [row.get(key) for row in inner.values()] for key in keys}}, True, symbol
        )
    parts = {key: rows for key, value in node.items() if (rows := _find_rows(value, symbol, depth + 1)) is not None}
    if (len(parts) > 1 and all(is_ticker(key) for key in parts)) or (
        len(parts) == 1 and symbol is None and _is_only(parts)
    ):
        return _by_symbol(parts)
    return max(parts.values(), key=len) if parts else None


def _is_row(value: Mapping[str, Any]) -> bool:
    """Whether a record keyed by its time is a bar or a trade."""
    plain = [key for key, cell in value.items() if not isinstance(cell, dict | list)]
    return columns.recognise_columns(plain, {}, {}).kind is not None


def _is_only(parts: Mapping[str, Records]) -> bool:
    key, rows = next(iter(parts.items()))
    return is_ticker(key) and rows.symbol is None


def _by_symbol(parts: Mapping[str, Records]) -> Records:
    keys = dict.fromkeys(key for rows in parts.values() for key in rows.values)
    symbols = [key for key, rows in parts.items() for _ in range(len(rows))]
    joined = {key: [v for rows in parts.values() for v in rows.values.get(key, [None] * len(rows))] for key in keys}
    named = all(rows.named for rows in parts.values())
    if not named:
        # Arrays have no names: the symbol becomes the first column.
        shifted = {str(int(key) + 1): column for key, column in joined.items()}
        return Records({"1": symbols, **shifted}, False, None)
    return Records({**joined, "symbol": symbols}, True, None)
