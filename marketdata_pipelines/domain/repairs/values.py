"""What a bar's prices and volume might have been meant to say: swapped, mis-scaled, of the wrong sign, or left out.

For rows that broke a rule about their values and for bars that do not fit; times are `times`'s.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from marketdata_pipelines.domain.bars import PRICES
from marketdata_pipelines.domain.corrections import VALUES
from marketdata_pipelines.domain.repairs.fit import Surroundings, SymbolBars, confidence, range_fit, volume_fit
from marketdata_pipelines.domain.repairs.records import LEAST_CONFIDENCE, BarRow, Candidate, RepairKind, number

PRICE_RULES = frozenset(
    ("high_below_low", "price_outside_range", "price_not_positive", "price_not_finite", "missing_price",
     "unparsable_price")
)  # fmt: skip
VOLUME_RULES = frozenset(
    ("volume_negative", "volume_out_of_range", "volume_not_finite", "unparsable_volume", "volume_format")
)
FIELD_RULES = frozenset(("vwap_outside_range", "trade_count_negative", "unparsable_field"))
MENDABLE = PRICE_RULES | VOLUME_RULES | FIELD_RULES

_FACTORS = (10.0, 100.0, 1000.0)
_COUNTER = 2.0**32
_FULL_COUNTERS = (2.0**31 - 1, 2.0**32 - 1, 2.0**63 - 1)
# Which prices are scaled by what; all of them together first, then one, two and three.
_SCALINGS = [
    (places, factor)
    for size in (4, 1, 2, 3)
    for places in combinations(range(4), size)
    for factor in (*(1 / each for each in _FACTORS), *_FACTORS)
]
_MULTIPLIERS = np.array([[factor if at in places else 1.0 for at in range(4)] for places, factor in _SCALINGS])
# Options whose fit is this near are told apart by how little they change.
_EQUAL_FIT = 0.01
# From this share on, bars are made of quotes that go on where they stopped.
_CONTINUOUS = 0.95
_NAMED = (RepairKind.VOLUME_MENDED,)
_SLACK = 1e-6


@dataclass(frozen=True, slots=True)
class PriceOption:
    """Four prices a bar might have meant; `factor` is what the changed ones were multiplied by."""

    kind: RepairKind
    prices: tuple[float, ...]
    text: str
    detail: str
    factor: float = 1.0


def mend_row(row: BarRow, bars: SymbolBars, *, any_sign: bool = False) -> Candidate | None:
    """The best reading of a rejected row, judged by the bars around it; None where there is none to speak of.

    All rules it broke must be about values. `any_sign`: the feed allows prices of zero and below.
    """
    if not row.rules or row.rules - MENDABLE:
        return None
    around = bars.around(row.ts_us)
    if row.rules & PRICE_RULES:
        mended = best_prices(_options(row, bars, around, any_sign=any_sign), bars, around, before=0.0)
        if mended is None:
            return None
        option, sure, fit = mended
        if option.kind is RepairKind.HIGH_LOW_SWAPPED:
            # Any two numbers can be told apart as high and low: what they span must be usual too.
            sure *= range_fit(option.prices, bars, around)
    else:
        prices = _known(row.prices())
        if prices is None:
            return None
        fit = bars.fit(prices, around)
        option, sure = PriceOption(RepairKind.FIELD_UNKNOWN, prices, "", ""), fit * around.support
    values, texts = with_prices(row, option), [option.text] if option.text else []
    kind, detail = option.kind, option.detail
    if row.rules & VOLUME_RULES:
        volume, trust, text, volume_kind = _mended_volume(row.values.get("volume"), around)
        values["volume"], sure = volume, sure * trust
        texts.append(text)
        if not row.rules & PRICE_RULES:
            kind, detail = volume_kind, f"{volume_kind} {text.split(':')[0] if volume_kind in _NAMED else ''}"
    count = values["trade_count"]
    if count is not None and count < 0:
        values["trade_count"] = None
        texts.append("a trade count cannot be negative: unknown")
    if "vwap_outside_range" in row.rules and not row.rules & PRICE_RULES:
        texts.append("vwap lies outside the bar: unknown")
    if not texts or sure < LEAST_CONFIDENCE:
        return None
    return Candidate(kind, values, sure, f"{'; '.join(texts)}; {fit_text(fit, around)}", detail)


def best_prices(
    options: Sequence[PriceOption], bars: SymbolBars, around: Surroundings, *, before: float
) -> tuple[PriceOption, float, float] | None:
    """The option that fits best, how sure it is, and its fit; of equal ones the first."""
    if not options:
        return None
    fits = bars.fits(np.array([option.prices for option in options], np.float64), around)
    best = int(np.argmax(fits >= float(fits.max()) - _EQUAL_FIT))
    chosen = options[best]
    others = [fit for option, fit in zip(options, fits.tolist(), strict=True) if option.prices != chosen.prices]
    fit = float(fits[best])
    return chosen, confidence(fit, before, around, max(others, default=0.0)), fit


def scale_options(prices: Sequence[float]) -> Iterator[PriceOption]:
    """Some or all prices times or through 10, 100 or 1000 that make a consistent bar, those with most alike first."""
    made = np.array(prices, np.float64) * _MULTIPLIERS
    opens, high, low, close = made.T
    consistent = (low > 0) & (low <= np.minimum(opens, close)) & (np.maximum(opens, close) <= high)
    for at in np.flatnonzero(consistent).tolist():
        places, factor = _SCALINGS[at]
        found = list(prices)
        for place in places:
            # Dividing by 10 must give the price that was written: 1682.7 / 10 is 168.27, not 168.27000000000001.
            found[place] = float(f"{prices[place] * factor:.12g}")
        if not is_consistent(np.array(found)):
            continue
        names = "all prices" if len(places) == len(PRICES) else " and ".join(PRICES[place] for place in places)
        how = f"through {round(1 / factor)}" if factor < 1 else f"times {round(factor)}"
        text = f"{names} {how}: {_listed(prices)} becomes {_listed(found)}"
        yield PriceOption(RepairKind.PRICE_SCALE, tuple(found), text, f"{names} {how}", factor)


def is_consistent(prices: NDArray[np.float64], *, any_sign: bool = False) -> bool:
    """Whether open, high, low and close can be one bar."""
    opens, high, low, close = prices.tolist()
    if not np.isfinite(prices).all() or (low <= 0 and not any_sign):
        return False
    return low <= min(opens, close) and max(opens, close) <= high


def with_prices(row: BarRow, option: PriceOption) -> dict[str, float | None]:
    """The row's values with an option's prices; its vwap follows them where it can, else it is unknown."""
    values = {name: row.values.get(name) for name in VALUES} | dict(zip(PRICES, option.prices, strict=True))
    vwap, high, low = values["vwap"], option.prices[1], option.prices[2]
    if vwap is not None:
        slack = _SLACK * abs(option.prices[3])
        fitting = (v for v in (vwap, vwap * option.factor, -vwap) if low - slack <= v <= high + slack)
        values["vwap"] = next(fitting, None)
    return values


def volume_options(volume: float) -> list[tuple[float | None, str]]:
    """What a volume out of all proportion might have been, and in which words."""
    found: list[tuple[float | None, str]] = []
    if volume >= _COUNTER:
        found.append((volume % _COUNTER, "a counter of 32 bits went over"))
    found += [(float(f"{volume / factor:.12g}"), f"volume through {factor:g}") for factor in _FACTORS]
    return found


def is_full_counter(volume: float) -> bool:
    """Whether a volume is what a counter shows when it is full, or stands for one that is not there."""
    return volume in _FULL_COUNTERS or volume == 2.0**63


def fit_text(fit: float, around: Surroundings) -> str:
    """The fit in words."""
    if not around.bars:
        return "no bars near by to compare with"
    beside = [number(price) for price in (around.before, around.after) if price is not None]
    return f"fits {fit:.2f} beside {' and '.join(beside)} ({around.bars} bars near by)"


def _options(row: BarRow, bars: SymbolBars, around: Surroundings, *, any_sign: bool) -> list[PriceOption]:
    """Readings of a row whose prices are wrong or missing."""
    known = _known(row.prices())
    absent = [p for p, value in enumerate(row.prices()) if value is None or not np.isfinite(value) or value == 0]
    if absent and not (any_sign and known is not None):
        return list(_filled(row, absent, bars, around))
    if known is None:
        return []
    options = []
    opens, high, low, close = known
    if high < low:
        swapped = (opens, low, high, close)
        text = f"high {number(high)} and low {number(low)} swapped make a bar"
        options.append(PriceOption(RepairKind.HIGH_LOW_SWAPPED, swapped, text, "high and low"))
    if not any_sign and any(value < 0 for value in known):
        positive = tuple(abs(value) for value in known)
        # Of a bar that is negative whole, the extremes changed places with the sign.
        turned = (positive[0], max(positive), min(positive), positive[3]) if all(v < 0 for v in known) else positive
        text = f"without its sign: {_listed(known)} becomes {_listed(turned)}"
        options.append(PriceOption(RepairKind.PRICE_SIGN, turned, text, "sign", -1.0))
    options = [option for option in options if is_consistent(np.array(option.prices), any_sign=any_sign)]
    return options if any_sign else [*options, *scale_options(known)]


def _filled(row: BarRow, absent: list[int], bars: SymbolBars, around: Surroundings) -> Iterator[PriceOption]:
    """The one price that is missing, where the others leave no choice."""
    if len(absent) != 1:
        return
    place, name = absent[0], PRICES[absent[0]]
    others = [value for at, value in enumerate(row.prices()) if at != place and value is not None]
    if len(others) != 3 or not all(np.isfinite(value) and value > 0 for value in others):
        return
    choices = []
    if len(set(others)) == 1:
        choices.append((others[0], "the other three are one price"))
    elif bars.share_opening_at_close() >= _CONTINUOUS and name in ("open", "close"):
        beside = around.before if name == "open" else around.after
        if beside is not None:
            choices.append((beside, "bars of this symbol open where the one before closed"))
    for value, why in choices:
        found = list(row.prices())
        found[place] = value
        prices = tuple(float(price or 0.0) for price in found)
        if is_consistent(np.array(prices)):
            yield PriceOption(RepairKind.PRICE_MISSING, prices, f"{name} is {number(value)}: {why}", name)


def _mended_volume(volume: float | None, around: Surroundings) -> tuple[float | None, float, str, RepairKind]:
    """A volume, how sure it is beside the prices', in which words, and what kind of repair that is."""
    said = "the volume that cannot be read" if volume is None else f"volume {number(volume)}, which cannot be trusted,"
    unknown = (None, 1.0, f"{said} becomes unknown", RepairKind.FIELD_UNKNOWN)
    if volume is None or not np.isfinite(volume) or volume >= 0:
        return unknown
    options = [(-volume, "volume without its sign")]
    if volume >= -_COUNTER / 2:
        options.append((volume + _COUNTER, "a counter of 32 bits went over"))
    fits = [volume_fit(value, around) for value, _ in options]
    best = int(np.argmax(fits))
    if fits[best] < 0.1:
        return unknown
    rival = max((fit for at, fit in enumerate(fits) if at != best), default=0.0)
    sure = fits[best] * (1 - 0.5 * rival / fits[best])
    value, text = options[best]
    return value, sure, f"{text}: {number(volume)} becomes {number(value)}", RepairKind.VOLUME_MENDED


def _known(prices: Sequence[float | None]) -> tuple[float, ...] | None:
    known = tuple(value for value in prices if value is not None and np.isfinite(value))
    return known if len(known) == len(PRICES) else None


def _listed(prices: Sequence[float] | NDArray[np.float64]) -> str:
    return "/".join(number(float(value)) for value in prices)
