"""What could be repaired in a feed: rejected rows and quality findings into proposals, partition by partition.

Nothing is changed here (see `applying`). Retimed bars are `shifts`', untold splits `advice`'s,
files refused whole `columns`'.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.bars import REJECTED_SCHEMA
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import is_partition_key, partition_key, period_of
from marketdata_pipelines.domain.quality.records import FINDING_SCHEMA, QUALITY_FINDINGS
from marketdata_pipelines.domain.repairs.outliers import OUTLIER_RULES, choose_duplicate, mend_outlier
from marketdata_pipelines.domain.repairs.records import (
    LEAST_CONFIDENCE,
    REPAIR_ROW_SCHEMA,
    BarRow,
    Candidate,
    Repair,
    RepairKind,
    repaired_rows,
)
from marketdata_pipelines.domain.repairs.values import MENDABLE, mend_row
from marketdata_pipelines.domain.sessions import to_us
from marketdata_pipelines.domain.tables import REJECTED_BARS
from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.pipeline.repairs.advice import SPLIT_RULES, advised_splits
from marketdata_pipelines.pipeline.repairs.applying import standing_repairs
from marketdata_pipelines.pipeline.repairs.columns import swapped_files
from marketdata_pipelines.pipeline.repairs.rows import PartitionRows, partition_rows
from marketdata_pipelines.pipeline.repairs.shifts import SHIFT_RULES, retimed_bars
from marketdata_pipelines.pipeline.standing import is_walked
from marketdata_pipelines.stores.lake.lake import Lake

_KEY_LENGTH = len("2024-03-08")
_DUPLICATE = "duplicate_conflict"
# Rows of a symbol-session and file are one proposal where they are about as sure: a weak one holds back no other.
_BANDS = (0.95, 0.8, 0.5, 0.0)


@dataclass(frozen=True, slots=True)
class RepairQuestion:
    """What to propose repairs for: sessions start..end (both included), some symbols, one rule; None: all."""

    start: date | None = None
    end: date | None = None
    symbols: tuple[str, ...] | None = None
    rule: str | None = None


def propose_repairs(
    lake: Lake, feed: Feed, question: RepairQuestion, *, on_partition: Callable[[str], object] = lambda key: None
) -> Iterator[Repair]:
    """Everything that could be repaired, by partition; what is applied already is left out.

    Memory is one partition; `on_partition` is told each one that was looked at. A partition that was not walked since
    its raw parts changed is judged by its raw rows.

    Errors: PartitionMissing when the file of a raw part is gone.
    """
    period = period_of(feed.partition)
    first = partition_key(question.start, period) if question.start else ""
    last = partition_key(question.end, period) if question.end else "9999-99-99"
    for key in lake.catalog.raw_partitions(feed.name):
        if first <= key <= last and is_partition_key(key, period):
            yield from partition_repairs(lake, feed, key, question)
        on_partition(key)
    applied = standing_repairs(lake, feed)
    for each in swapped_files(lake, feed):
        if first <= each.partition <= last and _is_asked(each, question) and each.id not in applied:
            yield each


def named_repairs(lake: Lake, feed: Feed, ids: Collection[str]) -> list[Repair]:
    """The proposals of these ids, wherever they are; those applied already are left out.

    Errors: StoreError for an id that is neither proposed nor applied.
    """
    known = {key for key in lake.catalog.raw_partitions(feed.name) if is_partition_key(key, period_of(feed.partition))}
    keys = sorted({name[:_KEY_LENGTH] for name in ids} & known)
    found = {each.id: each for key in keys for each in partition_repairs(lake, feed, key, RepairQuestion())}
    wanted = set(ids) - standing_repairs(lake, feed).keys()
    if wanted - found.keys():
        found |= {each.id: each for each in swapped_files(lake, feed) if each.id in wanted}
    missing = sorted(wanted - found.keys())
    if missing:
        raise StoreError(
            f"no repair {', '.join(missing)} of {feed.name} is proposed; see them: marketdata repair {feed.name}"
        )
    return [found[name] for name in ids if name in found]


def partition_repairs(lake: Lake, feed: Feed, key: str, question: RepairQuestion) -> list[Repair]:
    """The same for one partition; of several repairs of the same bar only the surest."""
    findings = _findings(lake, feed, key)
    symbols = _concerned(_rejected(lake, feed, key), findings, question.symbols)
    if symbols is not None and not symbols:
        return []
    rows = partition_rows(lake, feed, key, symbols)
    if rows is None:
        return []
    found = _of_rejected(rows, key) + _of_outliers(rows, key, findings) + retimed_bars(rows, key, findings)
    found += advised_splits(lake, feed, key, findings)
    applied = standing_repairs(lake, feed, [key])
    return _surest([each for each in found if _is_asked(each, question) and each.id not in applied])


def _rejected(lake: Lake, feed: Feed, key: str) -> pa.Table | None:
    """The partition's rejected rows that may be mended; None where they are not known yet."""
    if not is_walked(lake, feed, key):
        return None
    if lake.catalog.stored_partition(REJECTED_BARS, feed.name, key) is None:
        return REJECTED_SCHEMA.empty_table()
    found = lake.read(REJECTED_BARS, feed.name, key, ["symbol", "ts", "rules"])
    mendable = [text for text in pc.unique(found["rules"]).to_pylist() if _is_mendable(frozenset(text.split(";")))]
    return found.filter(pc.is_in(found["rules"], pa.array(mendable, pa.string())))


def _findings(lake: Lake, feed: Feed, key: str) -> list[dict[str, object]]:
    """The findings that a repair may follow from: of bars that stand."""
    if lake.catalog.stored_partition(QUALITY_FINDINGS, feed.name, key) is None:
        return []
    found = lake.read(QUALITY_FINDINGS, feed.name, key).select(FINDING_SCHEMA.names)
    wanted = sorted(OUTLIER_RULES | SHIFT_RULES | SPLIT_RULES)
    found = found.filter(pc.is_in(found["rule"], pa.array(wanted, pa.string())))
    return [row for row in found.to_pylist() if row["standing"] is not False]


def _concerned(
    rejected: pa.Table | None, findings: Sequence[dict[str, object]], asked: tuple[str, ...] | None
) -> tuple[str, ...] | None:
    """The symbols there may be something to repair of; None: perhaps all."""
    if rejected is None or any(finding["symbol"] is None for finding in findings):
        return asked
    found = {symbol for symbol in pc.unique(rejected["symbol"]).to_pylist() if symbol is not None}
    found |= {str(finding["symbol"]) for finding in findings}
    return tuple(sorted(found if asked is None else found & set(asked)))


def _is_mendable(rules: frozenset[str]) -> bool:
    return rules <= MENDABLE or rules == {_DUPLICATE}


def _of_rejected(rows: PartitionRows, key: str) -> list[Repair]:
    found: list[tuple[int, BarRow, Candidate]] = []
    bars = {}
    any_sign = rows.feed.allow_nonpositive_prices
    for at in rows.rejected().tolist():
        code, row = int(rows.codes[at]), rows.row(at)
        stands = rows.standing_at(code, row.ts_us)
        # A bar that has come right from elsewhere needs no repair.
        if not _is_mendable(row.rules) or (stands is None) == (row.rules == {_DUPLICATE}):
            continue
        if code not in bars:
            bars[code] = rows.bars(code)
        if stands is None:
            candidate = mend_row(row, bars[code], any_sign=any_sign)
        else:
            candidate = choose_duplicate(row, rows.row(stands).values, bars[code])
        if candidate is not None:
            found.append((at, row, candidate))
    return _grouped(rows, key, found, [";".join(sorted(row.rules)) for _, row, _ in found])


def _of_outliers(rows: PartitionRows, key: str, findings: Sequence[dict[str, object]]) -> list[Repair]:
    spans: dict[int, list[tuple[str, int, int]]] = defaultdict(list)
    for finding in findings:
        code = None if finding["symbol"] is None else rows.code_of(str(finding["symbol"]))
        if finding["rule"] in OUTLIER_RULES and code is not None and finding["ts"] is not None:
            first, last = finding["ts"], finding["ts_last"] or finding["ts"]
            spans[code].append((str(finding["rule"]), to_us(first), to_us(last)))  # type: ignore[arg-type]
    found, rules = [], []
    for code, each in spans.items():
        places = {(rule, at) for rule, first, last in each for at in rows.standing_between(code, first, last).tolist()}
        bars = rows.bars(code, {int(rows.ts[at]) for _, at in places})
        for rule, at in sorted(places):
            row = rows.row(at)
            candidate = mend_outlier(row, rule, bars, any_sign=rows.feed.allow_nonpositive_prices)
            if candidate is not None:
                found.append((at, row, candidate))
                rules.append(rule)
    return _grouped(rows, key, found, rules)


def _grouped(
    rows: PartitionRows, key: str, found: Sequence[tuple[int, BarRow, Candidate]], rules: Sequence[str]
) -> list[Repair]:
    """Candidates of one symbol-session and file that do the same as one proposal; a dropped bar is one by itself."""
    groups: dict[tuple[object, ...], list[tuple[int, BarRow, Candidate]]] = defaultdict(list)
    for (at, row, candidate), rule in zip(found, rules, strict=True):
        if candidate.confidence < LEAST_CONFIDENCE:
            continue
        band = next(band for band in _BANDS if candidate.confidence >= band)
        alone = at if candidate.values is None else None
        name = (rule, candidate.kind, candidate.detail, row.symbol, rows.session_of(at), row.part, band, alone)
        groups[name].append((at, row, candidate))
    return [_repair(rows, key, str(name[0]), members) for name, members in groups.items()]


def _repair(rows: PartitionRows, key: str, rule: str, members: Sequence[tuple[int, BarRow, Candidate]]) -> Repair:
    at, row, least = min(members, key=lambda member: member[2].confidence)
    moments = [member.ts_us for _, member, _ in members]
    more = f" (the least sure of {len(members)} rows)" if len(members) > 1 else ""
    mended = [(own, candidate.values) for _, own, candidate in members if candidate.values is not None]
    return Repair(
        feed=rows.feed.name,
        kind=least.kind,
        partition=key,
        symbols=(row.symbol,),
        session=rows.session_of(at),
        first_us=min(moments),
        last_us=max(moments),
        rows=repaired_rows(mended) if mended else REPAIR_ROW_SCHEMA.empty_table(),
        replaces=least.kind is RepairKind.BAR_DROPPED,
        confidence=least.confidence,
        evidence=least.evidence + more,
        rule=rule,
    )


def _is_asked(repair: Repair, question: RepairQuestion) -> bool:
    if question.rule is not None and question.rule not in repair.rule.split(";"):
        return False
    if question.symbols is not None and not set(repair.symbols) & set(question.symbols):
        return False
    if repair.session is None:
        return True
    return (question.start is None or repair.session >= question.start) and (
        question.end is None or repair.session <= question.end
    )


def _surest(repairs: Collection[Repair]) -> list[Repair]:
    """Without repairs of single bars that a surer one has in hand already."""
    taken: dict[tuple[str, int], float] = {}
    kept = []
    for repair in sorted(repairs, key=lambda each: (-each.confidence, each.id)):
        if repair.advice is not None or repair.count > 1:
            kept.append(repair)
            continue
        bar = (repair.symbols[0], repair.first_us)
        if bar not in taken:
            taken[bar] = repair.confidence
            kept.append(repair)
    return kept
