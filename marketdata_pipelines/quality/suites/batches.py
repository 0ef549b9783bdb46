"""The rows a suite is run on, with the helper columns its conditions read: the row before, hours, ticks, the sample.

A batch is SQL over registered Arrow tables, or over exact Parquet paths the caller gives as SQL; nothing runs here.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.bars import TS
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import int_values
from marketdata_pipelines.domain.intervals import MINUTE_US
from marketdata_pipelines.domain.session_grid import feed_grid
from marketdata_pipelines.quality.suites import conditions as c
from marketdata_pipelines.quality.suites.columns import duckdb_columns, duckdb_type
from marketdata_pipelines.quality.suites.hours import session_hours, usual_pauses
from marketdata_pipelines.quality.suites.records import Batch, TableSuite

ROWS, HOURS, TICKS, SAMPLE = "suite_rows", "suite_hours", "suite_ticks", "suite_sample"


@dataclass(frozen=True, slots=True)
class BarFacts:
    """What is known of a partition of validated bars beside its rows.

    `known_at_us`: when its newest ingest became known, UTC microseconds. `first` .. `last`: its session dates.
    `ticks`: tick sizes by symbol, in quote currency.
    """

    known_at_us: int
    first: date
    last: date
    ticks: Mapping[str, float] = field(default_factory=dict)


def table_batch(suite: TableSuite, rows: pa.Table, rows_expected: int) -> Batch:
    """The batch of any table but validated bars; `rows_expected`: as many as were written."""
    types = dict(duckdb_columns(rows.schema))
    return Batch({ROWS: rows}, _with_previous(suite, types), f"select * from {ROWS}", rows_expected, types)


def validated_batch(suite: TableSuite, feed: Feed, rows: pa.Table, rows_expected: int, facts: BarFacts) -> Batch:
    """The batch of a partition of validated bars: BAR_SCHEMA, or what there is of it."""
    types = dict(duckdb_columns(rows.schema))
    relations: dict[str, pa.Table] = {ROWS: rows}
    columns, joins = ["r.*", f"{facts.known_at_us}::bigint as {c.KNOWN_AT}"], []
    if {"session_date", "ts"} <= set(types):
        relations[HOURS] = session_hours(feed, facts.first, facts.last)
        columns += ["h.* exclude (session_date)", f"{_segment_open(usual_pauses(feed))} as segment_open"]
        joins.append(f"left join {HOURS} h on r.session_date = h.session_date")
    plain = f"select * from {ROWS}"
    if _needs_clock(feed) and types.get("ts") == duckdb_type(TS):
        relations[ROWS] = rows.append_column(c.ON_LOCAL_CLOCK, _on_local_clock(feed, rows, facts))
        plain = f"select * exclude ({c.ON_LOCAL_CLOCK}) from {ROWS}"
    if any(rule.sampled for rule in suite.rules):
        relations[SAMPLE] = _sample(rows, feed.quality.sample or 1.0)
        columns.append(f"r.symbol is null or s.symbol is not null as {c.SAMPLED}")
        joins.append(f"left join {SAMPLE} s on r.symbol = s.symbol")
    if any(rule.rule.id == "tick_size" for rule in suite.rules):
        relations[TICKS] = pa.table(
            {"symbol": pa.array(facts.ticks.keys(), pa.string()), c.TICK: pa.array(facts.ticks.values(), pa.float64())}
        )
        columns.append(f"t.{c.TICK}")
        joins.append(f"left join {TICKS} t on r.symbol = t.symbol")
    # The row before is taken before the joins, which need not keep the order.
    sql = f"select {', '.join(columns)} from ({_with_previous(suite, types)}) r {' '.join(joins)}"
    return Batch(relations, sql, plain, rows_expected, types)


def is_sampled(symbol: str, share: float) -> bool:
    """Whether a symbol is in the sample of that share; the same everywhere, and a larger share holds a smaller one."""
    digest = hashlib.sha256(symbol.encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def _with_previous(suite: TableSuite, types: Mapping[str, str]) -> str:
    """The rows, each with the keys of the one before it and whether it is the first.

    The row before is the one before it in the table, which DuckDB streams.
    """
    columns = ["*"]
    if suite.keys and set(suite.keys) <= set(types):
        columns += [f"lag({key}) over () as {c.previous(key)}" for key in suite.keys]
        columns.append(f"lag(false, 1, true) over () as {c.FIRST}")
    return f"select {', '.join(columns)} from {ROWS}"


def _segment_open(pauses: int) -> str:
    """When the trading segment of a bar begins: a bar in a pause overlaps what comes after it."""
    cases = [f"when ts >= pause_{pause}_from then pause_{pause}_end" for pause in range(pauses, 0, -1)]
    return f"case {' '.join(cases)} else session_open end" if cases else "session_open"


def _needs_clock(feed: Feed) -> bool:
    return feed.interval.is_intraday and feed.interval.us > MINUTE_US


def _on_local_clock(feed: Feed, rows: pa.Table, facts: BarFacts) -> pa.Array:
    """Whether each bar starts on the feed's interval by the exchange's clock; a missing time does not."""
    ts = int_values(rows["ts"], 0)
    on_clock = feed_grid(feed, facts.first, facts.last).local_clock(ts) % feed.interval.us == 0
    return pa.array(on_clock & rows["ts"].is_valid().to_numpy())


def _sample(rows: pa.Table, share: float) -> pa.Table:
    symbols = pc.unique(rows["symbol"].cast(pa.string())).drop_null().to_pylist()
    return pa.table({"symbol": pa.array([name for name in symbols if is_sampled(name, share)], pa.string())})


def joined(batches: Sequence[Batch]) -> Batch:
    """Several batches of one table as one; the row before stays that of its own batch, and so do hours and known_at."""
    relations: dict[str, pa.Table] = {}
    numbered = [_numbered(batch, at, relations) for at, batch in enumerate(batches)]
    sql, plain = (" union all ".join(f"({each[part]})" for each in numbered) for part in (0, 1))
    return Batch(relations, sql, plain, sum(batch.rows_expected for batch in batches), batches[0].types)


def _numbered(batch: Batch, number: int, relations: dict[str, pa.Table]) -> tuple[str, str]:
    """A batch's statements over relations of its own names, which are added to `relations`."""
    sql, plain = batch.sql, batch.plain_sql
    for name, table in batch.relations.items():
        own = f"{name}_{number}"
        relations[own] = table
        sql, plain = (re.sub(rf"\b{name}\b", own, text) for text in (sql, plain))
    return sql, plain
