"""What a symbol may look like, judged once per distinct symbol of a file.

Where a symbol comes from when a file has no symbol column is in `filenames`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum

from marketdata_pipelines.domain.feeds import AssetClass

_MISSING = frozenset(("", "NULL", "null", "None", "nan", "NaN", "\\N", "#N/A", "N/A", "<NA>"))
_BLANKS = " \t\r\n\v\f\u00a0"
_PADDING = " "
_ALLOWED = re.compile(r"^[A-Za-z0-9._\-/:^$=&+!# ]+$")
_DEVICES = re.compile(r"^(?:CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])(?:\.|$)", re.IGNORECASE)
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
# Preferreds, rights, when-issued and units are written with a small letter after the root: BACpL, ADNTw.
_SHARE_SUFFIX = re.compile(r"^[A-Z]{1,5}[prwu]{1,2}[A-Z]{0,2}(?:\.[A-Z]+)?$")
_LONGEST = 32
_MAJORITY = 0.9


class LetterCase(StrEnum):
    UPPER = "upper"
    LOWER = "lower"
    MIXED = "mixed"


class SymbolJudge:
    """Gives each distinct symbol of one file its rule, or None for a good one.

    The file's letter case and the usual form of each symbol come from the rows given to `learn`, in file order;
    later symbols are held against them.
    """

    def __init__(self, known: Iterable[str], asset_class: AssetClass) -> None:
        self._known = frozenset(known)
        self._asset_class = asset_class
        self._case = LetterCase.MIXED
        self._forms: dict[str, str] = {}
        self._padded = False

    def learn(self, symbols: Iterable[str]) -> None:
        """Take the letter case, the padding and the usual form of each symbol from a file's first rows."""
        present = [symbol for symbol in symbols if symbol.strip(_BLANKS)]
        padded = sum(1 for symbol in present if symbol.strip(_PADDING) != symbol)
        self._padded = bool(present) and padded >= _MAJORITY * len(present)
        names = (self.name(symbol) for symbol in present)
        counts = Counter(symbol for symbol in names if _shape_rule(symbol, self._asset_class) is None)
        self._case = _usual_case(counts)
        for symbol, _ in counts.most_common():
            self._forms.setdefault(symbol.casefold(), symbol)

    def name(self, symbol: str) -> str:
        """The symbol without the blanks that pad every symbol of a file of aligned columns."""
        return symbol.strip(_PADDING) if self._padded else symbol

    def rule(self, symbol: str) -> str | None:
        """The id of the rule a symbol breaks."""
        symbol = self.name(symbol)
        if symbol in self._known:
            return None
        found = _shape_rule(symbol, self._asset_class)
        if found is None:
            usual = self._forms.setdefault(symbol.casefold(), symbol)
            if usual != symbol or not self._is_usual_case(symbol):
                found = "symbol_case"
        if found is None and self._known:
            found = "symbol_unknown"
        return found

    def _is_usual_case(self, symbol: str) -> bool:
        if self._asset_class is AssetClass.CRYPTO or self._case is LetterCase.MIXED:
            return True
        if self._case is LetterCase.UPPER:
            return symbol == symbol.upper() or bool(_SHARE_SUFFIX.match(symbol))
        return symbol == symbol.lower()


def is_missing(symbol: str) -> bool:
    """Whether a symbol cell is blank or a null marker (`NA`, `NAN` and `TRUE` are tickers)."""
    return symbol.strip(_BLANKS) in _MISSING


def symbol_rules(judge: SymbolJudge, symbols: Iterable[str]) -> Mapping[str, str]:
    """{symbol: rule id} of the symbols that break one."""
    return {symbol: rule for symbol in symbols if (rule := judge.rule(symbol)) is not None}


def _shape_rule(symbol: str, asset_class: AssetClass) -> str | None:
    stripped = symbol.strip(_BLANKS)
    if stripped in _MISSING:
        return "symbol_missing"
    if symbol[0] in "=@+-\t\r":
        return "symbol_formula"
    if not stripped.isascii():
        return "symbol_unicode"
    if stripped != symbol:
        return "symbol_case"
    if _is_path(symbol, asset_class):
        return "symbol_path"
    return None if _ALLOWED.match(symbol) else "symbol_hostile"


def _is_path(symbol: str, asset_class: AssetClass) -> bool:
    if len(symbol) > _LONGEST or ".." in symbol or symbol == "." or "\\" in symbol or symbol.startswith(("/", "~")):
        return True
    if _ESCAPE.search(symbol) or _DEVICES.match(symbol) or symbol.endswith("/") or "//" in symbol or "/." in symbol:
        return True
    # BTC/USD is a pair; with small letters only crypto venues write pairs so.
    return "/" in symbol and symbol != symbol.upper() and asset_class is not AssetClass.CRYPTO


def _usual_case(counts: Counter[str]) -> LetterCase:
    lettered = {symbol: count for symbol, count in counts.items() if symbol.upper() != symbol.lower()}
    total = sum(lettered.values())
    for case, is_case in ((LetterCase.UPPER, str.isupper), (LetterCase.LOWER, str.islower)):
        if total and sum(count for symbol, count in lettered.items() if is_case(symbol)) >= _MAJORITY * total:
            return case
    return LetterCase.MIXED
