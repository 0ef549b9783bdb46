"""The whole quality layer over five million bars, beside what it is measured against.

    python benchmarks/quality_five_million.py [--symbols 1000] [--rows 5000000] [--runs 3]

Simulated New York minutes lie in a lake as stored day partitions. Each engine is a process of its own, reads them
partition by partition, and says rows a second and peak memory; imports and compilation are not counted.

    level    the standard level in the walk, whose bars are in memory: profiles, suspects, shifts, judging, scores
    suite    its Great Expectations suite over the stored partitions, and their Data Docs
    duckdb   the suite's rules in plain SQL of DuckDB, as `quality.sql_runner` runs them
    pandas   Great Expectations over its own pandas source, with its own expectations for the same rules
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
from simulated_day import benchmark_feed, simulated_sessions

from marketdata_pipelines.domain.feeds import Anchor
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite

_KNOWN_AT_US = 2**51
_MOST_SESSIONS = 250
_ENGINES = ("level", "suite", "duckdb", "pandas")
_AIMS = "aims: 3M rows/s, at most 600 MB, at least 3 times pandas, its suite at most 1.5 times plain DuckDB"


def prepare(folder: Path, symbols: int, rows: int) -> list[str]:
    """Store simulated sessions until there are as many rows; the partitions' keys."""
    feed, lake = benchmark_feed(symbols, Anchor.SESSION), Lake(folder)
    keys: list[str] = []
    for key, bars in simulated_sessions(feed, _MOST_SESSIONS):
        if rows <= 0:
            break
        keys.append(key)
        lake.store(feed.name, [TableWrite(VALIDATED_BARS, key, bars, "bench")], {})
        rows -= bars.num_rows
    return keys


class Stages:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        self.seconds[name] += time.perf_counter() - begun


def run_level(folder: Path, symbols: int, keys: list[str], stages: Stages, _docs: Path) -> int:
    """What a walk does with each partition's bars, which it has in memory, and the judging after it."""
    feed, lake, total = benchmark_feed(symbols, Anchor.SESSION), Lake(folder), 0
    level = _Level(feed, stages)
    for key in keys:
        bars = lake.read(VALIDATED_BARS, feed.name, key)
        level.judge(date.fromisoformat(key), bars)
        total += bars.num_rows
    return total


def run_suite(folder: Path, symbols: int, keys: list[str], stages: Stages, docs: Path) -> int:
    """What the quality report does with each stored partition: read, validate, record, and build the site."""
    from marketdata_pipelines.pipeline.quality.validation_groups import ROWS_TOGETHER
    from marketdata_pipelines.quality.gx.docs import DocsSite
    from marketdata_pipelines.quality.gx.together import run_together

    lake, site = Lake(folder), DocsSite(docs, "bench")
    suite, make = _batches(symbols)
    waiting: dict[str, Any] = {}
    total = 0
    for key in keys:
        with stages.of("read"):
            bars = lake.read(VALIDATED_BARS, "bench", key)
        waiting[key] = make(key, bars)
        total += bars.num_rows
        held = sum(batch.rows_expected for batch in waiting.values())
        if held + bars.num_rows <= ROWS_TOGETHER and key != keys[-1]:
            continue
        with stages.of("suite"):
            outcomes = run_together(suite, waiting)
        with stages.of("docs"):
            for each, outcome in outcomes.items():
                assert outcome.passed, outcome.blocked
                site.record(each[:7], each, outcome, _KNOWN_AT_US)
        waiting.clear()
    with stages.of("docs"):
        for month in sorted({key[:7] for key in keys}):
            site.build(month)
    return total


class _Level:
    """What the walk and the judging do beside the suite, session after session."""

    def __init__(self, feed: Any, stages: Stages) -> None:
        from marketdata_pipelines.domain.quality.records import PROFILE_SCHEMA
        from marketdata_pipelines.domain.quality.settings import active_rules

        self._feed, self._stages, self._rules = feed, stages, active_rules(feed.quality)
        self._history: list[pa.Table] = [PROFILE_SCHEMA.empty_table()]

    def judge(self, day: date, bars: pa.Table) -> None:
        import numpy as np

        from marketdata_pipelines.domain.quality.judging import judge
        from marketdata_pipelines.domain.quality.profiles import profile_bars
        from marketdata_pipelines.domain.quality.scoring import score
        from marketdata_pipelines.domain.quality.shifts import shifted_sessions
        from marketdata_pipelines.domain.quality.suspects import suspicious_bars
        from marketdata_pipelines.domain.session_grid import feed_calendar, feed_grid

        sessions = feed_calendar(self._feed).sessions(day, day)
        grid, raw = feed_grid(self._feed, day, day), _as_raw(bars)
        with self._stages.of("profiles"):
            profiles = profile_bars(self._feed, bars, sessions, _KNOWN_AT_US)
            suspects = suspicious_bars(self._feed, bars, profiles)
            shifts = shifted_sessions(self._feed, grid, sessions, raw, np.zeros(raw.num_rows, np.int64))
        with self._stages.of("judging"):
            history = pa.concat_tables(self._history)
            suspects = pa.concat_tables([suspects, shifts]) if shifts.num_rows else suspects
            findings = judge(self._feed, self._rules, profiles, suspects, history)
            score(self._rules, profiles, findings, history, False)
        self._history = [*self._history, profiles][-20:]


def _as_raw(bars: pa.Table) -> pa.Table:
    """Bars as the raw rows they were made of, which a walk has in memory beside them."""
    import numpy as np

    from marketdata_pipelines.domain.bars import RAW_BAR_SCHEMA

    count = bars.num_rows
    columns = {name: bars[name] for name in RAW_BAR_SCHEMA.names if name in bars.column_names}
    columns |= {name: pa.array(np.arange(1, count + 1)) for name in ("row", "line")}
    columns |= {name: pa.nulls(count, pa.string()) for name in ("rules", "original")}
    columns["symbol"] = columns["symbol"].cast(pa.string())
    return pa.table({name: columns[name] for name in RAW_BAR_SCHEMA.names})


def _batches(symbols: int) -> tuple[Any, Callable[[str, pa.Table], Any]]:
    """The suite of the benchmark's bars, and how a batch of one partition is made."""
    from marketdata_pipelines.quality.suites.bar_suites import validated_suite
    from marketdata_pipelines.quality.suites.batches import BarFacts, validated_batch

    feed = benchmark_feed(symbols, Anchor.SESSION)
    suite = validated_suite(feed)

    def make(key: str, bars: pa.Table) -> Any:
        day = date.fromisoformat(key)
        return validated_batch(suite, feed, bars, bars.num_rows, BarFacts(_KNOWN_AT_US, day, day))

    return suite, make


def run_duckdb(folder: Path, symbols: int, keys: list[str], stages: Stages, _docs: Path) -> int:
    """The suite's conditions in one SELECT a partition."""
    from marketdata_pipelines.quality.sql_runner import run_suite_sql

    lake, total = Lake(folder), 0
    suite, make = _batches(symbols)
    for key in keys:
        with stages.of("read"):
            bars = lake.read(VALIDATED_BARS, "bench", key)
        with stages.of("suite"):
            assert run_suite_sql(suite, make(key, bars)).passed
        total += bars.num_rows
    return total


def run_pandas(folder: Path, _symbols: int, keys: list[str], stages: Stages, _docs: Path) -> int:
    """Great Expectations over frames of pandas, as its guides have it."""
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    bars_off: Any = {"globally": False}
    context.variables.progress_bars = bars_off
    asset = context.data_sources.add_pandas("bench").add_dataframe_asset("bars")
    definition = asset.add_batch_definition_whole_dataframe("whole")
    suite = context.suites.add(gx.ExpectationSuite(name="bars", expectations=_native(gx.expectations)))
    lake, total = Lake(folder), 0
    for key in keys:
        with stages.of("read"):
            frame = lake.read(VALIDATED_BARS, "bench", key).to_pandas()
        with stages.of("suite"):
            result = definition.get_batch({"dataframe": frame}).validate(suite)
        assert result.success, result
        total += len(frame)
    return total


def _native(e: Any) -> list[Any]:
    """Its own expectations for the suite's rules, as far as it has any."""
    pairs = [
        ("high", "low"),
        ("high", "open"),
        ("high", "close"),
        ("open", "low"),
        ("close", "low"),
        ("ts_close", "ts"),
    ]
    prices = ("open", "high", "low", "close")
    return [
        e.ExpectTableRowCountToBeBetween(min_value=1),
        *[e.ExpectColumnValuesToNotBeNull(column=name) for name in ("symbol", "ts", "session_date", *prices)],
        *[e.ExpectColumnValuesToBeBetween(column=name, min_value=0, strict_min=True) for name in prices],
        *[e.ExpectColumnValuesToBeBetween(column=name, min_value=0) for name in ("volume", "trade_count")],
        *[e.ExpectColumnPairValuesAToBeGreaterThanB(column_A=a, column_B=b, or_equal=True) for a, b in pairs],
        e.ExpectCompoundColumnsToBeUnique(column_list=["symbol", "ts"]),
    ]


def run_one(engine: str, folder: Path, symbols: int, keys: list[str]) -> None:
    """Run one engine in this process, once over one partition to load what it needs, then over all."""
    from marketdata_pipelines.quality.gx.loading import load_great_expectations

    if engine in ("suite", "pandas"):
        load_great_expectations()
    run = {"level": run_level, "suite": run_suite, "duckdb": run_duckdb, "pandas": run_pandas}[engine]
    with tempfile.TemporaryDirectory() as docs:
        run(folder, symbols, keys[:1], Stages(), Path(docs) / "warm")
        stages = Stages()
        rows = run(folder, symbols, keys, stages, Path(docs) / "site")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"rows": rows, "peak_mb": peak_mb, "stages": stages.seconds}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--engine", choices=_ENGINES, help=argparse.SUPPRESS)
    parser.add_argument("--lake", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--keys", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.engine:
        run_one(asked.engine, asked.lake, asked.symbols, asked.keys.split(","))
        return
    with tempfile.TemporaryDirectory() as folder:
        keys = prepare(Path(folder), asked.symbols, asked.rows)
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for _ in range(asked.runs):
            for engine in _ENGINES:
                command = [sys.executable, __file__, "--engine", engine, "--lake", folder, "--keys", ",".join(keys)]
                done = subprocess.run([*command, "--symbols", str(asked.symbols)], stdout=subprocess.PIPE, check=True)
                found[engine].append(json.loads(done.stdout.splitlines()[-1]))
    _print(found)


def _print(found: dict[str, list[dict[str, Any]]]) -> None:
    stages = {
        engine: {name: statistics.median(each["stages"][name] for each in runs) for name in runs[0]["stages"]}
        for engine, runs in found.items()
    }
    seconds = {engine: sum(each.values()) for engine, each in stages.items()}
    peaks = {engine: max(each["peak_mb"] for each in runs) for engine, runs in found.items()}
    rows = found["level"][0]["rows"]
    for engine, each in stages.items():
        told = ", ".join(f"{name} {value:.2f}" for name, value in each.items())
        speed = rows / seconds[engine] / 1e6
        print(f"{engine:6s} {rows:,} rows in {seconds[engine]:.2f} s = {speed:.2f}M rows/s, "
              f"peak {peaks[engine]:.0f} MB  ({told})")  # fmt: skip
    whole = seconds["level"] + seconds["suite"]
    print(f"the whole standard level: {whole:.2f} s = {rows / whole / 1e6:.2f}M rows/s, "
          f"peak {max(peaks['level'], peaks['suite']):.0f} MB")  # fmt: skip
    ours, plain, pandas = (stages[engine] for engine in ("suite", "duckdb", "pandas"))
    print(f"our suite: {ours['suite'] / plain['suite']:.2f} times plain DuckDB's time, with reading "
          f"{(ours['suite'] + ours['read']) / seconds['duckdb']:.2f} times")  # fmt: skip
    print(f"pandas source: {pandas['suite'] / ours['suite']:.1f} times our suite's time, with reading and Data Docs "
          f"{seconds['pandas'] / seconds['suite']:.1f} times")  # fmt: skip
    print(_AIMS)


if __name__ == "__main__":
    main()
