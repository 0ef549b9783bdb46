"""How long reads of the SQL store take: a symbol's day, a year of daily bars, hours of many symbols, the latest bars.

    python benchmarks/store_reads.py [--server postgresql://…] [--symbols 500] [--sessions 20] [--questions 300]

Simulated minute bars are published as the graph does it, and a year of daily bars of a second feed. Each kind of
question is asked of other symbols and days at random, through `TimescaleQueries` as the product asks: prepared, decoded
into an Arrow table.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
from simulated_day import benchmark_feed, simulated_sessions
from store_databases import benchmark_database

from marketdata_pipelines.domain.bars import BAR_SCHEMA
from marketdata_pipelines.domain.feeds import Anchor, Feed, PartitionBy
from marketdata_pipelines.domain.intervals import parse_interval
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
from marketdata_pipelines.stores.timescale.read_bounds import ReadRange
from marketdata_pipelines.stores.timescale.reading import TimescaleQueries

_HORIZON_US = 2**51


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server")
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--questions", type=int, default=300)
    options = parser.parse_args()
    minutes = replace(benchmark_feed(options.symbols, Anchor.SESSION), name="shares_1m")
    daily = replace(minutes, name="shares_1d", interval=parse_interval("1d"), partition=PartitionBy.YEAR)
    with benchmark_database(options.server) as dsn, Database(dsn) as database:
        database.migrate()
        days, symbols = publish(database, minutes, daily, options.sessions)
        print(f"{database.engine.label}; {len(days)} sessions of {len(symbols)} symbols; milliseconds")
        ask(TimescaleQueries(database), minutes, daily, days, symbols, options.questions)


def publish(database: Database, minutes: Feed, daily: Feed, sessions: int) -> tuple[list[date], list[str]]:
    """Both feeds; the sessions of the minutes and their symbols."""
    store, days, symbols = TimescaleStore(database), [], set[str]()
    for key, bars in simulated_sessions(minutes, sessions):
        store.replace_partition(minutes, VALIDATED_BARS, key, bars, "bench", _HORIZON_US)
        days.append(date.fromisoformat(key))
        symbols |= set(bars["symbol"].combine_chunks().dictionary.to_pylist())
    store.compress(minutes, after_days=sessions // 4)
    year = pa.concat_tables([bars for _, bars in simulated_sessions(daily, 250, date(2023, 1, 3))])
    at = year.column_names.index("symbol")
    year = year.set_column(at, "symbol", year["symbol"].cast(pa.string()))
    year = year.sort_by([("symbol", "ascending"), ("ts", "ascending")]).cast(BAR_SCHEMA)
    store.replace_partition(daily, VALIDATED_BARS, "2023-01-01", year, "bench", _HORIZON_US)
    with database.connection("analyze", autocommit=True) as connection:
        connection.execute("analyze")
    return days, sorted(symbols)


def ask(
    queries: TimescaleQueries, minutes: Feed, daily: Feed, days: list[date], symbols: list[str], count: int
) -> None:
    chance = random.Random(1)
    year = ReadRange(start_date=date(2023, 1, 1), end_date=date(2023, 12, 31))

    def one_day() -> ReadRange:
        day = chance.choice(days)
        return ReadRange(start_date=day, end_date=day)

    def morning() -> ReadRange:
        begins = datetime.combine(chance.choice(days), datetime.min.time(), UTC) + timedelta(hours=14)
        return ReadRange(start_ts=begins, end_ts=begins + timedelta(hours=2))

    some = min(50, len(symbols))
    tell("symbol-day, 1m", count, lambda: queries.bars(minutes, [chance.choice(symbols)], "1m", one_day()))
    tell("two hours of a symbol, 1m", count, lambda: queries.bars(minutes, [chance.choice(symbols)], "1m", morning()))
    tell("symbol-day, 15m", count, lambda: queries.bars(minutes, [chance.choice(symbols)], "15m", one_day()))
    tell(f"{some} symbols, all days, 1h", count // 5, lambda: queries.bars(minutes, chance.sample(symbols, some), "1h"))
    tell("symbol-year, 1d", count, lambda: queries.bars(daily, [chance.choice(symbols)], "1d", year))
    tell(f"latest of {len(symbols)}", count // 5, lambda: queries.latest(minutes))
    tell("latest of one", count, lambda: queries.latest(minutes, [chance.choice(symbols)]))
    tell("a day of every symbol, 1m", max(count // 60, 3), lambda: queries.bars(minutes, None, "1m", one_day()))


def tell(name: str, count: int, question: Callable[[], pa.Table]) -> None:
    rows = [question().num_rows for _ in range(3)][-1]
    taken = []
    for _ in range(count):
        begun = time.perf_counter()
        question()
        taken.append(1000 * (time.perf_counter() - begun))
    cuts = statistics.quantiles(taken, n=100, method="inclusive")
    print(f"  {name:28s} p50 {cuts[49]:8.2f}   p99 {cuts[98]:8.2f}   most {max(taken):8.2f}   {rows:,} rows")


if __name__ == "__main__":
    main()
