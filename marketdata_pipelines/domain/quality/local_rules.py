"""The rules that need no earlier sessions, judged from a partition's own profiles and suspects.

So these may block. What stands out is found in `suspects` and `shifts`; here it is only held against the limits. Rules
with history are in `judging`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from marketdata_pipelines.domain.frames import float_values, int_values
from marketdata_pipelines.domain.quality.gap_reasons import with_gap_reasons
from marketdata_pipelines.domain.quality.market_gaps import find_market_gaps, gap_findings
from marketdata_pipelines.domain.quality.missing_runs import GAP
from marketdata_pipelines.domain.quality.records import FINDING_SCHEMA, Suspicion
from marketdata_pipelines.domain.quality.rules import QualityRule
from marketdata_pipelines.domain.quality.stale_runs import expected_runs

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
# A session of stocks: where fewer bars are compared, they are taken for as many.
_USUAL_BARS = 390
_PLACE = ("file", "line", "row", "part", "standing")


@dataclass(frozen=True, slots=True)
class _Verdict:
    """Which of some suspects break a rule; what was measured, what is allowed."""

    broken: Mask
    value: Floats
    limit: Floats


_Judge = Callable[[QualityRule, pa.Table, pa.Table], _Verdict]
_Teller = Callable[[dict[str, object]], str]


def judge_local(rules: Mapping[str, QualityRule], profiles: pa.Table, suspects: pa.Table) -> pa.Table:
    """What breaks the local rules that are asked for.

    Shape:   `rules` by id, others are passed over; PROFILE_SCHEMA and SUSPECT_SCHEMA of one partition. Returns
             FINDING_SCHEMA sorted by (symbol, session_date, ts, rule), with the suspects' places.
    Bounds:  a finding about missing bars is told at the bar after them, `bars` says how many are missing.
    """
    found = []
    outages = pa.Table.from_pylist([], FINDING_SCHEMA)
    if "market_gap" in rules:
        outages = gap_findings(rules["market_gap"], find_market_gaps(rules["market_gap"], profiles, suspects))
        found.append(outages)
    for name, (kind, judge, tell) in _RULES.items():
        if name not in rules or not suspects.num_rows:
            continue
        of_kind = suspects.filter(pc.equal(suspects["kind"], str(kind)))
        if not of_kind.num_rows:
            continue
        verdict = judge(rules[name], profiles, of_kind)
        if name == "long_gap" and outages.num_rows:
            verdict = _Verdict(verdict.broken & ~_told_of_all(of_kind, outages), verdict.value, verdict.limit)
        if verdict.broken.any():
            told = _findings(rules[name], of_kind, verdict, tell)
            found.append(with_gap_reasons(told, profiles, suspects) if name == "long_gap" else told)
    if not found:
        return FINDING_SCHEMA.empty_table()
    whole = pa.concat_tables([table.set_column(3, "symbol", table["symbol"].cast(pa.string())) for table in found])
    keys = [(name, "ascending") for name in ("symbol", "session_date", "ts", "rule")]
    return whole.sort_by(keys).combine_chunks().cast(FINDING_SCHEMA)


def _findings(rule: QualityRule, suspects: pa.Table, verdict: _Verdict, tell: _Teller) -> pa.Table:
    at = np.flatnonzero(verdict.broken)
    rows = suspects.take(pa.array(at))
    value, limit = verdict.value[at], verdict.limit[at]
    told = [
        tell({**row, "noted": row["value"], "value": float(measured), "limit": float(allowed)})
        for row, measured, allowed in zip(rows.to_pylist(), value, limit, strict=True)
    ]
    columns = {
        "rule": pa.repeat(rule.id, len(at)),
        "dimension": pa.repeat(str(rule.dimension), len(at)),
        "severity": pa.repeat(str(rule.severity), len(at)),
        **{name: rows[name] for name in ("symbol", "session_date", "ts", "ts_last", "bars")},
        "value": pa.array(value),
        "limit": pa.array(limit),
        "message": pa.array(told, pa.string()),
        **{name: rows[name] for name in _PLACE},
    }
    return pa.table(columns, schema=FINDING_SCHEMA)


def _leaps(rule: QualityRule, profiles: pa.Table, suspects: pa.Table) -> _Verdict:
    return _beside_scale(rule, suspects, rule.limits["scales"])


def _wick_reaches(rule: QualityRule, profiles: pa.Table, suspects: pa.Table) -> _Verdict:
    # A day's range says more of how far its trades may lie apart than a minute's does.
    daily = profiles.num_rows > 0 and int(int_values(profiles["expected"]).max()) <= 1
    return _beside_scale(rule, suspects, rule.limits["daily_scales" if daily else "scales"])


def _beside_scale(rule: QualityRule, suspects: pa.Table, scales: float) -> _Verdict:
    value, scale = float_values(suspects["value"]), np.nan_to_num(float_values(suspects["scale"]))
    # Beyond the ceiling no market goes and comes back, however wild the session.
    limit = np.minimum(np.maximum(rule.limits["floor"], scales * scale), rule.limits["ceiling"])
    return _Verdict(value > limit, value, limit)


def _stands_still(rule: QualityRule, profiles: pa.Table, suspects: pa.Table) -> _Verdict:
    length, share = float_values(suspects["value"]), float_values(suspects["scale"])
    bars = np.maximum(_session_bars(profiles, suspects), _USUAL_BARS)
    improbable = expected_runs(bars, length, share) <= rule.limits["improbable"]
    # The longest run that is neither short nor improbable.
    with np.errstate(divide="ignore"):
        longest = np.log(rule.limits["improbable"] / bars) / np.log(np.minimum(share, 1 - 1e-9)) + 1
    limit = np.maximum(rule.limits["least"], np.floor(longest))
    return _Verdict((length >= rule.limits["least"]) & improbable, length, limit)


def _moves_without_volume(rule: QualityRule, profiles: pa.Table, suspects: pa.Table) -> _Verdict:
    value, share = float_values(suspects["value"]), float_values(suspects["scale"])
    limit = np.full(len(value), rule.limits["floor"])
    # Where most bars have no volume, 0 stands for unknown.
    return _Verdict((value > limit) & (share <= rule.limits["share"]), value, limit)


def _is_told(rule: QualityRule, profiles: pa.Table, suspects: pa.Table) -> _Verdict:
    value = float_values(suspects["value"])
    return _Verdict(np.ones(len(value), np.bool_), value, np.zeros(len(value)))


def _is_long_gap(rule: QualityRule, profiles: pa.Table, suspects: pa.Table) -> _Verdict:
    value, density = int_values(suspects["bars"]).astype(float), float_values(suspects["scale"])
    limit = np.full(len(value), rule.limits["most"])
    return _Verdict((value > limit) & (density >= rule.limits["dense"]), value, limit)


def _is_off_tick(rule: QualityRule, profiles: pa.Table, suspects: pa.Table) -> _Verdict:
    bars = int_values(suspects["bars"])
    share = bars / np.maximum(_session_bars(profiles, suspects), bars)
    limit = np.full(len(share), rule.limits["share"])
    return _Verdict(share > limit, share, limit)


def _session_bars(profiles: pa.Table, suspects: pa.Table) -> NDArray[np.int64]:
    """All bars of each suspect's symbol-session, 0 where it has no profile."""
    keys = zip(profiles["symbol"].to_pylist(), int_values(profiles["session_date"]).tolist(), strict=True)
    bars = int_values(profiles["bars"]) + int_values(profiles["extended_bars"])
    count = dict(zip(keys, bars.tolist(), strict=True))
    asked = zip(suspects["symbol"].to_pylist(), int_values(suspects["session_date"]).tolist(), strict=True)
    return np.array([count.get(key, 0) for key in asked], np.int64)


def _told_of_all(suspects: pa.Table, outages: pa.Table) -> Mask:
    """Which gaps end where a gap of the whole market does."""
    ends = set(zip(int_values(outages["session_date"]).tolist(), int_values(outages["ts"]).tolist(), strict=True))
    asked = zip(int_values(suspects["session_date"]).tolist(), int_values(suspects["ts"]).tolist(), strict=True)
    return np.array([key in ends for key in asked], bool)


def _spike_text(row: dict[str, object]) -> str:
    what = "bar leaps" if row["bars"] == 1 else f"{row['bars']} bars lie"
    return f"{what} {_factor(row['value'])} away from the bars around; allowed is {_factor(row['limit'])}"


def _wick_text(row: dict[str, object]) -> str:
    return f"wick is {_percent(row['value'])} of the price; allowed is {_percent(row['limit'])}"


def _stale_text(row: dict[str, object]) -> str:
    return f"{row['bars']} bars repeat one price; usual for the symbol are at most {float(str(row['limit'])):.0f}"


def _without_volume_text(row: dict[str, object]) -> str:
    return f"{row['bars']} bars without volume move by up to {_percent(row['value'])}"


def _time_text(row: dict[str, object]) -> str:
    hours = float(str(row["value"]))
    return f"session of {row['bars']} bars lies {abs(hours):g} h too {'late' if hours > 0 else 'early'}"


def _label_text(row: dict[str, object]) -> str:
    late = float(str(row["value"])) > 0
    ends = ("end", "start") if late else ("start", "end")
    return f"{row['bars']} bars seem to be labelled by their {ends[0]}, not by their {ends[1]}"


def _gap_text(row: dict[str, object]) -> str:
    return f"{row['bars']} bars are missing before this one; allowed are {float(str(row['limit'])):.0f}"


def _tick_text(row: dict[str, object]) -> str:
    whose = "1 bar has a price" if row["bars"] == 1 else f"{row['bars']} bars have prices"
    return f"{whose} between ticks of {row['scale']}, first {row['noted']}"


def _factor(move: object) -> str:
    return f"{np.exp(float(str(move))):.3g} times"


def _percent(share: object) -> str:
    return f"{100 * float(str(share)):.2f} %"


_RULES: Mapping[str, tuple[str, _Judge, _Teller]] = {
    "price_spike": (Suspicion.SPIKE, _leaps, _spike_text),
    "bad_wick": (Suspicion.WICK, _wick_reaches, _wick_text),
    "stale_run": (Suspicion.FLAT, _stands_still, _stale_text),
    "zero_volume_move": (Suspicion.ZERO_VOLUME_MOVE, _moves_without_volume, _without_volume_text),
    "time_shift": (Suspicion.TIME_SHIFT, _is_told, _time_text),
    "label_shift": (Suspicion.LABEL_SHIFT, _is_told, _label_text),
    "long_gap": (GAP, _is_long_gap, _gap_text),
    "tick_size": (Suspicion.OFF_TICK, _is_off_tick, _tick_text),
}
