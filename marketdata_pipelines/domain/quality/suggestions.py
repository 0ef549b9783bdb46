"""Limits for the quality rules that a feed's own bars suggest: a quantile with a margin, and why.

Nothing is set here: a person reads them and writes what is wanted under the feed's `quality` in feeds.yaml.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from marketdata_pipelines.domain.quality.rules import QUALITY_RULE_BY_ID
from marketdata_pipelines.domain.quality.statistics import ColumnStatistics

# What all but one value in ten thousand keeps to, and room above it.
SHARE = 0.9999
MARGIN = 1.5
# With fewer values a quantile so far out is the greatest value and little more.
LEAST_VALUES = 1_000


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One limit of a rule: what it is by default, what the data suggest, and from what."""

    rule: str
    limit: str
    default: float
    value: float
    why: str


# The measure by which each limit is judged, and what it is called.
_LIMITS = (
    ("price_spike", "floor", "leaps", "leaps to both sides"),
    ("price_spike", "scales", "leap_scales", "leaps in return scales of their session"),
    ("bad_wick", "floor", "wicks", "wicks"),
    ("bad_wick", "scales", "wick_scales", "wicks in range scales of their session"),
    ("return_outlier", "scales", "return_scales", "returns in return scales of their session"),
    ("long_gap", "most", "longest_gap", "longest gaps of symbol-sessions"),
)


def suggest_limits(measured: Mapping[str, ColumnStatistics], standstill: int) -> list[Suggestion]:
    """Limits that nearly everything measured keeps to; rules of which too little was measured are left out.

    `standstill`: the longest run of bars at one price (see `bar_measures`).
    """
    found = []
    for rule, limit, name, text in _LIMITS:
        statistics = measured.get(name)
        default = _default(rule, limit)
        if statistics is None or default is None or statistics.count < LEAST_VALUES:
            continue
        # Of fewer values than one is left out of, none is.
        share = SHARE if statistics.count * (1 - SHARE) >= 1 else 1.0
        value = statistics.quantile(share)
        if not value:
            continue
        part = f"{share:.2%}" if share < 1 else "all"
        why = f"{part} of {statistics.count:,} {text} are up to {value:.3g}; times {MARGIN:g}"
        found.append(Suggestion(rule, limit, default, _rounded(value * MARGIN), why))
    default = _default("stale_run", "least")
    if standstill > 1 and default is not None:
        why = f"the longest run at one price has {standstill} bars; times {MARGIN:g}"
        found.append(Suggestion("stale_run", "least", default, float(np.ceil(standstill * MARGIN)), why))
    return found


def settings_snippet(feed: str, suggestions: Sequence[Suggestion]) -> str:
    """The suggestions as lines of feeds.yaml, each with its reason; empty for none."""
    if not suggestions:
        return ""
    lines = ["feeds:", f"  {feed}:", "    quality:", "      rules:"]
    for rule in dict.fromkeys(each.rule for each in suggestions):
        lines.append(f"        {rule}:")
        for each in suggestions:
            if each.rule == rule:
                lines.append(f"          {each.limit}: {each.value:g}  # {each.default:g} by default; {each.why}")
    return "\n".join(lines)


def _default(rule: str, limit: str) -> float | None:
    known = QUALITY_RULE_BY_ID.get(rule)
    return None if known is None else known.limits.get(limit)


def _rounded(value: float) -> float:
    """Up to two digits, never below the value."""
    if value <= 0:
        return 0.0
    unit = 10.0 ** (np.floor(np.log10(value)) - 1)
    return float(f"{np.ceil(value / unit - 1e-9) * unit:.6g}")
