"""What a quality report tells, as plain records: collected from the lake above, drawn as a page beside this.

Scores are 0 to 100, dates are session dates, `_us` are UTC microseconds, prices in quote currency as traded. None means
that there is nothing to tell, never zero.
"""

from dataclasses import dataclass
from datetime import date

from marketdata_pipelines.domain.quality.records import Dimension


@dataclass(frozen=True, slots=True)
class FeedFacts:
    """What is reported on. `sample` is the share of symbol-sessions that statistics looked at, None: all."""

    name: str
    description: str
    interval: str
    calendar: str
    partition: str
    level: str
    sample: float | None


@dataclass(frozen=True, slots=True)
class Score:
    """The verdict on one session, or on several as a whole; `dimensions` in the order of `Dimension`."""

    start: date
    end: date
    sessions: int
    score: float | None
    quality: str
    grade: str
    dimensions: tuple[float | None, ...]
    bars: int
    expected: int
    raw_rows: int
    rejected_rows: int
    findings: int
    blocked: int

    def of(self, dimension: Dimension) -> float | None:
        """The score of one dimension."""
        return self.dimensions[list(Dimension).index(dimension)]


@dataclass(frozen=True, slots=True)
class Topic:
    """What findings are the same by, from one session to the next: the rule and the symbol (None: all of them)."""

    rule: str
    symbol: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """Against the sessions before. `opened` and `resolved` are the first few of so many topics."""

    before: Score
    opened_count: int
    resolved_count: int
    opened: tuple[Topic, ...]
    resolved: tuple[Topic, ...]


@dataclass(frozen=True, slots=True)
class HeatRow:
    """A symbol's scores, one for each session of the map; None where it was not scored."""

    symbol: str
    scores: tuple[float | None, ...]
    grades: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Symbols by sessions, the worst symbol first; `whole` is the feed's own row."""

    sessions: tuple[date, ...]
    whole: HeatRow
    rows: tuple[HeatRow, ...]


@dataclass(frozen=True, slots=True)
class RuleCount:
    """How often a rule was broken, and what it says."""

    rule: str
    dimension: str
    severity: str
    findings: int
    symbols: int
    sessions: int
    text: str


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One finding. `standing` is false where another file's rows have taken the place of these."""

    rule: str
    dimension: str
    severity: str
    symbol: str | None
    session_date: date | None
    ts_us: int | None
    ts_last_us: int | None
    bars: int | None
    value: float | None
    limit: float | None
    message: str
    file: str | None
    line: int | None
    row: int | None
    standing: bool


@dataclass(frozen=True, slots=True)
class Candle:
    """A bar, or `bars` of them as one."""

    ts_us: int
    open: float
    high: float
    low: float
    close: float
    volume: float | None
    bars: int = 1


@dataclass(frozen=True, slots=True)
class FindingChart:
    """The bars around a finding. `marked` tells for each candle whether the finding is about it; `breaks` are the
    positions of candles before which bars are missing or a session begins."""

    finding: FindingRow
    also: tuple[str, ...]
    candles: tuple[Candle, ...]
    marked: tuple[bool, ...]
    breaks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Histogram:
    """Shares of values between `edges`, of these sessions and of those before (None: there are none).

    Values beyond the edges are counted in the outer ones.
    """

    title: str
    axis: str
    edges: tuple[float, ...]
    shares: tuple[float, ...]
    values: int
    before_shares: tuple[float, ...] | None
    before_values: int


@dataclass(frozen=True, slots=True)
class GapBin:
    """Bars that were not there among those the calendar has room for, by minute of the UTC day."""

    start_minute: int
    minutes: int
    missing: int
    expected: int


@dataclass(frozen=True, slots=True)
class RejectedExample:
    """A row kept out, as it stands in its source."""

    file: str
    line: int | None
    row: int | None
    symbol: str | None
    ts_us: int | None
    original: str | None


@dataclass(frozen=True, slots=True)
class RejectedRule:
    """The rows a rule keeps out; a row with several counts for each."""

    rule: str
    text: str
    rows: int
    examples: tuple[RejectedExample, ...]


@dataclass(frozen=True, slots=True)
class Rejections:
    """Rows kept out. `replaced` were good once: a later ingest brought them again, or left them out."""

    rows: int = 0
    replaced: int = 0
    rules: tuple[RejectedRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Withheld:
    """A partition downstream of which nothing is served, or that has no verdict, with the reason and what next."""

    partition: str
    state: str
    reason: str
    command: str


@dataclass(frozen=True, slots=True)
class Origin:
    """What the report was made from. `notes` say what was sampled or left out."""

    made_us: int
    known_at_us: int | None
    versions: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    docs_url: str | None
    run_url: str | None


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything one report shows; `score` None where no session of the range has a verdict."""

    feed: FeedFacts
    start: date
    end: date
    score: Score | None
    change: Change | None
    symbols: int
    trend: tuple[Score, ...]
    heat: HeatMap | None
    blocking: int
    warnings: int
    replaced_findings: int
    rules: tuple[RuleCount, ...]
    findings: tuple[FindingRow, ...]
    charts: tuple[FindingChart, ...]
    histograms: tuple[Histogram, ...]
    gaps: tuple[GapBin, ...]
    rejections: Rejections
    withheld: tuple[Withheld, ...]
    origin: Origin
