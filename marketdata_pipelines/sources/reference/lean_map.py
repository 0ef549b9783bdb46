"""LEAN map files: `date,ticker,exchange`, each row the last date on which the instrument bore that ticker.

The first row is the instrument's first date; a last date of 2050-12-31 means that the ticker is still borne. What
actions or aliases follow from the rows is not here.
"""

import re
from dataclasses import dataclass, replace
from datetime import date, timedelta

from marketdata_pipelines.errors import SourceRejected
from marketdata_pipelines.sources.files.encoding import detect_encoding

# LEAN writes this date for a ticker that is still in use.
OPEN_END = date(2050, 12, 31)
_ENDINGS = re.compile(r"(\.map)?(\.(csv|txt|map))?(\.(gz|zst|bz2|xz))?$", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_LONGEST_TICKER = 64


@dataclass(frozen=True, slots=True)
class MapRow:
    """One line of a map file; `rules` names what is wrong with it, `row` and `line` count from 1."""

    row: int
    line: int
    last_date: date | None
    ticker: str
    exchange: str
    rules: str | None
    original: str


@dataclass(frozen=True, slots=True)
class MapSpan:
    """A ticker and the dates it was borne on, both included; None: not known when it began, or still borne."""

    ticker: str
    first_date: date | None
    last_date: date | None
    exchange: str
    row: MapRow


def map_entity(name: str) -> str:
    """What a map file is about: its base name without endings, in capitals (`qqq.map.csv` is QQQ).

    A second bearer of a ticker has a file like `fb.1.csv`, and is another entity: FB.1.
    """
    base = re.split(r"[/\\]", name)[-1]
    return _ENDINGS.sub("", base).strip().upper()


def looks_like_map(head: str) -> bool:
    """Whether a text's first line that is not empty reads `YYYYMMDD,ticker` or `YYYYMMDD,ticker,exchange`."""
    first = next((line for line in head.splitlines() if line.strip()), "")
    cells = _cells(first)
    return len(cells) in (2, 3) and _map_date(cells[0]) is not None and not _NUMBER.fullmatch(cells[1])


def read_map_rows(content: bytes, name: str) -> list[MapRow]:
    """Every line of a map file that is not empty, good or bad, in the file's order; tickers in capitals.

    Errors: SourceRejected (`empty_file`) where there is none.
    """
    text = content.decode(detect_encoding(content[:4096]), "replace").removeprefix("\ufeff")
    lines = re.split(r"\r\n|\n|\r", text)
    found = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise SourceRejected(f"{name} is empty; a map file has a line `YYYYMMDD,ticker,exchange`", rule="empty_file")
    return _in_order([_row(row, line, text) for row, (line, text) in enumerate(found, 1)])


def read_lean_map(content: bytes, name: str) -> list[MapSpan]:
    """The tickers of an instrument in order of time, from the good rows of its map file.

    Bounds:  the first row's date begins the first span. A file of one row does not say when its ticker began.
    Errors:  SourceRejected (`empty_file`) where there is no line at all.
    """
    return map_spans(read_map_rows(content, name))


def map_spans(rows: list[MapRow]) -> list[MapSpan]:
    """The spans that rows of a map file stand for; bad rows are left out. Neighbours with one ticker are one span."""
    dated = [(row, row.last_date) for row in rows if row.rules is None and row.last_date is not None]
    if not dated:
        return []
    first, begins = dated[0]
    if len(dated) == 1:
        return [MapSpan(first.ticker, None, _closed(begins), first.exchange, first)]
    # The first row says what the first day's ticker was; it is a span of its own only where the next row differs.
    spans = [] if dated[1][0].ticker == first.ticker else [MapSpan(first.ticker, begins, begins, first.exchange, first)]
    starts = begins + timedelta(days=1) if spans else begins
    for row, last in dated[1:]:
        if spans and spans[-1].ticker == row.ticker:
            spans[-1] = replace(spans[-1], last_date=_closed(last), exchange=row.exchange, row=row)
        else:
            spans.append(MapSpan(row.ticker, starts, _closed(last), row.exchange, row))
        if last >= OPEN_END:
            break
        starts = last + timedelta(days=1)
    return spans


def _closed(last: date) -> date | None:
    return None if last >= OPEN_END else last


def _row(row: int, line: int, text: str) -> MapRow:
    cells = _cells(text)
    last_date = _map_date(cells[0])
    ticker = cells[1].upper() if len(cells) > 1 else ""
    rules = []
    if len(cells) < 2:
        rules.append("row_too_short")
    if last_date is None:
        rules.append("map_bad_date")
    if len(cells) > 1 and not _is_ticker(ticker):
        rules.append("map_bad_ticker")
    exchange = cells[2] if len(cells) > 2 else ""
    return MapRow(row, line, last_date, ticker, exchange, ";".join(rules) or None, text[:2000])


def _in_order(rows: list[MapRow]) -> list[MapRow]:
    """The rows with `map_out_of_order` on those that do not come after every good row before them."""
    before: list[MapRow] = []
    checked = []
    for row in rows:
        if row.rules is None and before and not _follows(row, before):
            row = replace(row, rules="map_out_of_order")
        if row.rules is None:
            before.append(row)
        checked.append(row)
    return checked


def _follows(row: MapRow, before: list[MapRow]) -> bool:
    last, latest = row.last_date or date.min, before[-1].last_date or date.min
    # Listed and delisted on one day: the first row's date is also the last.
    return last > latest or (last == latest and len(before) == 1 and row.ticker == before[0].ticker)


def _cells(line: str) -> list[str]:
    return [cell.strip().strip('"').strip() for cell in line.split(",")]


def _map_date(text: str) -> date | None:
    if not re.fullmatch(r"[0-9]{8}", text):
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def _is_ticker(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_TICKER and text.isprintable() and "\ufffd" not in text
