"""One cell of a file of instruments: which column a header names, and how each column's text is read."""

import math
import re
from datetime import date

from marketdata_pipelines.domain.instruments import CANCELLED, INSTRUMENT_TYPES, SYMBOL_ID

_LONGEST_NAME = 64
_LONGEST_TEXT = 500
# What vendors write for a range without end.
_OPEN_ENDS = (date(2099, 12, 31), date(2100, 1, 1), date(9999, 12, 31))
_COLUMNS = {
    "instrument_id": ("instrument_id", "instrument", "id", "permanent_id", "security_id", "figi", "permno"),
    "symbol": ("symbol", "ticker", "alias", "source_symbol"),
    "from_date": ("from_date", "from", "first_date", "start", "start_date", "valid_from", "effective_from"),
    "to_date": ("to_date", "to", "last_date", "end", "end_date", "until", "valid_to", "valid_until", "effective_to"),
    "type": ("type", "instrument_type", "security_type", "asset_class", "asset_type", "kind"),
    "mic": ("mic", "venue", "exchange", "venue_mic", "exchange_mic"),
    "currency": ("currency", "ccy", "quote_currency"),
    "tick_size": ("tick_size", "tick", "min_tick", "price_increment"),
    "lot_size": ("lot_size", "lot", "round_lot"),
    "multiplier": ("multiplier", "contract_size", "contract_multiplier", "point_value"),
    "listed": ("listed", "listed_date", "listing_date", "ipo_date"),
    "delisted": ("delisted", "delisted_date", "delisting_date"),
    "name": ("name", "description", "long_name", "company"),
    "root": ("root", "root_symbol", "product"),
    "expiry": ("expiry", "expiry_date", "expiration", "expiration_date", "maturity"),
    "contract_month": ("contract_month", "delivery_month"),
    "status": ("status",),
}
_COLUMN_OF = {synonym: column for column, synonyms in _COLUMNS.items() for synonym in synonyms}
_TYPE_OF = {name.value: name.value for name in INSTRUMENT_TYPES} | {
    "stock": "equity", "stocks": "equity", "common_stock": "equity", "equities": "equity", "share": "equity",
    "futures": "future", "options": "option", "forex": "fx", "currency_pair": "fx", "cryptocurrency": "crypto",
    "indices": "index", "bonds": "bond", "fund": "etf",
}  # fmt: skip


class CellInvalid(ValueError):
    """A cell's text cannot be read; `rule` says which row rule it breaks."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


def column_of(header: str) -> str | None:
    """The column of RAW_INSTRUMENT_SCHEMA that a header's text names, in any case and with blanks or hyphens."""
    return _COLUMN_OF.get(_word(header))


def id_rule(text: str) -> str | None:
    """The rule that an instrument's id breaks, if any."""
    if not text:
        return "instrument_no_id"
    fits = len(text) <= _LONGEST_NAME and _is_clean(text) and not text.lower().startswith(SYMBOL_ID)
    return None if fits else "instrument_bad_id"


def read_id(text: str) -> str:
    rule = id_rule(text)
    if rule is not None:
        raise CellInvalid(rule)
    return text


def read_symbol(text: str) -> str:
    """A source's name, as it is written: case and inner blanks belong to it."""
    if len(text) > _LONGEST_NAME or not _is_clean(text):
        raise CellInvalid("instrument_bad_symbol")
    return text


def read_date(text: str) -> date:
    """YYYY-MM-DD, YYYY/MM/DD or YYYYMMDD, perhaps with a midnight behind it; other orders would be guesses."""
    found = re.fullmatch(r"([0-9]{4})([-/]?)([0-9]{2})\2([0-9]{2})([T ]00:00(:00(\.0+)?)?Z?)?", text)
    if found is None:
        raise CellInvalid("instrument_bad_date")
    try:
        return date(int(found[1]), int(found[3]), int(found[4]))
    except ValueError as error:
        raise CellInvalid("instrument_bad_date") from error


def read_last_date(text: str) -> date | None:
    """A date; None for the dates that vendors write for an open end."""
    found = read_date(text)
    return None if found in _OPEN_ENDS else found


def read_type(text: str) -> str:
    if _word(text) not in _TYPE_OF:
        raise CellInvalid("instrument_unknown_type")
    return _TYPE_OF[_word(text)]


def read_mic(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9]{4}", text):
        raise CellInvalid("instrument_bad_mic")
    return text.upper()


def read_currency(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9]{3,10}", text):
        raise CellInvalid("instrument_bad_currency")
    return text.upper()


def read_size(text: str) -> float:
    """A tick, a lot or a multiplier: a positive number."""
    try:
        value = float(text) if re.fullmatch(r"\+?[0-9.]+([eE][-+]?[0-9]+)?", text) else math.nan
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise CellInvalid("instrument_bad_number")
    return value


def read_month(text: str) -> str:
    """A contract's month as YYYY-MM, also from YYYYMM."""
    found = re.fullmatch(r"([0-9]{4})-?(0[1-9]|1[0-2])", text)
    if found is None:
        raise CellInvalid("instrument_bad_month")
    return f"{found[1]}-{found[2]}"


def read_status(text: str) -> str | None:
    word = _word(text)
    if word in (CANCELLED, "canceled", "deleted"):
        return CANCELLED
    if word != "active":
        raise CellInvalid("instrument_unknown_status")
    return None


def read_text(text: str) -> str:
    return text[:_LONGEST_TEXT].replace("\ufffd", "?")


def _word(text: str) -> str:
    return re.sub(r"[\s\-]+", "_", text.strip().lower())


def _is_clean(text: str) -> bool:
    return text.isprintable() and "\ufffd" not in text
