"""A feed's quality over a range in one record: scores, what was found, rejected and blocked, and how it was before.

Rows are answered by `quality`; how it is shown is the caller's.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import partition_key, partition_span, period_of
from marketdata_pipelines.domain.quality.records import QUALITY_DISPUTES, QUALITY_SCORES, Dimension, Severity
from marketdata_pipelines.domain.tables import REJECTED_BARS
from marketdata_pipelines.errors import PartitionMissing
from marketdata_pipelines.serving.quality import By, Symbols, answer_findings, answer_scores, mean_of, scores_by
from marketdata_pipelines.serving.ranges import TimeRange
from marketdata_pipelines.serving.rejections import around_days
from marketdata_pipelines.stores.lake.duck import connect, query_text, relation_sql
from marketdata_pipelines.stores.lake.lake import Lake

# Reasons told of one blocked partition.
_REASONS = 3


@dataclass(frozen=True, slots=True)
class DayScore:
    """How one session scored; a dimension that was not judged is None."""

    session: date
    score: float | None
    level: str | None
    grade: str | None
    dimensions: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class RuleCount:
    """What one rule found, and the earliest of it."""

    rule: str
    dimension: str
    severity: str
    findings: int
    symbols: int
    sessions: int
    bars: int
    first_symbol: str | None
    first_at: str
    first_message: str
    first_file: str | None
    first_line: int | None


@dataclass(frozen=True, slots=True)
class RejectedCount:
    """Rows kept out by one row rule, and where one of them is."""

    rule: str
    rows: int
    file: str | None
    line: int | None


@dataclass(frozen=True, slots=True)
class Blocked:
    """A partition that was withheld, and why."""

    partition: str
    reason: str


@dataclass(frozen=True, slots=True)
class QualitySummary:
    """A feed's quality over session dates first..last. Scores are 0 to 100, means weighted by the room for bars.

    `latest` is the last session, `before` the scored one before it, in the range or not. Counts are of findings that
    stand; `superseded_findings` of those in rows whose place another file's took. `blocking`: anything was withheld,
    or a rule that blocks was broken, whichever findings were asked for.
    """

    feed: str
    checked: str
    first: date
    last: date
    sessions: int
    symbols: int
    bars: int
    raw_rows: int
    rejected_rows: int
    score: float | None
    level: str | None
    grade: str | None
    dimensions: Mapping[str, float | None]
    latest: DayScore
    before: DayScore | None
    rules: tuple[RuleCount, ...]
    superseded_findings: int
    rejected: tuple[RejectedCount, ...]
    blocked: tuple[Blocked, ...]
    disputes: int
    blocking: bool

    @property
    def change(self) -> float | None:
        """By how much the latest session's score differs from the one before."""
        if self.before is None or self.before.score is None or self.latest.score is None:
            return None
        return self.latest.score - self.before.score

    def document(self) -> dict[str, Any]:
        """Everything as plain values; dates as text."""
        whole = _plain(asdict(self))
        assert isinstance(whole, dict)
        return {**whole, "change": self.change}


def summarise_quality(
    lake: Lake,
    feed: Feed,
    wanted: TimeRange,
    symbols: Symbols = None,
    rule: str | None = None,
    severity: str | None = None,
) -> QualitySummary:
    """The quality of session dates; `rule` and `severity` narrow what was found, `symbols` everything.

    Errors:  PartitionMissing when nothing was scored in that range.
    """
    from marketdata_pipelines.domain.quality.grades import grade_of, quality_of

    scores = answer_scores(lake, feed, wanted, symbols)
    findings = answer_findings(lake, feed, wanted, symbols, rule, severity)
    every = findings if rule is severity is None else answer_findings(lake, feed, wanted, symbols, severity="block")
    days = scores_by(scores, By.DAY)
    if not days.num_rows:
        raise PartitionMissing(
            f"{feed.name} has no scores of {', '.join(symbols or ())} in that range; "
            f"see which symbols there are: marketdata quality {feed.name} --by symbol"
        )
    own = scores.filter(pc.is_valid(scores["symbol"]))
    latest = _day(days.slice(days.num_rows - 1))
    mean = mean_of(days, "score")
    total = {
        name: sum(value or 0 for value in days[name].to_pylist()) for name in ("bars", "raw_rows", "rejected_rows")
    }
    return QualitySummary(
        feed=feed.name,
        checked=str(feed.quality.level),
        first=days["session_date"][0].as_py(),
        last=latest.session,
        sessions=days.num_rows,
        symbols=pc.count_distinct(own["symbol"]).as_py(),
        **total,
        score=mean,
        level=None if mean is None else str(quality_of(mean)),
        grade=None if mean is None else str(grade_of(mean)),
        dimensions={str(name): mean_of(days, str(name)) for name in Dimension},
        latest=latest,
        before=_before(lake, feed, days, symbols),
        rules=_rule_counts(findings),
        superseded_findings=findings["standing"].to_pylist().count(False),
        rejected=_rejected_counts(lake, feed, wanted, symbols),
        blocked=_blocked(feed, days, findings),
        disputes=_disputes(lake, feed, wanted, symbols),
        blocking=is_blocking(scores, every),
    )


def is_blocking(scores: pa.Table, findings: pa.Table) -> bool:
    """Whether anything was withheld, or a rule that blocks was broken by what stands."""
    standing = zip(findings["severity"].to_pylist(), findings["standing"].to_pylist(), strict=True)
    return any(scores["blocked"].to_pylist()) or any(stands and each == Severity.BLOCK for each, stands in standing)


def _day(row: pa.Table) -> DayScore:
    values = row.to_pylist()[0]
    dimensions = {str(name): values[str(name)] for name in Dimension}
    return DayScore(values["session_date"], values["score"], values["quality"], values["grade"], dimensions)


def _before(lake: Lake, feed: Feed, days: pa.Table, symbols: Symbols) -> DayScore | None:
    """The scored session before the last one of these."""
    if days.num_rows > 1:
        return _day(days.slice(days.num_rows - 2, 1))
    period, last = period_of(feed.partition), days["session_date"][0].as_py() - timedelta(days=1)
    for stored in reversed(lake.catalog.stored(QUALITY_SCORES, feed.name, "", partition_key(last, period))[-2:]):
        first = partition_span(stored.partition, period)[0]
        found = scores_by(answer_scores(lake, feed, TimeRange(first, last), symbols), By.DAY)
        if found.num_rows:
            return _day(found.slice(found.num_rows - 1))
    return None


def _rule_counts(findings: pa.Table) -> tuple[RuleCount, ...]:
    if not findings.num_rows:
        return ()
    with connect() as connection:
        connection.register("findings", findings)
        rows = connection.sql(query_text("count_quality_findings")).to_arrow_table().to_pylist()
    return tuple(RuleCount(**row) for row in rows)


def _rejected_counts(lake: Lake, feed: Feed, wanted: TimeRange, symbols: Symbols) -> tuple[RejectedCount, ...]:
    """Rejected rows by rule; a row that breaks several counts for each."""
    stored = lake.catalog.stored(REJECTED_BARS, feed.name, *wanted.partitions(period_of(feed.partition)))
    if not stored:
        return ()
    start, end = around_days(feed, wanted)
    parameters = {"symbols": None if symbols is None else list(symbols), "start_ts": start, "end_ts": end}
    with connect() as connection:
        connection.execute(f"create temp view rejected_bars as {relation_sql(lake.layout.root, stored)}")
        rows = connection.sql(query_text("count_rejected_rules"), params=parameters).to_arrow_table().to_pylist()
    counts: Counter[str] = Counter()
    places: dict[str, tuple[str | None, int | None]] = {}
    for row in rows:
        for rule in row["rules"].split(";"):
            counts[rule] += row["rows"]
            places.setdefault(rule, (row["file"], row["line"]))
    return tuple(RejectedCount(rule, rows, *places[rule]) for rule, rows in counts.most_common())


def _blocked(feed: Feed, days: pa.Table, findings: pa.Table) -> tuple[Blocked, ...]:
    period = period_of(feed.partition)
    reasons: dict[str, list[str]] = {}
    for session, blocked in zip(days["session_date"].to_pylist(), days["blocked"].to_pylist(), strict=True):
        if blocked:
            reasons.setdefault(partition_key(session, period), [])
    if not reasons:
        return ()
    for row in findings.filter(findings["standing"]).to_pylist():
        told = reasons.get(partition_key(row["session_date"], period))
        if told is not None and row["severity"] == Severity.BLOCK:
            told.append(f"{row['rule']}: {row['symbol'] + ' ' if row['symbol'] else ''}{row['message']}")
    return tuple(Blocked(key, _reason(told)) for key, told in sorted(reasons.items()))


def _reason(told: Sequence[str]) -> str:
    once = list(dict.fromkeys(told))
    if not once:
        return "a check of its walk failed"
    more = f"; {len(once) - _REASONS} more" if len(once) > _REASONS else ""
    return "; ".join(once[:_REASONS]) + more


def _disputes(lake: Lake, feed: Feed, wanted: TimeRange, symbols: Symbols) -> int:
    count = 0
    for _, table in lake.read_many(
        QUALITY_DISPUTES, feed.name, *wanted.partitions(period_of(feed.partition)), ["symbol", "session_date"],
        symbols=symbols,
    ):  # fmt: skip
        days = table["session_date"]
        for bound, keep in ((wanted.start_date, pc.greater_equal), (wanted.end_date, pc.less_equal)):
            if bound is not None:
                days = days.filter(keep(days, pa.scalar(bound, pa.date32())))
        count += len(days)
    return count


def _plain(value: object) -> object:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
