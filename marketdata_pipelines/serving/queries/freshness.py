"""Whether the SQL store holds what the lake holds: the ledger of publications beside the lake's index."""

from collections.abc import Sequence
from dataclasses import dataclass

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.tables import feed_tables
from marketdata_pipelines.serving.ranges import TimeRange
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.timescale.read_snapshot import PublishedPart


@dataclass(frozen=True, slots=True)
class Lag:
    """Partitions of one table in a range that are not in the store as the lake has them; `total` of both there are."""

    table: str
    behind: tuple[str, ...]
    total: int

    def __str__(self) -> str:
        names = ", ".join(self.behind[:3]) + (" …" if len(self.behind) > 3 else "")
        count = f"{len(self.behind)} of {self.total} partitions of {self.table}"
        return f"the SQL store is behind the lake in {count}: {names}"


def find_lag(lake: Lake, feed: Feed, table: str, wanted: TimeRange, ledger: Sequence[PublishedPart]) -> Lag | None:
    """What of a table's partitions in a range the store does not hold as the lake does; None: it holds them all.

    `ledger` is what the store has published of the same range. Partitions without rows need not be there.
    """
    period = next(each.period for each in feed_tables(feed) if table in each.tables)
    stored = {each.partition: each for each in lake.catalog.stored(table, feed.name, *wanted.partitions(period))}
    published = {part.partition: part for part in ledger}
    behind = [key for key, each in stored.items() if _differs(each.inputs, each.rows, published.get(key))]
    behind += [key for key, part in published.items() if part.rows and key not in stored]
    return Lag(table, tuple(sorted(behind)), len(stored.keys() | published.keys())) if behind else None


def has_lake(lake: Lake) -> bool:
    """Whether the lake is at hand at all; without it the store is all there is."""
    return lake.layout.catalog.exists()


def _differs(inputs: str, rows: int, part: PublishedPart | None) -> bool:
    return rows > 0 if part is None else part.inputs != inputs
