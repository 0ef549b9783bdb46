"""What is scored: symbol-sessions with their counts and completeness, and what findings take from each.

How these become scores is in `scoring`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.action_weights import days_of_places, places, symbols_of_places
from marketdata_pipelines.domain.frames import int_values, number_values
from marketdata_pipelines.domain.quality.history import Floats, Ints, Mask, PastSessions, medians, usual_bars
from marketdata_pipelines.domain.quality.records import Dimension, Severity
from marketdata_pipelines.domain.quality.rules import QUALITY_RULE_BY_ID, QualityRule

# What one finding takes, besides the share of bars it concerns.
COST: Mapping[Severity, float] = {Severity.WARN: 20.0, Severity.BLOCK: 60.0}
_POSITION = {str(dimension): at for at, dimension in enumerate(Dimension)}
COMPLETENESS = _POSITION[Dimension.COMPLETENESS]
# So many spreads below the usual number of bars is nobody's fault.
_TOLERATED_SPREADS = 2
_NO_DAY = -(2**31)
_COUNTED = ("bars", "expected", "longest_gap", "raw_rows")
_REJECTED = (Dimension.VALIDITY, Dimension.CONSISTENCY, Dimension.UNIQUENESS, Dimension.TIMELINESS)
# A finding of a dimension nobody knows is about validity.
_OTHER = _POSITION[Dimension.VALIDITY]


@dataclass(frozen=True, slots=True)
class ScoreRows:
    """N symbol-sessions in order of (symbol, session), or N sessions as wholes (`codes` -1).

    `session` is each one's place in `session_days` (days since 1970). `rejected` has a column a dimension, in the order
    of `Dimension`. `usual` are the bars that weigh a row beside the others. A row that is not `is_there` has no
    profile. `nobodys_*` are, by session, the rows whose symbol nobody knows.
    """

    names: list[str]
    codes: Ints
    session: Ints
    session_days: Ints
    bars: Floats
    expected: Floats
    raw_rows: Floats
    rejected: Floats
    usual: Floats
    completeness: Floats
    is_there: Mask
    nobodys_raw_rows: Floats
    nobodys_rejected: Floats

    def summed(self, values: np.ndarray) -> Floats:
        """Sums of rows (and of each column) by session."""
        sums = np.zeros((len(self.session_days), *values.shape[1:]))
        np.add.at(sums, self.session, values)
        return sums

    @property
    def keys(self) -> Ints:
        """Symbol code and day in one number each, increasing."""
        return places(self.codes, self.session_days[self.session])


@dataclass(frozen=True, slots=True)
class Costs:
    """What findings take from the dimensions of N rows (at most 100), how many findings each has, which are blocked."""

    taken: Floats
    findings: Floats
    blocks: Mask


def score_rows(
    rules: Mapping[str, QualityRule], past: PastSessions, profiles: pa.Table, findings: pa.Table
) -> ScoreRows:
    """The symbol-sessions of `profiles`, and those without a profile that a finding is of: they are missing whole.

    `past` must know the symbols of `findings` too.
    """
    own = places(past.codes, past.dates)
    order = np.argsort(own, kind="stable")
    told = finding_keys(past, findings)
    keys = np.union1d(own, told[told >= 0])
    at = np.searchsorted(keys, own[order])
    counted = {name: _scattered(_numbers(profiles, name)[past.rows[order]], at, len(keys)) for name in _COUNTED}
    rejected = _rejected(profiles)
    codes, days = symbols_of_places(keys), days_of_places(keys)
    all_days = int_values(profiles["session_date"]) if profiles.num_rows else np.zeros(0, np.int64)
    told_days = _days(findings)
    session_days = np.unique(np.concatenate([all_days, days, told_days[told_days != _NO_DAY]]))
    completeness, usual = _completeness(rules, past, codes, days, counted)
    nobodys = np.setdiff1d(np.arange(profiles.num_rows), past.rows)
    nobodys_at = np.searchsorted(session_days, all_days[nobodys])
    return ScoreRows(
        names=past.names,
        codes=codes,
        session=np.searchsorted(session_days, days),
        session_days=session_days,
        bars=counted["bars"],
        expected=counted["expected"],
        raw_rows=counted["raw_rows"],
        rejected=_scattered(rejected[past.rows[order]], at, len(keys)),
        usual=usual,
        completeness=completeness,
        is_there=np.isin(keys, own),
        nobodys_raw_rows=_scattered(_numbers(profiles, "raw_rows")[nobodys], nobodys_at, len(session_days)),
        nobodys_rejected=_scattered(rejected[nobodys], nobodys_at, len(session_days)),
    )


def session_sums(rows: ScoreRows) -> ScoreRows:
    """The sessions as wholes: counts summed, with those of nobody's rows; `completeness` is the symbols' mean."""
    usual = rows.summed(rows.usual)
    return ScoreRows(
        names=rows.names,
        codes=np.full(len(rows.session_days), -1),
        session=np.arange(len(rows.session_days)),
        session_days=rows.session_days,
        bars=rows.summed(rows.bars),
        expected=rows.summed(rows.expected),
        raw_rows=rows.summed(rows.raw_rows) + rows.nobodys_raw_rows,
        rejected=rows.summed(rows.rejected) + rows.nobodys_rejected,
        usual=np.where(usual > 0, usual, 1.0),
        completeness=rows.summed(rows.usual * rows.completeness) / np.where(usual > 0, usual, 1.0),
        is_there=np.ones(len(rows.session_days), bool),
        nobodys_raw_rows=rows.nobodys_raw_rows,
        nobodys_rejected=rows.nobodys_rejected,
    )


def finding_costs(rows: ScoreRows, past: PastSessions, findings: pa.Table) -> tuple[Costs, Costs]:
    """What findings take from the symbol-sessions, and those about sessions as wholes from the sessions.

    Values:  COST by severity, and 100 x the bars concerned / the bars there are (of completeness: there is room for).
             A finding without a date is about every session.
    """
    keys = finding_keys(past, findings)
    dimension = np.array([_POSITION.get(name, _OTHER) for name in findings["dimension"].to_pylist()], np.int64)
    severity = np.array([COST.get(name, COST[Severity.WARN]) for name in findings["severity"].to_pylist()])
    concerned = np.nan_to_num(_numbers(findings, "bars"), nan=1.0) if findings.num_rows else np.zeros(0)
    blocks = severity == COST[Severity.BLOCK]
    of_symbol = np.flatnonzero(keys >= 0)
    own = _spread(
        np.searchsorted(rows.keys, keys[of_symbol]), of_symbol, (rows.bars, rows.expected), dimension, severity,
        concerned, blocks,
    )  # fmt: skip
    of_whole, sessions = _sessions_of(rows, findings, np.flatnonzero(keys < 0))
    room = (rows.summed(rows.bars), rows.summed(rows.expected))
    return own, _spread(sessions, of_whole, room, dimension, severity, concerned, blocks)


def finding_keys(past: PastSessions, findings: pa.Table) -> Ints:
    """Symbol code and day of each finding in one number; -1 for one without symbol, or without a date."""
    codes = past.positions(findings["symbol"].cast(pa.string()).fill_null(""))
    days = _days(findings)
    nobody = past.positions(pa.array([""]))[0]
    return np.where((codes >= 0) & (codes != nobody) & (days != _NO_DAY), places(codes, days), -1)


def _sessions_of(rows: ScoreRows, findings: pa.Table, of_whole: Ints) -> tuple[Ints, Ints]:
    """Findings without symbol beside each session they are about."""
    days = _days(findings)[of_whole]
    dated = days != _NO_DAY
    count = len(rows.session_days)
    undated = of_whole[~dated]
    found = np.append(of_whole[dated], np.repeat(undated, count))
    sessions = np.append(np.searchsorted(rows.session_days, days[dated]), np.tile(np.arange(count), len(undated)))
    return found, sessions


def _spread(
    at: Ints,
    found: Ints,
    room: tuple[Floats, Floats],
    dimension: Ints,
    severity: Floats,
    concerned: Floats,
    blocks: Mask,
) -> Costs:
    """Costs of findings `found` summed over the rows `at` they are of."""
    count = len(room[0])
    taken, number, blocked = np.zeros((count, len(_POSITION))), np.zeros(count), np.zeros(count, bool)
    which = dimension[found]
    bars = np.where(which == COMPLETENESS, room[1][at], room[0][at])
    cost = severity[found] + 100.0 * np.minimum(1.0, concerned[found] / np.maximum(bars, 1.0))
    np.add.at(taken, (at, which), cost)
    np.add.at(number, at, 1)
    blocked[at[blocks[found]]] = True
    return Costs(np.minimum(taken, 100.0), number, blocked)


def _completeness(
    rules: Mapping[str, QualityRule], past: PastSessions, codes: Ints, days: Ints, counted: Mapping[str, Floats]
) -> tuple[Floats, Floats]:
    """0 to 100 for each row, and the bars that are usual."""
    rule = rules.get("incomplete_session", QUALITY_RULE_BY_ID["incomplete_session"])
    usual = usual_bars(past, codes, days)
    known = usual.sessions >= rule.limits["sessions"]
    bars, expected = counted["bars"], counted["expected"]
    # A symbol that is missing whole has no profile to say what there was room for.
    room = np.where(expected > 0, expected, np.nan_to_num(medians(past.before("expected", codes, days))))
    room = np.where(room > 0, room, np.maximum(bars, 1.0))
    least = np.where(known, np.nan_to_num(usual.share - _TOLERATED_SPREADS * usual.spread), 0.0)
    of_usual = np.where(least > 0, bars / np.maximum(room * least, 1e-9), 1.0)
    of_calendar = 1.0 - np.minimum(counted["longest_gap"] / room, 1.0) ** 2
    found = np.where(known, np.minimum(of_usual, 1.0), of_calendar)
    weights = np.where(known, np.nan_to_num(usual.share) * room, room)
    return np.where(bars > 0, 100.0 * found, 0.0), np.maximum(weights, 1.0)


def _rejected(profiles: pa.Table) -> Floats:
    """Rejected rows by dimension, N x 6."""
    found = np.zeros((profiles.num_rows, len(_POSITION)))
    for dimension in _REJECTED:
        found[:, _POSITION[dimension]] = _numbers(profiles, f"rejected_{dimension}")
    return found


def _scattered(values: Floats, at: Ints, count: int) -> Floats:
    found = np.zeros((count, *values.shape[1:]))
    np.add.at(found, at, values)
    return found


def _numbers(table: pa.Table, name: str) -> Floats:
    """A column of counts, null as 0."""
    return np.nan_to_num(number_values(table[name])) if table.num_rows else np.zeros(0)


def _days(findings: pa.Table) -> Ints:
    return int_values(findings["session_date"], null=_NO_DAY) if findings.num_rows else np.zeros(0, np.int64)
