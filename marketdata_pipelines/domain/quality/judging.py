"""From profiles and suspects to findings, with the sessions before as the measure: pass 2 of the quality rules.

Rules that need no earlier sessions are judged in `local_rules`, whose findings are taken over; the measures of the
others are in `absences`, `split_jumps` and `outliers`. What findings cost is in `scoring`.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.quality.absences import breaks_off, incomplete_sessions, missing_symbols
from marketdata_pipelines.domain.quality.finding_rows import FindingRow, finding_table, sorted_findings
from marketdata_pipelines.domain.quality.gap_reasons import with_session_reasons
from marketdata_pipelines.domain.quality.history import Mask, PastSessions
from marketdata_pipelines.domain.quality.local_rules import judge_local
from marketdata_pipelines.domain.quality.openings import session_openings
from marketdata_pipelines.domain.quality.outliers import jump_outliers, opening_outliers, volume_outliers
from marketdata_pipelines.domain.quality.rules import QualityRule
from marketdata_pipelines.domain.quality.split_jumps import split_like_jumps
from marketdata_pipelines.domain.sessions import EPOCH

HISTORY_RULES = ("incomplete_session", "missing_symbol", "split_like_jump", "return_outlier", "volume_spike")


def judge(
    feed: Feed,
    rules: Mapping[str, QualityRule],
    profiles: pa.Table,
    suspects: pa.Table,
    history: pa.Table,
    actions: pa.Table | None = None,
) -> pa.Table:
    """The findings of a partition.

    Shape:   `profiles` (PROFILE_SCHEMA) and `suspects` (SUSPECT_SCHEMA) of one partition, `history` the profiles of
             the sessions before it (of more than `history.WINDOW` the last ones count), `actions` the known corporate
             actions (ACTION_SCHEMA), all in any order. Returns FINDING_SCHEMA sorted by (symbol, session_date, ts,
             rule), null first.
    Bounds:  each session is judged by those before it, of `history` and of the partition itself, never by its own
             figures. With fewer sessions than a rule asks for, it holds.
    Rules:   those in `rules` (see `quality_settings.active_rules`) and no others.
    """
    local = judge_local(rules, profiles, suspects)
    asked = {name: rules[name] for name in HISTORY_RULES if name in rules}
    if not asked:
        return sorted_findings(local)
    told = local.to_pylist()
    found = list(_by_history(feed, asked, profiles, suspects, PastSessions(profiles, history), actions, told))
    return sorted_findings(pa.concat_tables([local, finding_table(found)]) if found else local)


def _by_history(
    feed: Feed,
    rules: Mapping[str, QualityRule],
    profiles: pa.Table,
    suspects: pa.Table,
    past: PastSessions,
    actions: pa.Table | None,
    told: list[FindingRow],
) -> Iterator[FindingRow]:
    if "incomplete_session" in rules:
        excused = _displaced(past, told) | breaks_off(feed, past, profiles)
        short = incomplete_sessions(rules["incomplete_session"], past, profiles, excused)
        yield from with_session_reasons(short, profiles, suspects)
    if "missing_symbol" in rules:
        yield from missing_symbols(feed, rules["missing_symbol"], past, profiles)
    if "volume_spike" in rules:
        yield from volume_outliers(rules["volume_spike"], past, profiles, suspects)
    if not {"split_like_jump", "return_outlier"} & set(rules):
        return
    openings = session_openings(past, profiles, suspects, actions)
    explained = np.zeros(len(openings.codes), bool)
    if "split_like_jump" in rules:
        splits, explained = split_like_jumps(rules["split_like_jump"], past, openings, told)
        yield from splits
    if "return_outlier" in rules:
        rule = rules["return_outlier"]
        jumps = jump_outliers(feed, rule, past, openings, suspects, told)
        yield from jumps
        yield from opening_outliers(feed, rule, past, openings, explained, [*told, *jumps])


def _displaced(past: PastSessions, told: list[FindingRow]) -> Mask:
    """Which sessions of `past` have their bars at other times: few are left in the session itself."""
    moved = np.zeros(len(past.codes), bool)
    for row in told:
        if row["rule"] == "time_shift" and row["standing"] and row["symbol"] in past.names:
            same_day = past.dates == (row["session_date"] - EPOCH).days
            moved |= same_day & (past.codes == past.names.index(row["symbol"]))
    return moved
