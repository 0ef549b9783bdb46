"""Clean trades of the simulated exchange: combined, they are its bars."""

from datetime import date

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.bars import SYMBOL, TS_NS
from marketdata_pipelines.domain.feeds import AssetClass, Feed
from marketdata_pipelines.sources.simulated.bars import price_values
from marketdata_pipelines.sources.simulated.market import Market, open_market, session_of
from marketdata_pipelines.sources.simulated.minutes import simulate_minutes
from marketdata_pipelines.sources.simulated.randomness import bits
from marketdata_pipelines.sources.simulated.rates import quiet_rate
from marketdata_pipelines.sources.simulated.ticks import TradeBlock, simulate_ticks

SIMULATED_TRADE_SCHEMA = pa.schema(
    [
        ("ts", TS_NS),
        ("symbol", SYMBOL),
        ("price", pa.float64()),
        ("size", pa.float64()),
        ("exchange", pa.string()),
        ("conditions", pa.string()),
    ]
)

_BLOCK_MINUTES = 50_000
_ROUND_LOT = 100
_CONDITIONS = ("@", "I")
_LOT_CLASSES = (AssetClass.EQUITY, AssetClass.ETF)


def simulate_trades(feed: Feed, day: date) -> pa.Table:
    """The trades of one session date, in the order they happened.

    Shape:   SIMULATED_TRADE_SCHEMA sorted by (ts, symbol); no rows when the market is closed on `day`.
    Units:   price in quote currency, size in base units (null where the market reports none), ts UTC nanoseconds.
    Rule:    first, highest, lowest and last price, sum of sizes and number of trades of each interval are those of
             `simulate_bars`. `conditions` is `I` for an odd lot of shares, else `@` (regular).
    Errors:  SettingsInvalid for a feed without symbols.
    """
    market, session = open_market(feed), session_of(feed, day)
    if session is None:
        return SIMULATED_TRADE_SCHEMA.empty_table()
    names = pa.array(market.symbols, pa.string())
    step = max(_BLOCK_MINUTES // session.minutes, 1)
    blocks = []
    for start in range(0, len(market.symbols), step):
        some = market.slice(start, start + step)
        minutes = simulate_minutes(some, session, quiet_rate(feed))
        ticks = simulate_ticks(some.keys, session.date.toordinal(), minutes)
        blocks.append(_to_table(feed, market, ticks, names, start))
    table = pa.concat_tables(blocks).combine_chunks()
    # Blocks come by symbol and a stable sort keeps that order among trades of one nanosecond.
    return table.take(np.argsort(table["ts"].to_numpy(), kind="stable"))


def _to_table(feed: Feed, market: Market, ticks: TradeBlock, names: pa.StringArray, first_symbol: int) -> pa.Table:
    traits = market.traits
    codes = (ticks.symbol + first_symbol).astype(np.int32)
    venues = bits(ticks.noise, 48, 16) % len(traits.venues)
    known = pa.array(ticks.size / traits.units_per_base)
    odd = ticks.size < _ROUND_LOT if feed.asset_class in _LOT_CLASSES else np.zeros(len(codes), bool)
    columns = [
        pa.array(ticks.ts).view(TS_NS),
        pa.DictionaryArray.from_arrays(codes, names),
        pa.array(price_values(ticks.price, traits)),
        known if traits.volume_known else pa.nulls(len(codes), pa.float64()),
        pa.array(traits.venues).take(venues),
        pa.array(_CONDITIONS).take(odd.astype(np.int32)),
    ]
    return pa.Table.from_arrays(columns, schema=SIMULATED_TRADE_SCHEMA)
