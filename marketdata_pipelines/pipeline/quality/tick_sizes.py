"""The tick sizes of a feed's symbols on a day, from the instruments it names."""

from collections.abc import Mapping
from datetime import date

import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.references import Reference
from marketdata_pipelines.domain.symbology import Resolver
from marketdata_pipelines.errors import ReferenceConflict
from marketdata_pipelines.pipeline.references import instruments_of
from marketdata_pipelines.stores.lake.lake import Lake


class TickSizes:
    """Answers for one feed; `known` tells whether its instruments name any tick at all."""

    def __init__(self, instruments: pa.Table | None) -> None:
        self._resolver = None if instruments is None else Resolver(instruments)
        rows = [] if instruments is None else instruments.select(["instrument_id", "tick_size"]).to_pylist()
        self._by_id = {row["instrument_id"]: row["tick_size"] for row in rows if row["tick_size"] is not None}

    @classmethod
    def of(cls, lake: Lake, feed: Feed, references: Mapping[str, Reference]) -> "TickSizes":
        """Those of the instruments a feed names, as they are known now."""
        return cls(instruments_of(lake, feed, references) if feed.instruments else None)

    @property
    def known(self) -> bool:
        return bool(self._by_id)

    def on(self, day: date, symbols: list[str]) -> dict[str, float]:
        """Tick size by symbol, in quote currency; symbols nobody bore that day, or several did, are left out."""
        found: dict[str, float] = {}
        resolver = self._resolver
        for symbol in symbols if resolver is not None else ():
            assert resolver is not None
            try:
                tick = self._by_id.get(resolver.id_of(symbol, day) or "")
            except ReferenceConflict:
                continue
            if tick is not None:
                found[symbol] = tick
        return found
