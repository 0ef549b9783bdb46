"""The base walk: one-minute bars of a session as integers, for a block of symbols at once.

Everything else of the exchange derives from these: trades lie inside them (`ticks`), other intervals combine
them (`bars`). No floats here.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marketdata_pipelines.domain.intervals import MINUTE_US
from marketdata_pipelines.domain.sessions import Session
from marketdata_pipelines.sources.simulated.market import Market, day_levels, price_ticks
from marketdata_pipelines.sources.simulated.randomness import U64, Ints, Stream, bits, derive, draw_rows

# Standard deviation of a step: the sum of four uniform 16-bit integers.
_STEP_DEVIATION = 37_837
# Every bar has room for its open, high, low and close as trades of their own.
_FEWEST_TRADES = 4


@dataclass(frozen=True, slots=True)
class MinuteBlock:
    """One-minute bars of S symbols over the M minutes of a session.

    Shape: `ts` and `anchor` (M,): the minute's open and its trading segment's, UTC microseconds; all others (S, M).
    Units: prices in ticks, volume in units of the traits, `trades` a count; rows where `traded` is false are no bars.
    """

    ts: Ints
    anchor: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    trades: Ints
    traded: NDArray[np.bool_]


def simulate_minutes(market: Market, session: Session, quiet_rate: float) -> MinuteBlock:
    """Walk every symbol of `market` through one session.

    `quiet_rate` is the share of minutes without a trade; a session's first and last minute always trade.
    """
    ts, anchor = _clock(session)
    count, ordinal = len(ts), session.date.toordinal()
    walk = draw_rows(derive(market.keys, Stream.WALK, ordinal), count)
    shape = draw_rows(derive(market.keys, Stream.SHAPE, ordinal), count)
    activity = draw_rows(derive(market.keys, Stream.ACTIVITY, ordinal), count)
    day = derive(market.keys, Stream.DAY, ordinal)

    points, deviation = _points(market, walk, day, ordinal)
    close = points[:, 1:]
    opens = np.maximum(points[:, :-1] + bits(shape, 0, 16) % 3 - 1, 1)
    reach = (close * deviation) >> 4
    high = np.maximum(opens, close) + _wick(reach, bits(shape, 16, 16))
    low = np.maximum(np.minimum(opens, close) - _wick(reach, bits(shape, 32, 16)), 1)

    trades = _FEWEST_TRADES + ((bits(activity, 0, 8) * bits(activity, 8, 8)) >> 12)
    volume = np.maximum(_volumes(market, activity, day, count), trades)
    traded = bits(activity, 40, 24) >= int(quiet_rate * (1 << 24))
    traded[:, [0, -1]] = True
    return MinuteBlock(ts, anchor, opens, high, low, close, volume, trades, traded)


def _clock(session: Session) -> tuple[Ints, Ints]:
    minutes = [np.arange(start, end, MINUTE_US, dtype=np.int64) for start, end in session.segments]
    anchors = [np.full(len(run), run[0]) for run in minutes]
    return np.concatenate(minutes), np.concatenate(anchors)


def _points(market: Market, walk: U64, day: U64, ordinal: int) -> tuple[Ints, Ints]:
    """The price in ticks at each of the M + 1 minute edges, and a minute's deviation in 2**-20."""
    count = walk.shape[1]
    weights = _u_shape(count, 256, 512)
    norm = math.isqrt(int((weights * weights).sum()))
    volatility = (market.volatility * (64 + bits(day, 0, 7)))[:, None] >> 7

    steps = bits(walk, 0, 16) + bits(walk, 16, 16) + bits(walk, 32, 16) + bits(walk, 48, 16) - 2 * 65_535
    path = np.cumsum(steps * weights, axis=1)
    edge = np.arange(1, count + 1)
    # Tied down to 0 at the close: a day ends where the next one's level begins, without having been walked.
    path -= path[:, -1:] * edge // count
    path = path * volatility // (norm * _STEP_DEVIATION)

    gap = (market.traits.gap * (bits(day, 16, 16) + bits(day, 32, 16) - 65_535)) >> 15
    start = day_levels(market, ordinal)[:, None] + gap[:, None]
    end = day_levels(market, ordinal + 1)[:, None]
    levels = np.concatenate((start, start + (end - start) * edge // count + path), axis=1)
    return price_ticks(market.base[:, None], levels), volatility * weights // norm


def _u_shape(count: int, middle: int, rise: int) -> Ints:
    """`middle` at the middle of the session, `middle + rise` at its two ends."""
    position = (2 * np.arange(count, dtype=np.int64) + 1 - count) * 1024 // count
    return middle + ((position * position * rise) >> 20)


def _wick(reach: Ints, noise: Ints) -> Ints:
    return (reach * ((noise * noise) >> 16)) >> 31


def _volumes(market: Market, activity: U64, day: U64, count: int) -> Ints:
    profile = _u_shape(count, 256, 768)
    busy = ((market.volume * (64 + bits(day, 48, 8))) >> 7)[:, None]
    # The product of two uniforms has mean 1/4 and a long tail.
    noise = (bits(activity, 16, 12) * bits(activity, 28, 12)) >> 6
    return (busy * profile * noise) // (int(profile.sum()) << 16)
