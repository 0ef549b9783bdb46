"""Under which of a feed's own symbols the bars of another feed belong, by instrument and session date."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import int_values, symbol_codes, symbol_column
from marketdata_pipelines.domain.intervals import DAY_US
from marketdata_pipelines.domain.references import Reference
from marketdata_pipelines.domain.sessions import date_of_us
from marketdata_pipelines.domain.symbology import Resolver
from marketdata_pipelines.errors import ReferenceConflict
from marketdata_pipelines.pipeline.references import instruments_of
from marketdata_pipelines.stores.lake.lake import Lake


@dataclass(frozen=True, slots=True)
class Names:
    """Names another feed's symbols; without resolvers they are the own feed's already."""

    own: Resolver | None
    other: Resolver | None

    def own_names(self, bars: pa.Table) -> pa.Table:
        """The bars under the own feed's symbols, sorted by (symbol, ts).

        A symbol whose instrument the own feed's reference data do not know keeps its name. Left out: bars of nobody
        (no instrument bore the symbol then, or several did), and of instruments that had no symbol in the own feed.
        """
        if self.own is None or self.other is None or not bars.num_rows:
            return bars
        codes, symbols = symbol_codes(bars["symbol"])
        days = int_values(bars["session_date"])
        pairs, row = np.unique(np.stack((codes, days)), axis=1, return_inverse=True)
        found = [self._name(symbols[code], date_of_us(day * DAY_US)) for code, day in pairs.T.tolist()]
        if all(name == symbols[code] for name, code in zip(found, pairs[0].tolist(), strict=True)):
            return bars
        known = sorted({name for name in found if name is not None})
        position = {name: at for at, name in enumerate(known)}
        named = np.array([-1 if name is None else position[name] for name in found], np.int32)[row.ravel()]
        kept, ts = named >= 0, int_values(bars["ts"])
        order = np.lexsort((ts, named))
        order = order[kept[order]]
        # Two of the other's symbols may be one of the own: the first bar of a time stands.
        first = np.ones(len(order), bool)
        first[1:] = (np.diff(named[order]) != 0) | (np.diff(ts[order]) != 0)
        order = order[first]
        column = symbol_column(named[order], known)
        return bars.take(pa.array(order)).set_column(0, bars.schema.field(0), column)

    def _name(self, symbol: str, day: date) -> str | None:
        assert self.own is not None
        assert self.other is not None
        instrument = _unless_contradicted(self.other.id_of, symbol, day)
        if instrument is None:
            return None
        if not self.own.has(instrument):
            return symbol
        return _unless_contradicted(self.own.symbol_of, instrument, day)


def names_of(lake: Lake, feed: Feed, other: Feed, references: Mapping[str, Reference]) -> Names:
    """How the symbols of `other` are named in `feed`: by instruments where both name such a reference, else alike."""
    if feed.instruments is None or other.instruments is None:
        return Names(None, None)
    own, others = (instruments_of(lake, each, references) for each in (feed, other))
    return Names(None if own is None else Resolver(own), None if others is None else Resolver(others))


def _unless_contradicted(ask: Callable[[str, date], str | None], name: str, day: date) -> str | None:
    try:
        return ask(name, day)
    except ReferenceConflict:
        return None
