"""Random integers as pure functions of their keys: the same on every machine and for every numpy.

Counter-based splitmix64. numpy's own generators and floating-point functions are kept out on purpose: their
streams and last digits differ between versions and machines.
"""

import hashlib
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

U64 = NDArray[np.uint64]
Ints = NDArray[np.int64]

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


class Stream(IntEnum):
    """What a number is drawn for; each stream of a symbol is independent of the others."""

    TRAITS = 1
    LEVEL = 2
    DAY = 3
    WALK = 4
    SHAPE = 5
    ACTIVITY = 6
    TRADE = 7
    FAULT = 8
    FAULT_DETAIL = 9


def text_keys(seed: int, texts: tuple[str, ...]) -> U64:
    """One 64-bit key for each text (a symbol, a fault kind) under a seed."""
    digests = b"".join(hashlib.sha256(f"{seed}\0{text}".encode()).digest()[:8] for text in texts)
    return np.frombuffer(digests, ">u8").astype(np.uint64)


def mix(values: U64) -> U64:
    """Scramble 64-bit integers one to one (the finaliser of splitmix64)."""
    mixed: U64 = (values ^ (values >> np.uint64(30))) * _FIRST
    mixed ^= mixed >> np.uint64(27)
    mixed *= _SECOND
    mixed ^= mixed >> np.uint64(31)
    return mixed


def derive(keys: U64, stream: Stream, number: int) -> U64:
    """The keys' own keys for one stream and one number (a day, an octave)."""
    streamed = mix(keys + np.full(1, stream, np.uint64) * _GAMMA)
    return mix(streamed + np.full(1, number, np.uint64) * _GAMMA)


def draw(keys: U64, indexes: Ints | U64) -> U64:
    """The random integer at an index of each key's sequence; shapes broadcast."""
    return mix(keys + (indexes.astype(np.uint64) + np.uint64(1)) * _GAMMA)


def draw_rows(keys: U64, count: int) -> U64:
    """The first `count` random integers of each key, shape (keys, count)."""
    return draw(keys[:, None], np.arange(count, dtype=np.uint64)[None, :])


def bits(values: U64, start: int, width: int) -> Ints:
    """`width` bits of each value from bit `start` on, as integers in [0, 2**width)."""
    return ((values >> np.uint64(start)) & np.uint64((1 << width) - 1)).astype(np.int64)
