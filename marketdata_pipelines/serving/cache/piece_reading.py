"""Fetches pieces from the nearest tier, and leaves in the nearer ones what a farther one had to be asked for."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.serving.cache.coalescing import Coalescing
from marketdata_pipelines.serving.cache.l1 import L1
from marketdata_pipelines.serving.cache.loader import Loader
from marketdata_pipelines.serving.cache.pieces import PieceKey, by_symbol, regular_rows
from marketdata_pipelines.serving.cache.revisions import Revisions, RevisionSource
from marketdata_pipelines.serving.cache.statistics import Tier

if TYPE_CHECKING:
    from marketdata_pipelines.serving.cache.second import SecondTier

# Older partitions are not kept in Redis: whoever reads through a history must not push out the hot set.
HOT_PARTITIONS = 30
# How many partitions are looked at together, at least, where the newest does not have the bars asked for.
_LEAST_STEP = 2

Pieces = dict[tuple[str, str], pa.Table]


class Superseded(Exception):
    """What was read is not of the revision it was asked for: it was replaced meanwhile."""


class PieceReader:
    """Pieces by (symbol, partition), each of the revision that was the newest when the question began."""

    def __init__(
        self,
        loader: Loader,
        revisions: RevisionSource,
        second: "SecondTier | None",
        l1: L1,
        coalescing: Coalescing,
    ) -> None:
        self._loader, self._revisions, self._second = loader, revisions, second
        self._l1, self._coalescing = l1, coalescing

    def read(
        self, feed: Feed, table: str, symbols: Sequence[str], partitions: Sequence[str], now: Revisions
    ) -> tuple[Pieces, Tier]:
        """A piece for each symbol and partition, perhaps without rows, and the farthest tier that was asked.

        Errors: Superseded when a partition was replaced while it was read.
        """
        found: Pieces = {}
        missing: list[PieceKey] = []
        for partition in partitions:
            for symbol in symbols:
                key = PieceKey(feed.name, table, symbol, partition, now.by_partition[partition])
                kept = self._l1.get(key)
                if kept is None:
                    missing.append(key)
                else:
                    found[symbol, partition] = kept
        if not missing:
            return found, Tier.L1
        if self._second is not None:
            hot = set(now.partitions[-HOT_PARTITIONS:])
            for key, rows in self._second.pieces([key for key in missing if key.partition in hot]).items():
                self._keep(key, rows)
                found[key.symbol, key.partition] = rows
            missing = [key for key in missing if (key.symbol, key.partition) not in found]
        if not missing:
            return found, Tier.L2
        for partition in dict.fromkeys(key.partition for key in missing):
            named = tuple(key.symbol for key in missing if key.partition == partition)
            question = (feed.name, table, partition, now.by_partition[partition], named)
            read, _ = self._coalescing.load(question, partial(self._load, feed, table, partition, named, now))
            found |= {(symbol, partition): rows for symbol, rows in read.items()}
        return found, Tier.L3

    def newest(
        self, feed: Feed, table: str, symbol: str, count: int, partitions: Sequence[str], now: Revisions
    ) -> tuple[list[pa.Table], Tier]:
        """The last pieces of a symbol that together have `count` bars of the regular session, without the others.

        Errors: as `read`.
        """
        pieces: list[pa.Table] = []
        farthest, rows, last, step = Tier.L1, 0, len(partitions), 1
        while last > 0 and rows < count:
            keys = partitions[max(last - step, 0) : last]
            found, tier = self.read(feed, table, (symbol,), keys, now)
            pieces[:0] = [regular_rows(found[symbol, key]) for key in keys]
            farthest, last, rows = max(farthest, tier), last - len(keys), sum(piece.num_rows for piece in pieces)
            # As many as should do, going by those before the newest, of which a part may be still to come.
            whole = sum(piece.num_rows for piece in pieces[:-1])
            by_mean = -(-(count - rows) * (len(pieces) - 1) // max(whole, 1))
            step = max(_LEAST_STEP, by_mean)
        return pieces, farthest

    def _load(
        self, feed: Feed, table: str, partition: str, symbols: Sequence[str], now: Revisions
    ) -> dict[str, pa.Table]:
        rows = self._loader.partition(feed, table, partition, symbols)
        revision = now.by_partition[partition]
        if self._revisions.anew(feed.name, table).by_partition.get(partition) != revision:
            raise Superseded
        read = by_symbol(rows, symbols)
        for symbol, own in read.items():
            self._keep(PieceKey(feed.name, table, symbol, partition, revision), own)
        is_hot = self._loader.gives_stored_rows and partition in now.partitions[-HOT_PARTITIONS:]
        if self._second is not None and is_hot:
            self._second.put_pieces(feed.name, table, partition, revision, rows, symbols)
        return read

    def _keep(self, key: PieceKey, rows: pa.Table) -> None:
        self._l1.put(key, rows, rows.get_total_buffer_size(), group=(key.feed, key.table, key.partition))
