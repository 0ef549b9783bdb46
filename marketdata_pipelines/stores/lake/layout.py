"""Where things lie in the lake: one folder a table and feed, one file a partition.

    <lake>/catalog.sqlite                                  ledger and index
    <lake>/raw_bars/<feed>/<partition>/<part id>.parquet   immutable raw parts
    <lake>/<table>/<feed>/<partition>.parquet              everything derived
    <lake>/<table>/<feed>/<partition>/delta-<digest>.parquet, whole.parquet
                                                           rows of some symbols beside it; it, once they were merged
    <lake>/origins/<feed>/                                 vendors' answers, verbatim (see `origins`)
    <lake>/.staging/<feed>/, .tmp/                         files of an ingest, of a write in progress
    <lake>/.digests/<feed>.sqlite                          digests of the files in a drop folder; a cache

Paths only: nothing here touches the disk.
"""

from dataclasses import dataclass
from pathlib import Path

RAW_BARS, RAW_TRADES = "raw_bars", "raw_trades"
VALIDATED, REJECTED = "validated_bars", "rejected_bars"
RAW_TABLES = (RAW_BARS, RAW_TRADES)


@dataclass(frozen=True, slots=True)
class LakeLayout:
    """The lake's folder and the names below it."""

    root: Path

    @property
    def catalog(self) -> Path:
        return self.root / "catalog.sqlite"

    def table_file(self, table: str, feed: str, partition: str) -> Path:
        return self.root / table / feed / f"{partition}.parquet"

    def delta_file(self, table: str, feed: str, partition: str, digest: str) -> Path:
        return self.root / table / feed / partition / f"delta-{digest}.parquet"

    def other_file(self, table: str, feed: str, partition: str) -> Path:
        """Where a table lies that was merged while its file was in its usual place."""
        return self.root / table / feed / partition / "whole.parquet"

    def raw_part_file(self, table: str, feed: str, partition: str, part_id: str) -> Path:
        return self.root / table / feed / partition / f"{part_id}.parquet"

    def staging(self, feed: str) -> Path:
        return self.root / ".staging" / feed

    def digests(self, feed: str) -> Path:
        return self.root / ".digests" / f"{feed}.sqlite"

    @property
    def temporary(self) -> Path:
        return self.root / ".tmp"

    def lock(self, feed: str) -> Path:
        return self.root / ".locks" / f"{feed}.lock"

    def publish_lock(self, feed: str) -> Path:
        return self.root / ".locks" / f"{feed}.publish"

    def origin_body(self, feed: str, sha256: str) -> Path:
        return self.root / "origins" / feed / f"{sha256}.zst"

    def origin_list(self, feed: str, origin_id: str) -> Path:
        return self.root / "origins" / feed / f"{origin_id}.json"

    @property
    def providers(self) -> Path:
        """What processes that pull share about the vendors."""
        return self.root / ".locks" / "providers.sqlite"

    def relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()
