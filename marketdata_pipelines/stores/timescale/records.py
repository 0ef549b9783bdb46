"""Records the SQL store gives back: what is published, what differs, what is kept where."""

from dataclasses import dataclass
from datetime import date, datetime

Value = float | int | bool | str | date | datetime | None


@dataclass(frozen=True, slots=True)
class Published:
    """One partition of a table as it stands in the store.

    `inputs` is the lake's digest of what was published (equal: up to date), empty where rows were added since that the
    lake did not give. `checksum` is of the rows. `rolled`: the rollups hold these rows. `changed`: this publication
    wrote rows, `written` of them.
    """

    feed: str
    table: str
    partition: str
    inputs: str
    rows: int
    symbols: int
    checksum: str
    horizon_us: int
    rolled: bool
    run_id: str
    published_at: datetime
    changed: bool = False
    written: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that differs: of `symbol`'s bar at `ts` (UTC) in `table`; None on a side without the bar or value.

    `column` is `bar` where one side has no such bar.
    """

    table: str
    symbol: str
    ts: datetime
    column: str
    store: Value
    other: Value

    def __str__(self) -> str:
        where = f"{self.symbol} {self.ts:%Y-%m-%dT%H:%M:%SZ} in {self.table}"
        if self.column == "bar":
            return f"{where}: only in the {'store' if self.other is None else 'lake'}"
        return f"{where}: {self.column} is {self.store!r} in the store, {self.other!r} in the lake"


@dataclass(frozen=True, slots=True)
class Storage:
    """What one table of a feed takes, in bytes.

    `heap_bytes` holds the rows (large values with them), `index_bytes` the indexes; both of what is stored now, the
    compressed part included. `compressed_bytes` is that part, `uncompressed_bytes` what it took before (0: none is).
    """

    table: str
    heap_bytes: int
    index_bytes: int
    chunks: int = 0
    compressed_chunks: int = 0
    compressed_bytes: int = 0
    uncompressed_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        return self.heap_bytes + self.index_bytes
