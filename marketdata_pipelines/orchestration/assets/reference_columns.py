"""The columns of reference data, with unit and clock, as Dagster shows them on the asset's page."""

from collections.abc import Mapping

from dagster import TableColumn, TableColumnConstraints, TableConstraints, TableSchema

from marketdata_pipelines.domain.references import ReferenceKind

_TEXT, _DATE, _FLOAT = "string", "date", "float64"
# name -> (type, what it means). A type that ends in `?` may be null.
_ACTIONS = {
    "symbol": (_TEXT, "The source's name of what is traded, as of its date."),
    "ex_date": (_DATE, "The first session on which the market trades without what was paid or split."),
    "kind": (_TEXT, "What happened: split, stock_dividend, cash_dividend, spin_off, factor, symbol_change, delisting."),
    "ratio": (f"{_FLOAT}?", "Of a split new shares for an old one; of a stock dividend new shares beside an old one."),
    "amount": (f"{_FLOAT}?", "Cash, or the value of what is spun off, for one share, in quote currency."),
    "currency": (f"{_TEXT}?", "Currency of the amount."),
    "new_symbol": (f"{_TEXT}?", "What a change of symbol changes it to."),
    "price_factor": (f"{_FLOAT}?", "Multiplier of prices before the ex date, where the source gives it."),
    "reference_close": (f"{_FLOAT}?", "Raw close of the last session before the ex date, where the source gives it."),
    "announced": (f"{_DATE}?", "When it was announced: for information. When it became known is in the ledger."),
    "note": (f"{_TEXT}?", "The source's own words."),
}
_INSTRUMENTS = {
    "instrument_id": (_TEXT, "The permanent name of what is traded; it follows renames."),
    "symbol": (f"{_TEXT}?", "A symbol it bore; null for an instrument without one."),
    "from_date": (f"{_DATE}?", "First day of the symbol, included; null = open."),
    "to_date": (f"{_DATE}?", "Last day of the symbol, included; null = open."),
    "type": (f"{_TEXT}?", "equity, etf, index, future, option, fx, crypto or bond."),
    "mic": (f"{_TEXT}?", "Venue, ISO 10383."),
    "currency": (f"{_TEXT}?", "Quote currency."),
    "tick_size": (f"{_FLOAT}?", "Smallest price step, in quote currency."),
    "lot_size": (f"{_FLOAT}?", "Smallest order, in base units."),
    "multiplier": (f"{_FLOAT}?", "Base units of one contract."),
    "listed": (f"{_DATE}?", "First day of trading."),
    "delisted": (f"{_DATE}?", "Last day of trading."),
    "name": (f"{_TEXT}?", "The name for people."),
    "root": (f"{_TEXT}?", "Root of a future or option."),
    "expiry": (f"{_DATE}?", "Last day of a contract."),
    "contract_month": (f"{_TEXT}?", "Month of a contract, YYYY-MM."),
    "rules": (f"{_TEXT}?", "Ids of what contradicts other rows, `;`-separated; these days cannot be resolved."),
}
_COLUMNS: Mapping[ReferenceKind, Mapping[str, tuple[str, str]]] = {
    ReferenceKind.CORPORATE_ACTIONS: _ACTIONS,
    ReferenceKind.INSTRUMENTS: _INSTRUMENTS,
}
_UNIQUE = {ReferenceKind.INSTRUMENTS: "instrument_id, symbol, from_date"}


def reference_column_schema(kind: ReferenceKind) -> TableSchema:
    """The columns of what stands of a reference, in order."""
    columns = [
        TableColumn(
            name,
            type=type_.removesuffix("?"),
            description=text,
            constraints=TableColumnConstraints(nullable=type_.endswith("?")),
        )
        for name, (type_, text) in _COLUMNS[kind].items()
    ]
    key = _UNIQUE.get(kind)
    return TableSchema(columns, TableConstraints([f"unique ({key})"] if key else []))
