"""Feeds, rows and files that tests are made of; nothing here asserts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.bars import BAR_SCHEMA, RAW_BAR_SCHEMA, RAW_TRADE_SCHEMA
from marketdata_pipelines.domain.feeds import (
    CalendarSpec,
    DataKind,
    Feed,
    SourceKind,
    SourceSpec,
    default_anchor,
    default_asset_class,
    default_partition,
)
from marketdata_pipelines.domain.intervals import MINUTE_US, parse_interval
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.sessions import to_us
from marketdata_pipelines.domain.tables import feed_tables
from marketdata_pipelines.pipeline.changes import stale_partitions
from marketdata_pipelines.pipeline.ingest import FileReport, IngestMode, IngestRun, SourceFile, ingest_files
from marketdata_pipelines.pipeline.outcome import PartitionOutcome
from marketdata_pipelines.pipeline.walk import walk_partitions
from marketdata_pipelines.quality.checks import Suite
from marketdata_pipelines.sources.parsed import Finding, TableChunk
from marketdata_pipelines.stores.lake.lake import Lake

Row = dict[str, Any]
CME_BREAK = ((time(16), time(17)),)
LATER = to_us(datetime(2026, 1, 1, tzinfo=UTC))


def make_feed(calendar: str = "XNYS", interval: str = "1m", *, name: str = "feed", **changes: Any) -> Feed:
    """A feed of files with the defaults feeds.yaml would give it, and some fields changed."""
    spec = CalendarSpec(calendar, changes.pop("breaks", ()), changes.pop("closed", ()))
    width = parse_interval(interval)
    feed = Feed(
        name=name,
        source=SourceSpec(SourceKind.FILES),
        interval=width,
        calendar=spec,
        asset_class=default_asset_class(calendar),
        data=None,
        anchor=default_anchor(calendar),
        partition=default_partition(width),
    )
    return replace(feed, **changes)


def us(moment: str) -> int:
    """Microseconds since 1970 of a UTC text such as `2024-03-08 14:30`."""
    found = datetime.fromisoformat(moment)
    return to_us(found if found.tzinfo else found.replace(tzinfo=UTC))


def utc(us_value: int) -> str:
    """The text of an instant, to the minute: the inverse of `us`."""
    return datetime.fromtimestamp(us_value / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M")


def bar(symbol: str | None, ts: str | int | None, price: float = 100.0, **changes: Any) -> Row:
    """One parsed row, good unless changed: a flat bar of volume 100."""
    row: Row = {
        "symbol": symbol,
        "ts": us(ts) if isinstance(ts, str) else ts,
        "open": price,
        "high": price,
        "low": price,
        "close": price,
        "volume": 100.0,
        "vwap": None,
        "trade_count": None,
        "rules": None,
    }
    return row | changes


def minutes(symbol: str, start: str, count: int, price: float = 100.0, step: int = MINUTE_US) -> list[Row]:
    """Consecutive good bars whose prices and volumes differ from bar to bar."""
    first = us(start)
    rows = []
    for position in range(count):
        level = price + position % 7 / 100
        rows.append(
            bar(
                symbol,
                first + position * step,
                open=round(level, 4),
                high=round(level + 0.05, 4),
                low=round(level - 0.05, 4),
                close=round(level + 0.02, 4),
                volume=100.0 + position,
            )
        )
    return rows


def raw_bars(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Parsed rows as RAW_BAR_SCHEMA, numbered from row 1 and line 2."""
    numbered = [{"row": n, "line": n + 1, "original": None, **row} for n, row in enumerate(rows, 1)]
    return pa.Table.from_pylist(numbered, schema=RAW_BAR_SCHEMA)


def raw_trades(trades: Sequence[tuple[str, str, float, float | None]], **columns: Sequence[str | None]) -> pa.Table:
    """(symbol, UTC text, price, size) in file order as RAW_TRADE_SCHEMA."""
    count = len(trades)
    values = {
        "row": list(range(1, count + 1)),
        "line": list(range(2, count + 2)),
        "symbol": [trade[0] for trade in trades],
        "ts": pa.array([us(trade[1]) * 1000 for trade in trades], pa.int64()).cast(pa.timestamp("ns", tz="UTC")),
        "price": [trade[2] for trade in trades],
        "size": [trade[3] for trade in trades],
        "exchange": columns.get("exchange", [None] * count),
        "conditions": columns.get("conditions", [None] * count),
        "rules": columns.get("rules", [None] * count),
        "original": [None] * count,
    }
    return pa.table(values, schema=RAW_TRADE_SCHEMA)


def bar_table(rows: Iterable[Mapping[str, Any]], width: int = MINUTE_US) -> pa.Table:
    """Good rows as BAR_SCHEMA, sorted, all of the regular session."""
    ordered = sorted(rows, key=lambda row: (row["symbol"], row["ts"]))
    whole = [
        {
            **{name: row[name] for name in row if name != "rules"},
            "ts_close": row["ts"] + width,
            "session_date": datetime.fromtimestamp(row["ts"] // 1_000_000, UTC).date(),
            "regular": True,
        }
        for row in ordered
    ]
    return pa.Table.from_pylist(whole, schema=BAR_SCHEMA)


@dataclass(frozen=True, slots=True)
class TableRead:
    """Reads tables as one file's chunks; can be sent to another process."""

    chunks: tuple[TableChunk, ...]
    findings: tuple[Finding, ...] = ()

    def __call__(self) -> tuple[Iterable[TableChunk], tuple[Finding, ...]]:
        return self.chunks, self.findings


def source_of(name: str, rows: Sequence[Row] | pa.Table, *, chunk_rows: int = 1_000_000) -> SourceFile:
    """Rows as a file whose content is named by `name`; several chunks when there are more than `chunk_rows`."""
    table = rows if isinstance(rows, pa.Table) else raw_bars(rows)
    kind = DataKind.TRADES if "price" in table.column_names else DataKind.BARS
    parsed = table.drop_columns(["original"])
    pieces = [parsed.slice(at, chunk_rows) for at in range(0, max(parsed.num_rows, 1), chunk_rows)]
    return SourceFile(name, f"/landing/{name}", f"sha-{name}", 1, TableRead(tuple(TableChunk(kind, p) for p in pieces)))


def take_in(
    lake: Lake,
    feed: Feed,
    *sources: SourceFile,
    known_at: str | int = LATER,
    mode: IngestMode = IngestMode.UPSERT,
    restart: bool = False,
    workers: int = 1,
) -> list[FileReport]:
    """Ingest files that all become known at one instant."""
    known_us = us(known_at) if isinstance(known_at, str) else known_at
    run = IngestRun(run_id="run", mode=mode, restart=restart, clock=lambda: known_us)
    return list(ingest_files(lake, feed, sources, run, workers=workers))


def walk_keys(
    lake: Lake, feed: Feed, period: Period, keys: Sequence[str], *names: str, suites: Sequence[Suite] | None = None
) -> dict[str, PartitionOutcome]:
    """Walk partitions of one period, all of its assets unless some are named; outcomes by key."""
    every = frozenset(table_set.name for table_set in feed_tables(feed) if table_set.period is period)
    wanted = frozenset(names) or every
    outcomes = walk_partitions(lake, feed, period, keys, wanted, run_id="run", suites=suites)
    return {outcome.partition: outcome for outcome in outcomes}


def walk_stale(lake: Lake, feed: Feed) -> list[PartitionOutcome]:
    """Walk everything that is behind, base partitions first."""
    stale = stale_partitions(lake, feed)
    return [outcome for period, keys in stale.items() for outcome in walk_keys(lake, feed, period, keys).values()]


def make_home(folder: Path, feeds: str) -> Path:
    """A data folder with a feeds.yaml."""
    folder.mkdir(exist_ok=True)
    (folder / "feeds.yaml").write_text(feeds, encoding="utf-8")
    return folder


def lake_files(lake: Lake) -> dict[str, bytes]:
    """Content of every lake file but the catalog and locks, by relative path."""
    return dict(_files(lake.layout.root))


def _files(root: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and not name.startswith(("catalog.sqlite", ".locks/")):
            yield name, path.read_bytes()


def column(table: pa.Table, name: str) -> list[Any]:
    """A column as Python values; times as `2024-03-08 14:30`."""
    values = table[name].to_pylist()
    return [utc(to_us(v)) if isinstance(v, datetime) else v for v in values]


def floats(values: Sequence[float | None]) -> pa.ChunkedArray:
    """A float column of one chunk."""
    return pa.chunked_array([pa.array(values, pa.float64())])


def day(text: str) -> date:
    """A date from its ISO text."""
    return date.fromisoformat(text)


def ints(*values: int) -> np.ndarray:
    """Microsecond instants as an array."""
    return np.array(values, np.int64)
