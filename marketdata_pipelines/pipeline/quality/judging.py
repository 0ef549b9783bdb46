"""Judges walked partitions beside the sessions before them: findings and scores, the tables of the asset `quality`.

A function of what was noted while they were walked (see `suspicion`), so a corrected session judges the later ones
again without reading their bars.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain import tables as t
from marketdata_pipelines.domain.corrections import CORRECTION_SCHEMA, CORRECTIONS
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import count_symbols
from marketdata_pipelines.domain.partitions import Period, partition_key, partition_keys, partition_span, period_of
from marketdata_pipelines.domain.quality.disputes import DISPUTE_SCHEMA, SOURCE_SCORE_SCHEMA
from marketdata_pipelines.domain.quality.finding_rows import sorted_findings
from marketdata_pipelines.domain.quality.judging import judge
from marketdata_pipelines.domain.quality.records import (
    FINDING_SCHEMA,
    PROFILE_SCHEMA,
    QUALITY_DISPUTES,
    QUALITY_FINDINGS,
    QUALITY_SCORES,
    QUALITY_SUSPECTS,
    QUALITY_TABLES,
    QUALITY_VERDICTS,
    SOURCE_SCORES,
    SUSPECT_SCHEMA,
    SYMBOL_PROFILES,
    VERDICT_SCHEMA,
    Severity,
)
from marketdata_pipelines.domain.quality.revisions import revision_findings
from marketdata_pipelines.domain.quality.scoring import score
from marketdata_pipelines.domain.quality.settings import active_rules
from marketdata_pipelines.domain.quality.verdicts import verdict_findings
from marketdata_pipelines.domain.references import Reference
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.pipeline.outcome import AssetResult, PartitionOutcome
from marketdata_pipelines.pipeline.quality.comparing import ComparedPartition, compare_partition, comparison_inputs
from marketdata_pipelines.pipeline.quality.events import note_changes
from marketdata_pipelines.pipeline.quality.unjudged import LOOK_BACK_DAYS, first_session_before, judged_inputs
from marketdata_pipelines.pipeline.versions import Versions
from marketdata_pipelines.quality.examples import findings_by_rule
from marketdata_pipelines.quality.scores import quality_checks, score_facts
from marketdata_pipelines.quality.suites.batches import is_sampled
from marketdata_pipelines.stores.lake.catalog import Stored
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite, digest

_KEPT = 64
_PREVIEW_ROWS = 5
# Scores and findings.
_Tables = tuple[pa.Table, pa.Table]
_READ = (CORRECTIONS, *QUALITY_TABLES)
_MADE = (QUALITY_SCORES, QUALITY_FINDINGS, QUALITY_DISPUTES, SOURCE_SCORES)


@dataclass(frozen=True, slots=True)
class Beside:
    """What a feed is judged beside: its corporate actions where declared, and the feeds it names to compare."""

    actions: pa.Table | None = None
    feeds: Mapping[str, Feed] = field(default_factory=dict)
    references: Mapping[str, Reference] = field(default_factory=dict)


class PartitionJudge:
    """Judges the partitions of one feed."""

    def __init__(self, lake: Lake, feed: Feed, beside: Beside | None = None) -> None:
        self._lake, self._feed, self._beside = lake, feed, beside or Beside()
        self._period = period_of(feed.partition)
        self._calendar = feed_calendar(feed)
        self._rules = active_rules(feed.quality)
        self._versions = Versions(feed)
        actions = self._beside.actions
        self._about = [feed.quality.version, "" if actions is None else digest([repr(actions.to_pylist())])]
        self._profiles = lru_cache(maxsize=_KEPT)(self._read_profiles)

    def judge(self, keys: Sequence[str], *, at_us: int) -> list[PartitionOutcome]:
        """Judge some partitions, in order, and store what was found in one commit.

        A partition that was never walked with its quality noted has an outcome that is blocked, and says so.
        """
        noted = _Noted.of(self._lake, self._feed.name, [self._first_before(min(keys)), *keys])
        writes: list[TableWrite] = []
        judged = [self._judge(key, noted, writes) for key in keys]
        before = {key: self._stored(key, noted) for key in keys}
        self._lake.store(self._feed.name, writes, self._versions.manifest)
        for key, made in zip(keys, judged, strict=True):
            if made is not None:
                note_changes(self._lake, self._feed.name, key, before[key], (made.scores, made.findings), at_us=at_us)
        return [self._outcome(key, made, before[key]) for key, made in zip(keys, judged, strict=True)]

    def later(self, keys: Iterable[str]) -> list[str]:
        """The judged partitions, others than these, whose verdicts read them."""
        chosen = set(keys)
        if not chosen:
            return []
        first, last = min(chosen), self._last_after(max(chosen))
        judged = {item.partition for item in self._lake.catalog.stored(QUALITY_SCORES, self._feed.name, first, last)}
        return sorted(key for key in judged - chosen if self._reads(key) & chosen)

    def _judge(self, key: str, noted: "_Noted", writes: list[TableWrite]) -> "_Judged | None":
        profiles, verdicts = noted.at(SYMBOL_PROFILES, key), noted.at(QUALITY_VERDICTS, key)
        if profiles is None and verdicts is None:
            # What was said of rows that have been withdrawn since goes with them.
            writes += [TableWrite(name, key, None, "") for name in _MADE if noted.at(name, key) is not None]
            return None
        own_rows = PROFILE_SCHEMA.empty_table() if profiles is None else self._profiles(key, profiles.inputs)
        suspects = self._sampled(self._table(QUALITY_SUSPECTS, key, noted, SUSPECT_SCHEMA))
        history, read = self._history(key, noted)
        told = self._table(QUALITY_VERDICTS, key, noted, VERDICT_SCHEMA)
        first_day = partition_span(key, self._period)[0]
        found = [judge(self._feed, self._rules, own_rows, suspects, history, self._beside.actions)]
        found.append(verdict_findings(told, first_day))
        corrections = self._table(CORRECTIONS, key, noted, CORRECTION_SCHEMA)
        bars = sum(int(pc.sum(own_rows[name]).as_py() or 0) for name in ("bars", "extended_bars"))
        found.append(revision_findings(corrections, self._rules, bars))
        compared = self._compared(key)
        found += [compared.findings] if compared else []
        findings = sorted_findings(pa.concat_tables(found))
        blocking = pc.and_(pc.equal(findings["severity"], str(Severity.BLOCK)), findings["standing"])
        blocked = bool(pc.any(blocking).as_py())
        scores = score(self._rules, own_rows, findings, history, blocked)
        said = [*self._about]
        if compared:
            said.append(comparison_inputs(self._lake, self._feed, self._beside.feeds, key))
        own = [item.inputs for item in (profiles, verdicts) if item is not None]
        inputs = judged_inputs(self._versions, own, read, said)
        made = {QUALITY_SCORES: scores, QUALITY_FINDINGS: findings}
        made |= {
            QUALITY_DISPUTES: compared.disputes if compared else DISPUTE_SCHEMA.empty_table(),
            SOURCE_SCORES: compared.scores if compared else SOURCE_SCORE_SCHEMA.empty_table(),
        }
        for name, table in made.items():
            # A table without rows is not kept, but for the scores: they tell that a partition was judged.
            if table.num_rows or name == QUALITY_SCORES:
                writes.append(TableWrite(name, key, table, inputs))
            elif noted.at(name, key) is not None:
                writes.append(TableWrite(name, key, None, inputs))
        return _Judged(scores, findings)

    def _sampled(self, suspects: pa.Table) -> pa.Table:
        """Those of the share of symbols that statistics look at, where the feed asks for one."""
        share = self._feed.quality.sample
        if share is None or not suspects.num_rows:
            return suspects
        names = suspects["symbol"].cast(pa.string()).to_pylist()
        chosen = {name for name in set(names) if is_sampled(name or "", share)}
        return suspects.filter(pa.array([name in chosen for name in names]))

    def _compared(self, key: str) -> ComparedPartition | None:
        """What the feeds it names say; None where it names none."""
        if not self._feed.quality.compare_with:
            return None
        return compare_partition(self._lake, self._feed, self._beside.feeds, key, self._beside.references)

    def _history(self, key: str, noted: "_Noted") -> tuple[pa.Table, list[tuple[str, str]]]:
        """The profiles of the sessions before a partition, and which partitions they were read from."""
        first = self._first_session_before(key)
        keys = [name for name in noted.keys(SYMBOL_PROFILES) if partition_key(first, self._period) <= name < key]
        read = [(name, item.inputs) for name in keys if (item := noted.at(SYMBOL_PROFILES, name)) is not None]
        tables = [self._profiles(name, inputs) for name, inputs in read]
        whole = pa.concat_tables([PROFILE_SCHEMA.empty_table(), *tables]).unify_dictionaries()
        if self._period is not Period.DAY:
            whole = whole.filter(pc.greater_equal(whole["session_date"], pa.scalar(first)))
        return whole, read

    def _reads(self, key: str) -> set[str]:
        first = self._first_session_before(key)
        last = partition_span(key, self._period)[0] - timedelta(days=1)
        return set(partition_keys(first, last, self._period)) if first <= last else set()

    def _first_session_before(self, key: str) -> date:
        """The date of the earliest session that is read for a partition; its own first day where none is before."""
        return first_session_before(self._calendar, partition_span(key, self._period)[0])

    def _first_before(self, key: str) -> str:
        return partition_key(self._first_session_before(key), self._period)

    def _last_after(self, key: str) -> str:
        end = partition_span(key, self._period)[1]
        return partition_key(end + timedelta(days=LOOK_BACK_DAYS), self._period)

    def _read_profiles(self, key: str, inputs: str) -> pa.Table:
        # `inputs` is in the key of what is kept: another walk writes other profiles.
        return self._lake.read(SYMBOL_PROFILES, self._feed.name, key)

    def _table(self, name: str, key: str, noted: "_Noted", schema: pa.Schema) -> pa.Table:
        return self._lake.read(name, self._feed.name, key) if noted.at(name, key) else schema.empty_table()

    def _stored(self, key: str, noted: "_Noted") -> _Tables | None:
        if noted.at(QUALITY_SCORES, key) is None:
            return None
        scores = self._lake.read(QUALITY_SCORES, self._feed.name, key)
        return scores, self._table(QUALITY_FINDINGS, key, noted, FINDING_SCHEMA)

    def _outcome(self, key: str, made: "_Judged | None", before: _Tables | None) -> PartitionOutcome:
        if made is None:
            text = f"there is nothing to judge; run: marketdata backfill {self._feed.name} --start {key} --end {key}"
            return PartitionOutcome(self._feed.name, key, (), (), text)
        rows = {QUALITY_SCORES: made.scores.num_rows, QUALITY_FINDINGS: made.findings.num_rows}
        result = AssetResult(
            t.QUALITY, made.scores.num_rows, count_symbols(made.scores), None, None, 0, rows,
            score_facts(made.scores), made.findings.slice(0, _PREVIEW_ROWS),
            last_session=pc.max(made.scores["session_date"]).as_py(), examples=findings_by_rule(made.findings),
        )  # fmt: skip
        checks = quality_checks(made.scores, made.findings)
        changed = before is None or not (before[0].equals(made.scores) and before[1].equals(made.findings))
        return PartitionOutcome(self._feed.name, key, (result,), checks, None, changed)


@dataclass(frozen=True, slots=True)
class _Judged:
    scores: pa.Table
    findings: pa.Table


class _Noted:
    """Which quality tables are stored of a span of partitions, looked up once."""

    def __init__(self, found: Mapping[str, Mapping[str, Stored]]) -> None:
        self._found = found

    @classmethod
    def of(cls, lake: Lake, feed: str, keys: Sequence[str]) -> "_Noted":
        first, last = min(keys), max(keys)
        return cls({name: {s.partition: s for s in lake.catalog.stored(name, feed, first, last)} for name in _READ})

    def at(self, table: str, key: str) -> Stored | None:
        return self._found[table].get(key)

    def keys(self, table: str) -> list[str]:
        return sorted(self._found[table])
