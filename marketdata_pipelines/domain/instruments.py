"""Instruments and their dated symbols as tables: schemas, the rules of their rows, and what stands after all of them.

Which instrument a symbol was on a date is answered in `symbology`; how a source's file is read is not here either.
"""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from marketdata_pipelines.domain.aliases import Alias, effective_aliases, first_day, row_flags
from marketdata_pipelines.domain.buffers import (
    booleans,
    codes_of,
    dates,
    integers,
    is_known,
    joined,
    nullable_positions,
    texts,
)
from marketdata_pipelines.domain.feeds import AssetClass
from marketdata_pipelines.domain.rules import Rule, Scope

# A symbol that reference data do not know is an instrument of its own; no given id may look like that.
SYMBOL_ID = "symbol:"
CANCELLED = "cancelled"
INSTRUMENT_TYPES = tuple(AssetClass)

_DESCRIPTION = [
    ("type", pa.string()),
    ("mic", pa.string()),
    ("currency", pa.string()),
    ("tick_size", pa.float64()),
    ("lot_size", pa.float64()),
    ("multiplier", pa.float64()),
    ("listed", pa.date32()),
    ("delisted", pa.date32()),
    ("name", pa.string()),
    ("root", pa.string()),
    ("expiry", pa.date32()),
    ("contract_month", pa.string()),
]
_NAMING = [("symbol", pa.string()), ("from_date", pa.date32()), ("to_date", pa.date32())]
DESCRIPTION = tuple(name for name, _ in _DESCRIPTION)

# One row an instrument. `mic` is the venue (ISO 10383); tick_size in quote currency, lot_size and multiplier in base
# units; contract_month as YYYY-MM.
INSTRUMENT_SCHEMA = pa.schema([("instrument_id", pa.string()), *_DESCRIPTION])

# One row for each stretch of days on which an instrument bore a symbol; both dates included, null = open.
ALIAS_SCHEMA = pa.schema([("instrument_id", pa.string()), *_NAMING])

# What stands: one row an alias with its instrument's description; an instrument without alias has a row without
# symbol. `rules` holds the `;`-separated ids of what contradicts other rows (see `symbology`), else null.
STANDING_INSTRUMENT_SCHEMA = pa.schema(
    [("instrument_id", pa.string()), *_NAMING, *_DESCRIPTION, ("rules", pa.string())]
)

# Rows as parsed, good and bad, with their place in the source. A row with a symbol is an alias, and what else it has
# describes the instrument. `status` is `cancelled` for a row that takes back an alias, or without symbol an
# instrument. `whole`: this file's rows are all of the instrument's aliases, those known before no longer stand.
RAW_INSTRUMENT_SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("line", pa.int64()),
        ("instrument_id", pa.string()),
        *_NAMING,
        *_DESCRIPTION,
        ("status", pa.string()),
        ("whole", pa.bool_()),
        ("rules", pa.string()),
        ("original", pa.string()),
    ]
)

INSTRUMENT_RULES: tuple[Rule, ...] = (
    Rule("instrument_no_id", Scope.ROW, "the row names no instrument"),
    Rule("instrument_bad_id", Scope.ROW, f"the id is too long, unprintable, or begins with {SYMBOL_ID!r}"),
    Rule("instrument_bad_symbol", Scope.ROW, "the symbol is too long or unprintable"),
    Rule("instrument_bad_date", Scope.ROW, "a date is neither YYYY-MM-DD nor YYYYMMDD"),
    Rule("instrument_bad_range", Scope.ROW, "the first date is after the last"),
    Rule("instrument_no_symbol", Scope.ROW, "the row has dates of an alias and no symbol"),
    Rule("instrument_unknown_type", Scope.ROW, f"the type is none of {', '.join(INSTRUMENT_TYPES)}"),
    Rule("instrument_bad_number", Scope.ROW, "a tick, lot or multiplier is no positive number"),
    Rule("instrument_bad_month", Scope.ROW, "the contract month is not YYYY-MM"),
    Rule("instrument_bad_mic", Scope.ROW, "the venue is no code of four letters or digits"),
    Rule("instrument_bad_currency", Scope.ROW, "the currency is no code of three to ten letters or digits"),
    Rule("instrument_unknown_status", Scope.ROW, f"the status is neither empty, active nor {CANCELLED}"),
    Rule("map_bad_date", Scope.ROW, "the date of a map file's row is not YYYYMMDD"),
    Rule("map_bad_ticker", Scope.ROW, "the ticker of a map file's row is empty, too long or unprintable"),
    Rule("map_out_of_order", Scope.ROW, "the row's date does not come after those of the rows before it"),
    # True of rows that are kept: they contradict each other, and the dates concerned cannot be resolved.
    Rule("alias_overlap", Scope.WARNING, "another instrument bears the same symbol on some of the same days"),
    Rule("alias_double", Scope.WARNING, "the instrument bears another symbol on some of the same days"),
)


def standing_instruments(parts: Sequence[pa.Table]) -> pa.Table:
    """What a reference's raw parts say together.

    Shape:   `parts` have RAW_INSTRUMENT_SCHEMA and come in ledger order; returns STANDING_INSTRUMENT_SCHEMA sorted by
             (instrument_id, from_date, symbol).
    Values:  rows with rules are left out. Of an alias (instrument_id, symbol, from_date) the last row counts, of each
             column of a description the last value that is given. Open ends are closed where other rows say so (see
             `aliases.effective_aliases`).
    """
    good = [part.filter(booleans(~is_known(part["rules"]))).select(_USED) for part in parts]
    rows = pa.concat_tables([_NO_ROWS, *good]).combine_chunks()
    part_of = np.repeat(np.arange(len(good)), [part.num_rows for part in good])
    described, known = _described(rows)
    aliases = effective_aliases(_known_aliases(rows, part_of, known), _ends(described))
    whole = _with_descriptions(aliases, row_flags(aliases), described)
    order = [(name, "ascending", "at_start") for name in ("instrument_id", "from_date", "symbol")]
    return whole.take(pc.sort_indices(whole, sort_keys=order))


def instruments_of(standing: pa.Table) -> pa.Table:
    """The instruments (INSTRUMENT_SCHEMA) of a table of STANDING_INSTRUMENT_SCHEMA, each once."""
    names = standing["instrument_id"].to_pylist()
    first = [at for at, name in enumerate(names) if not at or names[at - 1] != name]
    return standing.select(INSTRUMENT_SCHEMA.names).take(integers(np.array(first, np.int64)))


def aliases_of(standing: pa.Table) -> pa.Table:
    """The aliases (ALIAS_SCHEMA) of a table of STANDING_INSTRUMENT_SCHEMA."""
    return standing.filter(booleans(is_known(standing["symbol"]))).select(ALIAS_SCHEMA.names)


_USED = ["instrument_id", *(name for name, _ in _NAMING), *DESCRIPTION, "status", "whole"]
# (`empty_table` imports pandas.)
_NO_ROWS = pa.Table.from_batches([], RAW_INSTRUMENT_SCHEMA).select(_USED)


def _described(rows: pa.Table) -> tuple[pa.Table, NDArray[np.bool_]]:
    """The instruments there are (INSTRUMENT_SCHEMA, by id), and which rows still count for theirs."""
    codes, ids = codes_of(rows["instrument_id"])
    position = np.arange(rows.num_rows)
    gone = np.array([status == CANCELLED for status in rows["status"].to_pylist()], bool)
    removed = gone & ~is_known(rows["symbol"])
    # Of a repeated index numpy keeps the last value: the last row that says something counts.
    removed_at = np.full(len(ids), -1)
    removed_at[codes[removed]] = position[removed]
    known = position > removed_at[codes]
    there = np.zeros(len(ids), bool)
    there[codes[known & ~gone]] = True
    columns: dict[str, pa.Array] = {"instrument_id": texts(ids)}
    for name in DESCRIPTION:
        says = known & ~gone & is_known(rows[name])
        last = np.full(len(ids), -1)
        last[codes[says]] = position[says]
        columns[name] = joined(rows[name]).take(nullable_positions(last))
    described = pa.table(columns, schema=INSTRUMENT_SCHEMA).filter(booleans(there))
    return described.sort_by("instrument_id"), known


def _known_aliases(rows: pa.Table, part_of: NDArray[np.int64], known: NDArray[np.bool_]) -> list[Alias]:
    """The aliases that stand as they are written."""
    named = known & is_known(rows["symbol"])
    columns = [rows[name].filter(booleans(named)).to_pylist() for name in _ALIAS_COLUMNS]
    found: dict[str, dict[tuple[str, date | None], Alias]] = {}
    spoken_for: dict[str, int] = {}
    for part, name, symbol, begins, ends, status, whole in zip(part_of[named].tolist(), *columns, strict=True):
        if whole and spoken_for.get(name) != part:
            found[name], spoken_for[name] = {}, part
        own = found.setdefault(name, {})
        if status != CANCELLED:
            own[symbol, begins] = Alias(name, symbol, begins, ends)
        elif begins is None:
            found[name] = {key: alias for key, alias in own.items() if key[0] != symbol}
        else:
            own.pop((symbol, begins), None)
    return [alias for own in found.values() for alias in own.values()]


_ALIAS_COLUMNS = (*ALIAS_SCHEMA.names, "status", "whole")


def _ends(described: pa.Table) -> dict[str, tuple[date | None, date | None]]:
    """The days each instrument begins and ends on, where known."""
    columns = (described[name].to_pylist() for name in ("instrument_id", "listed", "delisted", "expiry"))
    return {name: (listed, delisted or expiry) for name, listed, delisted, expiry in zip(*columns, strict=True)}


def _with_descriptions(aliases: list[Alias], flags: list[str | None], described: pa.Table) -> pa.Table:
    """A row an alias, then a row for each instrument that has none."""
    ids = described["instrument_id"].to_pylist()
    position = {name: at for at, name in enumerate(ids)}
    named = {alias.instrument_id for alias in aliases}
    unnamed = [at for at, name in enumerate(ids) if name not in named]
    own = described.take(
        integers(np.array([*(position[alias.instrument_id] for alias in aliases), *unnamed], np.int64))
    )
    blank = [None] * len(unnamed)
    columns = {
        "instrument_id": own["instrument_id"],
        "symbol": texts([*(alias.symbol for alias in aliases), *blank]),
        "from_date": _dates([*(alias.from_date for alias in aliases), *blank]),
        "to_date": _dates([*(alias.to_date for alias in aliases), *blank]),
        **{name: own[name] for name in DESCRIPTION},
        "rules": texts([*flags, *blank]),
    }
    return pa.table(columns, schema=STANDING_INSTRUMENT_SCHEMA)


def _dates(values: Sequence[date | None]) -> pa.Array:
    known = np.array([value is not None for value in values], bool)
    return dates(np.array([first_day(value) for value in values], np.int64), known)
