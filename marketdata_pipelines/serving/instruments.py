"""What is known of a feed's instruments: a listing, and what a symbol or one of them was on a date."""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.aliases import first_day, last_day
from marketdata_pipelines.domain.buffers import booleans, is_known
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.references import Reference
from marketdata_pipelines.domain.symbology import Range, Resolver
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.pipeline.references import instruments_of
from marketdata_pipelines.serving.symbols import check_instrument
from marketdata_pipelines.stores.lake.lake import Lake

_DESCRIBED = ("type", "mic", "currency", "name")
# One row: what was found. `before` and `after` say whose the symbol, or what the instrument's name, was around then.
RESOLUTION_SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("on", pa.date32()),
        ("instrument_id", pa.string()),
        ("state", pa.string()),
        ("from_date", pa.date32()),
        ("to_date", pa.date32()),
        *((name, pa.string()) for name in _DESCRIBED),
        ("before", pa.string()),
        ("after", pa.string()),
    ]
)


class State(StrEnum):
    """`unknown`: the reference data do not have the symbol at all; `unresolved`: they have it, on other days."""

    RESOLVED = "resolved"
    UNKNOWN = "unknown"
    UNRESOLVED = "unresolved"


def feed_instruments(
    lake: Lake, feed: Feed, references: Mapping[str, Reference], as_of_us: int | None = None
) -> pa.Table:
    """A feed's instruments and aliases (STANDING_INSTRUMENT_SCHEMA) as known at an instant.

    Errors: SettingsInvalid where the feed names none.
    """
    standing = instruments_of(lake, feed, references, as_of_us)
    if standing is None:
        raise SettingsInvalid(
            f"{feed.name} names no instruments; in feeds.yaml add `instruments: NAME` to it and NAME under `references`"
        )
    return standing


def list_instruments(
    standing: pa.Table, symbol: str | None = None, instrument_id: str | None = None, on: date | None = None
) -> pa.Table:
    """The rows of a symbol, of an instrument, or in force on a date; all of them when nothing is asked for.

    Errors: SettingsInvalid for an instrument that is not there.
    """
    kept = np.ones(standing.num_rows, bool)
    if instrument_id is not None:
        check_instrument(Resolver(standing), instrument_id)
        kept &= _equals(standing, "instrument_id", instrument_id)
    if symbol is not None:
        kept &= _equals(standing, "symbol", symbol)
    if on is not None:
        ranges = zip(standing["from_date"].to_pylist(), standing["to_date"].to_pylist(), strict=True)
        day = first_day(on)
        kept &= np.array([first_day(begins) <= day <= last_day(ends) for begins, ends in ranges], bool)
        kept &= is_known(standing["symbol"])
    return standing.filter(booleans(kept))


def resolve_symbol(standing: pa.Table, symbol: str, on: date) -> pa.Table:
    """Which instrument a symbol was on a date: one row of RESOLUTION_SCHEMA.

    Errors: ReferenceConflict where two instruments claim it.
    """
    resolver = Resolver(standing)
    found = resolver.id_of(symbol, on)
    if not resolver.knows(symbol):
        return _resolution({"symbol": symbol, "on": on, "instrument_id": found, "state": State.UNKNOWN})
    around = [(" and ".join(names), first, last) for names, first, last in resolver.bearers(symbol)]
    return _found(standing, symbol, found, on, around)


def resolve_instrument(standing: pa.Table, instrument_id: str, on: date) -> pa.Table:
    """Which symbol an instrument bore on a date: one row of RESOLUTION_SCHEMA.

    Errors: SettingsInvalid for an instrument that is not there; ReferenceConflict where it bore two symbols.
    """
    resolver = Resolver(standing)
    check_instrument(resolver, instrument_id)
    symbol = resolver.symbol_of(instrument_id, on)
    return _found(standing, symbol, instrument_id, on, resolver.aliases(instrument_id))


def _found(standing: pa.Table, symbol: str | None, found: str | None, on: date, around: list[Range]) -> pa.Table:
    there = symbol is not None and found is not None
    row: dict[str, object] = {"symbol": symbol, "on": on, "instrument_id": found}
    row["state"] = State.RESOLVED if there else State.UNRESOLVED
    day = first_day(on)
    for name, first, last in around:
        if last_day(last) < day:
            row["before"] = f"{name} until {last}"
        elif first_day(first) > day:
            row.setdefault("after", f"{name} from {first}")
        elif there:
            row |= {"from_date": first, "to_date": last}
    own = standing.filter(booleans(_equals(standing, "instrument_id", found))) if found else standing.slice(0, 0)
    if own.num_rows:
        row |= {name: own[name][0].as_py() for name in _DESCRIBED}
    return _resolution(row)


def _resolution(row: dict[str, object]) -> pa.Table:
    return pa.Table.from_pylist([row], schema=RESOLUTION_SCHEMA)


def _equals(table: pa.Table, column: str, text: str | None) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    return np.array([value == text for value in table[column].to_pylist()], bool)
