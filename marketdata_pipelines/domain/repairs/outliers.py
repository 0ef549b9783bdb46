"""Repairs of bars that stand but do not fit: mis-scaled, dropped or clipped; and of two rows for one bar the other one.

Rejected rows are `values`'s.
"""

from collections.abc import Mapping

import numpy as np

from marketdata_pipelines.domain.bars import PRICES
from marketdata_pipelines.domain.corrections import VALUES
from marketdata_pipelines.domain.repairs.fit import Surroundings, SymbolBars, confidence, volume_fit
from marketdata_pipelines.domain.repairs.records import BarRow, Candidate, RepairKind, number
from marketdata_pipelines.domain.repairs.values import (
    best_prices,
    fit_text,
    is_full_counter,
    scale_options,
    volume_options,
    with_prices,
)

SPIKE_RULES = frozenset(("price_spike", "return_outlier"))
WICK_RULES = frozenset(("bad_wick",))
VOLUME_SPIKE_RULES = frozenset(("volume_spike",))
OUTLIER_RULES = SPIKE_RULES | WICK_RULES | VOLUME_SPIKE_RULES
# A scale that fits this badly is no better than none: the bar goes then.
_LEAST_SCALE_FIT = 0.5


def mend_outlier(row: BarRow, rule: str, bars: SymbolBars, *, any_sign: bool = False) -> Candidate | None:
    """What to do with a bar that a quality rule found, judged by the bars around it (`bars` lacks those found).

    A price or two scaled by a power of ten is put right; another spike is dropped; a wick is clipped to open, close and
    its neighbours, which is half a guess.
    """
    prices = _prices(row)
    if prices is None:
        return None
    around = bars.around(row.ts_us)
    if rule in VOLUME_SPIKE_RULES:
        return _mended_volume(row, around)
    before = bars.fit(prices, around)
    scaled = None
    if not any_sign:
        scaled = best_prices(list(scale_options(prices)), bars, around, before=before)
    if scaled is not None and scaled[2] >= _LEAST_SCALE_FIT:
        option, sure, fit = scaled
        text = f"{option.text}; {fit_text(fit, around)}, as it was {before:.2f}"
        return Candidate(option.kind, with_prices(row, option), sure, text, option.detail)
    return _clipped(row, bars, around) if rule in WICK_RULES else _dropped(row, bars, around, before)


def choose_duplicate(row: BarRow, standing: Mapping[str, float | None], bars: SymbolBars) -> Candidate | None:
    """Whether a later row for the same bar fits better than the first one, which stands; None where it does not."""
    prices = _prices(row)
    stands = [standing[name] for name in PRICES]
    if prices is None or None in stands or all(row.values.get(name) == standing.get(name) for name in VALUES):
        return None
    around = bars.around(row.ts_us)
    own, other = bars.fit(prices, around), bars.fit([float(value or 0.0) for value in stands], around)
    if own == other and row.values.get("volume") is not None and standing.get("volume") is not None:
        # Their prices fit alike: the volumes decide.
        own, other = (volume_fit(float(each["volume"] or 0.0), around) for each in (row.values, standing))
    if own <= other:
        return None
    text = f"row {row.row} fits {own:.2f}, the one before it {other:.2f} ({around.bars} bars near by)"
    values = {name: row.values.get(name) for name in VALUES}
    return Candidate(RepairKind.DUPLICATE_CHOSEN, values, confidence(own, other, around), text, "other row")


def _clipped(row: BarRow, bars: SymbolBars, around: Surroundings) -> Candidate | None:
    opens, high, low, close = _prices(row) or (0.0, 0.0, 0.0, 0.0)
    before = bars.fit((opens, high, low, close), around)
    body_high, body_low = max(opens, close), min(opens, close)
    clipped = [opens, high, low, close]
    tops = bars.scaled(np.array([[body_high, high, low, body_low]]))[0]
    # An end that is a little outside is one of the bar's own.
    if tops[1] - max(tops[0], around.high) > around.allowed:
        clipped[1] = max(body_high, _price(bars, around.high, row, above=True))
    if min(tops[3], around.low) - tops[2] > around.allowed:
        clipped[2] = min(body_low, _price(bars, around.low, row, above=False))
    if clipped == [opens, high, low, close]:
        return None
    values = {name: row.values.get(name) for name in VALUES} | dict(zip(PRICES, clipped, strict=True))
    vwap = values["vwap"]
    if vwap is not None and not clipped[2] <= vwap <= clipped[1]:
        values["vwap"] = None
    fit = bars.fit(clipped, around)
    ends = f"high {number(high)} becomes {number(clipped[1])}, low {number(low)} becomes {number(clipped[2])}"
    # What the true extreme was, nothing tells.
    sure = confidence(fit, before, around) / 2
    return Candidate(RepairKind.WICK_CLIPPED, values, sure, f"{ends}; {fit_text(fit, around)}", "wick")


def _price(bars: SymbolBars, scaled: float, row: BarRow, *, above: bool) -> float:
    """The neighbours' extreme as one of their own prices, so that it has their ticks."""
    near = np.abs(bars.ts - row.ts_us).argsort(kind="stable")[:4]
    column = bars.prices[near, 1 if above else 2]
    return float(column[np.abs(bars.scaled(bars.prices[near])[:, 1 if above else 2] - scaled).argmin()])


def _dropped(row: BarRow, bars: SymbolBars, around: Surroundings, before: float) -> Candidate | None:
    if around.before is None or around.after is None:
        return None
    # The bars on both sides must agree with each other, else it may be the price that moved.
    ends = bars.scaled(np.array([[around.before] * 4, [around.after] * 4]))[:, 0]
    apart = abs(float(ends[1] - ends[0])) / around.allowed
    agree = 1 / (1 + apart**4)
    volume, traded = row.values.get("volume"), 1.0
    if volume is not None and volume > 0 and np.isfinite(around.usual_volume):
        # A bar that traded far more than usual may be real.
        traded = min(1.0, 10 * around.usual_volume / volume)
    sure = confidence(agree, before, around) * traded
    text = (
        f"the bar at {number(row.values['close'])} fits {before:.2f} between {number(around.before)} and "
        f"{number(around.after)} ({around.bars} bars near by); it goes"
    )
    return Candidate(RepairKind.BAR_DROPPED, None, sure, text, "dropped")


def _mended_volume(row: BarRow, around: Surroundings) -> Candidate | None:
    volume = row.values.get("volume")
    if volume is None or not np.isfinite(around.usual_volume):
        return None
    before = volume_fit(volume, around)
    values = {name: row.values.get(name) for name in VALUES}
    if is_full_counter(volume):
        text = f"volume {number(volume)} is a full counter: unknown; usual is {number(around.usual_volume)}"
        return Candidate(RepairKind.FIELD_UNKNOWN, values | {"volume": None}, confidence(1.0, before, around), text)
    options = volume_options(volume)
    fits = [volume_fit(float(value or 0.0), around) for value, _ in options]
    best = int(np.argmax(fits))
    rival = max((fit for at, fit in enumerate(fits) if at != best), default=0.0)
    mended, text = options[best]
    said = f"{text}: {number(volume)} becomes {number(mended)}; usual is {number(around.usual_volume)}"
    sure = confidence(fits[best], before, around, rival)
    return Candidate(RepairKind.VOLUME_MENDED, values | {"volume": mended}, sure, said, text)


def _prices(row: BarRow) -> tuple[float, ...] | None:
    known = tuple(value for value in row.prices() if value is not None)
    return known if len(known) == len(PRICES) else None
