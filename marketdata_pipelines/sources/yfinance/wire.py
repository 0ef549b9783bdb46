"""Reads Yahoo's chart answers and turns yfinance's frames into bars; no calls and no client in here.

yfinance parses an answer into a frame and mends Yahoo's known oddities on the way (a live row beside the last bar,
half-hours that come as hours, rows outside the session). What it drops is taken from the answer itself: whether a
volume is unknown, which the frame has as 0, and what Yahoo says instead of bars.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from marketdata_pipelines.domain.intervals import DAY_US, SECOND_US, Interval
from marketdata_pipelines.domain.sessions import midnight_us
from marketdata_pipelines.errors import SourceUnavailable
from marketdata_pipelines.sources.pulled.protocol import PULLED_BAR_SCHEMA

_QUOTES = ("open", "high", "low", "close", "volume")
_COLUMNS = ("Open", "High", "Low", "Close", "Volume")
# Currencies have no volume at Yahoo; it gives 0 for every bar.
_WITHOUT_VOLUME = ("CURRENCY",)
# The years that an exchange's zone is known for.
_FIRST_SECOND, _LAST_SECOND = -(2**33), 2**35


@dataclass(frozen=True, slots=True)
class Refusal:
    """What Yahoo says instead of bars: `Not Found`, `Unprocessable Entity`, …"""

    code: str
    description: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What an answer says beside the bars; `refusal` is None where it has bars or just nothing in the window.

    `rows` are the opens in seconds UTC with whether the volume is known, rows without any price left out.
    """

    refusal: Refusal | None = None
    zone: str = "UTC"
    instrument: str = ""
    rows: tuple[tuple[int, bool], ...] = ()
    splits: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing for yfinance to parse."""
        return not self.rows


def read_chart(content: bytes) -> Chart:
    """The answer of `/v8/finance/chart/…`.

    Errors: SourceUnavailable when it is none: truncated, a page of HTML, arrays that do not belong together.
    """
    try:
        chart = json.loads(content)["chart"]
        if chart.get("error"):
            return Chart(refusal=_refusal(chart["error"]))
        return _chart(chart["result"][0])
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        start = content[:60].decode("utf-8", "replace")
        raise SourceUnavailable(f"Yahoo's answer is no chart: {start!r}… ({type(error).__name__}: {error})") from error


def frame_bars(frame: Any, symbol: str, interval: Interval, chart: Chart) -> pa.Table:
    """yfinance's frame as PULLED_BAR_SCHEMA, in its order.

    Intraday bars keep their instant; from 1d on the bar is labelled at midnight UTC of its date at the exchange. Rows
    without any price are Yahoo's mark for "no trades" and are left out. Prices are as yfinance gives them with
    auto_adjust off: adjusted for splits, not for dividends.

    Errors: SourceUnavailable when this is no frame of bars.
    """
    try:
        opens = _opens(frame.index, interval)
        columns = [[_number(value) for value in frame[name].tolist()] for name in _COLUMNS]
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise SourceUnavailable(f"yfinance gave no bars of {symbol} ({type(error).__name__}: {error})") from error
    unknown = _unknown_volumes(chart, interval)
    rows = []
    for ts, *values in zip(opens, *columns, strict=True):
        if any(value is not None for value in values[:4]):
            original = json.dumps([ts // SECOND_US, *values])
            volume = None if ts in unknown or chart.instrument in _WITHOUT_VOLUME else values[4]
            rows.append((symbol, ts, *values[:4], volume, None, None, original))
    arrays = [pa.array([row[place] for row in rows], field.type) for place, field in enumerate(PULLED_BAR_SCHEMA)]
    return pa.Table.from_arrays(arrays, schema=PULLED_BAR_SCHEMA)


def no_bars() -> pa.Table:
    """An answer without bars."""
    return PULLED_BAR_SCHEMA.empty_table()


def _refusal(error: Any) -> Refusal:
    if not isinstance(error, Mapping):
        return Refusal("", str(error))
    return Refusal(str(error.get("code") or ""), " ".join(str(error.get("description") or "").split()))


def _chart(result: Mapping[str, Any]) -> Chart:
    meta = result["meta"]
    zone, instrument = str(meta.get("exchangeTimezoneName") or "UTC"), str(meta.get("instrumentType") or "")
    splits = len((result.get("events") or {}).get("splits") or ())
    times, quote = result.get("timestamp") or [], result["indicators"]["quote"][0]
    if not times and not any(quote.get(name) for name in _QUOTES):
        return Chart(zone=zone, instrument=instrument, splits=splits)
    columns = [quote[name] for name in _QUOTES]
    if any(not isinstance(column, list) or len(column) != len(times) for column in columns):
        raise ValueError("times and quotes differ in number")
    rows = [row for row in zip(times, *columns, strict=True) if _is_bar(*row)]
    # A zone nobody knows is noticed here, where the answer can be asked for again.
    known = tuple((opened, volume is not None) for opened, *_, volume in rows)
    return Chart(None, ZoneInfo(zone).key, instrument, known, splits)


def _is_bar(opened: object, *values: object) -> bool:
    """Whether a row has any price; Yahoo marks times without trades by rows of nulls."""
    if not isinstance(opened, int) or isinstance(opened, bool) or not _FIRST_SECOND < opened < _LAST_SECOND:
        raise ValueError(f"{str(opened)[:40]!r} is no time")
    for value in values:
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ValueError(f"{str(value)[:40]!r} is no number")
    return any(value is not None for value in values[:4])


def _opens(index: Any, interval: Interval) -> list[int]:
    if interval.is_intraday:
        return [int(moment) for moment in index.tz_convert("UTC").as_unit("us").asi8]
    local = index.tz_localize(None).as_unit("us").asi8
    return [int(moment) // DAY_US * DAY_US for moment in local]


def _unknown_volumes(chart: Chart, interval: Interval) -> set[int]:
    """The opens of bars whose volume Yahoo does not give, labelled as the frame's are."""
    # yfinance makes half-hours of quarters: one unknown part leaves the sum unknown.
    width_us = interval.us if interval.name == "30m" else SECOND_US
    if interval.is_intraday:
        return {opened * SECOND_US // width_us * width_us for opened, known in chart.rows if not known}
    known_by_label = {_label(opened, chart.zone): known for opened, known in chart.rows}
    return {label for label, known in known_by_label.items() if not known}


def _label(opened: int, zone: str) -> int:
    local = datetime.fromtimestamp(opened, UTC).astimezone(ZoneInfo(zone))
    # As yfinance does: in some zones Yahoo's dates begin an hour or two before midnight.
    late = local.minute == 0 and local.hour in (22, 23)
    return midnight_us(local.date()) + (DAY_US if late else 0)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    number = float(value)
    return number if math.isfinite(number) else None
