"""Days of the simulated exchange as a vendor delivers them: rows in arrival order, with place, faults and source text.

The clean market is in `bars` and `trades`; writing the same days to disk is in `files`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.bars import RAW_BAR_SCHEMA, RAW_TRADE_SCHEMA
from marketdata_pipelines.domain.feeds import DataKind, Feed
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.domain.sessions import Session
from marketdata_pipelines.sources.simulated.bars import simulate_bars
from marketdata_pipelines.sources.simulated.injection import InjectedFault, inject_faults
from marketdata_pipelines.sources.simulated.lines import Cells, LineStyle, csv_line, line_style
from marketdata_pipelines.sources.simulated.trades import simulate_trades

_LONGEST_ORIGINAL = 2_000


@dataclass(frozen=True, slots=True)
class SimulatedChunk:
    """A day's rows as every source hands them on; the source text is the line a CSV file of the day would have."""

    kind: DataKind
    table: pa.Table
    style: LineStyle
    rewritten: Mapping[int, Cells]

    def cells(self, positions: np.ndarray) -> list[Cells]:
        """What is written in the rows at these positions; short and long rows have fewer or more than the header."""
        wanted = [int(position) for position in positions]
        clean = [position for position in wanted if position not in self.rewritten]
        rendered = iter(self.style.cells(self.table.take(pa.array(clean, pa.int64()))))
        return [self.rewritten[p] if p in self.rewritten else next(rendered) for p in wanted]

    def originals(self, positions: np.ndarray) -> Sequence[str]:
        """The CSV lines of the rows at these positions of `table`, shortened to 2,000 characters."""
        return [csv_line(cells)[:_LONGEST_ORIGINAL] for cells in self.cells(positions)]


@dataclass(frozen=True, slots=True)
class SimulatedDay:
    """One session date of a simulated feed.

    `name` is a stable pseudo file name (`demo_us/2024-03-04.csv`); `chunk.table` has RAW_BAR_SCHEMA or RAW_TRADE_SCHEMA
    without `original`, rows numbered from 1 in arrival order, lines from 2 (line 1 is the header).
    """

    day: date
    name: str
    chunk: SimulatedChunk
    faults: tuple[InjectedFault, ...]

    @property
    def table(self) -> pa.Table:
        return self.chunk.table


def historical(feed: Feed, start: date, end: date) -> Iterator[SimulatedDay]:
    """The feed's open sessions with start <= date <= end, each made when asked for.

    Errors: SettingsInvalid for a feed that cannot be simulated as declared.
    """
    for session in feed_calendar(feed).sessions(start, end):
        yield _simulate_day(feed, session)


def _simulate_day(feed: Feed, session: Session) -> SimulatedDay:
    kind = DataKind.TRADES if feed.data is DataKind.TRADES else DataKind.BARS
    clean = simulate_trades(feed, session.date) if kind is DataKind.TRADES else _arriving_bars(feed, session.date)
    style = line_style(feed)
    names = clean["symbol"].combine_chunks().cast(pa.string())
    clean = clean.set_column(clean.schema.get_field_index("symbol"), "symbol", names)
    spoiled = inject_faults(feed, session, clean, style)
    row = np.arange(1, spoiled.table.num_rows + 1)
    placed = spoiled.table.add_column(0, "line", pa.array(row + 1)).add_column(0, "row", pa.array(row))
    schema = RAW_TRADE_SCHEMA if kind is DataKind.TRADES else RAW_BAR_SCHEMA
    fields = [field for field in schema if field.name != "original"]
    table = placed.select([field.name for field in fields]).cast(pa.schema(fields))
    name = f"{feed.name}/{session.date.isoformat()}.csv"
    return SimulatedDay(session.date, name, SimulatedChunk(kind, table, style, spoiled.rewritten), spoiled.faults)


def _arriving_bars(feed: Feed, day: date) -> pa.Table:
    bars = simulate_bars(feed, day)
    # By time, then by symbol: a stable sort of rows that come by symbol.
    return bars.take(np.argsort(bars["ts"].to_numpy(), kind="stable"))
