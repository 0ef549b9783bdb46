"""A session of minute bars into PostgreSQL and back: this project's binary COPY beside the driver's own ways.

    python benchmarks/copy_rate.py [--symbols 500] [--runs 3] [--dsn postgresql://postgres@127.0.0.1:5432/postgres]

Every way writes the same Arrow table into the same emptied table with its primary key, and commits; `ready-made bytes`
sends what was encoded beforehand, so that only the server works. Without --dsn a PostgreSQL of the test wheel is
started, which does not wait for the disk. Printed: median seconds, rows/s and the ratio to ours in the same round.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
from psycopg import sql

from marketdata_pipelines.domain.intervals import MINUTE_US
from marketdata_pipelines.stores.timescale.copied import copy_out
from marketdata_pipelines.stores.timescale.copying import copy_into, encode

MINUTES = 390
TABLE = "copy_rate"
CREATE = f"""
create table {TABLE} (
    series_id integer, st timestamp, ts timestamptz, open bigint, high bigint, low bigint, close bigint, volume bigint,
    vwap double precision, trade_count bigint, regular boolean, primary key (series_id, st)
)
"""
SELECT = sql.SQL("select * from {}").format(sql.Identifier(TABLE))
COPY_IN = f"copy {TABLE} from stdin (format binary)"
COPY_OUT = f"copy {TABLE} to stdout (format binary)"
# The bars' types, in which psycopg must be told to write what it would guess to be smaller.
TYPES = ["int4", "timestamp", "timestamptz", "int8", "int8", "int8", "int8", "int8", "float8", "int8", "bool"]
Connection = psycopg.Connection[Any]


def session_rows(symbols: int) -> pa.Table:
    """Ticks of `symbols` random walks over one session, in the columns of the store's table of bars."""
    random = np.random.default_rng(1)
    count = symbols * MINUTES
    clock = np.tile(np.arange(MINUTES, dtype=np.int64) * MINUTE_US, symbols) + 1_709_856_000_000_000
    close = 10_000 + random.integers(-5, 6, count).cumsum() % 5_000
    columns = {
        "series_id": pa.array(np.repeat(np.arange(symbols, dtype=np.int32), MINUTES)),
        "st": pa.array(clock).view(pa.timestamp("us")),
        "ts": pa.array(clock + 52_200_000_000).view(pa.timestamp("us", tz="UTC")),
        **dict.fromkeys(("open", "close"), pa.array(close)),
        "high": pa.array(close + 3),
        "low": pa.array(close - 3),
        "volume": pa.array(random.integers(0, 100_000, count)),
        "vwap": pa.array(close / 100 + 0.001),
        "trade_count": pa.array(random.integers(0, 500, count)),
        "regular": pa.array(np.ones(count, bool)),
    }
    order = [
        "series_id", "st", "ts", "open", "high", "low", "close", "volume", "vwap", "trade_count", "regular",
    ]  # fmt: skip
    return pa.table({name: columns[name] for name in order})


def rows_of(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    """The rows as Python values."""
    return zip(*(column.to_pylist() for column in table.columns), strict=True)


def write_ready_made(connection: Connection, pieces: list[bytes]) -> None:
    with connection.cursor().copy(COPY_IN) as copy:
        for piece in pieces:
            copy.write(piece)


def write_rows(connection: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    with connection.cursor().copy(COPY_IN) as copy:
        copy.set_types(TYPES)
        for row in rows:
            copy.write_row(row)


def write_text_rows(connection: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    with connection.cursor().copy(f"copy {TABLE} from stdin") as copy:
        for row in rows:
            copy.write_row(row)


def write_statements(connection: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    places = ", ".join(["%s"] * len(TYPES))
    connection.cursor().executemany(f"insert into {TABLE} values ({places})", rows)


def read_iterated(connection: Connection) -> None:
    with connection.cursor().copy(COPY_OUT) as copy:
        b"".join(copy)


def read_fetched(connection: Connection) -> None:
    connection.cursor(binary=True).execute(f"select * from {TABLE}").fetchall()


def timed(connection: Connection, work: Callable[[], object], *, empty: bool) -> float:
    """Seconds of `work` and its commit."""
    if empty:
        connection.execute(f"truncate {TABLE}")
        connection.commit()
    begun = time.perf_counter()
    work()
    connection.commit()
    return time.perf_counter() - begun


def measure(dsn: str, symbols: int, runs: int) -> None:
    table = session_rows(symbols)
    pieces = list(encode(table))
    with psycopg.connect(dsn) as connection:
        print(f"{table.num_rows:,} rows, {sum(map(len, pieces)) / 1e6:.0f} MB, {os.cpu_count()} cores")
        print(connection.execute("select version()").fetchone())
        connection.execute(f"drop table if exists {TABLE}")
        connection.execute(CREATE)
        connection.commit()
        writes: dict[str, Callable[[], object]] = {
            "copy_into (ours)": lambda: copy_into(connection, "public", TABLE, table.column_names, table),
            "ready-made bytes": lambda: write_ready_made(connection, pieces),
            "psycopg binary write_row": lambda: write_rows(connection, rows_of(table)),
            "psycopg text write_row": lambda: write_text_rows(connection, rows_of(table)),
            "psycopg executemany": lambda: write_statements(connection, rows_of(table)),
        }
        reads: dict[str, Callable[[], object]] = {
            "copy_out (ours)": lambda: copy_out(connection, SELECT, table.schema),
            "psycopg Copy, bytes only": lambda: read_iterated(connection),
            "psycopg binary fetchall": lambda: read_fetched(connection),
        }
        begun = time.perf_counter()
        list(encode(table))
        print(f"encode alone {table.num_rows / (time.perf_counter() - begun) / 1e6:.1f} M rows/s")
        for ways, empty in ((writes, True), (reads, False)):
            # The first round warms the server's memory, and does not count.
            rounds = [
                {name: timed(connection, work, empty=empty) for name, work in ways.items()} for _ in range(runs + 1)
            ][1:]
            ours = next(iter(ways))
            for name in ways:
                seconds = statistics.median(each[name] for each in rounds)
                ratio = statistics.median(each[name] / each[ours] for each in rounds)
                print(
                    f"{name:26s} {seconds:7.3f} s  {table.num_rows / seconds / 1e3:8.0f} K rows/s  {ratio:5.2f} x ours"
                )
            connection.execute(f"truncate {TABLE}")
            copy_into(connection, "public", TABLE, table.column_names, table)
            connection.commit()
        connection.execute(f"drop table {TABLE}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--dsn")
    options = parser.parse_args()
    if options.dsn:
        measure(options.dsn, options.symbols, options.runs)
        return
    from marketdata_pipelines_tests.servers import start_postgres

    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        server = start_postgres(Path(folder) / "server")
        try:
            measure(server.url("postgres"), options.symbols, options.runs)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
