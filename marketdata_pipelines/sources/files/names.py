"""The column names vendors use for each field, as joined lower-case words, the best first."""

NAMES: dict[str, tuple[str, ...]] = {
    "ts": (
        *("tsevent", "windowstart", "timestamp", "datetime", "ts", "opentime", "starttime", "timestart", "bartime"),
        *("begintime", "candletime", "candlebegintime", "timeperiodstart", "periodstart", "siptimestamp"),
        *("participanttimestamp", "exchangetimestamp", "tradetimestamp", "executiontime", "transacttime", "timens"),
        *("dateandtime", "datetimestamp", "eventtime", "time", "t", "unix", "unixtime", "unixtimestamp", "epoch"),
        *("mts", "tsrecv", "begin", "start", "startat", "beginsat", "createdat", "indexlevel0", "dt", "date"),
    ),
    "symbol": (
        *("symbol", "ticker", "sym", "tickersymbol", "stocksymbol", "rawsymbol", "productid", "contract"),
        *("instrument", "instrumentname", "instname", "instid", "code", "stockcode", "pair", "currencypair"),
        *("market", "symbolid", "security", "secid", "stock", "asset", "ric", "localsymbol", "tic", "actsymbol"),
        *("root", "underlying", "isin", "name"),
    ),
    "open": ("open", "o", "openprice", "opening", "priceopen", "first", "openpx", "openmid"),
    "high": ("high", "h", "highprice", "max", "pricehigh", "highpx", "highest"),
    "low": ("low", "l", "lowprice", "min", "pricelow", "lowpx", "lowest"),
    "close": (
        "close",
        "c",
        "closeprice",
        "closing",
        "priceclose",
        "closelast",
        "last",
        "closepx",
        "closemid",
        "settle",
    ),
    "volume": (
        *("volume", "vol", "v", "basevolume", "volumebase", "realvolume", "totalvolume", "sharevolume", "shares"),
        *("volumetraded", "tradedvolume", "tradevolume", "qty", "quantity", "amount", "size", "volumefrom"),
        *("volumebtc", "volumeeth", "tickvolume", "tickvol"),
    ),
    "vwap": (
        "vwap",
        "vw",
        "wap",
        "average",
        "weightedaverage",
        "avgprice",
        "averageprice",
        "volumeweightedaverageprice",
    ),
    "trade_count": (
        *("tradecount", "tradescount", "n", "numtrades", "numberoftrades", "transactions", "trades", "count"),
        *("ntrades", "numberofticks", "barcount", "tradenum", "transactioncount"),
    ),
}

TRADE_NAMES: dict[str, tuple[str, ...]] = {
    "price": ("price", "px", "lastprice", "tradeprice", "rate", "p", "last", "lastpx", "tradepx", "executionprice"),
    "size": (
        *("size", "qty", "quantity", "amount", "volume", "vol", "s", "v", "lastsize", "tradesize", "shares"),
        *("lastqty", "lastquantity", "baseqty", "tradevolume", "lastshares", "baseamount"),
    ),
    "exchange": ("exchange", "venue", "exchangeid", "ex", "x", "exch", "exchangecode", "mic", "marketcenter"),
    "conditions": ("conditions", "condition", "cond", "c", "saleconditions", "salecondition", "conditioncodes"),
}

# What stands between "bid" or "ask" and nothing else in the name of a side's price.
PRICE_WORDS = {
    "open": "open",
    "o": "open",
    "high": "high",
    "h": "high",
    "low": "low",
    "l": "low",
    "close": "close",
    "c": "close",
    "openprice": "open",
    "highprice": "high",
    "lowprice": "low",
    "closeprice": "close",
}

# Words of a time column's name that tell its zone; None: a zone is meant, but which is not said.
ZONE_WORDS: dict[str, str | None] = {
    "utc": "UTC",
    "gmt": "UTC",
    "zulu": "UTC",
    "ny": "America/New_York",
    "newyork": "America/New_York",
    "et": "America/New_York",
    "est": "America/New_York",
    "edt": "America/New_York",
    "eastern": "America/New_York",
    "ct": "America/Chicago",
    "chicago": "America/Chicago",
    "cst": "America/Chicago",
    "london": "Europe/London",
    "local": None,
    "zone": None,
    "tz": None,
    "exchange": None,
}
