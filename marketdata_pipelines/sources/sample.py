"""Real daily bars of five US stocks, 2000 to 2013, from the optional package `bokeh_sampledata`.

Read from the installed package, never from the network. Prices and volumes are as traded; the adjusted close is left
out (adjustment is a view, made on reading).
"""

import gzip
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from marketdata_pipelines.domain.bars import RAW_BAR_SCHEMA
from marketdata_pipelines.domain.feeds import DataKind, Feed
from marketdata_pipelines.errors import SourceRejected, SourceUnavailable

SAMPLE_SYMBOLS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
SAMPLE_NAME = "stocks.csv.gz"
_INSTALL = "run: pip install marketdata-pipelines[demo] (or: uv sync --extra demo)"
_COLUMNS = {
    "Ticker": pa.string(),
    "Date": pa.date32(),
    **dict.fromkeys(("Open", "High", "Low", "Close", "Volume"), pa.float64()),
}


@dataclass(frozen=True, slots=True)
class SampleFile:
    """One symbol's part of the packaged file as a CSV file: the header and the symbol's lines, unchanged."""

    symbol: str
    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class SampleChunk:
    """One symbol's rows; `row` and `line` count in the packaged file (unpacked), whose lines are the source text."""

    table: pa.Table
    lines: tuple[str, ...]
    kind: DataKind = DataKind.BARS

    def originals(self, positions: np.ndarray) -> Sequence[str]:
        return [self.lines[int(position)] for position in positions]


def sample_bytes() -> bytes:
    """The packaged file as stored (gzip).

    Errors: SourceUnavailable when the package is not installed or is a version without that file.
    """
    try:
        packaged = files("bokeh_sampledata").joinpath("_data", SAMPLE_NAME)
    except ModuleNotFoundError as error:
        raise SourceUnavailable(f"the sample needs the package bokeh_sampledata; {_INSTALL}") from error
    if not packaged.is_file():
        raise SourceUnavailable(f"the installed bokeh_sampledata has no {SAMPLE_NAME}; upgrade it: {_INSTALL}")
    return packaged.read_bytes()


def sample_files() -> list[SampleFile]:
    """A CSV file for each symbol (`AAPL.csv` …), in order of symbol; columns Ticker, Date, Open … Volume, Adj Close.

    Errors: as `sample_bytes`.
    """
    header, *lines = _lines(sample_bytes())
    found = []
    for symbol in SAMPLE_SYMBOLS:
        own = [line for line in lines if line.startswith(f"{symbol},")]
        found.append(SampleFile(symbol, f"{symbol}.csv", "".join(f"{line}\n" for line in (header, *own)).encode()))
    return found


def read_sample(feed: Feed) -> Iterator[SampleChunk]:
    """The sample's bars, a chunk for each symbol the feed lists (all five when it lists none).

    Shape:   RAW_BAR_SCHEMA without `original`; `ts` is midnight UTC of the date, volume in shares, vwap and trade
             count unknown.
    Errors:  as `sample_bytes`; SourceRejected when the packaged file cannot be read.
    """
    content = sample_bytes()
    packaged = _parsed(content)
    lines = _lines(content)[1:]
    for symbol in SAMPLE_SYMBOLS:
        if feed.source.symbols and symbol not in feed.source.symbols:
            continue
        own = np.flatnonzero(pc.equal(packaged["Ticker"], pa.scalar(symbol)).to_numpy())
        yield SampleChunk(_bars(packaged.take(own), own + 1), tuple(lines[position] for position in own))


def _lines(content: bytes) -> list[str]:
    return gzip.decompress(content).decode().splitlines()


def _parsed(content: bytes) -> pa.Table:
    options = csv.ConvertOptions(column_types=_COLUMNS, include_columns=list(_COLUMNS))
    try:
        return csv.read_csv(io.BytesIO(gzip.decompress(content)), convert_options=options)
    except (OSError, EOFError, pa.ArrowException) as error:
        text = f"bokeh_sampledata's {SAMPLE_NAME} cannot be read ({error}); install the package again: {_INSTALL}"
        raise SourceRejected(text, rule="container_damaged") from error


def _bars(own: pa.Table, row: np.ndarray) -> pa.Table:
    read = own.rename_columns(["symbol", "ts", "open", "high", "low", "close", "volume"])
    # A date becomes an instant through a naive timestamp: midnight UTC, whatever the machine's zone.
    read = read.set_column(1, "ts", own["Date"].cast(pa.timestamp("us")))
    read = read.append_column("vwap", pa.nulls(len(row), pa.float64()))
    read = read.append_column("trade_count", pa.nulls(len(row), pa.int64()))
    read = read.append_column("rules", pa.nulls(len(row), pa.string()))
    read = read.add_column(0, "line", pa.array(row + 1, pa.int64())).add_column(0, "row", pa.array(row, pa.int64()))
    return read.cast(pa.schema([field for field in RAW_BAR_SCHEMA if field.name != "original"]))
