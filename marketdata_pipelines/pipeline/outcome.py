"""What walking one partition did, for whoever shows or records it."""

from dataclasses import dataclass, field
from datetime import date, datetime

import pyarrow as pa

from marketdata_pipelines.domain.sketch import Sketch
from marketdata_pipelines.domain.tables import QUALITY
from marketdata_pipelines.quality.outcome import CheckOutcome, Example, Facts


@dataclass(frozen=True, slots=True)
class AssetResult:
    """One asset of one partition, written. `table_rows`: rows by lake table; times UTC.

    `last_session` is the latest session date it holds, where its tables have one; `examples` tell of its rows by kind.
    """

    asset: str
    rows: int
    symbols: int
    first_ts: datetime | None
    last_ts: datetime | None
    bytes: int
    table_rows: dict[str, int]
    facts: Facts = field(default_factory=dict)
    preview: pa.Table | None = None
    last_session: date | None = None
    sketch: Sketch | None = None
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class PartitionOutcome:
    """One partition walked. `blocked` says why what is downstream was withheld; None: everything was written.

    `changed`: whether any row differs from what was stored before, where that was looked at.
    """

    feed: str
    partition: str
    results: tuple[AssetResult, ...]
    checks: tuple[CheckOutcome, ...]
    blocked: str | None
    changed: bool = True

    @property
    def is_verdict(self) -> bool:
        """Whether this is what was found of a partition when it was judged, after it was walked."""
        return bool(self.results) and all(result.asset == QUALITY for result in self.results)

    @property
    def passed(self) -> bool:
        return self.blocked is None and all(check.passed for check in self.checks)
