"""The bars around findings: cut out of the validated bars, a partition and its symbols at a time.

How they are drawn is `quality.report.candles`'s.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import float_values, int_values, symbol_codes
from marketdata_pipelines.domain.partitions import partition_key, period_of
from marketdata_pipelines.domain.sessions import date_of_us
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.quality.report.records import Candle, FindingChart, FindingRow
from marketdata_pipelines.stores.lake.lake import Lake

CHARTS = 40
# Bars shown on either side of what was found.
AROUND = 20
# A long stretch is shown by no more candles than this, each of several bars.
_CANDLES = 120
_COLUMNS = ["symbol", "ts", "session_date", "open", "high", "low", "close", "volume"]
_PRICES = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class _SymbolBars:
    """One symbol's bars in order: instants, session days, and a row each of open, high, low, close, volume."""

    ts: np.ndarray
    days: np.ndarray
    values: np.ndarray


@dataclass(frozen=True, slots=True)
class _Place:
    """Where findings are that one chart shows."""

    partition: str
    symbol: str
    ts_us: int
    ts_last_us: int


def finding_charts(lake: Lake, feed: Feed, findings: Sequence[FindingRow]) -> tuple[FindingChart, ...]:
    """A chart of each of the first CHARTS places findings name, in their order; places without bars have none."""
    chosen: dict[_Place, list[FindingRow]] = {}
    for finding in findings:
        place = _place(feed, finding)
        if place is not None and (place in chosen or len(chosen) < CHARTS):
            chosen.setdefault(place, []).append(finding)
    partitions = sorted({place.partition for place in chosen})
    bars = dict(_bars_of(lake, feed, partitions, chosen))
    charts = [
        _chart(feed, place, found, bars[place.partition, place.symbol])
        for place, found in chosen.items()
        if (place.partition, place.symbol) in bars
    ]
    return tuple(chart for chart in charts if chart is not None)


def _place(feed: Feed, finding: FindingRow) -> _Place | None:
    if not finding.symbol or finding.ts_us is None:
        return None
    day = finding.session_date or date_of_us(finding.ts_us)
    last = finding.ts_us if finding.ts_last_us is None else max(finding.ts_us, finding.ts_last_us)
    return _Place(partition_key(day, period_of(feed.partition)), finding.symbol, finding.ts_us, last)


def _bars_of(
    lake: Lake, feed: Feed, partitions: Sequence[str], places: dict[_Place, list[FindingRow]]
) -> Iterator[tuple[tuple[str, str], _SymbolBars]]:
    """The bars of each (partition, symbol); where a place is near its start also those right before it."""
    for key in partitions:
        wanted = [place for place in places if place.partition == key]
        symbols = sorted({place.symbol for place in wanted})
        if lake.catalog.stored_partition(VALIDATED_BARS, feed.name, key) is None:
            continue
        found = _split(lake.read(VALIDATED_BARS, feed.name, key, _COLUMNS, symbols=symbols))
        early = sorted({place.symbol for place in wanted if _is_early(found.get(place.symbol), place)})
        before = _split(_partition_before(lake, feed, key, early)) if early else {}
        for symbol in symbols:
            joined = [part for part in (before.get(symbol), found.get(symbol)) if part is not None]
            if joined:
                yield (key, symbol), _joined(joined)


def _is_early(bars: _SymbolBars | None, place: _Place) -> bool:
    return bars is None or int(np.searchsorted(bars.ts, place.ts_us)) < AROUND


def _partition_before(lake: Lake, feed: Feed, key: str, symbols: Sequence[str]) -> pa.Table | None:
    day_before = date.fromordinal(date.fromisoformat(key).toordinal() - 1).isoformat()
    stored = lake.catalog.stored(VALIDATED_BARS, feed.name, "", day_before)
    if not stored:
        return None
    return lake.read(VALIDATED_BARS, feed.name, stored[-1].partition, _COLUMNS, symbols=symbols)


def _split(table: pa.Table | None) -> dict[str, _SymbolBars]:
    if table is None or not table.num_rows:
        return {}
    codes, symbols = symbol_codes(table["symbol"])
    ts, days = int_values(table["ts"]), int_values(table["session_date"])
    values = np.stack([float_values(table[name]) for name in _PRICES])
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    ends = [*starts[1:], len(codes)]
    return {
        symbols[codes[first]]: _SymbolBars(ts[first:last], days[first:last], values[:, first:last])
        for first, last in zip(starts, ends, strict=True)
    }


def _joined(parts: Sequence[_SymbolBars]) -> _SymbolBars:
    return _SymbolBars(
        np.concatenate([part.ts for part in parts]),
        np.concatenate([part.days for part in parts]),
        np.concatenate([part.values for part in parts], axis=1),
    )


def _chart(feed: Feed, place: _Place, found: Sequence[FindingRow], bars: _SymbolBars) -> FindingChart | None:
    first = int(np.searchsorted(bars.ts, place.ts_us))
    last = int(np.searchsorted(bars.ts, place.ts_last_us, side="right"))
    start, end = max(first - AROUND, 0), min(last + AROUND, len(bars.ts))
    if end <= start:
        return None
    step = -(-(end - start) // _CANDLES)
    pieces = [slice(at, min(at + step, end)) for at in range(start, end, step)]
    candles = tuple(_candle(bars, piece) for piece in pieces)
    marked = tuple(piece.start < last and piece.stop > first for piece in pieces)
    breaks = tuple(at for at, piece in enumerate(pieces) if at and _is_break(feed, bars, piece.start))
    also = tuple(sorted({finding.rule for finding in found[1:]} - {found[0].rule}))
    return FindingChart(found[0], also, candles, marked, breaks)


def _is_break(feed: Feed, bars: _SymbolBars, at: int) -> bool:
    """Whether time is left out before a bar; daily bars and coarser ones are next to each other over closed days."""
    if not feed.interval.is_intraday:
        return False
    return bool(bars.days[at] != bars.days[at - 1] or bars.ts[at] - bars.ts[at - 1] > feed.interval.us)


def _candle(bars: _SymbolBars, piece: slice) -> Candle:
    opens, highs, lows, closes, volumes = bars.values[:, piece]
    volume = float(volumes.sum())
    return Candle(
        int(bars.ts[piece.start]), float(opens[0]), float(highs.max()), float(lows.min()), float(closes[-1]),
        None if np.isnan(volume) else volume, piece.stop - piece.start,
    )  # fmt: skip
