"""The faults the demo put in against what the rules found."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed, SourceKind
from marketdata_pipelines.domain.rules import defect_kinds
from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines.sources.simulated.historical import historical
from marketdata_pipelines.sources.simulated.injection import InjectedFault
from marketdata_pipelines.sources.simulated.rates import GAP


@dataclass(frozen=True, slots=True)
class FaultCount:
    """One kind of fault: how many were put in, located, and named by their rule; `rules` are those that named it."""

    kind: str
    injected: int
    located: int
    named: int
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FaultReport:
    """All kinds of one feed, and rejected rows that carry no fault."""

    kinds: tuple[FaultCount, ...]
    false_alarms: int


def compare_faults(reader: LakeReader, feed: Feed, start: str, end: str) -> FaultReport | None:
    """The faults of a feed's simulated days in start..end against its rejected rows and gaps; None without faults."""
    if feed.source.kind is not SourceKind.SIMULATED or not feed.source.faults:
        return None
    injected = [
        (day.day, fault)
        for day in historical(feed, date.fromisoformat(start), date.fromisoformat(end))
        for fault in day.faults
    ]
    found = _rules_by_place(reader.rejected(feed.name))
    missing = reader.gaps(feed.name, start, end)
    kinds = sorted({fault.kind for _, fault in injected})
    counts = [_count(kind, [pair for pair in injected if pair[1].kind == kind], found, missing) for kind in kinds]
    places = {(day.isoformat(), fault.row) for day, fault in injected if fault.kind != GAP}
    return FaultReport(tuple(counts), sum(place not in places for place in found))


def _rules_by_place(rejected: pa.Table) -> dict[tuple[str, int], set[str]]:
    """{(session date, row): rules}; a simulated day's file is named after the feed and its date."""
    found = {}
    for row in rejected.select(["file", "row", "rules"]).to_pylist():
        if row["row"] is not None:
            found[row["file"].removesuffix(".csv")[-10:], row["row"]] = set(row["rules"].split(";"))
    return found


def _count(
    kind: str,
    injected: list[tuple[date, InjectedFault]],
    found: dict[tuple[str, int], set[str]],
    missing: pa.Table,
) -> FaultCount:
    if kind == GAP:
        located = sum(_is_gap(fault, missing.to_pylist()) for _, fault in injected)
        return FaultCount(kind, len(injected), located, located, ("gaps",))
    naming = {rule for rule, kinds in defect_kinds().items() if kind in kinds}
    hits = [found.get((day.isoformat(), fault.row), set()) for day, fault in injected]
    rules = {rule for hit in hits for rule in hit & naming}
    return FaultCount(
        kind, len(injected), sum(map(bool, hits)), sum(bool(hit & naming) for hit in hits), tuple(sorted(rules))
    )


def _is_gap(fault: InjectedFault, missing: Iterable[dict[str, object]]) -> bool:
    for gap in missing:
        first, last = gap["first_missing"], gap["last_missing"]
        if gap["symbol"] == fault.symbol and first <= fault.ts <= last:  # type: ignore[operator]
            return True
    return False
