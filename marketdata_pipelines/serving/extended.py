"""Coarser bars that include the extended hours: not stored, combined from the validated bars when asked for."""

from datetime import timedelta

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.bars import AGGREGATE_SCHEMA
from marketdata_pipelines.domain.intervals import INTRADAY, table_name
from marketdata_pipelines.domain.partitions import partition_span, period_of
from marketdata_pipelines.domain.session_grid import SessionGrid
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.pipeline.aggregate import aggregate_all_hours
from marketdata_pipelines.serving.rows import RowSource, TableRows
from marketdata_pipelines.stores.lake.lake import Lake


def combine_all_hours(lake: Lake, source: RowSource, timeframe: str, rows: TableRows) -> pa.Table:
    """Bars of a timeframe up to 1d over all hours of some partitions of validated bars.

    Shape:   AGGREGATE_SCHEMA with plain symbols, and `regular` (true). Buckets before the open, in the session and
             after the close are apart; the day is one bar.
    Errors:  SettingsInvalid for timeframes of several days.
    """
    if timeframe not in (*INTRADAY, "1d"):
        raise SettingsInvalid(f"{timeframe} bars hold the regular session only; ask for 1d or finer with session all")
    feed, horizons = source.feed, source.horizons()
    tables = [AGGREGATE_SCHEMA.empty_table()]
    for key, bars in rows.tables(lake, feed.name, VALIDATED_BARS):
        start, end = partition_span(key, period_of(feed.partition))
        grid = SessionGrid(feed, start - timedelta(days=4), end + timedelta(days=4))
        made = aggregate_all_hours(feed, grid, bars, horizons.get(key, 0))
        tables.append(made.daily if timeframe == "1d" else made.intraday[table_name(timeframe)])
    plain = [table.set_column(0, "symbol", table["symbol"].cast(pa.string())) for table in tables]
    whole = pa.concat_tables(plain)
    return whole.append_column("regular", pa.array(np.ones(whole.num_rows, bool)))
