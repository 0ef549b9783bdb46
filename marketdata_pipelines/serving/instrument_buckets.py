"""Buckets of several days by instrument: a reused symbol never joins two in one bucket, a renamed one stays whole."""

from collections.abc import Iterable
from datetime import date

import pyarrow as pa

from marketdata_pipelines.domain.buffers import instant_values
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.symbology import Resolver
from marketdata_pipelines.serving.symbols import KeyedRows, reused_between


def crossing_buckets(
    feed: Feed,
    resolver: Resolver,
    timeframe: str,
    symbols: Iterable[str] | None = None,
    start: date | None = None,
    end: date | None = None,
) -> list[tuple[date, date]]:
    """The 2d, 1w or 1M buckets in which some symbol's bearer changes, by first and last day (both included).

    Stored buckets are made by symbol: those listed here are to be made anew with `buckets_by_instrument`.
    Bounds: changes after `start` until `end`; all known symbols when none are given.
    """
    from marketdata_pipelines.domain.labels import bucket_days

    wanted = resolver.symbols if symbols is None else symbols
    changes = sorted({day for symbol in wanted for day in reused_between(resolver, symbol, start, end)})
    spans = ((day, bucket_days(feed, day, timeframe)) for day in changes)
    return sorted({span for day, span in spans if span[0] < day <= span[1]})


def buckets_by_instrument(feed: Feed, daily: pa.Table, resolver: Resolver, timeframe: str, horizon_us: int) -> pa.Table:
    """2d, 1w or 1M bars of 1d bars that cover their buckets whole, one a bucket and instrument.

    Shape:   `daily` has AGGREGATE_SCHEMA; returns the same columns and `instrument_id` (null where unresolved), sorted
             by (symbol, ts, instrument_id). The symbol is that of the instrument's last bar in the bucket; where a
             symbol passed on inside a bucket, both its bearers may have a row of that symbol and ts.
    Bounds:  unresolved rows of a symbol are a bucket of their own.
    Errors:  ReferenceConflict where reference data contradict each other on a session of `daily`.
    """
    from marketdata_pipelines.pipeline.aggregate import aggregate_days

    keyed = KeyedRows.of(daily, resolver)
    made = aggregate_days(feed, keyed.table, timeframe, horizon_us)
    return keyed.named(made, instant_values(keyed.table["last_ts"]), instant_values(made["last_ts"]))
