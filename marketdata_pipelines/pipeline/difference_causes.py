"""Which ingests made bars differ between two instants: base bars by their changes, buckets by the base bars in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.bars import TS
from marketdata_pipelines.domain.differences import pair_ids
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import int_values, symbol_codes, timestamps
from marketdata_pipelines.domain.intervals import DAY_US, parse_interval
from marketdata_pipelines.domain.labels import day_buckets
from marketdata_pipelines.domain.partitions import is_partition_key, period_of
from marketdata_pipelines.domain.session_grid import Ints, SessionGrid
from marketdata_pipelines.domain.sessions import EPOCH
from marketdata_pipelines.pipeline.change_tables import ingest_causes
from marketdata_pipelines.pipeline.corrections import changes_of
from marketdata_pipelines.stores.lake.catalog import Ingest
from marketdata_pipelines.stores.lake.definitions import Definitions
from marketdata_pipelines.stores.lake.lake import Lake

DEFINITION = "definition"
_MARGIN = timedelta(days=4)


@dataclass(frozen=True, slots=True)
class Links:
    """That bars (positions in some table) differ because of ingests (positions in ledger order), pair by pair."""

    bar: Ints
    ingest: Ints


class Causes:
    """The ingests of a feed between two instants, from_us excluded and to_us included."""

    def __init__(self, lake: Lake, feed: Feed, from_us: int, to_us: int) -> None:
        self._lake, self._feed = lake, feed
        self._from_us, self._to_us = from_us, to_us
        # Earlier ones tell whether a content was parsed again.
        known = sorted(lake.catalog.ingests(feed.name), key=lambda ingest: (ingest.known_at_us, ingest.seq))
        self._ingests = [ingest for ingest in known if ingest.known_at_us <= to_us]
        self._position = {ingest.seq: position for position, ingest in enumerate(self._ingests)}
        self._kinds = ingest_causes(self._ingests)

    def of_bars(self, keys: Sequence[str], bars: pa.Table) -> Links:
        """Why base bars (symbol, ts; unique) of some partitions differ."""
        period = period_of(self._feed.partition)
        own = [key for key in keys if is_partition_key(key, period) and self._between(key)]
        tables = [changes_of(self._lake, self._feed, key) for key in own]
        window = [timestamps(np.array([edge], np.int64))[0] for edge in (self._from_us, self._to_us)]
        told = [
            table.filter(pc.and_(pc.greater(table["known_at"], window[0]), pc.less_equal(table["known_at"], window[1])))
            for table in tables
        ]
        if not told or not bars.num_rows:
            return _no_links()
        changes = pa.concat_tables(told)
        at, row = _matches(bars, changes["symbol"], int_values(changes["ts"]))
        position = [self._position[seq] for seq in changes["seq"].take(pa.array(row)).to_pylist()]
        return _distinct(Links(at, np.array(position, np.int64)))

    def of_buckets(self, timeframe: str, buckets: pa.Table, bars: pa.Table, links: Links) -> Links:
        """Why buckets (symbol, ts; unique) differ: for the base bars in them that do.

        `bars`: those base bars, with symbol, ts, session_date and regular; `links`: why they differ.
        """
        labels = bucket_labels(self._feed, timeframe, bars)
        inside = np.flatnonzero(bars["regular"].to_numpy(zero_copy_only=False))
        at, row = _matches(buckets, bars["symbol"].take(pa.array(inside)), labels[inside])
        bucket = np.full(bars.num_rows, -1, np.int64)
        bucket[inside[row]] = at
        found = bucket[links.bar]
        return _distinct(Links(found[found >= 0], links.ingest[found >= 0]))

    def columns(self, count: int, links: Links, keys: Sequence[str], *, redefined: bool) -> dict[str, pa.Array]:
        """The cause columns of `count` bars of some base partitions.

        Where no ingest is linked, the definition is the cause if it changed, else the newest ingest: what is known
        until when decides which bars are final.
        """
        newest, number = np.full(count, -1, np.int64), np.zeros(count, np.int64)
        # Links are in order of (bar, ingest): the last one of a bar stays.
        newest[links.bar] = links.ingest
        np.add.at(number, links.bar, 1)
        if not redefined and (newest < 0).any():
            between = [self._position[ingest.seq] for key in keys for ingest in self._between(key)]
            number[newest < 0] = min(len(between), 1)
            newest[newest < 0] = max(between, default=-1)
        at = pa.array(newest, mask=newest < 0)
        found = self._facts(at)
        if redefined:
            found["cause"] = found["cause"].fill_null(DEFINITION)
            found["known_at"] = found["known_at"].fill_null(pa.scalar(self._defined_us(), pa.int64()))
        found["known_at"] = found["known_at"].view(TS)
        return {**found, "causes": pa.array(number), "seqs": self._listed(found["seq"], number, links)}

    def _facts(self, at: pa.Array) -> dict[str, pa.Array]:
        """What is told of ingests by their positions; null where there is none."""
        ingests = self._ingests
        values: dict[str, tuple[list[Any], pa.DataType]] = {
            "cause": (self._kinds, pa.string()),
            "seq": ([ingest.seq for ingest in ingests], pa.int64()),
            "file": ([ingest.file for ingest in ingests], pa.string()),
            "known_at": ([ingest.known_at_us for ingest in ingests], pa.int64()),
            "run_id": ([ingest.run_id for ingest in ingests], pa.string()),
        }
        return {name: pa.array(column, kind).take(at) for name, (column, kind) in values.items()}

    def _listed(self, newest: pa.Array, number: Ints, links: Links) -> pa.Array:
        """The sequence numbers of all causes of each bar, `;`-separated."""
        seqs = newest.cast(pa.string())
        several = number > 1
        if not several.any():
            return seqs
        starts = np.searchsorted(links.bar, np.flatnonzero(several))
        runs = [links.ingest[start : start + size] for start, size in zip(starts, number[several], strict=True)]
        joined = [";".join(str(self._ingests[position].seq) for position in run.tolist()) for run in runs]
        return pc.replace_with_mask(seqs, pa.array(several), pa.array(joined, pa.string()))

    def _between(self, key: str) -> list[Ingest]:
        parts, without = self._lake.catalog.accepted_parts(self._feed.name, key)
        ingests = [*(part.ingest for part in parts), *without]
        return [ingest for ingest in ingests if self._from_us < ingest.known_at_us <= self._to_us]

    def _defined_us(self) -> int | None:
        recorded = Definitions(self._lake.layout.catalog).all(self._feed.name)
        known = [at for at, version, _ in recorded if version == self._feed.version and at <= self._to_us]
        return known[-1] if known else None


def bucket_labels(feed: Feed, timeframe: str, bars: pa.Table) -> Ints:
    """The `ts` of the bucket of a timeframe that each base bar is in, UTC microseconds."""
    days = int_values(bars["session_date"])
    if timeframe == "1d" or not len(days):
        return days * DAY_US
    width = parse_interval(timeframe)
    if not width.is_intraday:
        group, labels, _ = day_buckets(feed, days, timeframe)
        return labels[group] * DAY_US
    first, last = (EPOCH + timedelta(days=int(day)) for day in (days.min(), days.max()))
    ts = int_values(bars["ts"])
    placed = SessionGrid(feed, first - _MARGIN, last + _MARGIN).place(ts)
    # As in `aggregation`: a bar that only overlaps its segment counts as opening in it.
    inside = np.minimum(np.maximum(ts, placed.anchor), placed.limit - 1)
    labels = placed.anchor + (inside - placed.anchor) // width.us * width.us
    return labels.astype(np.int64)


def _matches(bars: pa.Table, symbols: pa.ChunkedArray, ts: Ints) -> tuple[Ints, Ints]:
    """(position in `bars`, position in symbols and ts) of equal pairs."""
    own = list(bars["symbol"].cast(pa.string()).chunks)
    codes, names = symbol_codes(pa.chunked_array([*own, *symbols.cast(pa.string()).chunks], pa.string()))
    ids = pair_ids(codes.astype(np.int64), np.concatenate((int_values(bars["ts"]), ts)), len(names))
    known, wanted = ids[: bars.num_rows], ids[bars.num_rows :]
    if not len(known):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    order = np.argsort(known, kind="stable")
    at = order[np.minimum(np.searchsorted(known[order], wanted), len(known) - 1)]
    found = np.flatnonzero(known[at] == wanted)
    return at[found], found


def _distinct(links: Links) -> Links:
    pairs = np.unique(np.stack((links.bar, links.ingest), axis=1), axis=0)
    return Links(pairs[:, 0], pairs[:, 1])


def _no_links() -> Links:
    return Links(np.zeros(0, np.int64), np.zeros(0, np.int64))
