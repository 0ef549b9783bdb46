"""The columns of each asset's tables, with unit, clock and key, as Dagster shows them on the asset's page."""

from collections.abc import Mapping

from dagster import TableColumn, TableColumnConstraints, TableConstraints, TableSchema

from marketdata_pipelines.domain import tables as t
from marketdata_pipelines.domain.quality.records import Dimension

_TIME, _DATE, _TEXT, _FLOAT, _INT, _BOOL = "timestamp", "date", "string", "float64", "int64", "bool"
# name -> (type, what it means). A type that ends in `?` may be null.
_Columns = dict[str, tuple[str, str]]

_KEY: _Columns = {
    "symbol": (_TEXT, "The source's name of what is traded, as of its date."),
    "ts": (_TIME, "Open of the bar, UTC. From 1d on the label: midnight UTC of the session date."),
}
_CLOCK: _Columns = {
    "ts_close": (_TIME, "The instant the bar is complete, UTC. Join on it for what could be known."),
    "session_date": (_DATE, "The trading day the bar belongs to, local to the exchange."),
}
_PRICES: _Columns = {
    "open": (_FLOAT, "First price of the bar, in quote currency, as traded."),
    "high": (_FLOAT, "Highest price, in quote currency."),
    "low": (_FLOAT, "Lowest price, in quote currency."),
    "close": (_FLOAT, "Last price, in quote currency."),
}
_VOLUME: _Columns = {"volume": (f"{_FLOAT}?", "Traded volume in the feed's unit; 0 = none, null = unknown.")}
_VWAP: _Columns = {"vwap": (f"{_FLOAT}?", "Average price weighted by volume; null where volume is 0 or unknown.")}
_TRADES: _Columns = {"trade_count": (f"{_INT}?", "Number of trades; null = unknown.")}
_NOTIONAL: _Columns = {"notional": (f"{_FLOAT}?", "Sum of price x volume, in quote currency.")}
_FINAL: _Columns = {"is_final": (_BOOL, "False while the bucket reaches beyond what its sources can know.")}
_PLACE: _Columns = {
    "row": (f"{_INT}?", "Data row of the source file, from 1; null where a rule is about the whole file."),
    "line": (f"{_INT}?", "Line of the source file, from 1."),
}
_VERDICT: _Columns = {
    "rules": (f"{_TEXT}?", "Ids of the rules the row breaks, `;`-separated (domain/rules.py)."),
    "original": (f"{_TEXT}?", "The row's text as the source had it, where it is known to be bad."),
}

_BARS: _Columns = _KEY | _CLOCK | _PRICES | _VOLUME | _VWAP | _TRADES | {
    "regular": (_BOOL, "False for bars of the extended hours."),
}  # fmt: skip
_AGGREGATES: _Columns = _KEY | _CLOCK | _PRICES | _VOLUME | _NOTIONAL | _VWAP | _TRADES | {
    "bar_count": (_INT, "How many of the feed's bars it is made of."),
    "first_ts": (_TIME, "Open of the first of these bars, UTC."),
    "last_ts": (_TIME, "Open of the last of these bars, UTC."),
} | _FINAL  # fmt: skip
_SUMMARY: _Columns = {"symbol": _KEY["symbol"], "bucket": (_TIME, "Midnight UTC of the session date.")} | _PRICES | {
    **_VOLUME,
    "vwap_typ": (f"{_FLOAT}?", "The session's vwap, from typical prices where the source gives none."),
    "n": (_INT, "Bars of the feed in the session."),
    "first_ts": (_TIME, "Open of the first bar, UTC."),
    "last_ts": (_TIME, "Open of the last bar, UTC."),
    "range": (_FLOAT, "High - low, in quote currency."),
    "ret_oc": (_FLOAT, "Close / open - 1."),
    "expected_minutes": (f"{_INT}?", "Minutes the calendar says the market was open."),
} | _NOTIONAL | _TRADES | {"session_date": _CLOCK["session_date"], "ts_close": _CLOCK["ts_close"]} | _FINAL  # fmt: skip
_HOURLY: _Columns = {
    "symbol": _KEY["symbol"],
    "session_date": _CLOCK["session_date"],
    "hour": (_INT, "Hour of the day in the feed's time zone, 0 to 23."),
    "bars": (_INT, "Bars that open in the hour."),
    "sum": (f"{_FLOAT}?", "Their volume; null when one of them is unknown."),
    "mean": (f"{_FLOAT}?", "Mean volume of a bar."),
    "median": (f"{_FLOAT}?", "Median volume of a bar."),
    "max": (f"{_FLOAT}?", "Greatest volume of a bar."),
    "std_ddof1": (f"{_FLOAT}?", "Sample standard deviation of volume; null for a single bar."),
}
_PERFORMANCE: _Columns = {
    "symbol": _KEY["symbol"],
    "first_session": (_DATE, "First session date of the partition with bars."),
    "last_session": (_DATE, "Last session date of the partition with bars."),
    "sessions": (_INT, "Sessions with bars."),
    "first_open": (_FLOAT, "Open of the first session, in quote currency."),
    "last_close": (_FLOAT, "Close of the last session, in quote currency."),
    "high": _PRICES["high"],
    "low": _PRICES["low"],
    "ret": (_FLOAT, "Last close / first open - 1."),
    **_VOLUME,
    **_NOTIONAL,
    "bars": (_INT, "Bars of the feed."),
    "sessions_up": (_INT, "Sessions that closed above their open."),
}
_TOP: _Columns = {
    "session_date": _CLOCK["session_date"],
    "rank": (_INT, "1 for the greatest traded value of the session; the first 100 are kept."),
    "symbol": _KEY["symbol"],
    **_VOLUME,
    **_NOTIONAL,
    **_TRADES,
    "share": (f"{_FLOAT}?", "Its share of the session's traded value, 0 to 1."),
}
_SCORES: _Columns = {
    "symbol": (f"{_TEXT}?", "The source's name; null for the session as a whole."),
    "session_date": _CLOCK["session_date"],
    **{str(each): (f"{_FLOAT}?", f"Score of {each}, 0 to 100.") for each in Dimension},
    "score": (_FLOAT, "Weighted total, 0 to 100; capped where the partition is blocked."),
    "quality": (_TEXT, "Excellent, Good, Fair, Poor or Unacceptable."),
    "grade": (_TEXT, "A to F."),
    "bars": (_INT, "Bars of the regular session."),
    "expected": (_INT, "Bars the calendar has room for."),
    "raw_rows": (_INT, "Rows the sources gave."),
    "rejected_rows": (_INT, "Of them kept out."),
    "findings": (_INT, "Broken quality rules."),
    "blocked": (_BOOL, "Whether a blocking rule withholds the partition."),
}
_COLUMNS: Mapping[str, _Columns] = {
    t.RAW_BARS: _PLACE | _KEY | _PRICES | _VOLUME | _VWAP | _TRADES | _VERDICT,
    t.RAW_TRADES: _PLACE | {
        "symbol": _KEY["symbol"],
        "ts": (_TIME, "When it was traded, UTC, to the nanosecond; file order breaks ties."),
        "price": (_FLOAT, "Price in quote currency."),
        "size": (_FLOAT, "Size in the feed's volume unit."),
        "exchange": (f"{_TEXT}?", "Where it was traded, in the source's code."),
        "conditions": (f"{_TEXT}?", "Sale conditions, in the source's codes."),
    } | _VERDICT,
    t.VALIDATED_BARS: _BARS,
    t.REJECTED_BARS: {
        "file": (_TEXT, "Name of the source file."),
        "line": _PLACE["line"],
        "row": _PLACE["row"],
        **_KEY,
        **_VERDICT,
        "part": (_TEXT, "Id of the raw part the row is kept in."),
    },
    t.INTRADAY_BARS: _AGGREGATES,
    t.DAILY_BARS: _AGGREGATES,
    t.WEEKLY_BARS: _AGGREGATES,
    t.MONTHLY_BARS: _AGGREGATES,
    t.DAILY_SUMMARY: _SUMMARY,
    t.HOURLY_VOLUME: _HOURLY,
    t.SYMBOL_PERFORMANCE: _PERFORMANCE,
    t.TOP_VOLUME: _TOP,
    t.LATEST_BARS: _KEY | _CLOCK | _PRICES | _VOLUME | {"regular": _BARS["regular"]},
    t.QUALITY: _SCORES,
}  # fmt: skip
# Raw rows are kept good and bad: anything of them may be missing.
_MAY_LACK = {t.RAW_BARS, t.RAW_TRADES, t.REJECTED_BARS}
_UNIQUE: Mapping[str, str] = {
    t.HOURLY_VOLUME: "symbol, session_date, hour",
    t.SYMBOL_PERFORMANCE: "symbol",
    t.TOP_VOLUME: "session_date, symbol",
    t.LATEST_BARS: "symbol",
    t.DAILY_SUMMARY: "symbol, bucket",
    t.QUALITY: "symbol, session_date",
}


def column_schema(asset: str) -> TableSchema:
    """The columns of an asset's tables, in order; every table of an asset has the same."""
    columns = [
        TableColumn(
            name,
            type=kind.removesuffix("?"),
            description=text,
            constraints=TableColumnConstraints(nullable=kind.endswith("?") or asset in _MAY_LACK),
        )
        for name, (kind, text) in _COLUMNS[asset].items()
    ]
    key = None if asset in _MAY_LACK else _UNIQUE.get(asset, "symbol, ts")
    return TableSchema(columns, TableConstraints([f"unique ({key})"] if key else []))
