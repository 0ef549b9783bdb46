"""Recognising what a file's columns are by their names: the synonyms vendors use.

Columns of files without a header are recognised by their values (`positions`).
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from marketdata_pipelines.domain.feeds import DataKind
from marketdata_pipelines.sources.files import times
from marketdata_pipelines.sources.files.names import NAMES, PRICE_WORDS, TRADE_NAMES, ZONE_WORDS

BAR_FIELDS = ("open", "high", "low", "close")
SIDES = ("bid", "ask")
OPTIONAL_BAR_FIELDS = ("volume", "vwap", "trade_count")
TRADE_FIELDS = ("price", "size")
OPTIONAL_TRADE_FIELDS = ("exchange", "conditions")
SIDE_FIELDS = tuple(f"{side}_{field}" for side in SIDES for field in (*BAR_FIELDS, "volume"))
FIELDS = frozenset(
    ("symbol", "ts", *BAR_FIELDS, *OPTIONAL_BAR_FIELDS, *TRADE_FIELDS, *OPTIONAL_TRADE_FIELDS, *SIDE_FIELDS)
)
_DATE_NAMES = frozenset(
    ("date", "dtyyyymmdd", "day", "tradedate", "tradingdate", "tradingday", "yyyymmdd", "dateyyyymmdd", "gmtdate")
)
_CLOCK_NAMES = frozenset(("time", "minute", "clock", "hhmmss", "hhmm", "timehhmmss", "timehhmm", "timeofday"))
_QUOTE_CURRENCIES = frozenset(
    ("usd", "usdt", "usdc", "busd", "tusd", "fdusd", "dai", "eur", "gbp", "jpy", "krw", "try", "brl", "quote")
)
_UNIT_WORDS = frozenset(
    ("ms", "us", "ns", "sec", "secs", "seconds", "millis", "milliseconds", "micros", "microseconds", "nanos")
)


@dataclass(frozen=True, slots=True)
class NamedColumns:
    """Which source column holds which field, and the zone a time column's name tells.

    `fields` maps field -> source name (`Date+Time` where two are joined).
    """

    fields: Mapping[str, str]
    zone: str | None

    @property
    def kind(self) -> DataKind | None:
        """What the columns can be read as; None when neither bars nor trades are complete."""
        if all(field in self.fields for field in BAR_FIELDS) or self.has_sides:
            return DataKind.BARS
        return DataKind.TRADES if all(field in self.fields for field in TRADE_FIELDS) else None

    @property
    def has_sides(self) -> bool:
        """Whether bid and ask bars stand side by side in each row."""
        return all(f"{side}_{field}" in self.fields for side in SIDES for field in BAR_FIELDS)


def words(name: str) -> list[str]:
    """The lower-case words of a column name: `BidOpen` -> bid, open; `1. open` -> open; `<VOL>` -> vol."""
    text = re.sub(r"^\s*[0-9]+[a-z]?\.\s*", "", name.strip())
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)
    return re.findall(r"[a-z]+|[0-9]+", text.lower())


def is_header(cells: Sequence[str]) -> bool:
    """Whether a row names enough known columns to be a header."""
    known = 0
    for cell in cells:
        parts = words(cell)
        known += bool(parts) and len(parts) <= 6 and _is_known(parts)
    return known >= 3 and known * 3 >= len([cell for cell in cells if cell.strip()])


def needed_duplicates(names: Sequence[str], used: Iterable[str]) -> list[str]:
    """Names that occur twice, exactly or (for used columns) but for case and punctuation."""
    exact = [name for name, count in Counter(name for name in names if name).items() if count > 1]
    joined = Counter("".join(words(name)) or name for name in names if name)
    wanted = {part for name in used for part in name.split("+")}
    loose = [name for name in names if name in wanted and len(name) > 1 and joined["".join(words(name)) or name] > 1]
    return sorted({*exact, *loose})


def recognise_columns(
    names: Sequence[str], pinned: Mapping[str, str], samples: Mapping[str, Sequence[str]]
) -> NamedColumns:
    """Find the fields among column names; `pinned` (field -> source) wins.

    `samples`: some cells of each column, which tell a date column with the time in it from one without.
    """
    taken = {part for source in pinned.values() for part in source.split("+")}
    free = [name for name in names if name and name not in taken]
    keys = {name: words(name) for name in free}
    fields = dict(pinned)
    if "ts" not in fields:
        source = _time_source(free, keys, samples)
        if source is not None:
            fields["ts"] = source
    taken |= set(fields.get("ts", "").split("+"))
    free = [name for name in free if name not in taken]
    _add_sides(fields, free, keys)
    for field in (*BAR_FIELDS, "symbol"):
        _add(fields, field, free, keys, samples)
    for field in OPTIONAL_BAR_FIELDS if all(field in fields for field in BAR_FIELDS) else ():
        _add(fields, field, free, keys, samples)
    named = NamedColumns(fields, _zone_hint(fields.get("ts", "")))
    if named.kind is None:
        # A lone `c` or `last` beside a price is no bar's close.
        trade = {field: source for field, source in fields.items() if field not in BAR_FIELDS or field in pinned}
        _add_trade(trade, free, keys)
        if NamedColumns(trade, None).kind is not None:
            fields = trade
    return NamedColumns(fields, named.zone)


def is_quotes(names: Sequence[str]) -> bool:
    """Whether the columns are bid and ask ticks, which are neither bars nor trades."""
    found = {"".join(words(name)) for name in names}
    return bool(found & {"bid", "bidprice", "bidpx"}) and bool(found & {"ask", "askprice", "askpx", "offer"})


def _is_known(parts: list[str]) -> bool:
    joined = "".join(parts)
    if joined in PRICE_WORDS or _side_field(parts) or _time_key(parts) is not None:
        return True
    return any(joined in synonyms for synonyms in (*NAMES.values(), *TRADE_NAMES.values())) or parts[0] == "volume"


def _time_key(parts: list[str]) -> str | None:
    """The name of a time column without its zone and unit words; None when it is no time column."""
    kept = [part for part in parts if part not in ZONE_WORDS and part not in _UNIT_WORDS]
    joined = "".join(kept)
    if not kept and any(part in ZONE_WORDS for part in parts):
        return "time"
    return joined if joined in NAMES["ts"] or joined in _DATE_NAMES or joined in _CLOCK_NAMES else None


def _time_source(free: list[str], keys: Mapping[str, list[str]], samples: Mapping[str, Sequence[str]]) -> str | None:
    timed = {name: key for name in free if (key := _time_key(keys[name])) is not None}
    whole = [name for name in timed if timed[name] not in _DATE_NAMES | _CLOCK_NAMES]
    dates = [name for name in timed if timed[name] in _DATE_NAMES]
    clocks = [name for name in timed if timed[name] in _CLOCK_NAMES]
    if dates and clocks:
        date_cells, clock_cells = samples.get(dates[0], ()), samples.get(clocks[0], ())
        if any(times.has_date(cell) for cell in clock_cells):
            whole.append(clocks[0])
        elif not any(times.has_date(cell) for cell in date_cells) and not whole:
            return f"{dates[0]}+{clocks[0]}"
    rank = {key: position for position, key in enumerate(NAMES["ts"])}
    candidates = sorted((*whole, *dates, *clocks), key=lambda name: (name not in whole, rank.get(timed[name], 99)))
    # A column of that name that holds something else (a time zone, a weekday) is passed over.
    for name in candidates:
        cells = [cell for cell in samples.get(name, ()) if cell]
        if not cells or times.guess_format(cells[:200]) is not None:
            return name
    return candidates[0] if candidates else None


def _side_field(parts: list[str]) -> str | None:
    joined = "".join(parts).replace("offer", "ask")
    for side in SIDES:
        for rest in {joined.removeprefix(side), joined.removesuffix(side)} - {joined}:
            if rest in PRICE_WORDS:
                return f"{side}_{PRICE_WORDS[rest]}"
            if rest in ("volume", "vol", "v"):
                return f"{side}_volume"
    return None


def _add_sides(fields: dict[str, str], free: list[str], keys: Mapping[str, list[str]]) -> None:
    found = {side: name for name in free if (side := _side_field(keys[name])) is not None}
    if all(f"{side}_{field}" in found for side in SIDES for field in BAR_FIELDS):
        for side, name in found.items():
            fields.setdefault(side, name)


def _add(
    fields: dict[str, str],
    field: str,
    free: list[str],
    keys: Mapping[str, list[str]],
    samples: Mapping[str, Sequence[str]],
) -> None:
    if field in fields:
        return
    used = set(fields.values())
    joined = {name: "".join(keys[name]) for name in free if name not in used}
    for synonym in NAMES[field]:
        matches = [name for name, key in joined.items() if key == synonym]
        if matches:
            # `t` and `T` side by side: the capital one is the ticker, the message type otherwise.
            fields[field] = matches[0]
            return
    if field == "volume":
        bases = [name for name in joined if keys[name][:1] == ["volume"] and keys[name][-1] not in _QUOTE_CURRENCIES]
        if len(bases) == 1:
            fields[field] = bases[0]
    if field == "symbol":
        letters = [name for name in ("T", "S") if name in joined and _is_tickers(samples.get(name, ()))]
        if letters:
            fields[field] = letters[0]


def _is_tickers(cells: Sequence[str]) -> bool:
    filled = [cell for cell in cells if cell]
    return bool(filled) and sum(1 for cell in filled if len(cell) > 1 or cell.isupper()) * 2 > len(filled)


def _add_trade(fields: dict[str, str], free: list[str], keys: Mapping[str, list[str]]) -> None:
    for field, synonyms in TRADE_NAMES.items():
        used = set(fields.values())
        joined = {name: "".join(keys[name]) for name in free if name not in used and name not in ("T", "S")}
        match = next((name for synonym in synonyms for name, key in joined.items() if key == synonym), None)
        if match is not None:
            fields.setdefault(field, match)


def _zone_hint(source: str) -> str | None:
    parts = [part for name in source.split("+") for part in words(name)]
    return next((ZONE_WORDS[part] for part in parts if ZONE_WORDS.get(part)), None)
