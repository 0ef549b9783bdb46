"""Trades inside the minutes of the base walk, as integers.

A minute's trades hit its open first, its close last, its high and low in between, and share out its volume:
combined they give the minute back exactly.
"""

from dataclasses import dataclass

import numpy as np

from marketdata_pipelines.sources.simulated.minutes import MinuteBlock
from marketdata_pipelines.sources.simulated.randomness import U64, Ints, Stream, bits, derive, draw

_MINUTE_NS = 60_000_000_000


@dataclass(frozen=True, slots=True)
class TradeBlock:
    """Trades sorted by (symbol, ts), all columns of one length.

    Units: `symbol` a position in the market, `ts` UTC nanoseconds (strictly increasing for a symbol), `anchor` the
           trading segment's open in UTC microseconds, `price` in ticks, `size` in units of the traits (at least 1).
           `noise` holds random bits for what does not move prices (the venue).
    """

    symbol: Ints
    ts: Ints
    anchor: Ints
    price: Ints
    size: Ints
    noise: U64


def simulate_ticks(keys: U64, ordinal: int, block: MinuteBlock) -> TradeBlock:
    """Lay the trades of every minute bar of `block`; `keys` are its symbols', `ordinal` its day's."""
    symbol, minute = np.nonzero(block.traded)
    bar = (symbol, minute)
    count = block.trades[bar]
    first = np.cumsum(count) - count
    of = np.repeat(np.arange(len(count)), count)
    turn = np.arange(len(of)) - first[of]

    seeds = draw(derive(keys, Stream.TRADE, ordinal)[symbol], minute)
    noise = draw(seeds[of], turn)
    price = _prices(block, bar, count, of, turn, seeds, noise)
    size = _sizes(block.volume[bar], count, of, turn, first, noise)
    # Slot `turn` of the minute, jittered over its first 15/16 so that times never meet.
    jitter = bits(noise, 32, 16) * 15 // 16
    offset = (turn * _MINUTE_NS + ((jitter * _MINUTE_NS) >> 16)) // count[of]
    ts = block.ts[minute][of] * 1000 + offset
    return TradeBlock(symbol[of], ts, block.anchor[minute][of], price, size, noise)


def _prices(
    block: MinuteBlock, bar: tuple[Ints, Ints], count: Ints, of: Ints, turn: Ints, seeds: U64, noise: U64
) -> Ints:
    low, high = block.low[bar], block.high[bar]
    price = low[of] + ((bits(noise, 0, 16) * (high - low + 1)[of]) >> 16)
    inner = count - 2
    at_high = bits(seeds, 0, 16) % inner
    at_low = (at_high + 1 + bits(seeds, 16, 16) % (inner - 1)) % inner
    price = np.where(turn == 1 + at_high[of], high[of], price)
    price = np.where(turn == 1 + at_low[of], low[of], price)
    price = np.where(turn == 0, block.open[bar][of], price)
    return np.where(turn == count[of] - 1, block.close[bar][of], price)


def _sizes(volume: Ints, count: Ints, of: Ints, turn: Ints, first: Ints, noise: U64) -> Ints:
    """Split each bar's volume into one unit a trade and random shares of the rest."""
    weight = np.cumsum(bits(noise, 16, 8) + 1)
    before = np.concatenate((np.zeros(1, np.int64), weight))
    base = before[first]
    total = before[first + count] - base
    rest = volume - count
    upper = rest[of] * (weight - base[of]) // total[of]
    lower = rest[of] * (before[:-1] - base[of]) // total[of]
    sizes: Ints = 1 + upper - lower
    return sizes
