"""A partition's corrections: every change of an accepted bar after it was first known, and which ingest caused it.

A pure function of the raw parts ever accepted, standing and superseded: it does not matter who walked when.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.bars import RAW_BAR_SCHEMA, RAW_TRADE_SCHEMA, TS
from marketdata_pipelines.domain.corrections import CORRECTION_SCHEMA, CORRECTIONS
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import count_symbols, symbol_codes, symbol_column
from marketdata_pipelines.domain.partitions import is_partition_key, period_of
from marketdata_pipelines.domain.session_grid import SessionGrid
from marketdata_pipelines.domain.tables import RAW_TRADES
from marketdata_pipelines.pipeline.bar_history import trace_bars
from marketdata_pipelines.pipeline.change_tables import change_table, describe_changes
from marketdata_pipelines.pipeline.coarse import CoarseBars
from marketdata_pipelines.pipeline.standing import is_validated, is_walked
from marketdata_pipelines.pipeline.validate import LoadedPart
from marketdata_pipelines.quality.examples import SHOWN
from marketdata_pipelines.quality.outcome import Example, Facts
from marketdata_pipelines.stores.lake.catalog import Ingest, RawPart, StandingPart
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.lake.parquet import read_file
from marketdata_pipelines.stores.lake.symbol_rows import only_rows

_FILES_SHOWN = 10


def corrections_of(
    lake: Lake,
    feed: Feed,
    key: str,
    loaded: Sequence[LoadedPart] = (),
    *,
    symbols: Collection[str] | None = None,
) -> pa.Table:
    """The corrections of a base partition, of all symbols or only some.

    Shape:   CORRECTION_SCHEMA, sorted by (symbol, ts, known_at, seq).
    Reads:   every raw part ever accepted but those in `loaded`, which have all rows, at least of `symbols`.
    Kept:    where the feed's policy has let raw parts go, the stored corrections stand for the time they counted in.
    Errors:  PartitionMissing when the file of another raw part is gone.
    """
    return _changes(lake, feed, key, loaded, symbols, first=False)


def changes_of(lake: Lake, feed: Feed, key: str) -> pa.Table:
    """The same together with the bars that an ingest was the first to bring, of kind `first`."""
    return _changes(lake, feed, key, (), None, first=True)


def corrections_among(
    feed: Feed, grid: SessionGrid, parts: Sequence[LoadedPart], withdrawing: Sequence[Ingest] = ()
) -> pa.Table:
    """The corrections among all raw parts ever accepted for a partition, in ledger order.

    `withdrawing`: ingests of their contents that brought the partition nothing (see `Catalog.accepted_parts`).
    """
    if len(parts) + len(withdrawing) < 2:
        return CORRECTION_SCHEMA.empty_table()
    return change_table(trace_bars(feed, grid, parts, withdrawing, every=False), first=False)


def read_corrections(
    lake: Lake, feed: Feed, first: str = "", last: str = "9999-99-99"
) -> Iterator[tuple[str, pa.Table]]:
    """(partition, corrections) of the partitions in first..last that have any.

    Stored ones where the last walk wrote the partition's bars, else they are derived.

    Errors: PartitionMissing when the file of a raw part that is needed is gone.
    """
    period = period_of(feed.partition)
    stored = {item.partition for item in lake.catalog.stored(CORRECTIONS, feed.name, first, last)}
    for key in lake.catalog.raw_partitions(feed.name):
        if not (first <= key <= last and is_partition_key(key, period)):
            continue
        if not (is_walked(lake, feed, key) and is_validated(lake, feed, key)):
            table = corrections_of(lake, feed, key)
        elif key in stored:
            table = lake.read(CORRECTIONS, feed.name, key)
        else:
            continue
        if table.num_rows:
            yield key, table


def correction_facts(table: pa.Table) -> Facts:
    """How many corrections there are, by kind and by cause, of how many symbols, and from which files."""
    facts: Facts = {"corrections": table.num_rows, "corrected_symbols": count_symbols(table)}
    for name in ("kind", "cause"):
        counted = sorted((item["values"], item["counts"]) for item in pc.value_counts(table[name]).to_pylist())
        facts |= {f"{name}_{value}": count for value, count in counted}
    files = sorted(pc.unique(table["file"]).to_pylist())
    more = f" and {len(files) - _FILES_SHOWN} more" if len(files) > _FILES_SHOWN else ""
    return facts | {"correcting_files": ", ".join(files[:_FILES_SHOWN]) + more}


def correction_examples(table: pa.Table) -> tuple[Example, ...]:
    """The first corrections, for a person to look at."""
    shown = table.slice(0, SHOWN)
    rows = shown.select(["symbol", "ts", "kind", "file", "line", "cause"]).to_pylist()
    return tuple(
        {
            "symbol": row["symbol"],
            "ts": row["ts"].isoformat().replace("+00:00", "Z"),
            "kind": row["kind"],
            "change": text,
            "file": row["file"],
            "line": row["line"],
            "cause": row["cause"],
        }
        for row, text in zip(rows, describe_changes(shown), strict=True)
    )


def _changes(
    lake: Lake,
    feed: Feed,
    key: str,
    loaded: Sequence[LoadedPart],
    symbols: Collection[str] | None,
    *,
    first: bool,
) -> pa.Table:
    accepted, withdrawing = lake.catalog.accepted_parts(feed.name, key)
    if not accepted or (len(accepted) + len(withdrawing) < 2 and not first):
        return CORRECTION_SCHEMA.empty_table()
    removed = _removed(lake, feed, accepted)
    tables = {part.standing.part.path: part.table for part in loaded}
    parts = [
        LoadedPart(part, _rows_of(lake, feed, part.part, tables, symbols))
        for part in accepted
        if part.part.path not in removed
    ]
    silent = [*withdrawing, *(part.ingest for part in accepted if part.part.path in removed)]
    history = trace_bars(feed, CoarseBars(lake, feed).grid(key), parts, silent, every=first)
    found = change_table(history, first=first)
    return _since_removal(lake, feed, key, found, removed, symbols) if removed else found


def _rows_of(
    lake: Lake, feed: Feed, part: RawPart, tables: Mapping[str, pa.Table], symbols: Collection[str] | None
) -> pa.Table:
    if part.path in tables:
        return only_rows(tables[part.path], symbols, ())
    if symbols is None:
        return lake.read_part(feed.name, part)
    if part.symbols is not None and not set(symbols) & set(part.symbols):
        return (RAW_TRADE_SCHEMA if part.tbl == RAW_TRADES else RAW_BAR_SCHEMA).empty_table()
    return read_file(lake.layout.root / part.path, only=symbols)


def _removed(lake: Lake, feed: Feed, accepted: Sequence[StandingPart]) -> dict[str, tuple[int, ...]]:
    """Raw parts whose files the feed's policy has let go, with the ingests by which nothing of them counts."""
    removals = lake.catalog.removals.of(feed.name)
    paths = [part.part.path for part in accepted if part.part.path in removals]
    return {path: removals[path].superseders for path in paths if not (lake.layout.root / path).exists()}


def _since_removal(
    lake: Lake,
    feed: Feed,
    key: str,
    found: pa.Table,
    removed: Mapping[str, tuple[int, ...]],
    symbols: Collection[str] | None,
) -> pa.Table:
    """Without some raw parts only what came after they were superseded can be told; what came before is kept."""
    seqs = {seq for superseders in removed.values() for seq in superseders}
    known_us = [ingest.known_at_us for ingest in lake.catalog.ingests(feed.name) if ingest.seq in seqs]
    edge = pa.scalar(max(known_us, default=0), TS)
    later = found.filter(pc.greater(found["known_at"], edge))
    if lake.catalog.stored_partition(CORRECTIONS, feed.name, key) is None:
        return later
    stored = only_rows(lake.read(CORRECTIONS, feed.name, key), symbols, ())
    whole = pa.concat_tables([stored.filter(pc.less_equal(stored["known_at"], edge)), later])
    text = whole.set_column(0, "symbol", whole["symbol"].cast(pa.string()))
    ordered = text.sort_by([(name, "ascending") for name in ("symbol", "ts", "known_at", "seq")])
    return ordered.set_column(0, "symbol", symbol_column(*symbol_codes(ordered["symbol"])))
