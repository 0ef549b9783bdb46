"""What a receipt is: the way back from a bar to the lines of its sources, as plain records.

How it is put together is in `explaining`, how it is checked in `verifying`. Times are aware datetimes, UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from shlex import quote

Value = int | float | str | bool | datetime | None
Values = Mapping[str, Value]


class TextOrigin(StrEnum):
    """Where the source text of a raw row was found."""

    KEPT = "kept in the raw part"
    FILE = "source file"
    MADE_AGAIN = "made again"
    ANSWER = "vendor's answer"
    RECORD = "repair's record"
    MISSING = "not found"


@dataclass(frozen=True, slots=True)
class SourceText:
    """A row's source text; None where it could not be had, and then `note` says why."""

    text: str | None
    origin: TextOrigin
    note: str = ""


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as parsed, with its place: `part` names its raw part, `rules` why it does not stand (None: it does)."""

    part: str
    seq: int
    file: str
    row: int | None
    line: int | None
    rules: str | None
    values: Values
    source: SourceText


@dataclass(frozen=True, slots=True)
class TradesProof:
    """The trades of a base bar. `counted`: those of OHLC; `volume_only`: of volume alone; `left_out`: of neither."""

    trades: int
    counted: int
    volume_only: int
    left_out: int
    rejected: int
    first: RawRow
    last: RawRow
    high: RawRow
    low: RawRow


@dataclass(frozen=True, slots=True)
class BaseBar:
    """A bar of the feed's own interval inside the bucket, the raw row it is, and the rows that lost against that.

    `raw` is None where no raw row that stands today gives it: the stored bar is behind.
    """

    partition: str
    values: Values
    raw: RawRow | None
    lost: tuple[RawRow, ...]
    trades: TradesProof | None


class Checked(StrEnum):
    """When the checks of a partition were evaluated."""

    BY_ITS_WALK = "by its walk"
    NOW = "now"


@dataclass(frozen=True, slots=True)
class CheckProof:
    """The outcome of one check over a partition; `PartitionProof.checked` says when it was evaluated."""

    name: str
    asset: str
    passed: bool
    blocking: bool
    message: str


@dataclass(frozen=True, slots=True)
class VersionProof:
    """One version as recorded, and as it is today."""

    name: str
    recorded: str
    today: str

    @property
    def differs(self) -> bool:
        return self.recorded != self.today


@dataclass(frozen=True, slots=True)
class FileProof:
    """A partition of a table: its file and the deltas beside it, what it was derived from, its rows, its versions."""

    table: str
    partition: str
    path: str
    deltas: tuple[str, ...]
    inputs: str
    rows: int
    versions: tuple[VersionProof, ...]


@dataclass(frozen=True, slots=True)
class PartitionProof:
    """A base partition behind the bucket. `file` is None where the answer was derived in memory.

    The counts and checks are those that its walk kept, or found out again now (`checked`).

    `follows`: whether what is stored is what the raw parts that stand give; `walk_run`: the run that wrote it, None
    where nothing recorded it.
    """

    key: str
    file: FileProof | None
    follows: bool
    raw_rows: int
    accepted_rows: int
    rejected_rows: int
    checks: tuple[CheckProof, ...]
    checked: Checked = Checked.NOW
    walk_run: str | None = None


@dataclass(frozen=True, slots=True)
class PartProof:
    """A raw part that brought a row of the bucket, and its ingest. `source_state` says what was looked at just now."""

    part: str
    partition: str
    path: str
    rows: int
    seq: int
    known_at: datetime
    mode: str
    status: str
    run_id: str
    file: str
    source_path: str
    sha256: str
    bytes: int
    source_state: str
    versions: tuple[VersionProof, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """The chain of one bar. `bar` is the row as answered; `base` its base bars, `omitted` how many are not listed.

    `as_of_us` None: as stored now, in `file`; `follows`: whether that is what the raw parts that stand give.
    `bucket_us` is the bar's label, `first_us` and `last_us` are the opens of its first and last base bar (UTC
    microseconds).
    """

    feed: str
    symbol: str
    timeframe: str
    table: str
    partition: str
    as_of_us: int | None
    bucket_us: int
    first_us: int
    last_us: int
    bar: Values
    file: FileProof | None
    follows: bool
    base_bars: int
    omitted: int
    base: tuple[BaseBar, ...]
    partitions: tuple[PartitionProof, ...]
    parts: tuple[PartProof, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that is not what it should be: `found` is what is stored, `expected` what was derived again."""

    where: str
    field: str
    found: Value
    expected: Value


@dataclass(frozen=True, slots=True)
class Verification:
    """What deriving a bar again from its raw parts, and reading its sources again, came to.

    `checked` says what was compared, `unchecked` what could not be and why.
    """

    differences: tuple[Difference, ...]
    checked: tuple[str, ...]
    unchecked: tuple[str, ...] = field(default=())

    @property
    def equal(self) -> bool:
        return not self.differences


def explain_command(feed: str, symbol: str, ts: datetime | str, timeframe: str | None = None) -> str:
    """The command that prints a bar's receipt; a time at midnight is written as its date for 1d and coarser."""
    text = ts if isinstance(ts, str) else ts.isoformat().replace("+00:00", "Z")
    if timeframe is not None and timeframe[-1] in "dwM":
        text = text.removesuffix("T00:00:00Z")
    asked = "" if timeframe is None else f" --timeframe {timeframe}"
    return f"marketdata explain {feed} {quote(symbol)} {text}{asked}"
