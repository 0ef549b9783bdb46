"""Publishing partitions to PostgreSQL or TimescaleDB, beside a bare COPY of the same bytes, and pandas.

    python benchmarks/store_publish.py [--server postgresql://…] [--symbols 500] [--sessions 20]

Each session of simulated minute bars is a partition. In one run, alternating: the rows go by a bare binary COPY into a
table of the same columns, key and chunks, made by the store itself; then through `TimescaleStore.replace_partition`:
compared with what is there, ticks proved, written, entered in the ledger; then rolled up to 5m, 1h and 1d (on plain
PostgreSQL within the same transaction). Then the same again (nothing changes), one symbol corrected, and every row of a
session changed. pandas.to_sql writes a part of one session. Last, what the tables take before and after compression,
and what a session takes whose vwaps, or prices too, are not decimal as the simulated ones.
"""

import argparse
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy
from psycopg import sql
from simulated_day import benchmark_feed, simulated_sessions
from store_databases import benchmark_database

from marketdata_pipelines.domain.bars import PRICES
from marketdata_pipelines.domain.feeds import Anchor, Feed
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.stores.timescale.base_rows import COLUMNS, arrange_rows, prepare_bars
from marketdata_pipelines.stores.timescale.copying import encode
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.feed_layout import read_layout
from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
from marketdata_pipelines.stores.timescale.records import Published
from marketdata_pipelines.stores.timescale.series import take_series
from marketdata_pipelines.stores.timescale.windows import partition_window, window_clock

_PANDAS_ROWS = 20_000
_HORIZON_US = 2**51


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server")
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--sessions", type=int, default=20)
    options = parser.parse_args()
    feed = replace(benchmark_feed(options.symbols, Anchor.SESSION), name="shares_1m")
    with benchmark_database(options.server) as dsn, Database(dsn) as database:
        database.migrate()
        print(f"{database.engine.label}; {options.sessions} sessions of {options.symbols} symbols")
        publish(feed, database, dsn, options.sessions)
    print(f"peak memory of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def publish(feed: Feed, database: Database, dsn: str, sessions: int) -> None:
    store, bare = TimescaleStore(database), replace(feed, name="bare_1m")
    seconds: dict[str, list[float]] = {"copy": [], "store": [], "rollups": []}
    rows = 0
    last: tuple[str, pa.Table] = ("", pa.table({}))
    for key, bars in simulated_sessions(feed, sessions):
        # The same tables and chunks as the store's, filled and emptied once.
        store.replace_partition(bare, VALIDATED_BARS, key, bars, "made", _HORIZON_US)
        store.remove_partition(bare, VALIDATED_BARS, key)
        stream = list(encode(stored_rows(bare, database, key, bars)))
        seconds["copy"].append(timed(partial(copy_bare, database, stream)))
        seconds["store"].append(replaced(store, feed, key, bars, "first", rolls=False)[1])
        seconds["rollups"].append(timed(partial(store.finish_rollups, feed)))
        rows, last = rows + bars.num_rows, (key, bars)
    copy_rate, store_rate = (rows / sum(seconds[name]) for name in ("copy", "store"))
    whole_rate = rows / (sum(seconds["store"]) + sum(seconds["rollups"]))
    print(f"  bare COPY          {copy_rate / 1e3:7.0f}K rows/s")
    print(f"  replace_partition  {store_rate / 1e3:7.0f}K rows/s, {store_rate / copy_rate:.2f} of it")
    print(f"  with its rollups   {whole_rate / 1e3:7.0f}K rows/s")
    tell_again(store, feed, *last)
    frame_rate = to_pandas(dsn, last[1])
    print(f"  pandas.to_sql      {frame_rate / 1e3:7.1f}K rows/s: the store is {store_rate / frame_rate:.0f} times it")
    tell_storage(store, feed)
    tell_schemas(store, feed, *last)


def stored_rows(feed: Feed, database: Database, key: str, bars: pa.Table) -> pa.Table:
    """The rows a COPY of this partition sends."""
    window = partition_window(feed, VALIDATED_BARS, key)
    prepared = prepare_bars(feed, window, window_clock(feed, window), bars)
    with database.connection("series") as connection:
        layout = read_layout(connection, feed.name)
        assert layout is not None
        return arrange_rows(prepared, take_series(connection, layout, prepared), in_ticks=True).table


def copy_bare(database: Database, stream: list[bytes]) -> None:
    """One transaction of its own, as a publication is one."""
    names = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
    statement = sql.SQL("copy bare_1m.bars ({}) from stdin (format binary)").format(names)
    with (
        database.connection("bare COPY", statement_seconds=600) as connection,
        connection.cursor() as cursor,
        cursor.copy(statement) as copy,
    ):
        for piece in stream:
            copy.write(piece)


def replaced(
    store: TimescaleStore, feed: Feed, key: str, bars: pa.Table, inputs: str, *, rolls: bool = True
) -> tuple[Published, float]:
    """What was published, and the seconds it took."""
    begun = time.perf_counter()
    found = store.replace_partition(feed, VALIDATED_BARS, key, bars, inputs, _HORIZON_US, rolls=rolls)
    return found, time.perf_counter() - begun


def tell_again(store: TimescaleStore, feed: Feed, key: str, bars: pa.Table) -> None:
    """The same partition again: unchanged, with one symbol corrected, with every volume changed."""
    corrected = shifted(bars, pc.equal(bars["symbol"].cast(pa.string()), bars["symbol"][0].as_py()))
    whole = shifted(bars, pa.array([True] * bars.num_rows))
    for name, table in (("unchanged", bars), ("one symbol corrected", corrected), ("every row changed", whole)):
        found, taken = replaced(store, feed, key, table, name)
        print(f"  {name:22s} {1000 * taken:6.0f} ms, {found.written:,} of {found.rows:,} rows written")


def shifted(bars: pa.Table, where: pa.Array) -> pa.Table:
    """With volumes of some rows greater by one."""
    at = bars.column_names.index("volume")
    return bars.set_column(
        at, bars.schema.field("volume"), pc.if_else(where, pc.add(bars["volume"], 1.0), bars["volume"])
    )


def to_pandas(dsn: str, bars: pa.Table) -> float:
    """Rows a second of pandas.to_sql."""
    engine = sqlalchemy.create_engine(sqlalchemy.make_url(dsn).set(drivername="postgresql+psycopg"))
    frame = bars.slice(0, _PANDAS_ROWS).to_pandas()
    frame["symbol"] = frame["symbol"].astype(str)
    taken = timed(lambda: frame.to_sql("frame", engine, if_exists="replace", index=False, method=None))
    engine.dispose()
    return len(frame) / taken


def tell_storage(store: TimescaleStore, feed: Feed) -> None:
    before = {each.table: each for each in store.storage(feed)}
    taken = timed(lambda: store.compress(feed, after_days=0))
    after = {each.table: each for each in store.storage(feed)}
    for name, each in after.items():
        if not each.compressed_chunks:
            print(f"  {name:12s} {before[name].total_bytes / 1e6:7.1f} MB")
            continue
        ratio = each.uncompressed_bytes / each.compressed_bytes
        print(
            f"  {name:12s} {each.uncompressed_bytes / 1e6:7.1f} MB heap and index, compressed "
            f"{each.compressed_bytes / 1e6:.1f} MB: {ratio:.1f}:1 ({each.compressed_chunks} of {each.chunks} chunks)"
        )
    print(f"  compressing took {taken:.1f} s")


def tell_schemas(store: TimescaleStore, feed: Feed, key: str, bars: pa.Table) -> None:
    """What one session takes, by what its numbers are."""
    quotients = {"vwap": pc.divide(bars["vwap"], 1.00000019)}
    prices = {name: pc.divide(bars[name], 1.00000019) for name in PRICES}
    kinds = {
        "decimal vwaps": {},
        "vwaps that are quotients": quotients,
        "no vwaps": {"vwap": pa.nulls(bars.num_rows, pa.float64())},
        "doubles throughout": quotients | prices,
    }
    for at, (kind, changed) in enumerate(kinds.items()):
        other = replace(feed, name=f"schema_{at}")
        columns = {name: changed.get(name, bars[name]) for name in bars.column_names}
        store.replace_partition(
            other, VALIDATED_BARS, key, pa.table(columns, schema=bars.schema), "schema", _HORIZON_US
        )
        store.compress(other, after_days=-1)
        found = next(each for each in store.storage(other) if each.table == "bars")
        before, after = found.uncompressed_bytes or found.total_bytes, found.compressed_bytes
        ratio = f", compressed {after / bars.num_rows:.2f}: {before / after:.1f}:1" if after else ""
        print(f"  {kind:26s} {before / bars.num_rows:.1f} bytes a row, heap and index{ratio}")


def timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
