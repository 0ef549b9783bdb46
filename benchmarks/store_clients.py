"""Two hundred clients at once on the SQL store, beside pgbench with the same prepared statements.

    python benchmarks/store_clients.py --server postgresql://… [--clients 200] [--processes 2] [--seconds 10]
                                       [--pgbench pgbench]

A mixed load: of ten questions seven are a symbol's day of minute bars, two the hours of a symbol over all days, one
its last bar. Ours are threads of a few processes that share a pool of connections each and decode every answer into an
Arrow table; pgbench holds one connection a client and throws the answers away. Both run on this machine, one after the
other, twice each.
"""

import argparse
import multiprocessing
import random
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from urllib.parse import urlsplit

from simulated_day import benchmark_feed, simulated_sessions
from store_databases import benchmark_database

from marketdata_pipelines.domain.feeds import Anchor, Feed
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.errors import MarketDataError
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
from marketdata_pipelines.stores.timescale.read_bounds import ReadRange
from marketdata_pipelines.stores.timescale.read_statements import Which, packed_text
from marketdata_pipelines.stores.timescale.reading import TimescaleQueries

_POOL = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--pgbench", default=shutil.which("pgbench"))
    asked = parser.parse_args()
    feed = replace(benchmark_feed(asked.symbols, Anchor.SESSION), name="shares_1m")
    with benchmark_database(asked.server) as dsn:
        with Database(dsn) as database:
            database.migrate()
            days, symbols = publish(TimescaleStore(database), feed, asked.sessions)
            print(f"{database.engine.label}; {asked.clients} clients, {len(days)} sessions of {len(symbols)} symbols")
        ours, theirs = [], []
        for _ in range(2):
            ours.append(run_ours(dsn, feed, days, symbols, asked.clients, asked.processes, asked.seconds))
            if asked.pgbench:
                theirs.append(run_pgbench(asked.pgbench, dsn, feed, days, symbols, asked.clients, asked.seconds))
    if theirs:
        print(f"  ours is {max(ours) / max(theirs):.2f} of pgbench")
    else:
        print("  pgbench is not on PATH: give it as --pgbench")


def publish(store: TimescaleStore, feed: Feed, sessions: int) -> tuple[list[date], list[str]]:
    days, symbols = [], set[str]()
    for key, bars in simulated_sessions(feed, sessions):
        store.replace_partition(feed, VALIDATED_BARS, key, bars, "bench", 2**51)
        days.append(date.fromisoformat(key))
        symbols |= set(bars["symbol"].combine_chunks().dictionary.to_pylist())
    with store.database.connection("analyze", autocommit=True) as connection:
        connection.execute("vacuum analyze")
    return days, sorted(symbols)


def run_ours(
    dsn: str, feed: Feed, days: list[date], symbols: list[str], clients: int, processes: int, seconds: float
) -> float:
    """Questions a second."""
    context = multiprocessing.get_context("spawn")
    ready, results = context.Barrier(processes + 1), context.Queue()
    shares = [clients // processes + (number < clients % processes) for number in range(processes)]
    running = [
        context.Process(target=ask_on, args=(dsn, feed, days, symbols, share, seconds, number, ready, results))
        for number, share in enumerate(shares)
    ]
    for process in running:
        process.start()
    ready.wait()
    found = [results.get() for _ in running]
    for process in running:
        process.join()
    taken = sorted(one for latencies, _ in found for one in latencies)
    failed = sum(count for _, count in found)
    rate = len(taken) / seconds
    print(
        f"  ours      {rate:7.0f} questions/s   p50 {1000 * taken[len(taken) // 2]:6.1f} ms   "
        f"p99 {1000 * taken[len(taken) * 99 // 100]:6.1f} ms   {failed} errors"
    )
    return rate


def ask_on(
    dsn: str,
    feed: Feed,
    days: list[date],
    symbols: list[str],
    clients: int,
    seconds: float,
    seed: int,
    ready: Barrier,
    results: "Queue[tuple[list[float], int]]",
) -> None:
    """One process: its clients ask until the time is over."""
    latencies: list[float] = []
    failed = [0]
    with Database(dsn, pool_size=_POOL) as database:
        queries = TimescaleQueries(database)
        for _ in range(30):
            ask(queries, feed, days, symbols, random.Random(seed))
        ready.wait()
        until = time.perf_counter() + seconds

        def client(number: int) -> None:
            chance = random.Random(1000 * seed + number)
            while (begun := time.perf_counter()) < until:
                try:
                    ask(queries, feed, days, symbols, chance)
                except MarketDataError:
                    failed[0] += 1
                latencies.append(time.perf_counter() - begun)

        threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    results.put((latencies, failed[0]))


def ask(queries: TimescaleQueries, feed: Feed, days: list[date], symbols: list[str], chance: random.Random) -> None:
    symbol, kind = chance.choice(symbols), chance.randrange(10)
    if kind < 7:
        day = chance.choice(days)
        queries.bars(feed, [symbol], "1m", ReadRange(start_date=day, end_date=day))
    elif kind < 9:
        queries.bars(feed, [symbol], "1h")
    else:
        queries.latest(feed, [symbol])


def run_pgbench(
    program: str, dsn: str, feed: Feed, days: list[date], symbols: list[str], clients: int, seconds: float
) -> float:
    """Transactions a second of the same statements."""
    one_day = ReadRange(start_date=days[0], end_date=days[0])
    with scripts(
        {
            7: packed_text(Which(feed, "1m", one_day.shape, True, True), "bars"),
            2: packed_text(Which(feed, "1h", ReadRange(), True, True), "bars"),
            1: packed_text(Which(feed, "1m", ReadRange(), True), "newest"),
        },
        feed,
        days,
        symbols,
    ) as files:
        place = urlsplit(dsn)
        command = [
            program, "-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", f"{seconds:.0f}",
            "-h", str(place.hostname), "-p", str(place.port or 5432), "-U", place.username or "postgres",
            *(part for weight, path in files for part in ("-f", f"{path}@{weight}")), place.path[1:],
        ]  # fmt: skip
        ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode:
        raise SystemExit(f"pgbench failed: {ended.stderr[:800]}")
    said = ended.stdout
    rate = float(re.search(r"tps = ([\d.]+)", said)[1])  # type: ignore[index]
    latency = float(re.search(r"latency average = ([\d.]+)", said)[1])  # type: ignore[index]
    print(f"  pgbench   {rate:7.0f} questions/s   mean {latency:5.1f} ms")
    return rate


@contextmanager
def scripts(
    texts: dict[int, str], feed: Feed, days: list[date], symbols: list[str]
) -> Iterator[list[tuple[int, Path]]]:
    """Each statement as a script of pgbench, which draws symbol and day; with its weight."""
    listed = "array[" + ", ".join(f"'{symbol}'" for symbol in symbols) + "]::text[]"
    dates = "array[" + ", ".join(f"'{day}'" for day in days) + "]::date[]"
    values = {
        "feed": f"'{feed.name}'::text",
        "symbols": f"array[({listed})[:symbol]]",
        "start_date": f"({dates})[:day]",
        "end_date": f"({dates})[:day]",
    }
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for weight, text in texts.items():
            for name, value in values.items():
                text = text.replace(f"%({name})s", value)
            statement = " ".join(re.sub(r"--[^\n]*", "", text).split())
            path = Path(folder) / f"{weight}.sql"
            path.write_text(
                f"\\set symbol random(1, {len(symbols)})\n\\set day random(1, {len(days)})\n{statement};\n", "utf-8"
            )
            found.append((weight, path))
        yield found


if __name__ == "__main__":
    main()
