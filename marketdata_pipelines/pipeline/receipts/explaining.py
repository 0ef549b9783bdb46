"""Puts the receipt of a bar together, from its row back to the lines of its sources, and has it checked."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from typing import TypeVar

import pyarrow as pa

from marketdata_pipelines.domain import tables as t
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import int_values
from marketdata_pipelines.domain.labels import bucket_days
from marketdata_pipelines.domain.partitions import partition_key, period_of
from marketdata_pipelines.domain.session_grid import SessionGrid
from marketdata_pipelines.domain.sessions import date_of_us
from marketdata_pipelines.pipeline.coarse import SEVERAL_DAYS, CoarseBars
from marketdata_pipelines.pipeline.definitions import definition_at
from marketdata_pipelines.pipeline.past import PastTables
from marketdata_pipelines.pipeline.receipts.buckets import BarTables, FoundBar, StoredTables, find_bar, rows_between
from marketdata_pipelines.pipeline.receipts.partitions import PartitionProofs
from marketdata_pipelines.pipeline.receipts.provenance import SymbolRows
from marketdata_pipelines.pipeline.receipts.raw_rows import RawRows
from marketdata_pipelines.pipeline.receipts.records import Receipt, Verification
from marketdata_pipelines.pipeline.receipts.rows import plain_values, prove_bars
from marketdata_pipelines.pipeline.receipts.sources import HASHED_BYTES, RowSources
from marketdata_pipelines.pipeline.receipts.verifying import Evidence, PartitionEvidence, verify_evidence
from marketdata_pipelines.stores.lake.catalog import StandingPart
from marketdata_pipelines.stores.lake.lake import Lake

# Base bars listed with their rows when not all are asked for: half of them from the bucket's start.
LISTED = 40
# Reading leaves the lock to others: the partitions of a week are read side by side.
_READERS = 2
_KEPT_STATES, _KEPT_GRIDS = 4, 64


Each = TypeVar("Each")
Made = TypeVar("Made")


class Explainer:
    """Explains bars of one feed. What was read and derived for a partition is kept for the next bars of it."""

    def __init__(self, lake: Lake, feed: Feed) -> None:
        self._lake, self._feed = lake, feed
        self._state: Callable[[int | None], _State] = lru_cache(maxsize=_KEPT_STATES)(self._open)

    def explain(
        self,
        symbol: str,
        ts_us: int,
        timeframe: str | None = None,
        as_of_us: int | None = None,
        *,
        listed: int | None = LISTED,
        patient: bool = False,
    ) -> Receipt:
        """The receipt of the bar labelled `ts_us`, or of the one in which that instant lies (UTC microseconds).

        `listed`: how many base bars are listed with their rows, None for all. `patient`: source lines are fetched
        however far into a large file they lie.
        Errors: SettingsInvalid for a timeframe the feed does not have; PartitionMissing naming the nearest bars.
        """
        state = self._state(as_of_us)
        found = find_bar(state.feed, state.tables, symbol, ts_us, timeframe or state.feed.interval.name)
        return state.receipt(symbol, found, listed, patient=patient)

    def verify(self, receipt: Receipt) -> Verification:
        """Derive the bar again from its raw parts and read its sources again: every value must be the same, exactly."""
        state = self._state(receipt.as_of_us)
        return verify_evidence(receipt, state.evidence(receipt), state.sources)

    def _open(self, as_of_us: int | None) -> "_State":
        return _State(self._lake, definition_at(self._lake, self._feed, as_of_us), as_of_us)


class _State:
    """The lake as it is now (`as_of_us` None), or as it was known to be at an instant."""

    def __init__(self, lake: Lake, feed: Feed, as_of_us: int | None) -> None:
        self.feed, self._as_of_us = feed, as_of_us
        self.past = PastTables(lake, feed, as_of_us)
        self.tables: BarTables = StoredTables(lake, feed) if as_of_us is None else self.past
        self.sources = RowSources(lake, feed)
        self._proofs = PartitionProofs(lake, feed, self.past, self.tables)
        self._raw = RawRows(lake, feed)
        self._grid: Callable[[str], SessionGrid] = lru_cache(maxsize=_KEPT_GRIDS)(CoarseBars(lake, feed).grid)

    def receipt(self, symbol: str, found: FoundBar, listed: int | None, *, patient: bool) -> Receipt:
        """The receipt of a bar that was found."""
        label_us, first_us, last_us = _span(found)
        keys = self._base_keys(found.table, found.partition, found.timeframe, label_us)
        read = partial(self._partition_bars, symbol=symbol, first_us=first_us, last_us=last_us, table=found.table)
        base = dict(zip(keys, _side_by_side(read, keys), strict=True))
        places = [(key, place) for key, bars in base.items() for place in range(bars.num_rows)]
        shown = [(key, base[key].slice(place, 1)) for key, place in _ends(places, listed)]
        asked = {key for key, _ in shown} | {key for key in keys if self._only_part(key, base[key]) is None}
        in_order = [key for key in keys if key in asked]
        found_rows = _side_by_side(lambda key: self._rows(key, symbol, first_us, last_us), in_order)
        rows = dict(zip(in_order, found_rows, strict=True))
        parts = [part for key in keys for part in self._brought(key, base[key], rows)]
        # Many large files are known by their sizes and times, as one larger file is.
        few = sum({part.ingest.path: part.ingest.bytes for part in parts}.values()) <= HASHED_BYTES
        state = partial(self.sources.state, limit_bytes=HASHED_BYTES if few else 0)
        states = _side_by_side(state, parts)
        return Receipt(
            feed=self.feed.name,
            symbol=symbol,
            timeframe=found.timeframe,
            table=found.table,
            partition=found.partition,
            as_of_us=self._as_of_us,
            bucket_us=label_us,
            first_us=first_us,
            last_us=last_us,
            bar=plain_values(found.row)[0],
            file=self._proofs.file(found.table, found.partition),
            follows=self._proofs.follows(found.table, found.partition, keys),
            base_bars=len(places),
            omitted=len(places) - len(shown),
            base=prove_bars(shown, rows, self.sources, patient=patient),
            partitions=tuple(self._proofs.partition(key) for key in keys),
            parts=tuple(self._proofs.part(part, state) for part, state in zip(parts, states, strict=True)),
        )

    def evidence(self, receipt: Receipt) -> Evidence:
        """What a receipt is checked against: its bar and base bars derived again, and the raw rows they rest on."""
        keys = self._base_keys(receipt.table, receipt.partition, receipt.timeframe, receipt.bucket_us)
        derived = self.past.rows(receipt.table, receipt.partition, receipt.symbol)
        return Evidence(
            bar=rows_between(derived, receipt.bucket_us, receipt.bucket_us),
            partitions=tuple(self._partition_evidence(key, receipt) for key in keys),
        )

    def _partition_bars(self, key: str, *, symbol: str, first_us: int, last_us: int, table: str) -> pa.Table:
        """A partition's base bars; what proves the partition looks at the same table and is made here, and kept."""
        bars = self._base(self.tables, key, symbol, first_us, last_us, table)
        self._proofs.partition(key)
        return bars

    def _brought(self, key: str, bars: pa.Table, rows: Mapping[str, SymbolRows]) -> list[StandingPart]:
        """The raw parts that have any rows of a bar in one partition."""
        if key in rows:
            return rows[key].brought()
        only = self._only_part(key, bars)
        return [] if only is None else [only]

    def _only_part(self, key: str, bars: pa.Table) -> StandingPart | None:
        """The part that must have brought a partition's bars, without reading its rows: there is no other."""
        parts = self.past.parts(key)
        return parts[0] if len(parts) == 1 and bars.num_rows and self._proofs.partition(key).follows else None

    def _partition_evidence(self, key: str, receipt: Receipt) -> PartitionEvidence:
        span = receipt.symbol, receipt.first_us, receipt.last_us
        return PartitionEvidence(
            key=key,
            stored=self._base(self.tables, key, *span, receipt.table),
            derived=self._base(self.past, key, *span, receipt.table),
            rows=self._rows(key, *span),
            recorded=[(part, self._raw.count(part)) for part in self.past.parts(key)],
            checked=self._proofs.evaluated(key),
        )

    def _rows(self, key: str, symbol: str, first_us: int, last_us: int) -> SymbolRows:
        parts = [self._raw.of(part, symbol) for part in self.past.parts(key)]
        return SymbolRows(self.feed, self._grid(key), parts, symbol, first_us, last_us)

    def _base(
        self,
        tables: BarTables,
        key: str,
        symbol: str,
        first_us: int,
        last_us: int,
        table: str,
    ) -> pa.Table:
        """The base bars of a bucket in one partition; those of the extended hours are in no bucket."""
        bars = rows_between(tables.rows(t.VALIDATED_BARS, key, symbol), first_us, last_us)
        return bars if table == t.VALIDATED_BARS else bars.filter(bars["regular"])

    def _base_keys(self, table: str, partition: str, timeframe: str, label_us: int) -> list[str]:
        """The base partitions a bucket's bars are in, in order."""
        if table not in SEVERAL_DAYS:
            return [partition]
        start, end = bucket_days(self.feed, date_of_us(label_us), timeframe)
        period = period_of(self.feed.partition)
        return self.tables.partitions(t.VALIDATED_BARS, partition_key(start, period), partition_key(end, period))


def _side_by_side(make: Callable[[Each], Made], items: Sequence[Each]) -> list[Made]:
    """What is made of each item, in order, on a few threads where there are several."""
    if len(items) < 2:
        return [make(item) for item in items]
    with ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(make, items))


def _span(found: FoundBar) -> tuple[int, int, int]:
    """A bar's label, and the opens of its first and last base bar."""
    names = ("ts", "ts", "ts") if found.table == t.VALIDATED_BARS else ("ts", "first_ts", "last_ts")
    label, first, last = (int(int_values(found.row[name])[0]) for name in names)
    return label, first, last


def _ends(places: list[tuple[str, int]], listed: int | None) -> list[tuple[str, int]]:
    """All of them, or the first and last ones, `listed` together."""
    if listed is None or len(places) <= listed:
        return places
    return [*places[: listed - listed // 2], *places[len(places) - listed // 2 :]]
