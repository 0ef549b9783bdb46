"""How the bars of a report's range lie: their returns and volumes beside those before, and when bars are missing.

Of a large feed some symbols and sessions stand for all; what was looked at is told with the answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from marketdata_pipelines.domain.feeds import Feed, PartitionBy
from marketdata_pipelines.domain.frames import float_values, int_values, symbol_codes
from marketdata_pipelines.domain.partitions import partition_key, period_of
from marketdata_pipelines.domain.quality.records import SYMBOL_PROFILES
from marketdata_pipelines.domain.sessions import EPOCH
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.quality.report.records import Histogram
from marketdata_pipelines.stores.lake.lake import Lake

# What stands for all: so many symbols, and sessions on either side; more of those that have few bars.
SYMBOLS, SESSIONS, SESSIONS_OF_FEW_BARS = 20, 5, 30
_BINS = 41
_COLUMNS = ["symbol", "ts", "session_date", "close", "volume", "regular"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BarSample:
    """The bars statistics look at: which symbols of how many, and the sessions of the range and before it."""

    symbols: tuple[str, ...]
    of_symbols: int
    inside: tuple[date, ...]
    before: tuple[date, ...]

    @property
    def text(self) -> str:
        """What was looked at, as a sentence."""
        whole = len(self.symbols) == self.of_symbols
        symbols = "all symbols" if whole else f"{len(self.symbols)} of {self.of_symbols:,} symbols"
        before = f" and {len(self.before)} before" if self.before else ""
        sessions = "session" if len(self.inside) == 1 else "sessions"
        return f"Returns and volumes: {symbols}, {len(self.inside)} {sessions} of the range{before}."


def choose_sample(feed: Feed, symbols: Sequence[str], inside: Sequence[date], before: Sequence[date]) -> BarSample:
    """Symbols evenly spaced over the sorted ones, and the last sessions of either side."""
    step = max(len(symbols) / SYMBOLS, 1.0)
    chosen = [symbols[int(at * step)] for at in range(min(SYMBOLS, len(symbols)))]
    sessions = SESSIONS if feed.partition is PartitionBy.DAY else SESSIONS_OF_FEW_BARS
    return BarSample(tuple(chosen), len(symbols), tuple(inside[-sessions:]), tuple(before[-sessions:]))


def session_symbols(lake: Lake, feed: Feed, partitions: Sequence[str]) -> list[str]:
    """The symbols the profiles of some partitions name, sorted; without profiles those of the bars."""
    found: set[str] = set()
    for key in partitions:
        for table in (SYMBOL_PROFILES, VALIDATED_BARS):
            if lake.catalog.stored_partition(table, feed.name, key) is not None:
                names = pc.unique(lake.read(table, feed.name, key, ["symbol"])["symbol"].cast(pa.string()))
                found |= set(names.drop_null().to_pylist())
                break
    return sorted(found - {""})


def histograms(lake: Lake, feed: Feed, sample: BarSample) -> tuple[Histogram, ...]:
    """Returns from bar to bar, and volumes beside their symbol's usual one; none where there are no bars."""
    bars = _read(lake, feed, sample)
    if bars is None:
        return ()
    first_day = (sample.inside[0] - EPOCH).days
    found = []
    returns, days = _returns(bars)
    if (days >= first_day).any():
        found.append(
            _histogram("Returns from bar to bar", "percent", _return_edges(returns), returns, days >= first_day)
        )
    volumes, days = _relative_volumes(bars, first_day)
    if (days >= first_day).any():
        edges = np.linspace(-6.0, 6.0, _BINS + 1)
        found.append(_histogram("Volume of a bar", "times the symbol's median", edges, volumes, days >= first_day))
    return tuple(found)


def _read(lake: Lake, feed: Feed, sample: BarSample) -> pa.Table | None:
    """The sample's regular bars, sorted by symbol and time; None where there are none."""
    period = period_of(feed.partition)
    days = [*sample.before, *sample.inside]
    tables = []
    for key in dict.fromkeys(partition_key(day, period) for day in days):
        if lake.catalog.stored_partition(VALIDATED_BARS, feed.name, key) is not None:
            bars = lake.read(VALIDATED_BARS, feed.name, key, _COLUMNS, symbols=sample.symbols)
            wanted = pc.and_(bars["regular"], pc.is_in(bars["session_date"], pa.array(days, pa.date32())))
            tables.append(bars.filter(wanted))
    if not sum(table.num_rows for table in tables):
        return None
    whole = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    codes, _ = symbol_codes(whole["symbol"])
    return whole.take(pa.array(np.lexsort((int_values(whole["ts"]), codes))))


def _returns(bars: pa.Table) -> tuple[Floats, Ints]:
    """Logarithmic returns in percent from one bar of a symbol to its next, and the days of the later ones.

    Within a session; of bars that are their session's only ones, from session to session.
    """
    codes, _ = symbol_codes(bars["symbol"])
    close, days = float_values(bars["close"]), int_values(bars["session_date"])
    same_symbol, same_day = codes[1:] == codes[:-1], days[1:] == days[:-1]
    inside = same_symbol & same_day
    chosen = inside if inside.any() else same_symbol
    chosen &= (close[1:] > 0) & (close[:-1] > 0)
    return 100.0 * np.log(close[1:][chosen] / close[:-1][chosen]), days[1:][chosen]


def _relative_volumes(bars: pa.Table, first_day: int) -> tuple[Floats, Ints]:
    """log2 of volumes over their symbol's median before `first_day` (of all where there are none), and their days."""
    codes, symbols = symbol_codes(bars["symbol"])
    volume, days = float_values(bars["volume"]), int_values(bars["session_date"])
    before = days < first_day
    usual = _median_volumes(codes, np.where(before | ~before.any(), volume, np.nan), len(symbols))[codes]
    known = (volume > 0) & (usual > 0)
    return np.log2(volume[known] / usual[known]), days[known]


def _median_volumes(codes: NDArray[np.int32], volume: Floats, symbols: int) -> Floats:
    """The median of each symbol's volumes above zero; NaN without any."""
    found = np.full(symbols, np.nan)
    for code in np.unique(codes[volume > 0]):
        found[code] = np.median(volume[(codes == code) & (volume > 0)])
    return found


def _return_edges(values: Floats) -> Floats:
    """Symmetric edges that hold 99 of 100 values."""
    reach = float(np.quantile(np.abs(values), 0.99)) or float(np.abs(values).max()) or 0.01
    return np.linspace(-reach, reach, _BINS + 1)


def _histogram(title: str, axis: str, edges: Floats, values: Floats, inside: NDArray[np.bool_]) -> Histogram:
    own, before = values[inside], values[~inside]
    return Histogram(
        title, axis, tuple(float(edge) for edge in edges), _shares(own, edges), len(own),
        _shares(before, edges) if len(before) else None, len(before),
    )  # fmt: skip


def _shares(values: Floats, edges: Floats) -> tuple[float, ...]:
    counted, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    return tuple(float(count) / len(values) for count in counted)
