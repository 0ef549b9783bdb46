"""Everything of a partition that follows from its validated bars: aggregates, buckets of several days, views.

What the walk makes of them, and how bars become valid, is in `walk`.
"""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain import tables as t
from marketdata_pipelines.domain.bars import AGGREGATE_SCHEMA
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.session_grid import SessionGrid, feed_calendar
from marketdata_pipelines.domain.sessions import Session, open_calendar
from marketdata_pipelines.pipeline.aggregate import aggregate_partition
from marketdata_pipelines.pipeline.coarse import DAILY_TABLE, SEVERAL_DAYS, CoarseBars
from marketdata_pipelines.pipeline.gathering import Gathered
from marketdata_pipelines.pipeline.neighbours import SharedBuckets
from marketdata_pipelines.pipeline.revising import Revision
from marketdata_pipelines.pipeline.versions import Versions
from marketdata_pipelines.pipeline.views import build_view
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.lake.stored_rows import merged_rows, read_stored

_AGGREGATED = {
    t.INTRADAY_BARS,
    t.DAILY_BARS,
    t.WEEKLY_BARS,
    t.MONTHLY_BARS,
    t.DAILY_SUMMARY,
    t.SYMBOL_PERFORMANCE,
    t.TOP_VOLUME,
}


@dataclass(frozen=True, slots=True)
class ValidBars:
    """A base partition past validation: `bars` are those walked now, of the symbols of `revision`; `whole` are all."""

    key: str
    grid: SessionGrid
    sessions: list[Session]
    bars: pa.Table
    whole: pa.Table
    horizon_us: int
    inputs: str
    revision: Revision | None = None


class Deriver:
    """Derives the tables of one feed's partitions."""

    def __init__(self, lake: Lake, feed: Feed, coarse: CoarseBars, buckets: SharedBuckets, versions: Versions) -> None:
        self._lake, self._feed, self._coarse, self._buckets, self._versions = lake, feed, coarse, buckets, versions
        self._sets = {table_set.name: table_set for table_set in t.feed_tables(feed)}
        self._zone = "UTC" if feed_calendar(feed).zone == "UTC" else open_calendar(feed.calendar).zone

    def derive(self, gathered: Gathered, base: ValidBars, wanted: frozenset[str]) -> None:
        """Make every wanted table that is derived from a partition's validated bars."""
        inputs = self._versions.inputs([base.inputs])
        regular = base.bars.filter(base.bars["regular"])
        volume = pc.sum(regular["volume"]).as_py() if regular["volume"].null_count == 0 else None
        own = daily = AGGREGATE_SCHEMA.empty_table()
        if wanted & _AGGREGATED:
            made = aggregate_partition(self._feed, base.grid, base.bars, base.horizon_us)
            own = daily = made.daily
            if t.INTRADAY_BARS in wanted and made.intraday:
                gathered.add(t.INTRADAY_BARS, made.intraday, inputs, volume=volume, bars=regular.num_rows)
        if base.revision is not None:
            daily = self._all_days(base, own, base.revision)
        self._derive_buckets(gathered, base, own, daily, wanted, inputs)
        for view in t.VIEWS:
            if view in wanted and view in self._sets:
                # A ranking is of all symbols.
                source = daily if view == t.TOP_VOLUME else own
                table = build_view(view, base.bars, source, base.sessions, self._zone)
                gathered.add(view, {view: table}, inputs, whole={t.TOP_VOLUME})

    def _derive_buckets(
        self,
        gathered: Gathered,
        base: ValidBars,
        own_daily: pa.Table,
        daily: pa.Table,
        wanted: frozenset[str],
        inputs: str,
    ) -> None:
        """1d and 2d bars, and 1w and 1M where they share the base partitioning; these are of all symbols."""
        source = inputs if self._coarse.source_table == DAILY_TABLE else base.inputs
        for asset in self._buckets.names:
            if asset not in wanted:
                continue
            own = {DAILY_TABLE: own_daily} if DAILY_TABLE in self._sets[asset].tables else {}
            digests = {DAILY_TABLE: inputs}
            for made in self._buckets.derive(asset, base.key, base.sessions, daily, source):
                if made.partition == base.key and made.table is not None:
                    own[made.name], digests[made.name] = made.table, made.inputs
                else:
                    gathered.add_table(made.name, made.partition, made.table, made.inputs)
            gathered.add(asset, own, digests, whole=SEVERAL_DAYS)

    def _all_days(self, base: ValidBars, own: pa.Table, revision: Revision) -> pa.Table:
        """The 1d bars of every symbol."""
        if self._coarse.source_table == DAILY_TABLE:
            return together(self._lake, self._feed, DAILY_TABLE, base.key, own, revision)
        return aggregate_partition(self._feed, base.grid, base.whole, base.horizon_us).daily


def together(lake: Lake, feed: Feed, table: str, key: str, rows: pa.Table, revision: Revision) -> pa.Table:
    """A whole table: what is stored of the other symbols, and these rows of those of a revision."""
    stored = lake.catalog.stored_partition(table, feed.name, key)
    if stored is None:
        return rows
    return merged_rows(table, read_stored(lake.layout.root, stored, without=revision.symbols), rows)
