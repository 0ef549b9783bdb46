"""Bars with prices that are no multiples of the instrument's tick; the ticks are the caller's to know."""

from collections.abc import Mapping
from datetime import date

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.bars import PRICES
from marketdata_pipelines.domain.frames import float_values, int_values, symbol_codes, timestamps
from marketdata_pipelines.domain.intervals import DAY_US
from marketdata_pipelines.domain.quality.profiles import group_starts
from marketdata_pipelines.domain.quality.records import SUSPECT_SCHEMA, Suspicion
from marketdata_pipelines.domain.quality.suspect_kernel import (
    OFF_BARS,
    OFF_COLUMNS,
    OFF_FIRST,
    OFF_LAST,
    find_off_ticks,
)
from marketdata_pipelines.domain.quality.suspects import finished_suspects
from marketdata_pipelines.domain.sessions import date_of_us

# The tick sizes of symbols on a session date, in quote currency; symbols whose tick nobody knows are left out.
TicksByDay = Mapping[date, Mapping[str, float]]


def off_tick_bars(bars: pa.Table, ticks: TicksByDay) -> pa.Table:
    """One suspect a symbol-session with prices between ticks.

    Shape:   `bars` has BAR_SCHEMA sorted by (symbol, ts). Returns SUSPECT_SCHEMA sorted by (symbol, ts) with kind
             off_tick: `ts` .. `ts_last` the first and last such bar, `bars` how many, `value` the first such price,
             `scale` the tick.
    Bounds:  a price is on a tick where price / tick is whole to 0.02, of great quotients to their own 1e-12: sources
             round ticks of 1/128 to four decimals. Symbol-sessions without a known tick above zero have no suspects.
    """
    codes, names = symbol_codes(bars["symbol"])
    days = int_values(bars["session_date"])
    starts = group_starts(codes, days)
    first = starts[:-1]
    dates = {int(day): date_of_us(int(day) * DAY_US) for day in np.unique(days[first])}
    known = [
        ticks.get(dates[day], {}).get(names[code], 0.0)
        for code, day in zip(codes[first].tolist(), days[first].tolist(), strict=True)
    ]
    sizes = np.array(known, np.float64)
    found, prices = np.zeros((len(sizes), OFF_COLUMNS), np.int64), np.zeros(len(sizes))
    if (sizes > 0).any():
        opened, high, low, close = (float_values(bars[name]) for name in PRICES)
        find_off_ticks(starts, sizes, opened, high, low, close, found, prices)
    told = np.flatnonzero(found[:, OFF_BARS])
    if not len(told):
        return SUSPECT_SCHEMA.empty_table()
    ts, rows = int_values(bars["ts"]), found[told]
    columns = {
        "symbol": pa.array([names[code] for code in codes[first[told]]], pa.string()),
        "session_date": pa.array(days[first[told]].astype(np.int32)).view(pa.date32()),
        "kind": pa.repeat(str(Suspicion.OFF_TICK), len(told)),
        "ts": timestamps(ts[rows[:, OFF_FIRST]]),
        "ts_last": timestamps(ts[rows[:, OFF_LAST]]),
        "bars": pa.array(rows[:, OFF_BARS].astype(np.int32)),
        "value": pa.array(prices[told]),
        "scale": pa.array(sizes[told]),
    }
    return finished_suspects(columns, len(told))
