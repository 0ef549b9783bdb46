"""Which rows of a simulated day are spoiled, and by what: at most one fault a row.

The choice depends on (seed, day, kind, row) alone. What happens to a chosen row is in `injection`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marketdata_pipelines.sources.simulated.randomness import U64, Ints, Stream, bits, derive, draw, text_keys
from marketdata_pipelines.sources.simulated.rates import GAP, FaultRate

_SHORTEST_GAP, _GAP_SPREAD = 5, 36


@dataclass(frozen=True, slots=True)
class Choice:
    """A fault and the clean row it hits; for a gap, the first row after it and the rows it takes away."""

    kind: str
    position: int
    noise: int
    removed: tuple[int, ...] = ()


def choose_rows(seed: int, ordinal: int, rates: tuple[FaultRate, ...], symbols: Ints) -> list[Choice]:
    """Choose rows for every asked fault.

    Shape:   `symbols` is the symbol code of each clean row in arrival order. A count that finds too few free rows gives
             fewer faults.
    """
    taken = np.zeros(len(symbols), bool)
    choices = []
    # Gaps need free runs of rows: they choose first.
    for asked in sorted(rates, key=lambda rate: rate.kind != GAP):
        key = text_keys(seed, (f"fault {asked.kind}",))
        noise = bits(draw(derive(key, Stream.FAULT_DETAIL, ordinal), np.arange(len(symbols))), 0, 31)
        found = 0
        for position in _candidates(derive(key, Stream.FAULT, ordinal), asked, len(symbols)):
            if found == asked.count:
                break
            choice = _chosen(asked.kind, int(position), int(noise[position]), symbols, taken)
            if choice is not None:
                taken[list(choice.removed)] = True
                taken[choice.position] = True
                choices.append(choice)
                found += 1
    return choices


def _candidates(key: U64, asked: FaultRate, count: int) -> Ints:
    scores = draw(key, np.arange(count))
    if asked.count is not None:
        return np.argsort(scores, kind="stable")
    return np.flatnonzero(scores < np.uint64(int(asked.rate * (1 << 53)) << 11))


def _chosen(kind: str, position: int, noise: int, symbols: Ints, taken: NDArray[np.bool_]) -> Choice | None:
    if kind != GAP:
        return None if taken[position] else Choice(kind, position, noise)
    own = np.flatnonzero(symbols == symbols[position])
    length = min(_SHORTEST_GAP + noise % _GAP_SPREAD, len(own) // 4)
    if length < 1:
        return None
    # Inside the symbol's day, so that a row before and one after bear witness.
    start = min(max(int(np.searchsorted(own, position)), 1), len(own) - 1 - length)
    run, after = own[start : start + length], int(own[start + length])
    if taken[run].any() or taken[after]:
        return None
    return Choice(kind, after, noise, tuple(run.tolist()))
