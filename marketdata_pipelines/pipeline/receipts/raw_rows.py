"""The rows of raw parts that can be one symbol's. Which of them decided a bar is in `provenance`."""

from collections.abc import Callable
from functools import lru_cache

import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.pipeline.validate import LoadedPart
from marketdata_pipelines.stores.lake.catalog import StandingPart
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.lake.ledger import RawPart

_KEPT_PARTS, _KEPT_SYMBOLS = 16, 64


class RawRows:
    """Reads the raw parts of one feed; the last ones are kept."""

    def __init__(self, lake: Lake, feed: Feed) -> None:
        self._lake, self._feed = lake, feed
        self._whole: Callable[[RawPart], pa.Table] = lru_cache(maxsize=_KEPT_PARTS)(self._read)
        self._one: Callable[[RawPart, str], pa.Table] = lru_cache(maxsize=_KEPT_SYMBOLS)(
            lambda part, symbol: lake.read_part(feed.name, part, [symbol])
        )

    def of(self, part: StandingPart, symbol: str) -> LoadedPart:
        """A part with its rows of a symbol; where these lie scattered over it, with all of its rows.

        Errors: PartitionMissing where the part's file was removed by a policy of retention.
        """
        if self._lake.is_symbol_apart(self._feed.name, part.part, symbol):
            return LoadedPart(part, self._one(part.part, symbol))
        return LoadedPart(part, self._whole(part.part))

    def count(self, part: StandingPart) -> int:
        """How many rows the file of a part has. Errors as `of`."""
        return self._lake.part_rows(self._feed.name, part.part)

    def _read(self, part: RawPart) -> pa.Table:
        return self._lake.read_part(self._feed.name, part)
