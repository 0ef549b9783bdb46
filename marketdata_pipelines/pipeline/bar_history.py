"""What a partition's raw parts said of its bars, ingest after ingest: rows into the arrays that changes are found in.

Which change counts as a correction, and how it is told, is the affair of `corrections`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.bars import RAW_BAR_SCHEMA
from marketdata_pipelines.domain.corrections import (
    BarKeys,
    Changes,
    Offer,
    ReplacedWindow,
    Step,
    says_the_same,
    trace_changes,
)
from marketdata_pipelines.domain.differences import pair_ids
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import int_values, symbol_codes
from marketdata_pipelines.domain.session_grid import Ints, Mask, SessionGrid
from marketdata_pipelines.domain.tables import RAW_TRADES
from marketdata_pipelines.domain.validation import MISSING_TS, bar_mask, label_closes
from marketdata_pipelines.pipeline.ingest import IngestMode
from marketdata_pipelines.pipeline.validate import LoadedPart, bars_of_trades
from marketdata_pipelines.stores.lake.catalog import Ingest


@dataclass(frozen=True, slots=True)
class BarHistory:
    """The changes of a partition's bars, and what their positions mean.

    By step: `ingests`; by row: `raw` and `source`, a position in `parts`; by bar: `keys` and `days` (since 1970), whose
    codes are positions in `symbols`.
    """

    changes: Changes
    ingests: tuple[Ingest, ...]
    parts: tuple[LoadedPart, ...]
    raw: pa.Table
    source: Ints
    keys: BarKeys
    symbols: list[str]
    days: Ints


def trace_bars(
    feed: Feed, grid: SessionGrid, parts: Sequence[LoadedPart], withdrawing: Sequence[Ingest] = (), *, every: bool
) -> BarHistory:
    """Follow a partition's bars through everything ever accepted for it.

    Shape:   `parts` are all accepted raw parts in ledger order, standing and superseded; `withdrawing` the ingests of
             their contents that brought nothing here. `every=False` leaves out bars that only one part speaks of and
             that cannot be late: what remains is enough to find corrections.
    Clock:   each part's rows are judged by when it became known, as `validate_parts` does.
    """
    bars = [bars_of_trades(feed, grid, part)[0] if part.standing.part.tbl == RAW_TRADES else part for part in parts]
    ingests = sorted([*(part.standing.ingest for part in bars), *withdrawing], key=_ledger_order)
    taken = list(_taken(ingests, bars))
    rows = _Rows(feed, grid, bars)
    if every or _takes_back(taken) or any(_window(part, ()) is not None for part in bars):
        rows.choose_all()
    else:
        rows.choose_contested()
    keys, days = rows.bar_keys()
    offers = [rows.offer(position) for position in range(len(bars))]
    found = trace_changes(keys, offers, taken)
    both = np.flatnonzero((found.old >= 0) & (found.new >= 0))
    kept = np.ones(len(found.key), bool)
    kept[both[says_the_same(rows.raw, found.old[both], found.new[both])]] = False
    return BarHistory(found.take(kept), tuple(ingests), tuple(bars), rows.raw, rows.source, keys, rows.symbols, days)


def _ledger_order(ingest: Ingest) -> tuple[int, int]:
    return ingest.known_at_us, ingest.seq


def _taken(ingests: Sequence[Ingest], parts: Sequence[LoadedPart]) -> Iterator[Step]:
    """Each ingest as a step, with the parts that count from then on: the same as `Catalog.standing_parts` as of it."""
    positions = {part.standing.ingest.seq: at for at, part in enumerate(parts)}
    newest: dict[str, int] = {}
    standing: tuple[int, ...] = ()
    for ingest in ingests:
        before = newest.get(ingest.sha256)
        brings = positions.get(ingest.seq)
        if before is not None and before > ingest.seq:
            yield Step(ingest.known_at_us, brings, standing)
            continue
        newest[ingest.sha256] = ingest.seq
        if before in positions:
            # What it had outlived may count again.
            known = sorted(positions[seq] for seq in newest.values() if seq in positions)
            standing = ()
            for position in known:
                standing = _with(standing, position, parts)
        elif brings is not None:
            standing = _with(standing, brings, parts)
        yield Step(ingest.known_at_us, brings, standing)


def _takes_back(taken: Sequence[Step]) -> bool:
    """Whether something that counted did not any more after a later ingest."""
    return any(not set(before.standing) <= set(after.standing) for before, after in pairwise(taken))


def _with(standing: tuple[int, ...], newest: int, parts: Sequence[LoadedPart]) -> tuple[int, ...]:
    """The parts that count once another one does: unsettled pulls do not, once a complete one covers them."""
    pulled = parts[newest].standing.ingest.pulled
    if pulled is None or not pulled.complete:
        return (*standing, newest)
    asked = ((position, parts[position].standing.ingest.pulled) for position in standing)
    outlived = {position for position, own in asked if own is not None and not own.settled and pulled.covers(own)}
    return (*(position for position in standing if position not in outlived), newest)


def _window(part: LoadedPart, symbols: Sequence[str]) -> ReplacedWindow | None:
    """What a part removes of earlier ones: a file speaks for the time of its good rows, a pull for what was asked."""
    ingest = part.standing.ingest
    if ingest.mode != IngestMode.REPLACE_WINDOW:
        return None
    if ingest.pulled is not None:
        codes = [code for code, symbol in enumerate(symbols) if symbol in ingest.pulled.symbols]
        return ReplacedWindow(ingest.pulled.start_us, ingest.pulled.end_us - 1, np.array(codes, np.int64))
    if ingest.first_ts_us is None or ingest.last_ts_us is None:
        return None
    return ReplacedWindow(ingest.first_ts_us, ingest.last_ts_us, None)


class _Rows:
    """The rows of all parts that have a symbol and a time, as far as they are chosen."""

    def __init__(self, feed: Feed, grid: SessionGrid, parts: Sequence[LoadedPart]) -> None:
        self._feed, self._grid, self._parts = feed, grid, parts
        tables = [part.table for part in parts]
        names = pa.chunked_array([chunk for table in tables for chunk in table["symbol"].chunks], pa.string())
        codes, self.symbols = symbol_codes(names)
        ts = np.concatenate([_none(), *(int_values(table["ts"], MISSING_TS) for table in tables)])
        part = np.repeat(np.arange(len(tables)), [table.num_rows for table in tables]).astype(np.int64)
        self._kept = (codes >= 0) & (ts != MISSING_TS)
        self._codes, self._ts, self._part = codes[self._kept].astype(np.int64), ts[self._kept], part[self._kept]

    def choose_all(self) -> None:
        """Take every row."""
        self._choose(np.ones(len(self._ts), bool))

    def choose_contested(self) -> None:
        """Take the rows of bars that several parts have a row of, and all of symbols where a bar may be late."""
        ids = pair_ids(self._codes, self._ts, len(self.symbols))
        shared = _repeated(ids)
        first = np.full(len(self.symbols), len(self._parts), np.int64)
        _lower(first, self._codes, self._part)
        suspects = np.zeros(len(self.symbols), bool)
        suspects[self._codes[~shared & (self._part > first[self._codes])]] = True
        while True:
            self._choose(shared | suspects[self._codes])
            # A bar whose first good row is not in its symbol's first part may be late too: look at all of the symbol.
            good = self._key_part < len(self._parts)
            more = np.zeros(len(self.symbols), bool)
            more[self._key_code[good & (self._key_part > first[self._key_code])]] = True
            if not (more & ~suspects).any():
                return
            suspects |= more

    def bar_keys(self) -> tuple[BarKeys, Ints]:
        """The bars that the chosen rows are about, and their session dates in days since 1970."""
        session = self._key_session
        inside = np.maximum(session, 0)
        has_dates = len(self._grid.dates) > 0
        days = self._grid.dates[inside].astype(np.int64) if has_dates else np.zeros(len(session), np.int64)
        if self._feed.interval.is_intraday or not has_dates:
            closes = self._key_ts + self._feed.interval.us
        else:
            closes = label_closes(self._feed, self._grid, inside, self._key_ts)
        _, group = np.unique(self._key_code * (len(self._grid.dates) + 1) + session + 1, return_inverse=True)
        return BarKeys(self._key_code, self._key_ts, closes.astype(np.int64), group.astype(np.int64)), days

    def offer(self, position: int) -> Offer:
        """What one part says of the bars."""
        start, stop = np.searchsorted(self.source, [position, position + 1])
        keys, good = self._key[start:stop], np.flatnonzero(self._good[start:stop])
        # Inside a part the first good row of a bar stands.
        order = good[np.lexsort((self._row[start:stop][good], keys[good]))]
        told = keys[order]
        leads = np.ones(len(told), bool)
        leads[1:] = told[1:] != told[:-1]
        window = _window(self._parts[position], self.symbols)
        return Offer(told[leads], start + order[leads], keys, window)

    def _choose(self, chosen: Mask) -> None:
        kept = self._kept.copy()
        kept[np.flatnonzero(self._kept)[~chosen]] = False
        tables, masks, sessions, at = [RAW_BAR_SCHEMA.empty_table()], [_none()], [_none()], 0
        for part in self._parts:
            own = kept[at : at + part.table.num_rows]
            at += part.table.num_rows
            table = part.table if own.all() else part.table.filter(pa.array(own))
            mask, placement = bar_mask(table, self._feed, self._grid, part.standing.ingest.known_at_us)
            tables.append(table)
            masks.append(mask)
            sessions.append(placement.session)
        self.raw = pa.concat_tables(tables).combine_chunks()
        self.source, codes, ts = self._part[chosen], self._codes[chosen], self._ts[chosen]
        self._row = int_values(self.raw["row"])
        self._good = np.concatenate(masks) == 0
        ids = pair_ids(codes, ts, len(self.symbols))
        _, where, key = np.unique(ids, return_index=True, return_inverse=True)
        self._key = key.astype(np.int64)
        self._key_code, self._key_ts = codes[where], ts[where]
        self._key_session = np.concatenate(sessions)[where]
        self._key_part = np.full(len(where), len(self._parts), np.int64)
        _lower(self._key_part, self._key[self._good], self.source[self._good])


def _none() -> Ints:
    return np.zeros(0, np.int64)


def _lower(least: Ints, where: Ints, values: Ints) -> None:
    """Lower each place to the least of its values; `values` do not decrease."""
    least[where[::-1]] = values[::-1]


def _repeated(ids: Ints) -> Mask:
    """Which ids occur more than once."""
    ordered = np.sort(ids)
    again = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if not len(again):
        return np.zeros(len(ids), bool)
    at = np.minimum(np.searchsorted(again, ids), len(again) - 1)
    found: Mask = again[at] == ids
    return found
