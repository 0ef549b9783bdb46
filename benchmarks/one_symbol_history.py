"""One more symbol's history beside many: written by symbols, with delta files, against rewriting every partition.

    python benchmarks/one_symbol_history.py [--sessions 250] [--symbols 500] [--runs 1]

Each session is one partition of `validated_bars` with 390 minute bars a symbol. Into a copy of the same lake the bars
of one more symbol are written session by session: once by symbols, once as a read, a merge and a whole write. Then one
old symbol's year, and every symbol's, are read before and after compaction.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.bars import BAR_SCHEMA
from marketdata_pipelines.stores.lake import table_writes
from marketdata_pipelines.stores.lake.duck import connect, relation_sql
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines.stores.lake.stored_rows import merged_rows

TABLE, FEED, MINUTES = "validated_bars", "bench", 390
MINUTE_US, DAY_US = 60_000_000, 86_400_000_000


def session_bars(names: list[str], day: int, random: np.random.Generator) -> pa.Table:
    """A session of minute bars, prices in cents along a random walk."""
    count = len(names) * MINUTES
    close = np.round(100 + np.cumsum(random.normal(0, 0.02, (len(names), MINUTES)), axis=1).ravel(), 2)
    ts = np.tile(np.arange(MINUTES) * MINUTE_US + day * DAY_US + 52_200_000_000, len(names))
    codes = np.repeat(np.arange(len(names), dtype=np.int32), MINUTES)
    columns = {
        "symbol": pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(names)),
        "ts": pa.array(ts).view(pa.timestamp("us", tz="UTC")),
        "ts_close": pa.array(ts + MINUTE_US).view(pa.timestamp("us", tz="UTC")),
        "session_date": pa.array(np.full(count, day, np.int32)).view(pa.date32()),
        "open": pa.array(close),
        "high": pa.array(np.round(close + 0.03, 2)),
        "low": pa.array(np.round(close - 0.03, 2)),
        "close": pa.array(close),
        "volume": pa.array(random.integers(1, 5_000, count).astype(np.float64)),
        "vwap": pa.nulls(count, pa.float64()),
        "trade_count": pa.nulls(count, pa.int64()),
        "regular": pa.array(np.ones(count, np.bool_)),
    }
    return pa.table(columns, schema=BAR_SCHEMA)


def timed(work: Callable[[], object]) -> float:
    """Seconds it takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def add_by_symbols(lake: Lake, added: dict[str, pa.Table]) -> int:
    """Returns the bytes written."""
    total = 0
    for key, rows in added.items():
        before = lake.catalog.stored_partition(TABLE, FEED, key)
        (stored,) = lake.store(FEED, [TableWrite(TABLE, key, rows, "more", symbols=("ZZZZ",))], {})
        total += stored.deltas[-1].bytes if stored.deltas else stored.bytes
        assert before is not None
    return total


def add_by_rewriting(lake: Lake, added: dict[str, pa.Table]) -> int:
    """Returns the bytes written."""
    total = 0
    for key, rows in added.items():
        whole = merged_rows(TABLE, lake.read(TABLE, FEED, key), rows)
        total += lake.store(FEED, [TableWrite(TABLE, key, whole, "more")], {})[0].bytes
    return total


def read_costs(lake: Lake, symbol: str, runs: int) -> dict[str, float]:
    """Median seconds of some questions about all sessions."""

    def one_by_duckdb() -> None:
        relation = relation_sql(lake.layout.root, lake.catalog.stored(TABLE, FEED), symbols=[symbol])
        with connect() as connection:
            connection.execute(f"select avg(close) from ({relation})").fetchall()

    def all_by_duckdb() -> None:
        relation = relation_sql(lake.layout.root, lake.catalog.stored(TABLE, FEED))
        with connect() as connection:
            connection.execute(f"select symbol, max(high) from ({relation}) group by symbol").fetchall()

    def all_by_partition() -> None:
        for _, table in lake.read_many(TABLE, FEED, "", "9999"):
            assert table.num_rows

    asked = {"one symbol, DuckDB": one_by_duckdb, "all symbols, DuckDB": all_by_duckdb, "partition by partition": all_by_partition}  # fmt: skip  # noqa: E501
    return {name: float(np.median([timed(work) for _ in range(runs)])) for name, work in asked.items()}


def measure(folder: Path, sessions: int, symbols: int, runs: int) -> None:
    names, random = [f"S{number:04}" for number in range(symbols)], np.random.default_rng(1)
    keys = [str(np.datetime64(19_000 + day, "D")) for day in range(sessions)]
    base = Lake(folder / "base")
    for day, key in enumerate(keys):
        base.store(FEED, [TableWrite(TABLE, key, session_bars(names, 19_000 + day, random), "base")], {})
    size = sum(item.bytes for item in base.catalog.stored(TABLE, FEED))
    print(f"{sessions} sessions x {symbols} symbols: {sessions * symbols * MINUTES:,} bars, {size / 1e6:.1f} MB")
    added = {key: session_bars(["ZZZZ"], 19_000 + day, random) for day, key in enumerate(keys)}
    for name in ("deltas", "rewritten"):
        shutil.copytree(folder / "base", folder / name)
    deltas, rewritten = Lake(folder / "deltas"), Lake(folder / "rewritten")
    written: dict[str, int] = {}
    seconds = {
        "deltas": timed(lambda: written.update(deltas=add_by_symbols(deltas, added))),
        "rewritten": timed(lambda: written.update(rewritten=add_by_rewriting(rewritten, added))),
    }
    for name in seconds:
        print(f"{name:10} {seconds[name] * 1e3 / sessions:7.1f} ms a session, {written[name] / 1e6:8.2f} MB written")
    print(
        f"ratios: {seconds['rewritten'] / seconds['deltas']:.1f} times less time, "
        f"{written['rewritten'] / written['deltas']:.0f} times fewer bytes"
    )
    before = read_costs(deltas, names[symbols // 2], runs)
    merging = timed(lambda: [deltas.compact(TABLE, FEED, key) for key in keys])
    after = read_costs(deltas, names[symbols // 2], runs)
    print(f"compaction {merging * 1e3 / sessions:.1f} ms a session")
    for name in before:
        ratio = before[name] / after[name]
        print(f"{name:24} with deltas {before[name]:.3f} s, compacted {after[name]:.3f} s: {ratio:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=250)
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--always", action="store_true", help="write deltas beside small tables too")
    given = parser.parse_args()
    if given.always:
        table_writes.SMALLEST_BASE_ROWS = 0
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), given.sessions, given.symbols, given.runs)


if __name__ == "__main__":
    main()
