"""Rows of the simulated exchange as a vendor would write them: cells, CSV lines, JSON lines.

Only clean rows are rendered from a table; what a fault wrote instead is kept as cells (see `rewriting`).
"""

import csv
import io
import json
import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.feeds import DataKind, Feed
from marketdata_pipelines.domain.intervals import SECOND_US
from marketdata_pipelines.sources.simulated.bars import VWAP_DECIMALS
from marketdata_pipelines.sources.simulated.traits import traits_of

Cells = tuple[str, ...]
TimeUnit = Literal["D", "s", "us", "ns"]
_TEXT_COLUMNS = ("symbol", "timestamp", "exchange", "conditions")
_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")


@dataclass(frozen=True, slots=True)
class LineStyle:
    """How a feed's rows are written.

    `formats`: (header, %-format) of each column in order; times are ISO 8601 to `time_unit`, with `Z` unless dates.
    """

    formats: tuple[tuple[str, str], ...]
    time_unit: TimeUnit

    @property
    def header(self) -> Cells:
        return tuple(name for name, _ in self.formats)

    def cells(self, table: pa.Table) -> list[Cells]:
        """The cells of clean rows; an unknown value is an empty cell."""
        return list(zip(*(self._column(table, name, form) for name, form in self.formats), strict=True))

    def time_text(self, ts: int) -> str:
        """An instant (UTC microseconds) as it is written; off its second it shows all digits."""
        unit = "us" if self.time_unit == "s" and ts % SECOND_US else self.time_unit
        return _time_texts(np.array([ts], "datetime64[us]"), unit)[0]

    def _column(self, table: pa.Table, name: str, form: str) -> list[str]:
        if name == "timestamp":
            return _time_texts(table["ts"].to_numpy(), self.time_unit)
        values = table[name].to_pylist()
        return ["" if value is None else form % value for value in values]


def line_style(feed: Feed) -> LineStyle:
    """How the feed's simulated rows are written."""
    traits = traits_of(feed.asset_class)
    price, volume = f"%.{traits.decimals}f", f"%.{traits.volume_decimals}f"
    if feed.data is DataKind.TRADES:
        names = (("timestamp", "%s"), ("symbol", "%s"), ("price", price), ("size", volume))
        return LineStyle((*names, ("exchange", "%s"), ("conditions", "%s")), "ns")
    prices = tuple((name, price) for name in ("open", "high", "low", "close"))
    rest = (("volume", volume), ("vwap", f"%.{traits.decimals + VWAP_DECIMALS}f"), ("trade_count", "%d"))
    formats = (("symbol", "%s"), ("timestamp", "%s"), *prices, *rest)
    return LineStyle(formats, "s" if feed.interval.is_intraday else "D")


def csv_line(cells: Cells) -> str:
    """One CSV line without its end, quoted only where it must be."""
    if not any(mark in cell for cell in cells for mark in ',"\r\n'):
        return ",".join(cells)
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(cells)
    return buffer.getvalue()


def json_line(header: Cells, cells: Cells) -> str:
    """One JSON object; a cell that is no JSON number is a string, an empty one null."""
    members = (f"{json.dumps(name)}: {_json_value(name, cell)}" for name, cell in zip(header, cells, strict=True))
    return "{" + ", ".join(members) + "}"


def _time_texts(moments: np.ndarray, unit: TimeUnit) -> list[str]:
    suffix = "" if unit == "D" else "Z"
    texts: list[str] = np.datetime_as_string(moments, unit=unit).tolist()
    return [text + suffix for text in texts]


def _json_value(name: str, cell: str) -> str:
    if name in _TEXT_COLUMNS:
        return json.dumps(cell)
    if not cell:
        return "null"
    return cell if _JSON_NUMBER.fullmatch(cell) else json.dumps(cell)
