"""Compares a partition with the same time in the feeds that its feed names under `quality: compare_with`.

Day against day, minutes against daily bars through `bars_1d`. Reads stored tables only and stores nothing.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import partition_key, partition_span, period_of
from marketdata_pipelines.domain.quality.comparing import Compared, Versus, compare_bars
from marketdata_pipelines.domain.quality.dispute_findings import dispute_findings
from marketdata_pipelines.domain.quality.disputes import DISPUTE_SCHEMA, SOURCE_SCORE_SCHEMA
from marketdata_pipelines.domain.quality.pairings import Pairing, daily_table, pairings_of
from marketdata_pipelines.domain.quality.records import FINDING_SCHEMA, QUALITY_SCORES
from marketdata_pipelines.domain.quality.rules import QualityRule
from marketdata_pipelines.domain.quality.scales import Ratio
from marketdata_pipelines.domain.quality.settings import active_rules
from marketdata_pipelines.domain.quality.source_scores import source_scores
from marketdata_pipelines.domain.references import Reference
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.errors import PartitionMissing
from marketdata_pipelines.pipeline.quality.renaming import Names, names_of
from marketdata_pipelines.stores.lake.lake import Lake, digest

_COLUMNS = ("symbol", "ts", "session_date", "open", "high", "low", "close", "volume")
# A week's closure lies between two sessions now and then.
_BEFORE = timedelta(days=10)
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ComparedPartition:
    """What the other feeds say: `disputes` (DISPUTE_SCHEMA), `findings` (FINDING_SCHEMA), `scores`
    (SOURCE_SCORE_SCHEMA)."""

    disputes: pa.Table
    findings: pa.Table
    scores: pa.Table


def compare_partition(
    lake: Lake,
    feed: Feed,
    feeds: Mapping[str, Feed],
    key: str,
    references: Mapping[str, Reference] | None = None,
) -> ComparedPartition:
    """Compare one base partition; without rows where the feed names no others, or these have nothing there.

    Symbols:  matched by instrument on the session date where both feeds name instruments, else by name.
    Thirds:   of three feeds and more that are compared by the same bars, each is asked about the others' disputes.
    Errors:   SettingsInvalid for a name that is no feed, or a feed whose bars cannot be compared.
    """
    rules = active_rules(feed.quality)
    pairings = [each for each in pairings_of(feed, feeds) if each.rule in rules]
    names = {each.other.name: names_of(lake, feed, each.other, references or {}) for each in pairings}
    found = list(_comparisons(lake, feed, key, pairings, names, rules))
    disputes = [each.disputes for _, each in found if each.disputes.num_rows]
    if not found:
        return ComparedPartition(
            *(schema.empty_table() for schema in (DISPUTE_SCHEMA, FINDING_SCHEMA, SOURCE_SCORE_SCHEMA))
        )
    return ComparedPartition(
        disputes=_ordered(disputes),
        findings=dispute_findings([each for _, each in found], rules),
        scores=source_scores(feed.name, found),
    )


def comparison_inputs(lake: Lake, feed: Feed, feeds: Mapping[str, Feed], key: str) -> str:
    """A digest over everything of other feeds that `compare_partition` reads: it changes when their bars do."""
    said = []
    for each in pairings_of(feed, feeds):
        for name, table, first, last in _spans_read(feed, each, key):
            stored = lake.catalog.stored(table, name, first, last)
            said += [f"{name} {table} {item.partition} {item.inputs}" for item in stored if name != feed.name]
    return digest(sorted(set(said)))


def partitions_comparing(
    lake: Lake, feed: Feed, feeds: Mapping[str, Feed], keys: Collection[str]
) -> dict[str, list[str]]:
    """The judged partitions of other feeds whose comparison reads these partitions of a feed, in order, by feed."""
    found = {}
    for other in feeds.values():
        pairings = [each for each in pairings_of(other, feeds) if each.other.name == feed.name] if keys else []
        for pairing in pairings:
            period = period_of(other.partition)
            start = partition_span(min(keys), period_of(feed.partition))[0] - _ONE_DAY
            end = partition_span(max(keys), period_of(feed.partition))[1] + _BEFORE
            span = partition_key(start, period), partition_key(end, period)
            judged = [item.partition for item in lake.catalog.stored(QUALITY_SCORES, other.name, *span)]
            found[other.name] = [key for key in judged if _reads(other, pairing, key, feed.name, keys)]
    return {name: partitions for name, partitions in found.items() if partitions}


def _reads(feed: Feed, pairing: Pairing, key: str, name: str, keys: Collection[str]) -> bool:
    spans = [(first, last) for read, _, first, last in _spans_read(feed, pairing, key) if read == name]
    return any(first <= each <= last for first, last in spans for each in keys)


def _comparisons(
    lake: Lake,
    feed: Feed,
    key: str,
    pairings: Sequence[Pairing],
    names: Mapping[str, Names],
    rules: Mapping[str, QualityRule],
) -> Iterator[tuple[Versus, Compared]]:
    for (timeframe, own_table), alike in _by_bars(pairings).items():
        own = _read(lake, feed.name, own_table, key, key)
        if own is None or not own.num_rows:
            continue
        others = {
            each.other.name: names[each.other.name].own_names(_others(lake, feed, each, key, own)) for each in alike
        }
        for each in alike:
            name = each.other.name
            if not others[name].num_rows:
                continue
            thirds = tuple(table for other, table in others.items() if other != name and table.num_rows)
            before = _ratios_before(lake, feed, each, key, names[name])
            versus = Versus(name, timeframe, each.rule, before, thirds)
            # What was compared in the other rule's words may be told in both: minutes and hours against daily bars.
            yield replace(versus, before=None, thirds=()), compare_bars(own, others[name], rules, versus)


def _by_bars(pairings: Sequence[Pairing]) -> dict[tuple[str, str], list[Pairing]]:
    """The pairings by the own bars they compare."""
    found: dict[tuple[str, str], list[Pairing]] = {}
    for each in pairings:
        found.setdefault((each.timeframe, each.own_table), []).append(each)
    return found


def _read(lake: Lake, feed: str, table: str, first: str, last: str) -> pa.Table | None:
    """The bars of the stored partitions with a key in first..last; None where there are none."""
    found = []
    for stored in lake.catalog.stored(table, feed, first, last):
        # What was removed since the index was asked is not there to be compared.
        with suppress(PartitionMissing):
            found.append(lake.read(table, feed, stored.partition, _columns(table)))
    return pa.concat_tables(found).unify_dictionaries() if found else None


def _columns(table: str) -> list[str]:
    return [*_COLUMNS, "regular" if table == VALIDATED_BARS else "is_final"]


def _others(lake: Lake, feed: Feed, pairing: Pairing, key: str, own: pa.Table) -> pa.Table:
    """The other feed's bars of a partition's time."""
    (name, table, first, last), *_ = _spans_read(feed, pairing, key)
    bars = _read(lake, name, table, first, last)
    if bars is None:
        return own.slice(0, 0)
    bounds = pc.min_max(own["ts"])
    return bars.filter(pc.and_(pc.greater_equal(bars["ts"], bounds["min"]), pc.less_equal(bars["ts"], bounds["max"])))


def _spans_read(feed: Feed, pairing: Pairing, key: str) -> list[tuple[str, str, str, str]]:
    """(feed, table, first key, last key) of what is read beside the partition itself: the same time in the other feed,
    and of both feeds the days before."""
    first, last = partition_span(key, period_of(feed.partition))
    other, period = pairing.other, period_of(pairing.other.partition)
    # Days that are cut otherwise have some of these bars in the day before or after.
    reach = timedelta() if feed.anchor is other.anchor and feed.calendar == other.calendar else _ONE_DAY
    spans = [
        (other.name, pairing.other_table, partition_key(first - reach, period), partition_key(last + reach, period))
    ]
    for each in (feed, other):
        table = daily_table(each)
        if table is not None:
            days = (first - _BEFORE, first - _ONE_DAY)
            start, end = (partition_key(day, period_of(each.partition)) for day in days)
            spans.append((each.name, table, start, end))
    return spans


def _ratios_before(lake: Lake, feed: Feed, pairing: Pairing, key: str, names: Names) -> dict[str, Ratio]:
    """How each symbol's daily bars stood to each other in the last session before the partition that both have."""
    first, _ = partition_span(key, period_of(feed.partition))
    _, *days = _spans_read(feed, pairing, key)
    if len(days) < 2:
        return {}
    own, other = (_daily_before(lake, span, first) for span in days)
    if own is None or other is None:
        return {}
    here, there = _closes(own), _closes(names.own_names(other))
    found: dict[str, Ratio] = {}
    # Later sessions take the place of earlier ones.
    for symbol, day in sorted(here.keys() & there.keys(), key=lambda at: at[1]):
        found[symbol] = Ratio(*(_log(*pair) for pair in zip(here[symbol, day], there[symbol, day], strict=True)))
    return found


def _daily_before(lake: Lake, span: tuple[str, str, str, str], first: date) -> pa.Table | None:
    name, table, start, end = span
    bars = _read(lake, name, table, start, end)
    if bars is None:
        return None
    dates = bars["session_date"]
    inside = pc.and_(pc.less(dates, pa.scalar(first)), pc.greater_equal(dates, pa.scalar(first - _BEFORE)))
    return bars.filter(inside)


def _closes(bars: pa.Table) -> dict[tuple[str, date], tuple[float | None, float | None]]:
    """(close, volume) by (symbol, session date)."""
    columns = [bars[name].to_pylist() for name in ("symbol", "session_date", "close", "volume")]
    return {(symbol, day): (close, volume) for symbol, day, close, volume in zip(*columns, strict=True)}


def _log(own: float | None, other: float | None) -> float | None:
    if own is None or other is None or own <= 0 or other <= 0:
        return None
    return math.log(own / other)


def _ordered(tables: Sequence[pa.Table]) -> pa.Table:
    if not tables:
        return DISPUTE_SCHEMA.empty_table()
    plain = [table.set_column(0, "symbol", table["symbol"].cast(pa.string())) for table in tables]
    whole = pa.concat_tables(plain)
    keys = [(key, "ascending") for key in ("symbol", "ts", "other_feed", "field")]
    whole = whole.take(pc.sort_indices(whole, keys)).combine_chunks()
    # Sorted first, so that equal rows have equal dictionaries.
    return whole.set_column(0, "symbol", whole["symbol"].dictionary_encode()).cast(DISPUTE_SCHEMA)
