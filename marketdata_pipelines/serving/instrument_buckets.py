"""Buckets of several days by instrument: a reused symbol never joins two in one bucket, a renamed one stays whole."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.aliases import day_date
from marketdata_pipelines.domain.buffers import chosen_texts, codes_of, day_values, instant_values, integers
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.symbology import Codes, Ints, Resolver
from marketdata_pipelines.errors import ReferenceConflict
from marketdata_pipelines.serving.symbols import INSTRUMENT_ID, reused_between, sorted_rows, symbol_like


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

    keyed = _KeyedRows.of(daily, resolver)
    made = aggregate_days(feed, keyed.table, timeframe, horizon_us)
    return keyed.named(made)


@dataclass(frozen=True, slots=True)
class _KeyedRows:
    """Rows sorted by (instrument, ts) whose symbol is the number of their instrument, as text in its order."""

    table: pa.Table
    key: Ints
    symbol: Codes
    symbols: list[str]
    instrument: Codes
    ids: list[str]
    kind: pa.DataType

    @classmethod
    def of(cls, bars: pa.Table, resolver: Resolver) -> "_KeyedRows":
        """1d bars in any order."""
        codes, symbols = codes_of(bars["symbol"])
        days = day_values(bars["session_date"])
        resolved = resolver.resolve(codes, symbols, days)
        _, key = np.unique(resolved.groups, return_inverse=True)
        ts = instant_values(bars["ts"])
        order = np.lexsort((ts, key))
        key, ts, days, codes = key[order].astype(np.int64), ts[order], days[order], codes[order]
        _check_single(key, ts, days, codes, symbols)
        position = bars.schema.get_field_index("symbol")
        names = [f"{number:09d}" for number in range(int(key[-1]) + 1 if len(key) else 0)]
        in_order = bars if (np.diff(order) == 1).all() else bars.take(integers(order))
        table = in_order.set_column(position, "symbol", chosen_texts(key.astype(np.int32), names))
        kind = bars.schema.field("symbol").type
        return cls(table, key, codes, symbols, resolved.codes[order], resolved.ids, kind)

    def named(self, made: pa.Table) -> pa.Table:
        """Buckets of these rows with the symbol and the instrument of the last row in each."""
        own, last = instant_values(self.table["last_ts"]), instant_values(made["last_ts"])
        instants = np.unique(own)
        codes, names = codes_of(made["symbol"])
        keys = np.array([int(name) for name in names], np.int64)[codes] if names else np.zeros(0, np.int64)
        # (key, last_ts) as one number: increasing over these rows, and every bucket's is one of theirs.
        placed = self.key * len(instants) + np.searchsorted(instants, own)
        at = np.searchsorted(placed, keys * len(instants) + np.searchsorted(instants, last))
        position = made.schema.get_field_index("symbol")
        whole = made.set_column(position, "symbol", symbol_like(self.symbol[at], self.symbols, self.kind))
        whole = whole.append_column(INSTRUMENT_ID, symbol_like(self.instrument[at], self.ids, self.kind))
        return sorted_rows(whole, "symbol", "ts", INSTRUMENT_ID)


def _check_single(key: Ints, ts: Ints, days: Ints, codes: Codes, symbols: list[str]) -> None:
    twice = np.flatnonzero((key[1:] == key[:-1]) & (ts[1:] == ts[:-1]))
    if len(twice):
        at = int(twice[0])
        names = " and ".join(sorted({symbols[codes[at]], symbols[codes[at + 1]]}))
        raise ReferenceConflict(
            f"one instrument has bars under {names} on {day_date(int(days[at]))}; "
            "end one of the aliases in the reference data, or ask for other dates"
        )
