"""Stretches in which two feeds have one constant ratio of prices (adjusted differently), or other volumes throughout.

Such a stretch is told once; what else differs inside it is found in `comparing`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from marketdata_pipelines.domain.bars import PRICES
from marketdata_pipelines.domain.proposals import SIMPLE_RATIOS
from marketdata_pipelines.domain.quality.bar_pairs import BarPairs, Floats, Ints, Mask
from marketdata_pipelines.domain.quality.disputes import Tolerance

_LEAST_BARS = 3
_MOST_ALIKE = 0.9  # the share of a stretch's bars whose ratio is its median
_NEAR_A_SPLIT = 0.03
_SPLITS = np.log([float(ratio) for ratio in SIMPLE_RATIOS])
_MOSTLY = 0.5


@dataclass(frozen=True, slots=True)
class Ratio:
    """How one symbol's bars of two feeds stood to each other in the session before: ln(own / other).

    None where that is not known.
    """

    price: float | None
    volume: float | None


@dataclass(frozen=True, slots=True)
class Stretches:
    """The stretches of a pair, numbered in order. `of` gives each row's; rows that one side lacks have -1, `rows` are
    the others; those of a stretch lie there between its number in `starts` and the next.

    By stretch: `ratio` is the median of ln(own / other) of the closes, `scaled` whether all of it is on another scale,
    `throughout` whether its volumes differ as a whole, `begins_*` whether the session before was not like that.
    `factor`, by row, is what other prices are multiplied with to be on the own scale, `volume_factor` the same.
    """

    of: Ints
    rows: Ints
    starts: Ints
    ratio: Floats
    scaled: Mask
    throughout: Mask
    begins_scale: Mask
    begins_volume: Mask
    factor: Floats
    volume_factor: Floats

    def rows_of(self, stretch: int) -> Ints:
        """The rows of a stretch, in order."""
        return self.rows[self.starts[stretch] : self.starts[stretch + 1]]


def find_stretches(
    pairs: BarPairs, tolerance: Tolerance, before: Mapping[str, Ratio], *, by_session: bool
) -> Stretches:
    """Cut a pair into stretches and tell which are on another scale.

    A stretch is a symbol-session, or (`by_session` false) a run of a symbol's bars whose ratio does not change. It is
    scaled when nine bars of ten have its median ratio; one of a bar or two, when all four prices have one ratio and
    that is near a split's, or that of the session before.
    """
    rows = np.flatnonzero(pairs.both).astype(np.int64)
    ratios = {name: log_ratio(pairs.own.values[name][rows], pairs.other.values[name][rows]) for name in PRICES}
    close = ratios["close"]
    edge = np.ones(len(rows), bool)
    if by_session:
        edge[1:] = pairs.group[rows][1:] != pairs.group[rows][:-1]
    else:
        with np.errstate(invalid="ignore"):
            moved = ~(np.abs(np.diff(close)) <= tolerance.price)
        edge[1:] = (pairs.code[rows][1:] != pairs.code[rows][:-1]) | moved
    of = np.cumsum(edge) - 1
    heads = np.flatnonzero(edge)
    bars = np.bincount(of, minlength=len(heads))
    # A median beyond the tolerance needs half of the bars beyond it: the other stretches' is as good as none.
    beyond = np.bincount(of, np.abs(close) > tolerance.price, len(heads)) * 2 >= np.maximum(bars, 1)
    ratio = np.where(beyond, medians(np.where(beyond[of], close, np.nan), of, len(heads)), 0.0)
    off = np.abs(close - ratio[of]) if len(rows) else close
    alike = np.bincount(of, off <= tolerance.price, len(heads)) >= _MOST_ALIKE * np.maximum(bars, 1)
    scaled = (np.abs(ratio) > tolerance.price) & alike & (bars >= _LEAST_BARS)
    known = [before.get(pairs.symbols[code], Ratio(None, None)) for code in pairs.code[rows][heads]]
    prior = np.array([np.nan if each.price is None else each.price for each in known], float)
    one_shape = np.max([np.abs(ratios[name] - close) for name in PRICES], axis=0) <= tolerance.price
    few = np.bincount(of, one_shape, len(heads)) == bars
    few &= (bars < _LEAST_BARS) & (np.abs(ratio) > tolerance.price)
    scaled |= few & (_is_near_a_split(ratio) | (np.abs(ratio - prior) <= tolerance.price))
    return _with_volumes(pairs, tolerance, _Found(rows, of, heads, ratio, scaled, off, prior, known))


@dataclass(frozen=True, slots=True)
class _Found:
    """Stretches before their volumes were looked at; `rows` are those that both sides have."""

    rows: Ints
    of: Ints
    heads: Ints
    ratio: Floats
    scaled: Mask
    off: Floats
    prior: Floats
    known: list[Ratio]


def _with_volumes(pairs: BarPairs, tolerance: Tolerance, found: _Found) -> Stretches:
    rows, of, count = found.rows, found.of, len(found.heads)
    own, other = pairs.own.values["volume"][rows], pairs.other.values["volume"][rows]
    volume = log_ratio(own, other)
    adjusts = found.scaled
    if adjusts.any():
        # Where prices are divided by a split's ratio, volumes usually are multiplied with it.
        turned = medians(np.abs(volume + found.ratio[of]), of, count)
        adjusts = adjusts & (turned < medians(np.abs(volume), of, count))
    by = np.where(adjusts, np.exp(-np.where(adjusts, found.ratio, 0.0)), 1.0)[of] if count else own
    unlike = relative(own, other * by)
    differs = np.abs(unlike) > tolerance.volume
    told = np.maximum(np.bincount(of, ~np.isnan(unlike), count), 1)
    throughout = np.bincount(of, differs, count) > _MOSTLY * told
    throughout &= np.bincount(of, ~np.isnan(unlike), count) >= _LEAST_BARS
    few = (np.bincount(of, minlength=count) < _LEAST_BARS) & (np.bincount(of, differs, count) > 0)
    sides = np.sign(medians(np.where((throughout | few)[of], volume, np.nan), of, count))
    everywhere, factor, volume_factor = (np.full(len(pairs.ts), value) for value in (-1, 1.0, 1.0))
    everywhere[rows] = of
    if count:
        here = np.where(found.off <= tolerance.price, found.ratio[of] + _signed(pairs, found), found.ratio[of])
        factor[rows] = np.where(found.scaled[of], np.exp(here), 1.0)
        volume_factor[rows] = by
    return Stretches(
        of=everywhere.astype(np.int64),
        rows=rows,
        starts=np.append(found.heads, len(rows)).astype(np.int64),
        ratio=found.ratio,
        scaled=found.scaled,
        throughout=throughout,
        begins_scale=_scale_begins(pairs, found, tolerance.price),
        begins_volume=_volume_begins(pairs, found, throughout | few, sides, tolerance.volume),
        factor=factor,
        volume_factor=volume_factor,
    )


def _signed(pairs: BarPairs, found: _Found) -> Floats:
    """How far each row's ratio is off its stretch's: two closes of one scale may differ a little by themselves."""
    rows = found.rows
    close = log_ratio(pairs.own.values["close"][rows], pairs.other.values["close"][rows])
    return np.nan_to_num(close - found.ratio[found.of])


def _scale_begins(pairs: BarPairs, found: _Found, tolerance: float) -> Mask:
    """Whether a scaled stretch is not the going on of one before it, here or in the session before."""
    begins = np.ones(len(found.heads), bool)
    last: dict[int, float] = {}
    for stretch in np.flatnonzero(found.scaled).tolist():
        code = int(pairs.code[found.rows[found.heads[stretch]]])
        before = last.get(code, float(found.prior[stretch]))
        begins[stretch] = not abs(float(found.ratio[stretch]) - before) <= tolerance
        last[code] = float(found.ratio[stretch])
    return begins


def _volume_begins(pairs: BarPairs, found: _Found, chosen: Mask, sides: Floats, tolerance: float) -> Mask:
    """Whether other volumes of a stretch are not the going on of those before it, here or in the session before.

    Volumes of two sources are never in one ratio from day to day: the same side saying more is the same difference.
    """
    begins = np.ones(len(found.heads), bool)
    limit = -np.log1p(-min(tolerance, 0.999))
    last: dict[int, float] = {}
    codes = pairs.code[found.rows[found.heads]].tolist()
    for stretch, code in enumerate(codes) if chosen.any() else ():
        prior = found.known[stretch].volume
        before = last.get(code, 0.0 if prior is None or abs(prior) <= limit else float(np.sign(prior)))
        # The side of a stretch whose volumes agree is none, so that the next one begins.
        last[code] = float(np.nan_to_num(sides[stretch])) if chosen[stretch] else 0.0
        begins[stretch] = before != last[code] or last[code] == 0.0
    return begins


def log_ratio(own: Floats, other: Floats) -> Floats:
    """ln(own / other); NaN where one is unknown, zero or negative."""
    good = (own > 0) & (other > 0)
    found: Floats = np.full(len(own), np.nan)
    found[good] = np.log(own[good]) - np.log(other[good])
    return found


def relative(own: Floats, other: Floats) -> Floats:
    """(own - other) / the greater of both by size; 0 where both are 0, NaN where one is unknown."""
    greater = np.maximum(np.abs(own), np.abs(other))
    return np.where(greater == 0, 0.0, (own - other) / np.where(greater == 0, 1.0, greater))


def medians(values: Floats, of: Ints, count: int) -> Floats:
    """The median of each group's known values; NaN where there are none."""
    known = ~np.isnan(values)
    groups, sizes = of[known], np.bincount(of[known], minlength=count)
    found = np.full(count, np.nan)
    if not len(groups):
        return found
    ordered = values[known][np.lexsort((values[known], groups))]
    starts = np.cumsum(sizes) - sizes
    some = sizes > 0
    low, high = starts[some] + (sizes[some] - 1) // 2, starts[some] + sizes[some] // 2
    found[some] = (ordered[low] + ordered[high]) / 2
    return found


def _is_near_a_split(ratio: Floats) -> Mask:
    apart = np.min(np.abs(ratio[:, None] - _SPLITS[None, :]), axis=1, initial=np.inf)
    near: Mask = apart <= _NEAR_A_SPLIT
    return near
