"""Clean bars of the simulated exchange at any interval up to a day.

Minutes come from the base walk, coarser bars combine minutes, finer ones combine trades: feeds that differ only
in interval show one market.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marketdata_pipelines.domain.bars import SYMBOL, TS
from marketdata_pipelines.domain.feeds import Anchor, Feed
from marketdata_pipelines.domain.intervals import DAY_US, MINUTE_US
from marketdata_pipelines.domain.sessions import Session, midnight_us
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.sources.simulated.market import Market, open_market, session_of
from marketdata_pipelines.sources.simulated.minutes import MinuteBlock, simulate_minutes
from marketdata_pipelines.sources.simulated.randomness import Ints
from marketdata_pipelines.sources.simulated.rates import quiet_rate
from marketdata_pipelines.sources.simulated.ticks import simulate_ticks
from marketdata_pipelines.sources.simulated.traits import Traits

Floats = NDArray[np.float64]

SIMULATED_BAR_SCHEMA = pa.schema(
    [
        ("symbol", SYMBOL),
        ("ts", TS),
        ("open", pa.float64()),
        ("high", pa.float64()),
        ("low", pa.float64()),
        ("close", pa.float64()),
        ("volume", pa.float64()),
        ("vwap", pa.float64()),
        ("trade_count", pa.int64()),
    ]
)

# Minutes worked on at once: large enough to amortise numpy's calls, small enough to stay near the caches.
_BLOCK_MINUTES = 200_000
# A vwap has four decimals more than prices.
VWAP_DECIMALS = 4


@dataclass(frozen=True, slots=True)
class TickBars:
    """Bars as integers, or parts of bars, sorted by (symbol, ts).

    Units: `symbol` a position in the market, `ts` and `anchor` (the trading segment's open) UTC microseconds, prices
           in ticks, volume in units of the traits, `value` the sum of (open + high + low + close) x volume.
    """

    symbol: Ints
    ts: Ints
    anchor: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    value: Ints
    trades: Ints


def simulate_bars(feed: Feed, day: date) -> pa.Table:
    """The bars of one session date.

    Shape:   SIMULATED_BAR_SCHEMA sorted by (symbol, ts), unique; no rows when the market is closed on `day`.
    Units:   prices in quote currency, volume in base units; volume and vwap null where the market reports none.
    Clock:   `ts` is the open, UTC. Buckets start at the trading segment's open, for `anchor: utc` at 1970; for 1d
             `ts` is midnight UTC of `day`.
    Errors:  SettingsInvalid for an interval that is not simulated and for a feed without symbols.
    """
    _require_interval(feed)
    market, session = open_market(feed), session_of(feed, day)
    if session is None:
        return SIMULATED_BAR_SCHEMA.empty_table()
    names = pa.array(market.symbols, pa.string())
    step = max(_BLOCK_MINUTES // session.minutes, 1)
    blocks = []
    for start in range(0, len(market.symbols), step):
        bars = _block_bars(feed, market.slice(start, start + step), session)
        blocks.append(_to_table(bars, market.traits, names, start))
    return pa.concat_tables(blocks).combine_chunks()


def price_values(ticks: Ints, traits: Traits) -> Floats:
    """Ticks as floats in quote currency: one correctly rounded division, so equal on every machine."""
    values: Floats = (ticks * traits.tick) / 10**traits.decimals
    return values


def _require_interval(feed: Feed) -> None:
    width = feed.interval.us
    if feed.interval.is_month or width > DAY_US:
        raise SettingsInvalid(f"{feed.name}: a simulated feed has bars of 1d or finer, not {feed.interval}")
    if feed.anchor is Anchor.UTC and DAY_US % width:
        raise SettingsInvalid(f"{feed.name}: bars of {feed.interval} straddle UTC days; use one that divides 1d")


def _block_bars(feed: Feed, market: Market, session: Session) -> TickBars:
    block = simulate_minutes(market, session, quiet_rate(feed))
    if feed.interval.us == MINUTE_US:
        return _bars_of_minutes(block)
    whole_minutes = feed.interval.us % MINUTE_US == 0
    parts = _bars_of_minutes(block) if whole_minutes else _bars_of_ticks(market, session, block)
    return _combined(parts, _buckets(feed, session, parts))


def _bars_of_minutes(block: MinuteBlock) -> TickBars:
    symbol, minute = np.nonzero(block.traded)
    at = block.traded
    opens, high, low, close, volume = block.open[at], block.high[at], block.low[at], block.close[at], block.volume[at]
    value = (opens + high + low + close) * volume
    ts, anchor = block.ts[minute], block.anchor[minute]
    return TickBars(symbol, ts, anchor, opens, high, low, close, volume, value, block.trades[at])


def _bars_of_ticks(market: Market, session: Session, block: MinuteBlock) -> TickBars:
    ticks = simulate_ticks(market.keys, session.date.toordinal(), block)
    price, ts = ticks.price, ticks.ts // 1000
    value, ones = 4 * price * ticks.size, np.ones(len(price), np.int64)
    return TickBars(ticks.symbol, ts, ticks.anchor, price, price, price, price, ticks.size, value, ones)


def _buckets(feed: Feed, session: Session, bars: TickBars) -> Ints:
    width = feed.interval.us
    if width == DAY_US:
        return np.full(len(bars.ts), midnight_us(session.date))
    if feed.anchor is Anchor.UTC:
        return bars.ts // width * width
    return bars.anchor + (bars.ts - bars.anchor) // width * width


def _combined(bars: TickBars, bucket: Ints) -> TickBars:
    changed = (bars.symbol[1:] != bars.symbol[:-1]) | (bucket[1:] != bucket[:-1])
    first = np.concatenate((np.zeros(1, np.int64), np.flatnonzero(changed) + 1))
    last = np.append(first[1:], len(bucket)) - 1
    return TickBars(
        symbol=bars.symbol[first],
        ts=bucket[first],
        anchor=bars.anchor[first],
        open=bars.open[first],
        high=np.maximum.reduceat(bars.high, first),
        low=np.minimum.reduceat(bars.low, first),
        close=bars.close[last],
        volume=np.add.reduceat(bars.volume, first),
        value=np.add.reduceat(bars.value, first),
        trades=np.add.reduceat(bars.trades, first),
    )


def _to_table(bars: TickBars, traits: Traits, names: pa.StringArray, first_symbol: int) -> pa.Table:
    codes = (bars.symbol + first_symbol).astype(np.int32)
    prices = [price_values(column, traits) for column in (bars.open, bars.high, bars.low, bars.close)]
    columns = [
        pa.DictionaryArray.from_arrays(codes, names),
        pa.array(bars.ts).view(TS),
        *(pa.array(values) for values in prices),
        _unless_unknown(bars.volume / traits.units_per_base, traits),
        _unless_unknown(_vwap(bars, traits), traits),
        pa.array(bars.trades),
    ]
    return pa.Table.from_arrays(columns, schema=SIMULATED_BAR_SCHEMA)


def _unless_unknown(values: Floats, traits: Traits) -> pa.DoubleArray:
    return pa.array(values, pa.float64()) if traits.volume_known else pa.nulls(len(values), pa.float64())


def _vwap(bars: TickBars, traits: Traits) -> Floats:
    # In integers, rounded down: it cannot leave [low, high] by a float's last digit.
    weight = 4 * bars.volume
    whole, rest = np.divmod(bars.value, weight)
    scaled = whole * 10**VWAP_DECIMALS + rest * 10**VWAP_DECIMALS // weight
    values: Floats = (scaled * traits.tick) / 10 ** (traits.decimals + VWAP_DECIMALS)
    return values
