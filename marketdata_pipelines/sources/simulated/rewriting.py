"""How each kind of fault rewrites one clean row: the cells as written, and what a reader makes of them.

Which rows are hit is not decided here (see `injection`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import MINUTE_US, SECOND_US
from marketdata_pipelines.domain.sessions import date_of_us, midnight_us
from marketdata_pipelines.sources.simulated.bars import VWAP_DECIMALS
from marketdata_pipelines.sources.simulated.lines import Cells, LineStyle
from marketdata_pipelines.sources.simulated.traits import Traits, traits_of

Value = str | float | int | None

_MISSING = ("", "null", "N/A", "#N/A")
_HUGE_VOLUMES = ("9223372036854775808", "18446744073709551615", "99999999999999999999999")
_BAD_VOLUMES = ("1_000", "0x1F4", "five", "1,234")
_BAD_TIMES = ("not-a-date", "", "0", "{year}-13-07T13:30:00Z", "{year}-02-30 10:00:00", "1381152600")
_FORMULAS = ("=cmd|' /C calc'!A0", "@SUM(1+1)*cmd", "+1+1", "-2+3", '=HYPERLINK("http://x.invalid","{symbol}")')
_PATHS = ("../../x", "..\\..\\x", "/etc/passwd", "%2e%2e%2fx", "..", "CON", "{symbol}/../../y")
_FOREIGN = ("{symbol}\u200b", "\u202e{symbol}", "{symbol}\u0301", "\U0001f680", "\uff33{symbol}")
# Years from which all of 29 February, weekday sessions and nanoseconds in 64 bits stay valid.
_FAR_YEARS = (2076, 2088, 2096, 2104)


@dataclass(frozen=True, slots=True)
class CleanRow:
    """The row a fault is written over. `ts` is UTC microseconds, `cells` by header, `noise` picks a variant."""

    feed: Feed
    style: LineStyle
    symbol: str
    ts: int
    cells: dict[str, str]
    closed: tuple[int, ...]
    noise: int

    @property
    def traits(self) -> Traits:
        return traits_of(self.feed.asset_class)

    def pick(self, variants: tuple[str, ...]) -> str:
        return variants[self.noise % len(variants)].format(symbol=self.symbol, year=date_of_us(self.ts).year)

    def ticks(self, name: str) -> int:
        """A price cell in units of the last decimal."""
        return round(float(self.cells[name]) * 10**self.traits.decimals)

    def price(self, units: int) -> str:
        return f"{units / 10**self.traits.decimals:.{self.traits.decimals}f}"

    def price_columns(self) -> tuple[str, ...]:
        return ("open", "high", "low", "close") if "open" in self.cells else ("price",)


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What a fault made of a row.

    `cells` is the whole line, `values` the table's columns that read otherwise now, `rules` what a reader marks,
    `column` the columns the fault is in, `ts` the time written in its place (UTC microseconds).
    """

    cells: Cells
    values: dict[str, Value]
    rules: str | None
    column: str
    ts: int | None = None


def rewrite(kind: str, row: CleanRow) -> Rewritten:
    """Write a fault of `kind` over a clean row; every kind of `rates.FAULT_KINDS` but the gap."""
    return _REWRITERS[kind](row)


def _changed(
    row: CleanRow, cells: dict[str, str], values: dict[str, Value], column: str, rule: str | None = None
) -> Rewritten:
    return Rewritten(tuple((row.cells | cells).values()), values, rule, column)


def _numbers(row: CleanRow, cells: dict[str, str], column: str) -> Rewritten:
    """Cells of numbers that a reader reads without complaint."""
    return _changed(row, cells, {name: float(cell) for name, cell in cells.items()}, column)


def _high_below_low(row: CleanRow) -> Rewritten:
    step = 5 * row.traits.tick
    high = max(row.ticks("low") - step, row.traits.tick)
    return _numbers(row, {"high": row.price(high), "low": row.price(row.ticks("high") + step)}, "high,low")


def _outside_range(row: CleanRow) -> Rewritten:
    name = ("open", "close")[row.noise % 2]
    step = (5 + row.noise // 2 % 20) * row.traits.tick
    below, above = row.ticks("low") - step, row.ticks("high") + step
    outside = below if row.noise // 64 % 2 and below > 0 else above
    return _numbers(row, {name: row.price(outside)}, "open,close")


def _negative_price(row: CleanRow) -> Rewritten:
    name = row.pick(row.price_columns())
    return _numbers(row, {name: "-" + row.cells[name]}, "price")


def _zero_price(row: CleanRow) -> Rewritten:
    names = row.price_columns()
    chosen = names if row.noise // 16 % 4 == 0 else (row.pick(names),)
    return _numbers(row, dict.fromkeys(chosen, "0"), "price")


def _missing_price(row: CleanRow) -> Rewritten:
    name = row.pick(row.price_columns())
    text = (*_MISSING, "NaN", "inf", "-inf")[row.noise // 16 % 7]
    if text in _MISSING:
        return _changed(row, {name: text}, {name: None}, "price", "missing_price")
    return _changed(row, {name: text}, {name: math.nan if text == "NaN" else float(text)}, "price")


def _volume_name(row: CleanRow) -> str:
    return "volume" if "volume" in row.cells else "size"


def _negative_volume(row: CleanRow) -> Rewritten:
    name = _volume_name(row)
    return _numbers(row, {name: "-" + row.cells[name]}, name)


def _huge_volume(row: CleanRow) -> Rewritten:
    name = _volume_name(row)
    return _numbers(row, {name: row.pick(_HUGE_VOLUMES)}, name)


def _bad_volume(row: CleanRow) -> Rewritten:
    name = _volume_name(row)
    return _changed(row, {name: row.pick(_BAD_VOLUMES)}, {name: None}, name, "unparsable_volume")


def _at(row: CleanRow, ts: int) -> Rewritten:
    stored = ts * 1000 if row.style.time_unit == "ns" else ts
    changed = _changed(row, {"timestamp": row.style.time_text(ts)}, {"ts": stored}, "timestamp")
    return replace(changed, ts=ts)


def _off_interval(row: CleanRow) -> Rewritten:
    width = row.feed.interval.us
    offset = (1 + row.noise % 59) * SECOND_US if width >= MINUTE_US else max(width // 1000, 1) * (1 + row.noise % 999)
    return _at(row, row.ts + offset)


def _future(row: CleanRow) -> Rewritten:
    day = date_of_us(row.ts)
    far = day.replace(year=_FAR_YEARS[row.noise % len(_FAR_YEARS)])
    return _at(row, row.ts + midnight_us(far) - midnight_us(day))


def _bad_time(row: CleanRow) -> Rewritten:
    return _changed(row, {"timestamp": row.pick(_BAD_TIMES)}, {"ts": None}, "timestamp", "unparsable_timestamp")


def _out_of_session(row: CleanRow) -> Rewritten:
    return _at(row, row.closed[row.noise % len(row.closed)])


def _exact_copy(row: CleanRow) -> Rewritten:
    return _changed(row, {}, {}, "timestamp")


def _conflicting_copy(row: CleanRow) -> Rewritten:
    step = row.traits.tick
    shift = max(row.ticks("close") * 8 // 1000 // step, 1) * step
    cells = {name: row.price(row.ticks(name) + shift) for name in row.price_columns()}
    if row.cells["vwap"]:
        decimals = row.traits.decimals + VWAP_DECIMALS
        vwap = round(float(row.cells["vwap"]) * 10**decimals) + shift * 10**VWAP_DECIMALS
        cells["vwap"] = f"{vwap / 10**decimals:.{decimals}f}"
        cells["volume"] = f"{float(row.cells['volume']) + 100:.{row.traits.volume_decimals}f}"
    return _numbers(row, cells, "timestamp")


def _symbol(variants: tuple[str, ...], rule: str) -> Callable[[CleanRow], Rewritten]:
    def rewrite_symbol(row: CleanRow) -> Rewritten:
        text = row.pick(variants)
        return _changed(row, {"symbol": text}, {"symbol": text}, "symbol", rule)

    return rewrite_symbol


def _symbol_case(row: CleanRow) -> Rewritten:
    folded = row.symbol.lower() if row.symbol.lower() != row.symbol else row.symbol.upper()
    variants = (folded, f" {row.symbol}", f"{row.symbol} ")
    text = variants[row.noise % 3] if folded != row.symbol else variants[1 + row.noise % 2]
    return _changed(row, {"symbol": text}, {"symbol": text}, "symbol", "symbol_case")


def _too_short(row: CleanRow) -> Rewritten:
    kept = len(row.cells) - 1 - row.noise % (len(row.cells) - 2)
    return Rewritten(tuple(row.cells.values())[:kept], _without_values(row), "row_too_short", "")


def _too_long(row: CleanRow) -> Rewritten:
    return Rewritten((*row.cells.values(), "junk", "9"), _without_values(row), "row_too_long", "")


def _without_values(row: CleanRow) -> dict[str, Value]:
    # Which cell is missing cannot be known: a reader keeps symbol and time, to find the row by, and no value.
    return dict.fromkeys(name for name in row.cells if name not in ("symbol", "timestamp"))


_REWRITERS: dict[str, Callable[[CleanRow], Rewritten]] = {
    "high_lt_low": _high_below_low,
    "open_close_outside_range": _outside_range,
    "negative_price": _negative_price,
    "zero_price": _zero_price,
    "nan_or_missing_price": _missing_price,
    "negative_volume": _negative_volume,
    "volume_overflow": _huge_volume,
    "volume_bad_format": _bad_volume,
    "ts_off_interval": _off_interval,
    "future_timestamp": _future,
    "bad_timestamp": _bad_time,
    "out_of_session": _out_of_session,
    "dup_exact": _exact_copy,
    "dup_conflict": _conflicting_copy,
    "symbol_case_space": _symbol_case,
    "symbol_csv_injection": _symbol(_FORMULAS, "symbol_formula"),
    "symbol_path_traversal": _symbol(_PATHS, "symbol_path"),
    "symbol_unicode": _symbol(_FOREIGN, "symbol_unicode"),
    "ragged_short": _too_short,
    "ragged_long": _too_long,
}
