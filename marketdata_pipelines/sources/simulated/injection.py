"""A simulated day's rows with the asked faults in place, and the labels that say where they are.

Which rows are hit is decided in `choosing`, how a row is rewritten in `rewriting`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.sessions import Session
from marketdata_pipelines.sources.simulated.choosing import Choice, choose_rows
from marketdata_pipelines.sources.simulated.closures import closed_instants
from marketdata_pipelines.sources.simulated.lines import Cells, LineStyle
from marketdata_pipelines.sources.simulated.randomness import Ints
from marketdata_pipelines.sources.simulated.rates import ADDING_KINDS, GAP, fault_rates
from marketdata_pipelines.sources.simulated.rewriting import CleanRow, Rewritten, Value, rewrite

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class InjectedFault:
    """One fault, as a label tells it.

    `row` is the 1-based data row that carries it: the added row of a duplicate, the first row after a gap. `ts` (UTC)
    is the row's true time; the written one for `out_of_session`, the first missing one for a gap. `column`,
    `original` and `injected` say what was written where, cells joined by `|`.
    """

    kind: str
    row: int
    symbol: str
    ts: datetime
    column: str = ""
    original: str = ""
    injected: str = ""


@dataclass(frozen=True, slots=True)
class SpoiledRows:
    """A day's rows in arrival order, faults in place; `rewritten` holds the cells of the rows that are not clean."""

    table: pa.Table
    faults: tuple[InjectedFault, ...]
    rewritten: Mapping[int, Cells]


def inject_faults(feed: Feed, session: Session, clean: pa.Table, style: LineStyle) -> SpoiledRows:
    """Spoil clean rows as the feed's faults ask.

    Shape:   `clean` has the raw schema's columns from `symbol` or `ts` on, without rules, in arrival order. The result
             has a column `rules` more, rows added by duplicates and rows taken away by gaps.
    Errors:  SettingsInvalid for faults the feed's rows cannot have.
    """
    symbols = clean["symbol"].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    choices = choose_rows(feed.source.seed, session.date.toordinal(), fault_rates(feed), symbols)
    copies = _copies(clean.num_rows, choices)
    rows = clean if not choices else clean.take(np.repeat(np.arange(clean.num_rows), copies))
    rows = rows.append_column("rules", pa.nulls(rows.num_rows, pa.string()))
    first = np.cumsum(copies) - copies

    gaps = [_gap_fault(clean, choice, int(first[choice.position])) for choice in choices if choice.kind == GAP]
    # An added row comes right after the row it was made of.
    spoiled = [(int(first[c.position]) + (c.kind in ADDING_KINDS), c) for c in choices if c.kind != GAP]
    done = _spoil(feed, session, rows, style, sorted(spoiled, key=lambda pair: pair[0]))
    return SpoiledRows(done.table, tuple(sorted((*gaps, *done.faults), key=lambda fault: fault.row)), done.rewritten)


def _copies(count: int, choices: list[Choice]) -> Ints:
    copies = np.ones(count, np.int64)
    for choice in choices:
        copies[list(choice.removed)] = 0
        copies[choice.position] += choice.kind in ADDING_KINDS
    return copies


def _spoil(
    feed: Feed, session: Session, rows: pa.Table, style: LineStyle, places: list[tuple[int, Choice]]
) -> SpoiledRows:
    at = [place for place, _ in places]
    hit = rows.take(pa.array(at, pa.int64()))
    columns = zip(style.cells(hit), map(str, hit["symbol"].to_pylist()), _microseconds(hit), strict=True)
    closed = closed_instants(feed, session)
    faults, changes = [], []
    for (place, choice), (cells, symbol, ts) in zip(places, columns, strict=True):
        row = CleanRow(feed, style, symbol, ts, dict(zip(style.header, cells, strict=True)), closed, choice.noise)
        change = rewrite(choice.kind, row)
        changes.append(change)
        shown = change.ts if choice.kind == "out_of_session" and change.ts is not None else ts
        texts = ("|".join(cells), "|".join(change.cells))
        faults.append(InjectedFault(choice.kind, place + 1, symbol, _moment(shown), change.column, *texts))
    rewritten = {place: change.cells for place, change in zip(at, changes, strict=True)}
    return SpoiledRows(_with_values(rows, at, changes), tuple(faults), rewritten)


def _with_values(rows: pa.Table, at: list[int], changes: list[Rewritten]) -> pa.Table:
    """Replace what the changes say, one column at a time."""
    edits: dict[str, dict[int, Value]] = {}
    for place, change in zip(at, changes, strict=True):
        for name, value in (change.values | ({"rules": change.rules} if change.rules else {})).items():
            edits.setdefault(name, {})[place] = value
    for name, cells in edits.items():
        kind = rows.schema.field(name).type
        replaced = np.zeros(rows.num_rows, bool)
        replaced[list(cells)] = True
        storage = pa.int64() if pa.types.is_timestamp(kind) else kind
        values = pa.array(list(cells.values()), storage).cast(kind)
        column = pc.replace_with_mask(rows[name].combine_chunks(), pa.array(replaced), values)
        rows = rows.set_column(rows.schema.get_field_index(name), name, column)
    return rows


def _gap_fault(clean: pa.Table, choice: Choice, place: int) -> InjectedFault:
    run = clean.take(pa.array([choice.position, choice.removed[0], choice.removed[-1]]))
    _, first, last = (_moment(us) for us in _microseconds(run))
    text = f"{len(choice.removed)} rows removed before this row"
    span = f"{first:%Y-%m-%dT%H:%M:%SZ}..{last:%Y-%m-%dT%H:%M:%SZ}"
    return InjectedFault(GAP, place + 1, str(run["symbol"][0].as_py()), first, "timestamp", text, span)


def _microseconds(rows: pa.Table) -> list[int]:
    us: list[int] = rows["ts"].to_numpy().astype("datetime64[us]").astype(np.int64).tolist()
    return us


def _moment(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=us)
