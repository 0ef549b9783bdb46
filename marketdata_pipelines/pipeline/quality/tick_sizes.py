"""The tick sizes of a feed's symbols on a day, from the instruments it names."""

from collections.abc import Iterable, Sequence
from datetime import date

import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.quality.settings import active_rules
from marketdata_pipelines.domain.references import Reference, ReferenceKind
from marketdata_pipelines.domain.symbology import Resolver
from marketdata_pipelines.errors import ReferenceConflict
from marketdata_pipelines.pipeline.references import known_instruments
from marketdata_pipelines.stores.lake.lake import Lake

TICK_SIZE = "tick_size"


class TickSizes:
    """Answers for one feed; `known` tells whether its instruments name any tick at all."""

    def __init__(self, instruments: pa.Table | None) -> None:
        rows = [] if instruments is None else instruments.select(["instrument_id", "tick_size"]).to_pylist()
        self._by_id = {row["instrument_id"]: row["tick_size"] for row in rows if (row["tick_size"] or 0) > 0}
        # Most references name no ticks; a resolver of many thousand instruments takes its time.
        self._resolver = Resolver(instruments) if self._by_id and instruments is not None else None

    @classmethod
    def of(cls, lake: Lake, feed: Feed) -> "TickSizes":
        """Those of the instruments a feed names, as they are known now; none where it does not ask for the rule."""
        if feed.instruments is None or TICK_SIZE not in active_rules(feed.quality):
            return cls(None)
        # What is known of a reference depends on its name and kind alone.
        return cls(known_instruments(lake, Reference(feed.instruments, ReferenceKind.INSTRUMENTS)))

    @property
    def known(self) -> bool:
        return bool(self._by_id)

    def on(self, day: date, symbols: Iterable[str]) -> dict[str, float]:
        """Tick size by symbol, in quote currency; symbols nobody bore that day, or several did, are left out."""
        found: dict[str, float] = {}
        if self._resolver is None:
            return found
        for symbol in symbols:
            try:
                tick = self._by_id.get(self._resolver.id_of(symbol, day) or "")
            except ReferenceConflict:
                continue
            if tick is not None:
                found[symbol] = tick
        return found

    def throughout(self, days: Sequence[date], symbols: Iterable[str]) -> dict[str, float]:
        """Tick size by symbol, of those that have the same on each of the days."""
        names = list(symbols)
        answers = [self.on(day, names) for day in days]
        return {
            symbol: tick
            for symbol, tick in (answers[0].items() if answers else ())
            if all(answer.get(symbol) == tick for answer in answers)
        }
