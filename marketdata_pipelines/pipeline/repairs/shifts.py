"""Proposals that give bars other times: sessions displaced by hours, files labelled by the wrong end of their bars.

By how much is `domain.repairs.times`'s to say; here the rows are put together that are to stand then.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.bars import TS
from marketdata_pipelines.domain.corrections import VALUES
from marketdata_pipelines.domain.feeds import Label
from marketdata_pipelines.domain.partitions import partition_span, period_of
from marketdata_pipelines.domain.repairs.records import LEAST_CONFIDENCE, REPAIR_ROW_SCHEMA, Repair, RepairKind, instant
from marketdata_pipelines.domain.repairs.times import Shift, label_shift, session_shift
from marketdata_pipelines.domain.session_grid import Ints
from marketdata_pipelines.domain.sessions import EPOCH, to_us
from marketdata_pipelines.pipeline.repairs.rows import PartitionRows

_TIME_SHIFT, _LABEL_SHIFT = "time_shift", "label_shift"
SHIFT_RULES = frozenset((_TIME_SHIFT, _LABEL_SHIFT))
_MOST = 0.5
Finding = Mapping[str, object]


def retimed_bars(rows: PartitionRows, key: str, findings: Sequence[Finding]) -> list[Repair]:
    """What the findings of displaced sessions and labels of a partition lead to."""
    if not rows.feed.interval.is_intraday:
        return []
    found = [_retimed_session(rows, key, each) for each in findings if each["rule"] == _TIME_SHIFT]
    labels = [each for each in findings if each["rule"] == _LABEL_SHIFT]
    parts = {None if each["part"] is None else str(each["part"]) for each in labels}
    # A finding that names no file is about all of them.
    for part in [None] if None in parts else sorted(parts, key=str):
        named = {each["symbol"] for each in labels if part is None or each["part"] == part}
        found.append(_relabelled(rows, key, part, named))
    return [each for each in found if each is not None and each.confidence >= LEAST_CONFIDENCE]


def _retimed_session(rows: PartitionRows, key: str, finding: Finding) -> Repair | None:
    code = None if finding["symbol"] is None else rows.code_of(str(finding["symbol"]))
    first, last = finding["ts"], finding["ts_last"] or finding["ts"]
    if code is None or not isinstance(first, datetime) or not isinstance(last, datetime):
        return None
    part = None if finding["part"] is None else str(finding["part"])
    at = rows.candidates_of(code, to_us(first), to_us(last), part)
    session = finding["session_date"]
    day = (session - EPOCH).days if isinstance(session, date) else None
    shift = session_shift(rows.ts[at], rows.grid, rows.feed.interval.us, day)
    return None if shift is None else _repair(rows, key, at, shift, RepairKind.TIME_SHIFTED, _TIME_SHIFT, "")


def _relabelled(rows: PartitionRows, key: str, part: str | None, named: Collection[object]) -> Repair | None:
    at = rows.movable(part)
    codes = {rows.code_of(str(symbol)) for symbol in named if symbol is not None}
    # Where most symbols of a file are labelled so, the rest are too, though they trade too little to show it.
    if None not in named and len(codes) < _MOST * len(np.unique(rows.codes[at])):
        at = at[np.isin(rows.codes[at], [code for code in codes if code is not None])]
    shift = label_shift(rows.codes[at], rows.ts[at], rows.grid, rows.feed.interval.us)
    if shift is None:
        return None
    declared, real = rows.feed.source.label, Label.END if shift.us < 0 else Label.START
    advice = f"; for all files of this source set source.label: {real} in feeds.yaml" if declared is not real else ""
    return _repair(rows, key, at, shift, RepairKind.LABEL_SHIFTED, _LABEL_SHIFT, advice)


def _repair(
    rows: PartitionRows, key: str, at: Ints, shift: Shift, kind: RepairKind, rule: str, advice: str
) -> Repair | None:
    """Rows moved by a shift, with what else stands in the time they leave and take: that comes again as it is."""
    moved = rows.ts[at] + shift.us
    inside = _is_of_partition(rows, key, moved)
    leaving, moved = at, moved[inside]
    taken = at[inside]
    if not len(taken):
        return None
    first = int(min(rows.ts[leaving].min(), moved.min()))
    last = int(max(rows.ts[leaving].max(), moved.max()))
    codes = np.unique(rows.codes[leaving])
    others = np.concatenate([rows.standing_between(int(code), first, last) for code in codes])
    others = others[~np.isin(others, leaving)]
    # Where a bar stands already at its new time, that one stays.
    free = ~np.isin(_keys(rows.codes[taken], moved), _keys(rows.codes[others], rows.ts[others]))
    table = _table(rows, np.r_[taken[free], others], np.r_[moved[free], rows.ts[others]])
    left_out = len(leaving) - int(free.sum())
    more = f"; {left_out} rows have no place then and are left out" if left_out else ""
    sessions = {rows.grid.place(moved[:1]).session[0]}
    return Repair(
        feed=rows.feed.name,
        kind=kind,
        partition=key,
        symbols=tuple(sorted(rows.symbols[int(code)] for code in codes)),
        session=EPOCH + timedelta(days=int(rows.grid.dates[sessions.pop()])),
        first_us=first,
        last_us=last,
        rows=table,
        replaces=True,
        confidence=shift.confidence * len(moved) / len(leaving),
        evidence=shift.evidence + more + advice,
        rule=rule,
    )


def _is_of_partition(rows: PartitionRows, key: str, ts: Ints) -> np.ndarray:
    """Which bars are in a session of the partition."""
    placement = rows.grid.place(ts)
    first, last = ((day - EPOCH).days for day in partition_span(key, period_of(rows.feed.partition)))
    days = rows.grid.dates[np.maximum(placement.session, 0)]
    found: np.ndarray = (placement.session >= 0) & (days >= first) & (days <= last)
    return found


def _table(rows: PartitionRows, at: Ints, ts: Ints) -> pa.Table:
    """Raw rows at new times as REPAIR_ROW_SCHEMA, by (symbol, ts)."""
    order = np.lexsort((ts, rows.codes[at]))
    at, ts = at[order], ts[order]
    taken = rows.raw.take(pa.array(at))
    parts = [part.standing for part in rows.parts]
    source = pa.array(rows.decided.source[at])
    columns = {
        "symbol": taken["symbol"].cast(pa.string()),
        "ts": pa.array(ts).view(TS),
        **{name: _known(taken[name]) for name in VALUES},
        "file": pa.array([part.ingest.file for part in parts], pa.string()).take(source),
        "line": taken["line"],
        "row": taken["row"],
        "part": pa.array([part.part.part_id for part in parts], pa.string()).take(source),
        "was": _labels(rows.ts[at]),
    }
    return pa.table(columns, schema=REPAIR_ROW_SCHEMA).combine_chunks()


def _labels(ts: Ints) -> pa.Array:
    """The times that rows were labelled with, each written once."""
    distinct, where = np.unique(ts, return_inverse=True)
    return pa.array([f"ts {instant(int(us))}" for us in distinct], pa.string()).take(pa.array(where))


def _known(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(pc.is_nan(column), None, column) if pa.types.is_floating(column.type) else column


def _keys(codes: Ints, ts: Ints) -> np.ndarray:
    found = np.empty(len(codes), np.dtype([("code", np.int64), ("ts", np.int64)]))
    found["code"], found["ts"] = codes, ts
    return found
