"""Collects what a quality report of one feed shows, from the stored tables; nothing is judged or written here.

Where a table of a partition is missing, as those of a blocked one are, its part of the report is empty and says so.
"""

from collections.abc import Sequence
from datetime import date

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import partition_key, partition_keys, period_of
from marketdata_pipelines.domain.quality.records import Severity
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.pipeline.reports.bars import BarSample, choose_sample, histograms, session_symbols
from marketdata_pipelines.pipeline.reports.charts import AROUND, CHARTS, finding_charts
from marketdata_pipelines.pipeline.reports.files import write_report as write_report
from marketdata_pipelines.pipeline.reports.findings import (
    LISTED,
    FoundFindings,
    choose_findings,
    compare_topics,
    read_findings,
)
from marketdata_pipelines.pipeline.reports.gaps import gap_bins
from marketdata_pipelines.pipeline.reports.rejected import read_rejections, withheld_partitions
from marketdata_pipelines.pipeline.reports.scores import SESSIONS, ScoredSessions, heat_map, read_scores, together
from marketdata_pipelines.pipeline.versions import Versions
from marketdata_pipelines.quality.report.records import Change, FeedFacts, FindingChart, Origin, ReportData, Score
from marketdata_pipelines.stores.lake.lake import Lake

# Sessions of one range drawn in its trend.
_LONGEST_TREND = 260


def collect_report(
    lake: Lake,
    feed: Feed,
    start: date,
    end: date,
    *,
    now_us: int,
    docs_url: str | None = None,
    run_url: str | None = None,
) -> ReportData:
    """Everything the report on the sessions from `start` to `end` (both included) tells, as of what is stored now.

    `now_us`: when it is made, UTC microseconds. `docs_url`: where the Data Docs are, seen from the report's file;
    `run_url`: the run that brought them up to date; None where there is none.
    Errors: ValueError when `end` is before `start`; PartitionMissing when a table is removed while it is read.
    """
    if end < start:
        raise ValueError(f"a report from {start} cannot end on {end}; give a start that is not after its end")
    scored = read_scores(lake, feed, start, end)
    found = choose_findings(read_findings(lake, feed, start, end))
    charts = finding_charts(lake, feed, [finding for finding in found.listed if finding.standing])
    sample = _sample(lake, feed, scored, start, end)
    notes = tuple(_notes(feed, scored, found, charts, sample))
    return ReportData(
        feed=_feed_facts(feed), start=start, end=end,
        score=together(scored.inside),
        change=_change(lake, feed, scored, found),
        symbols=sample.of_symbols,
        trend=scored.all[-max(SESSIONS, min(len(scored.inside), _LONGEST_TREND)) :],
        heat=heat_map(scored, start),
        blocking=found.count(Severity.BLOCK), warnings=found.count(Severity.WARN), replaced_findings=found.replaced,
        rules=found.rules, findings=found.listed, charts=charts,
        histograms=histograms(lake, feed, sample),
        gaps=gap_bins(lake, feed, sample),
        rejections=read_rejections(lake, feed, start, end),
        withheld=withheld_partitions(lake, feed, start, end, found.standing),
        origin=Origin(now_us, _known_at_us(lake, feed, start, end), _versions(feed), notes, docs_url, run_url),
    )  # fmt: skip


def _sample(lake: Lake, feed: Feed, scored: ScoredSessions, start: date, end: date) -> BarSample:
    """What statistics look at; without verdicts the calendar says which sessions there may be."""
    inside = [each.end for each in scored.inside]
    if not inside:
        inside = [session.date for session in feed_calendar(feed).sessions(start, end)][-SESSIONS:]
    keys = list(dict.fromkeys(partition_key(day, period_of(feed.partition)) for day in inside))
    return choose_sample(feed, session_symbols(lake, feed, keys), inside, [each.end for each in scored.before])


def _known_at_us(lake: Lake, feed: Feed, start: date, end: date) -> int | None:
    """When the newest part of the range became known."""
    keys = partition_keys(start, end, period_of(feed.partition))
    return max(lake.catalog.horizons(feed.name, keys[0], keys[-1]).values(), default=None)


def _feed_facts(feed: Feed) -> FeedFacts:
    return FeedFacts(
        feed.name, feed.description, feed.interval.name, feed.calendar.name, feed.partition, feed.quality.level,
        feed.quality.sample,
    )  # fmt: skip


def _change(lake: Lake, feed: Feed, scored: ScoredSessions, found: FoundFindings) -> Change | None:
    """What differs from as many sessions before; None where none of them has a verdict."""
    before: Score | None = together(scored.compared)
    if before is None or not scored.inside:
        return None
    earlier = choose_findings(read_findings(lake, feed, before.start, before.end))
    topics = compare_topics(found.standing, earlier.standing)
    return Change(before, topics.opened_count, topics.resolved_count, topics.opened, topics.resolved)


def _versions(feed: Feed) -> tuple[tuple[str, str], ...]:
    known = Versions(feed).manifest
    names = (("feed definition", "feed_version"), ("calendar", "calendar_version"), ("code", "code_version"))
    return (*((name, str(known[key])) for name, key in names), ("quality settings", feed.quality.version))


def _notes(
    feed: Feed, scored: ScoredSessions, found: FoundFindings, charts: Sequence[FindingChart], sample: BarSample
) -> list[str]:
    """What was sampled or left out, a sentence each."""
    notes = []
    if feed.quality.sample is not None:
        notes.append(f"Rules about statistics looked at {feed.quality.sample:.0%} of the symbol-sessions.")
    total = found.standing.num_rows + found.replaced
    if total > LISTED:
        notes.append(f"Of {total:,} findings the {LISTED} most severe are listed; the counts by rule are of all.")
    if len(charts) == CHARTS:
        notes.append(f"Bars are drawn around the {CHARTS} most severe findings, {AROUND} on either side.")
    if sample.symbols:
        notes.append(sample.text)
    if len(scored.inside) > SESSIONS:
        notes.append(f"The map of symbols shows the last {SESSIONS} of {len(scored.inside):,} sessions.")
    if len(scored.inside) > _LONGEST_TREND:
        notes.append(f"The course of the score shows the last {_LONGEST_TREND} of {len(scored.inside):,} sessions.")
    return notes
