"""Contract months of futures, the names that say them, and which contract a symbol means on a day.

When a contract expires by its venue's rules is in `expiries`; when a series leaves it is in `rolls`.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

MONTH_CODES = "FGHJKMNQUVXZ"
_ROOT = r"/?(?P<root>\d{0,3}[A-Z][A-Z0-9]{0,6}?)"
_FORMS = tuple(
    re.compile(_ROOT + rest, re.IGNORECASE | re.ASCII)
    for rest in (
        r"[ _.-]?(?P<year>(?:19|20)\d\d)-?(?P<month>0[1-9]|1[0-2])",
        rf"[ _.-]?(?P<code>[{MONTH_CODES}])(?P<year>(?:19|20)\d\d|\d\d?)",
        r"[ _](?P<month>0[1-9]|1[0-2])-(?P<year>(?:19|20)\d\d|\d\d)",
    )
)
# Stray bars after a contract's month (late settlement prints) do not make it the one ten years later.
_MONTHS_LATE = 1


@dataclass(frozen=True, slots=True, order=True)
class ContractMonth:
    """The month a contract is named by, which is not always the one it expires in. Orders a root's contracts."""

    year: int
    month: int

    @property
    def number(self) -> int:
        """Months since year 0."""
        return self.year * 12 + self.month - 1

    @property
    def code(self) -> str:
        return MONTH_CODES[self.month - 1]

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


@dataclass(frozen=True, slots=True)
class ContractName:
    """What a symbol says of its contract. `year` has as many digits as the name: 1, 2 or 4."""

    root: str
    month: int
    year: int
    year_digits: int

    def month_on(self, day: date) -> ContractMonth:
        """The contract month that a bar of this name and session date belongs to.

        A year of one or two digits is the first that is not over on that day: a contract trades before its month ends.
        """
        if self.year_digits == 4:
            return ContractMonth(self.year, self.month)
        cycle = 10**self.year_digits
        first = ContractMonth(day.year, day.month).number - _MONTHS_LATE
        year = first // 12 + (self.year - first // 12) % cycle
        if ContractMonth(year, self.month).number < first:
            year += cycle
        return ContractMonth(year, self.month)


@dataclass(frozen=True, slots=True)
class ListedContract:
    """A contract as reference data list it; what is None is not said. Both dates are included."""

    symbol: str
    root: str | None = None
    month: ContractMonth | None = None
    expiry: date | None = None
    from_date: date | None = None
    to_date: date | None = None

    def is_on(self, day: date) -> bool:
        return (self.from_date is None or self.from_date <= day) and (self.to_date is None or day <= self.to_date)


def parse_month(text: str | None) -> ContractMonth | None:
    """The contract month of a text such as 2013-12; None for any other."""
    found = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])", text or "")
    return ContractMonth(int(found[1]), int(found[2])) if found else None


def parse_contract_name(symbol: str) -> ContractName | None:
    """Read ES_201312, ESZ3, ESZ13, ESZ2013, ES.Z13 or ES 12-13; None for what names no single contract."""
    for form in _FORMS:
        found = form.fullmatch(symbol.strip())
        if found is None:
            continue
        said = found.groupdict()
        code = said.get("code")
        month = MONTH_CODES.index(code.upper()) + 1 if code else int(said["month"])
        return ContractName(said["root"].upper(), month, int(said["year"]), len(said["year"]))
    return None


class ContractBook:
    """The contracts of one root: what symbols mean on a day. What reference data say wins over the name."""

    def __init__(self, root: str, listed: Iterable[ListedContract] = ()) -> None:
        self.root = root.strip().upper()
        self._names: dict[str, ContractName | None] = {}
        self._listed: dict[str, list[ListedContract]] = defaultdict(list)
        for contract in listed:
            self._listed[contract.symbol].append(contract)

    def can_name(self, symbol: str) -> bool:
        """Whether a symbol may be a contract of this root on some day."""
        name = self._name(symbol)
        return symbol in self._listed or (name is not None and name.root == self.root)

    def month_of(self, symbol: str, day: date) -> ContractMonth | None:
        """The contract month of a symbol's bar; None where it is no contract of this root."""
        name, listed = self._name(symbol), self._listing(symbol, day)
        root = listed.root if listed and listed.root else name.root if name else ""
        if root.upper() != self.root:
            return None
        if listed and listed.month:
            return listed.month
        return name.month_on(day) if name else None

    def listed_expiry(self, symbol: str, day: date) -> date | None:
        """The expiry that reference data give the contract a symbol meant on a day."""
        listed = self._listing(symbol, day)
        return listed.expiry if listed else None

    def _name(self, symbol: str) -> ContractName | None:
        if symbol not in self._names:
            self._names[symbol] = parse_contract_name(symbol)
        return self._names[symbol]

    def _listing(self, symbol: str, day: date) -> ListedContract | None:
        return next((contract for contract in self._listed.get(symbol, ()) if contract.is_on(day)), None)


def roots_of(symbols: Iterable[str], listed: Iterable[ListedContract] = ()) -> list[str]:
    """The roots that symbols and reference data name, in order."""
    names = (parse_contract_name(symbol) for symbol in symbols)
    found = {name.root for name in names if name}
    return sorted(found | {contract.root.upper() for contract in listed if contract.root})
