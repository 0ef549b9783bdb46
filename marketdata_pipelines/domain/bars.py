"""Arrow schemas of the tables that move between stages: raw rows, bars, aggregates, trades.

Schemas and their column groups only; computations live in the module that owns the verb.
"""

import pyarrow as pa

SYMBOL = pa.dictionary(pa.int32(), pa.string())
TS = pa.timestamp("us", tz="UTC")
TS_NS = pa.timestamp("ns", tz="UTC")

PRICES = ("open", "high", "low", "close")

# Rows as parsed, good and bad, with their place in the source. `rules` holds the `;`-separated ids of
# what the parser could not read; `original` the source text of rows known bad at ingest, else null.
RAW_BAR_SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("line", pa.int64()),
        ("symbol", pa.string()),
        ("ts", TS),
        ("open", pa.float64()),
        ("high", pa.float64()),
        ("low", pa.float64()),
        ("close", pa.float64()),
        ("volume", pa.float64()),
        ("vwap", pa.float64()),
        ("trade_count", pa.int64()),
        ("rules", pa.string()),
        ("original", pa.string()),
    ]
)

RAW_TRADE_SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("line", pa.int64()),
        ("symbol", pa.string()),
        ("ts", TS_NS),
        ("price", pa.float64()),
        ("size", pa.float64()),
        ("exchange", pa.string()),
        ("conditions", pa.string()),
        ("rules", pa.string()),
        ("original", pa.string()),
    ]
)

# One row a bar, sorted by (symbol, ts), unique. `ts` is the open, UTC; `ts_close` the instant the bar is
# complete. `regular` is false for extended hours. volume, vwap, trade_count: null = unknown.
BAR_SCHEMA = pa.schema(
    [
        ("symbol", SYMBOL),
        ("ts", TS),
        ("ts_close", TS),
        ("session_date", pa.date32()),
        ("open", pa.float64()),
        ("high", pa.float64()),
        ("low", pa.float64()),
        ("close", pa.float64()),
        ("volume", pa.float64()),
        ("vwap", pa.float64()),
        ("trade_count", pa.int64()),
        ("regular", pa.bool_()),
    ]
)

# notional = sum of price x volume, in quote currency; vwap = notional / volume (null at volume 0 or null).
AGGREGATE_SCHEMA = pa.schema(
    [
        ("symbol", SYMBOL),
        ("ts", TS),
        ("ts_close", TS),
        ("session_date", pa.date32()),
        ("open", pa.float64()),
        ("high", pa.float64()),
        ("low", pa.float64()),
        ("close", pa.float64()),
        ("volume", pa.float64()),
        ("notional", pa.float64()),
        ("vwap", pa.float64()),
        ("trade_count", pa.int64()),
        ("bar_count", pa.int64()),
        ("first_ts", TS),
        ("last_ts", TS),
        ("is_final", pa.bool_()),
    ]
)

REJECTED_SCHEMA = pa.schema(
    [
        ("file", pa.string()),
        ("line", pa.int64()),
        ("row", pa.int64()),
        ("symbol", pa.string()),
        ("ts", TS),
        ("rules", pa.string()),
        ("original", pa.string()),
        ("part", pa.string()),
    ]
)
