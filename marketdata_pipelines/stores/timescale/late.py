"""Late rows: bars that come after their partition was published, merged with what is stored of their symbols."""

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.bars import BAR_SCHEMA
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import int_values, symbol_codes
from marketdata_pipelines.domain.partitions import partition_key, period_of
from marketdata_pipelines.errors import SchemaMismatch
from marketdata_pipelines.stores.timescale.locks import Connection
from marketdata_pipelines.stores.timescale.rollups import Window
from marketdata_pipelines.stores.timescale.stored_bars import read_bars


def partition_bars(feed: Feed, bars: pa.Table) -> dict[str, pa.Table]:
    """The rows of each base partition, sorted by (symbol, ts); of several of one (symbol, ts) the last.

    Errors: SchemaMismatch.
    """
    missing = [name for name in BAR_SCHEMA.names if name not in bars.column_names]
    if missing:
        raise SchemaMismatch(f"late bars of {feed.name} lack {', '.join(missing)}; give every column of the lake")
    bars = bars.select(BAR_SCHEMA.names)
    period = period_of(feed.partition)
    days = pc.unique(bars["session_date"]).to_pylist()
    by_partition: dict[str, list[date]] = {}
    for day in sorted(days):
        by_partition.setdefault(partition_key(day, period), []).append(day)
    found = {}
    for partition, members in by_partition.items():
        inside = pc.is_in(bars["session_date"], value_set=pa.array(members, pa.date32()))
        found[partition] = last_of_each(bars.filter(inside))
    return found


def merged_bars(connection: Connection, feed: Feed, window: Window, late: pa.Table) -> pa.Table:
    """What the symbols of `late` have stored in the window with the late rows in place of those of their instants."""
    symbols = pc.unique(late["symbol"].cast(pa.string())).to_pylist()
    there = read_bars(connection, feed.name, window, symbols)
    days = there["st"].cast(pa.date32())
    stored = there.drop_columns(["st"]).append_column("session_date", days).append_column("ts_close", there["ts"])
    rows = pa.concat_tables([stored.select(BAR_SCHEMA.names).cast(_PLAIN), late.cast(_PLAIN)])
    return last_of_each(rows)


def last_of_each(bars: pa.Table) -> pa.Table:
    """Rows sorted by (symbol, ts), of several of one (symbol, ts) the last given."""
    bars = bars.combine_chunks()
    codes, ts = symbol_codes(bars["symbol"])[0], int_values(bars["ts"])
    order = np.lexsort((ts, codes))
    codes, ts = codes[order], ts[order]
    last = np.append((codes[1:] != codes[:-1]) | (ts[1:] != ts[:-1]), True)[: len(order)]
    return bars.take(pa.array(order[last]))


_PLAIN = pa.schema([pa.field("symbol", pa.string()), *(field for field in BAR_SCHEMA if field.name != "symbol")])
