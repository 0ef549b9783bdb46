"""One cell of a file of corporate actions: which column a header names, and how each column's text is read.

A reader gives None for an empty cell and raises CellInvalid for one that cannot be read.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from marketdata_pipelines.domain.actions import ActionKind, ActionStatus
from marketdata_pipelines.sources.files.numbers import NULL_TEXTS

_LONGEST_TEXT = 500
_LONGEST_VALUE = 64
# In order of preference where a file has several: an ex date before a date that does not say which it is.
COLUMNS: dict[str, tuple[str, ...]] = {
    "symbol": ("symbol", "ticker", "act_symbol", "instrument", "security", "stock"),
    "ex_date": ("ex_date", "exdate", "ex_eff_date", "ex_dividend_date", "ex_div_date", "effective_date", "effective",
                "execution_date", "action_date", "event_date", "date", "datetime"),
    "kind": ("kind", "action", "action_type", "corporate_action", "event", "event_type", "type"),
    "ratio": ("ratio", "split_ratio", "stock_splits", "stock_split", "splits", "split", "split_factor", "split_rate"),
    "ratio_new": ("split_to", "to_factor", "numerator", "new_shares", "new_rate"),
    "ratio_old": ("split_from", "for_factor", "denominator", "old_shares", "old_rate"),
    "amount": ("amount", "dividend", "dividends", "cash", "cash_amount", "dividend_amount", "cash_dividend", "value"),
    "capital_gains": ("capital_gains",),
    "currency": ("currency", "ccy", "dividend_currency"),
    "new_symbol": ("new_symbol", "new_ticker", "to_symbol", "symbol_new"),
    "price_factor": ("price_factor", "price_multiplier"),
    "reference_close": ("reference_close", "ref_close", "reference_price", "previous_close", "prev_close"),
    "announced": ("announced", "announcement_date", "announced_date", "declaration_date", "declared_date", "declared"),
    "status": ("status", "state"),
    "note": ("note", "notes", "comment", "description", "remarks"),
}  # fmt: skip
_KINDS: dict[ActionKind, tuple[str, ...]] = {
    ActionKind.SPLIT: ("split", "stock_split", "share_split", "forward_split", "forward_stock_split", "subdivision",
                       "reverse_split", "reverse_stock_split", "consolidation", "share_consolidation"),
    ActionKind.STOCK_DIVIDEND: ("stock_dividend", "share_dividend", "scrip_dividend", "bonus", "bonus_issue"),
    ActionKind.CASH_DIVIDEND: ("cash_dividend", "dividend", "dividends", "div", "cash", "special_dividend",
                               "special_cash_dividend", "special_cash", "regular_dividend", "regular_cash",
                               "ordinary_dividend", "interim_dividend", "final_dividend", "distribution",
                               "capital_gain", "capital_gains", "return_of_capital"),
    ActionKind.SPIN_OFF: ("spin_off", "spinoff", "demerger"),
    ActionKind.FACTOR: ("factor", "price_factor", "adjustment_factor"),
    ActionKind.SYMBOL_CHANGE: ("symbol_change", "ticker_change", "ticker_symbol_change", "rename", "renamed"),
    ActionKind.DELISTING: ("delisting", "delisted", "delist"),
}  # fmt: skip
_KIND_OF = {word: kind for kind, words in _KINDS.items() for word in words}
_FORWARD = ("forward_split", "forward_stock_split", "subdivision")
_REVERSE = ("reverse_split", "reverse_stock_split", "consolidation", "share_consolidation")
_STATUS_OF = dict.fromkeys(("active", "confirmed", "declared", "final", "paid", "effective"), ActionStatus.ACTIVE)
_STATUS_OF |= dict.fromkeys(("cancelled", "canceled", "deleted", "withdrawn", "void"), ActionStatus.CANCELLED)

_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?"
_GROUPED = re.compile(r"[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+(\.[0-9]*)?")
_RATIO = re.compile(rf"({_NUMBER})\s*(?:[:/]|[\s-](?:for|to)[\s-])\s*({_NUMBER})", re.IGNORECASE)
_PERCENT = re.compile(rf"({_NUMBER})\s*%")
_TIME = r"(?:[T ][0-9:.]{4,18}\s*(?:Z|[+-][0-9:]{2,6})?)?"
_YEAR_FIRST = re.compile(rf"([0-9]{{4}})([-/.])([0-9]{{1,2}})\2([0-9]{{1,2}}){_TIME}")
_COMPACT = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_YEAR_LAST = re.compile(rf"([0-9]{{1,2}})([-/.])([0-9]{{1,2}})\2([0-9]{{4}}){_TIME}")
_MONTH_NAMED = re.compile(r"([a-z]{3,9})\.? ([0-9]{1,2}),? ([0-9]{4})", re.IGNORECASE)
_DAY_NAMED = re.compile(r"([0-9]{1,2})[ -]([a-z]{3,9})\.?[ -]([0-9]{4})", re.IGNORECASE)
_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
           "november", "december")  # fmt: skip


class CellInvalid(ValueError):
    """A cell's text cannot be read."""


class DateOrder(StrEnum):
    """How a file writes day and month before a year."""

    MONTH_FIRST = "month_first"
    DAY_FIRST = "day_first"
    MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio as written; `percent` says that it counts new shares beside old ones, as stock dividends do."""

    value: float
    percent: bool


def column_word(header: str) -> str:
    """A header's text as COLUMNS spells it."""
    return re.sub(r"[^a-z0-9]+", "_", header.casefold()).strip("_")


def is_empty(text: str) -> bool:
    """Whether a cell says nothing: blank, or a null marker."""
    return text in NULL_TEXTS or text.casefold() in ("nan", "nat")


def read_kind(text: str) -> ActionKind | None:
    if is_empty(text):
        return None
    if column_word(text) not in _KIND_OF:
        raise CellInvalid(text)
    return _KIND_OF[column_word(text)]


def is_wrong_way(kind_text: str, ratio: float) -> bool:
    """Whether a split's name and its ratio contradict each other; vendors write reverse splits either way round."""
    word = column_word(kind_text)
    return (word in _REVERSE and ratio > 1) or (word in _FORWARD and ratio < 1)


def read_status(text: str) -> ActionStatus:
    if is_empty(text):
        return ActionStatus.ACTIVE
    if column_word(text) not in _STATUS_OF:
        raise CellInvalid(text)
    return _STATUS_OF[column_word(text)]


def read_ratio(text: str, *, decimal_comma: bool = False) -> Ratio | None:
    """`7:1`, `7/1`, `7-for-1`, `7 to 1` and 7.0 are seven new shares for an old one, `1:10` a tenth; `5%` is 0.05."""
    if is_empty(text):
        return None
    plain = _checked(text).replace(",", ".") if decimal_comma else _checked(text)
    if found := _RATIO.fullmatch(plain):
        new, old = float(found[1]), float(found[2])
        if not old:
            raise CellInvalid(text)
        return Ratio(new / old, percent=False)
    if found := _PERCENT.fullmatch(plain):
        return Ratio(float(found[1]) / 100, percent=True)
    value = read_number(text, decimal_comma=decimal_comma)
    return None if value is None else Ratio(value, percent=False)


def read_number(text: str, *, decimal_comma: bool = False) -> float | None:
    """A number with a decimal point, perhaps with thousands separators or a currency sign in front."""
    if is_empty(text):
        return None
    plain = _checked(text).lstrip("$€£¥").strip()
    if decimal_comma:
        plain = plain.replace(".", "!").replace(",", ".") if "," in plain else plain
    elif _GROUPED.fullmatch(plain):
        plain = plain.replace(",", "")
    value = float(plain) if re.fullmatch(_NUMBER, plain) else math.nan
    if not math.isfinite(value):
        raise CellInvalid(text)
    return value


def date_order(texts: Iterable[str]) -> DateOrder:
    """The order of day and month that a column's own dates prove; month first where none does."""
    found: Sequence[re.Match[str]] = [match for text in texts if (match := _YEAR_LAST.fullmatch(text[:_LONGEST_VALUE]))]
    slashed = [match for match in found if match[2] != "."]
    day_first = any(int(match[1]) > 12 for match in slashed)
    month_first = any(int(match[3]) > 12 for match in slashed)
    if day_first and month_first:
        return DateOrder.MIXED
    return DateOrder.DAY_FIRST if day_first else DateOrder.MONTH_FIRST


def read_date(text: str, order: DateOrder = DateOrder.MONTH_FIRST) -> date | None:
    """A date as it is written, in whatever zone its time is: 2014-06-09, 20140609, 06/09/2014, 9 Jun 2014, 9.6.2014.

    With dots the day comes first. A date that fits either order is refused in a file that has both.
    """
    if is_empty(text):
        return None
    try:
        if found := _YEAR_FIRST.fullmatch(_checked(text)):
            return date(int(found[1]), int(found[3]), int(found[4]))
        if found := _COMPACT.fullmatch(text):
            return date(int(found[1]), int(found[2]), int(found[3]))
        if found := _YEAR_LAST.fullmatch(text):
            return date(int(found[4]), *_month_and_day(int(found[1]), int(found[3]), found[2], order))
        if found := _MONTH_NAMED.fullmatch(text):
            return date(int(found[3]), _month(found[1]), int(found[2]))
        if found := _DAY_NAMED.fullmatch(text):
            return date(int(found[3]), _month(found[2]), int(found[1]))
    except ValueError as error:
        raise CellInvalid(text) from error
    raise CellInvalid(text)


def read_text(text: str) -> str | None:
    """A text as it is, shortened; nothing in it is carried out or interpreted."""
    return None if is_empty(text) else text[:_LONGEST_TEXT]


def _checked(text: str) -> str:
    """The text of a value; patterns are not tried on what is far too long to be one."""
    if len(text) > _LONGEST_VALUE:
        raise CellInvalid(text[:_LONGEST_VALUE])
    return text


def _month_and_day(first: int, second: int, separator: str, order: DateOrder) -> tuple[int, int]:
    if separator == "." or first > 12:
        return second, first
    if order is DateOrder.MIXED and second <= 12 and first != second:
        raise CellInvalid(f"{first}{separator}{second}")
    return (second, first) if order is DateOrder.DAY_FIRST else (first, second)


def _month(name: str) -> int:
    found = [number for number, month in enumerate(_MONTHS, 1) if month.startswith(name.casefold())]
    if len(found) != 1:
        raise CellInvalid(name)
    return found[0]
