"""Partitions of an asset through the SQL store's IO manager, beside a bare COPY of the same bytes, and pandas.

    python benchmarks/io_manager.py [--server postgresql://…] [--symbols 500] [--sessions 20]

Each session of simulated minute bars is a partition of one asset, materialized in a run of its own: new, then with
every volume changed, then the same again. Timed is what the IO manager does, from the Arrow table it is handed to the
committed transaction, connecting included. Alternating with it, the bytes of the same rows, made beforehand, go by COPY
into an emptied table of the same columns and key. Then one run writes all sessions, a pandas frame is written,
pandas.to_sql appends a part of a session to a table of the same definition, and a partition is read back.
"""

import argparse
import logging
import resource
import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy
from dagster import (
    AssetIn,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    BackfillPolicy,
    BetaWarning,
    DagsterInstance,
    InputContext,
    Output,
    OutputContext,
    StaticPartitionsDefinition,
    asset,
    materialize,
)
from simulated_day import benchmark_feed, simulated_sessions
from store_databases import benchmark_database

from marketdata_pipelines.domain.feeds import Anchor
from marketdata_pipelines.orchestration.assets.ranges import PARTITION_TAG, RANGE_END_TAG, RANGE_START_TAG
from marketdata_pipelines.orchestration.io_managers.timescale import TimescaleIOManager
from marketdata_pipelines.stores.timescale.copying import encode
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines_tests.store_databases import command

_KEY = ["research", "bars"]
_PANDAS_ROWS = 5_000
_RANGE = (RANGE_START_TAG, RANGE_END_TAG)
Frames = Mapping[str, Any]


class TimedIOManager(TimescaleIOManager):
    """Notes how long each output and input took."""

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        """As it is, timed."""
        begun = time.perf_counter()
        super().handle_output(context, obj)
        _SECONDS.append(time.perf_counter() - begun)

    def load_input(self, context: InputContext) -> Any:
        """As it is, timed."""
        begun = time.perf_counter()
        found = super().load_input(context)
        _SECONDS.append(time.perf_counter() - begun)
        return found


# What TimedIOManager noted: Dagster makes an object of its own for every run.
_SECONDS: list[float] = []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server")
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--sessions", type=int, default=20)
    options = parser.parse_args()
    # Several partitions in a run are marked beta; what Dagster tells of each step is not what is asked here.
    warnings.simplefilter("ignore", BetaWarning)
    logging.disable(logging.INFO)
    feed = benchmark_feed(options.symbols, Anchor.SESSION)
    sessions = dict(simulated_sessions(feed, options.sessions))
    changed = {key: with_other_volumes(bars) for key, bars in sessions.items()}
    print(f"memory of this process with the bars {memory_mb():.0f} MB")
    with benchmark_database(options.server) as dsn, DagsterInstance.ephemeral() as instance:
        with Database(dsn) as database:
            database.migrate()
            rows = sum(bars.num_rows for bars in sessions.values())
            print(f"{database.engine.label}; {rows:,} rows, {options.sessions} sessions of {options.symbols} symbols")
        measure(dsn, Runs(dsn, instance, list(sessions)), sessions, changed)
    print(f"peak memory of this process {memory_mb():.0f} MB")


class Runs:
    """Runs that write or read partitions of one asset, in this process."""

    def __init__(self, dsn: str, instance: DagsterInstance, keys: list[str]) -> None:
        self._manager, self._instance = TimedIOManager(dsn=dsn), instance
        self._partitions = StaticPartitionsDefinition(keys)

    def write(self, frames: Frames, *keys: str) -> float:
        """Write some partitions in one run; the seconds the IO manager took."""

        @asset(key=_KEY, partitions_def=self._partitions, backfill_policy=BackfillPolicy.single_run())
        def bars() -> Output[Any]:
            return Output(frames[keys[0]] if len(keys) == 1 else ((key, frames[key]) for key in keys))

        return self._run(bars, keys)

    def read(self, key: str) -> float:
        """Read one partition; the seconds."""

        @asset(ins={"rows": AssetIn(AssetKey(_KEY))}, partitions_def=self._partitions)
        def reader(rows: pa.Table) -> None:
            assert rows.num_rows

        return self._run(reader, [key])

    def _run(self, work: AssetsDefinition, keys: Sequence[str]) -> float:
        ends = (keys[0], keys[-1])
        tags = {PARTITION_TAG: ends[0]} if len(keys) == 1 else dict(zip(_RANGE, ends, strict=True))
        there = [] if AssetKey(_KEY) in work.keys else [AssetSpec(_KEY, partitions_def=self._partitions)]
        materialize([work, *there], resources={"io_manager": self._manager}, instance=self._instance, tags=tags)
        return _SECONDS[-1]


def measure(dsn: str, runs: Runs, sessions: Mapping[str, pa.Table], changed: Mapping[str, pa.Table]) -> None:
    first, *_, last = sessions
    # The table itself, whose definition the bare ones take.
    runs.write(sessions, first)
    command(
        dsn,
        "create schema bare",
        "create table bare.bars (like research.bars including all)",
        "create table bare.frame (like research.bars including all)",
        "drop table research.bars, research.bars__partitions",
    )
    seconds: dict[str, list[float]] = {"COPY": [], "new": [], "replaced": [], "unchanged": [], "to_sql": []}
    for key in sessions:
        seconds["to_sql"].append(by_pandas(dsn, key, sessions[key]))
        seconds["COPY"].append(copied(dsn, key, sessions[key]))
        seconds["new"].append(runs.write(sessions, key))
        seconds["COPY"].append(copied(dsn, key, changed[key]))
        seconds["replaced"].append(runs.write(changed, key))
        seconds["unchanged"].append(runs.write(changed, key))
    rows = sum(bars.num_rows for bars in sessions.values())
    bare, replaced = 2 * rows / sum(seconds["COPY"]), rows / sum(seconds["replaced"])
    print(f"  bare COPY            {bare / 1e3:6.0f}K rows/s")
    for name in ("new", "replaced", "unchanged"):
        print(
            f"  {name:20s} {rows / sum(seconds[name]) / 1e3:6.0f}K rows/s, {rows / sum(seconds[name]) / bare:.2f} of it"
        )
    whole = runs.write(sessions, *sessions)
    print(f"  all in one run       {rows / whole / 1e3:6.0f}K rows/s, {rows / whole / bare:.2f} of it")
    frames = {last: changed[last].to_pandas()}
    taken = runs.write(frames, last)
    print(f"  from a pandas frame  {len(frames[last]) / taken / 1e3:6.0f}K rows/s")
    frame_rate = len(sessions) * _PANDAS_ROWS / sum(seconds["to_sql"])
    print(
        f"  pandas.to_sql        {frame_rate / 1e3:6.1f}K rows/s: a replacement is {replaced / frame_rate:.0f} times it"
    )
    taken = min(runs.read(last) for _ in range(3))
    print(f"  a partition read     {changed[last].num_rows / taken / 1e3:6.0f}K rows/s")
    tell_size(dsn, rows)


def with_other_volumes(bars: pa.Table) -> pa.Table:
    at = bars.column_names.index("volume")
    return bars.set_column(at, bars.schema.field("volume"), pc.add(bars["volume"], 1.0))


def copied(dsn: str, key: str, bars: pa.Table) -> float:
    """Seconds of a COPY of ready-made bytes into the emptied table, and its commit."""
    alike = pa.DictionaryArray.from_arrays(np.zeros(bars.num_rows, np.int32), pa.array([key]))
    stream = list(encode(bars.add_column(0, "partition", alike)))
    with psycopg.connect(dsn) as connection:
        connection.execute("truncate bare.bars")
        connection.commit()
        begun = time.perf_counter()
        with connection.cursor() as cursor, cursor.copy("copy bare.bars from stdin (format binary)") as copy:
            for piece in stream:
                copy.write(piece)
        connection.commit()
        return time.perf_counter() - begun


def by_pandas(dsn: str, key: str, bars: pa.Table) -> float:
    """Seconds in which pandas.to_sql appends some rows to a table of the same columns and key."""
    engine = sqlalchemy.create_engine(sqlalchemy.make_url(dsn).set(drivername="postgresql+psycopg"))
    frame = bars.slice(0, _PANDAS_ROWS).to_pandas().assign(partition=key)
    frame["symbol"] = frame["symbol"].astype(str)
    begun = time.perf_counter()
    frame.to_sql("frame", engine, schema="bare", if_exists="append", index=False)
    taken = time.perf_counter() - begun
    engine.dispose()
    return taken


def tell_size(dsn: str, rows: int) -> None:
    with psycopg.connect(dsn) as connection:
        found = connection.execute(
            "select count(*), sum(pg_total_relation_size(inhrelid)) from pg_inherits"
            " where inhparent = 'research.bars'::regclass"
        ).fetchone()
    assert found is not None
    print(f"  {found[0]} leaves, {float(found[1]) / rows:.0f} bytes a row with the key")


def memory_mb() -> float:
    """The most this process has taken."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
