"""The simulated exchange of one feed: its symbols, their standing traits, and their price level on any day.

A level is a closed-form function of (seed, symbol, day): no day needs the days before it. What happens inside a
day is in `minutes`.
"""

import math
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np

from marketdata_pipelines.domain.feeds import AssetClass, Feed
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.domain.sessions import Session
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.sources.simulated.randomness import U64, Ints, Stream, bits, derive, draw, text_keys
from marketdata_pipelines.sources.simulated.traits import ONE, Traits, traits_of

# Octave k is noise with one value every 2**k days; growing with 2**(k/2) they add up to a random walk.
_OCTAVES = 12
_AMPLITUDES = np.array([[math.isqrt(1 << (octave + 20))] for octave in range(_OCTAVES)], np.int64)


@dataclass(frozen=True, slots=True)
class Market:
    """Symbols in ascending order with, for each: a key, a base price in ticks, a day's volume in units, and the
    volatility of a day in 2**-20."""

    symbols: tuple[str, ...]
    traits: Traits
    keys: U64
    base: Ints
    volume: Ints
    volatility: Ints
    seed: int

    def slice(self, start: int, stop: int) -> "Market":
        """The same market with the symbols at positions start <= i < stop only."""
        cut = (self.keys[start:stop], self.base[start:stop], self.volume[start:stop], self.volatility[start:stop])
        return Market(self.symbols[start:stop], self.traits, *cut, self.seed)


def simulated_symbols(feed: Feed) -> tuple[str, ...]:
    """The feed's listed symbols, filled up to `symbol_count` with SIM00001, SIM00002 …; ascending.

    Errors: SettingsInvalid when the feed names neither symbols nor a count.
    """
    listed = set(feed.source.symbols)
    missing = max(feed.source.symbol_count - len(listed), 0)
    names = sorted(listed | {f"SIM{number:05d}" for number in range(1, missing + 1)})
    if not names:
        raise SettingsInvalid(
            f"{feed.name} simulates no symbol; give `symbols: [AAA, BBB]` or `symbols: 5` under its source"
        )
    return tuple(names)


def open_market(feed: Feed) -> Market:
    """The market a feed simulates, cached by what decides it."""
    return _market(simulated_symbols(feed), feed.asset_class, feed.source.seed)


def session_of(feed: Feed, day: date) -> Session | None:
    """The feed's session of that date, or None when the market is closed."""
    sessions = feed_calendar(feed).sessions(day, day)
    return sessions[0] if sessions else None


def day_levels(market: Market, ordinal: int) -> Ints:
    """Each symbol's relative level at the start of a day (a proleptic ordinal), in 2**-20 around 0.

    Three quarters of a symbol's own walk and half of one walk all symbols share.
    """
    own = _octave_noise(market.keys, ordinal)
    shared = _octave_noise(text_keys(market.seed, ("\0market",)), ordinal)
    return ((own * 3 // 4 + shared // 2) * market.volatility) >> 25


def price_ticks(base: Ints, level: Ints) -> Ints:
    """The price in ticks at a relative level: base * (1 + level) above 0, base / (1 - level) below; at least 1.

    Unlike an exponential it needs no floating point; like one it is positive, smooth at 0 and symmetric.
    """
    risen = (base * (ONE + np.maximum(level, 0))) >> 20
    fallen = (base << 20) // (ONE - np.minimum(level, 0))
    ticks: Ints = np.maximum(np.where(level >= 0, risen, fallen), 1)
    return ticks


@lru_cache(maxsize=8)
def _market(symbols: tuple[str, ...], asset_class: AssetClass, seed: int) -> Market:
    traits = traits_of(asset_class)
    keys = text_keys(seed, symbols)
    noise = derive(keys, Stream.TRAITS, 0)
    base = _log_uniform(noise, 0, traits.lowest, traits.octaves)
    volume = _log_uniform(derive(keys, Stream.TRAITS, 1), 0, 1 << traits.volume_bits, traits.volume_octaves)
    volatility = (traits.volatility * (64 + bits(noise, 40, 7))) >> 7
    return Market(symbols, traits, keys, base, volume, volatility, seed)


def _log_uniform(noise: U64, start: int, lowest: int, octaves: int) -> Ints:
    floor = lowest << (bits(noise, start, 8) % octaves)
    return floor + ((floor * bits(noise, start + 8, 16)) >> 16)


def _octave_noise(keys: U64, ordinal: int) -> Ints:
    lattice = _lattice(keys.tobytes())
    octave = np.arange(_OCTAVES)[:, None]
    span = 1 << octave
    # Each symbol's lattice starts elsewhere, else all would turn on the same days.
    at = ordinal + bits(lattice, 0, 12) % span
    index, fraction = at >> octave, at & (span - 1)
    left = bits(draw(lattice, index), 48, 16) - 32_768
    right = bits(draw(lattice, index + 1), 48, 16) - 32_768
    total: Ints = (((left * (span - fraction) + right * fraction) >> octave) * _AMPLITUDES).sum(axis=0)
    return total


@lru_cache(maxsize=64)
def _lattice(keys: bytes) -> U64:
    """Each key's own keys for the octaves, shape (octaves, keys)."""
    plain = np.frombuffer(keys, np.uint64)
    return np.stack([derive(plain, Stream.LEVEL, octave) for octave in range(_OCTAVES)])
