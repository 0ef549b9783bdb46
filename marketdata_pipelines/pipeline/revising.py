"""Which symbols of a large partition a change of its raw parts touches: only these are walked again.

A bar's verdict depends on the rows of its own symbol only, so the tables' rows of all other symbols stay as they are.
Small partitions are walked whole, which is quicker than finding out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain import tables as t
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import partition_span, period_of
from marketdata_pipelines.domain.session_grid import SessionGrid
from marketdata_pipelines.pipeline.coarse import SEVERAL_DAYS
from marketdata_pipelines.pipeline.ingest import IngestMode
from marketdata_pipelines.pipeline.validate import LoadedPart
from marketdata_pipelines.pipeline.versions import Versions
from marketdata_pipelines.stores.lake.catalog import Ingest, StandingPart
from marketdata_pipelines.stores.lake.deltas import NO_SYMBOL
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.lake.parquet import read_file
from marketdata_pipelines.stores.lake.walks import Walked, WalkProof, Walks

# Below this a whole walk takes less time than what a partial one saves.
SMALLEST_ROWS = 20_000
# Beyond this share of the symbols a partial walk reads and writes nearly everything too.
LARGEST_SHARE = 1 / 4
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Revision:
    """What a partial walk is about: `symbols` (NO_SYMBOL for rows without one) and how the parts' order counted."""

    symbols: tuple[str, ...]
    in_order: bool


class Reviser:
    """Decides for one partition of a feed after another."""

    def __init__(self, lake: Lake, feed: Feed, versions: Versions) -> None:
        self._lake, self._feed, self._versions = lake, feed, versions
        self._walks = Walks(lake.layout.catalog)
        base = period_of(feed.partition)
        self._own = [
            name
            for table_set in t.feed_tables(feed)
            if table_set.period is base and table_set.name not in (t.raw_asset(feed), t.VALIDATED_BARS, t.REJECTED_BARS)
            for name in table_set.tables
            if name not in SEVERAL_DAYS
        ]

    def note(
        self,
        key: str,
        inputs: str,
        horizon_us: int,
        parts: Sequence[StandingPart],
        proof: WalkProof | None,
    ) -> None:
        """Keep what a walked partition was made of, and what its checks said."""
        ids = tuple(part.part.part_id for part in parts)
        self._walks.note(self._feed.name, key, Walked(inputs, horizon_us, ids, proof))

    def revision(self, key: str, grid: SessionGrid, parts: Sequence[StandingPart]) -> Revision | None:
        """What is to be walked again since the partition's last walk; None: all of it."""
        stored = self._lake.catalog.stored_partition(t.VALIDATED_BARS, self._feed.name, key)
        if stored is None or stored.rows < SMALLEST_ROWS:
            return None
        walked = self._walks.last(self._feed.name, key)
        if walked is None or walked.inputs != stored.inputs or not self._stands(key, walked):
            return None
        if not self._was_over(key, grid, walked.horizon_us):
            return None
        symbols = self._touched(key, walked, parts)
        # Asked for although nothing changed, a partition is walked whole: that mends whatever is wrong with it.
        if not symbols or len(symbols) > stored.symbols * LARGEST_SHARE:
            return None
        in_order = walked.inputs == self._versions.part_inputs(walked.parts, in_order=True)
        return Revision(tuple(sorted(symbols)), in_order)

    def load(self, parts: Iterable[StandingPart], symbols: Sequence[str]) -> list[LoadedPart]:
        """The rows of some symbols, of the parts that have any."""
        wanted = frozenset(symbols)
        found = []
        for part in parts:
            if part.part.symbols is None or wanted & set(part.part.symbols):
                rows = read_file(self._lake.layout.root / part.part.path, only=wanted)
                # A window replaces also by what it leaves out.
                if rows.num_rows or part.ingest.mode == IngestMode.REPLACE_WINDOW:
                    found.append(LoadedPart(part, rows))
            elif part.ingest.mode == IngestMode.REPLACE_WINDOW:
                found.append(LoadedPart(part, read_file(self._lake.layout.root / part.part.path).slice(0, 0)))
        return found

    def _stands(self, key: str, walked: Walked) -> bool:
        """Whether every table of the partition was made by that walk, under today's versions."""
        made = {self._versions.part_inputs(walked.parts, in_order=order) for order in (True, False)}
        if walked.inputs not in made:
            return False
        catalog, name = self._lake.catalog, self._feed.name
        rejected = catalog.stored_partition(t.REJECTED_BARS, name, key)
        if rejected is None or rejected.inputs != walked.inputs:
            return False
        expected = self._versions.inputs([walked.inputs])
        own = (catalog.stored_partition(table, name, key) for table in self._own)
        return all(each is not None and each.inputs == expected for each in own)

    def _was_over(self, key: str, grid: SessionGrid, horizon_us: int) -> bool:
        """Whether all bars were final by then: else the new parts change what is said of other symbols' bars."""
        last = (partition_span(key, period_of(self._feed.partition))[1] - _EPOCH).days
        own = grid.completes[grid.dates <= last]
        return not len(own) or horizon_us >= int(np.max(own))

    def _touched(self, key: str, walked: Walked, parts: Sequence[StandingPart]) -> set[str] | None:
        now = {part.part.part_id: part for part in parts}
        if [part for part in walked.parts if part in now] != [part for part in now if part in set(walked.parts)]:
            return None
        gone = set(walked.parts) - now.keys()
        if gone:
            # What a withdrawn part had brought, only all accepted parts together tell.
            accepted, _ = self._lake.catalog.accepted_parts(self._feed.name, key)
            withdrawn = {part.part.part_id: part for part in accepted if part.part.part_id in gone}
            if withdrawn.keys() != gone or any(_hides_rows(part.ingest) for part in withdrawn.values()):
                return None
            changed = [*withdrawn.values()]
        else:
            changed = []
        changed += [part for name, part in now.items() if name not in set(walked.parts)]
        touched: set[str] = set()
        for part in changed:
            touched |= self._symbols(part)
            if part.ingest.mode == IngestMode.REPLACE_WINDOW:
                touched |= self._replaced(key, part.ingest)
        return touched

    def _symbols(self, part: StandingPart) -> set[str]:
        if part.part.symbols is not None:
            return set(part.part.symbols)
        found = pc.unique(read_file(self._lake.layout.root / part.part.path, ["symbol"])["symbol"]).to_pylist()
        return {symbol or NO_SYMBOL for symbol in found}

    def _replaced(self, key: str, ingest: Ingest) -> set[str]:
        """The symbols whose stored bars lie in the window that an ingest replaces."""
        if ingest.pulled is not None:
            return set(ingest.pulled.symbols)
        bars = self._lake.read(t.VALIDATED_BARS, self._feed.name, key, ["symbol", "ts"])
        ts = bars["ts"].cast(pa.int64()).to_numpy()
        inside = (ts >= (ingest.first_ts_us or 0)) & (ts <= (ingest.last_ts_us or 0))
        return set(pc.unique(bars["symbol"].filter(pa.array(inside)).cast(pa.string())).to_pylist())


def _hides_rows(ingest: Ingest) -> bool:
    """Whether rows come back with its withdrawal that no stored table tells of."""
    return ingest.mode == IngestMode.REPLACE_WINDOW and ingest.pulled is None
