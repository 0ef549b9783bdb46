"""Walks each partition through the whole chain: read, validate, aggregate, check, write.

Nothing is read again between stages, memory is one partition, and each partition is committed before the next
begins: a kill loses at most the one in hand. What a partition's check blocks is withheld from that partition only.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from functools import partial

import pyarrow as pa

from marketdata_pipelines.domain import tables as t
from marketdata_pipelines.domain.corrections import CORRECTIONS
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period, partition_span, period_of
from marketdata_pipelines.domain.quality.records import QUALITY_SUSPECTS, QUALITY_VERDICTS, SYMBOL_PROFILES, Level
from marketdata_pipelines.domain.session_grid import SessionGrid, feed_calendar
from marketdata_pipelines.domain.sessions import Session
from marketdata_pipelines.errors import MarketDataError, PartitionConflict, StoreError, WorkFailed
from marketdata_pipelines.pipeline.batches import row_facts, validated_batch, walk_proof
from marketdata_pipelines.pipeline.changes import misplaced_tables
from marketdata_pipelines.pipeline.coarse import CoarseBars, bucket_inputs
from marketdata_pipelines.pipeline.corrections import (
    correction_examples,
    correction_facts,
    corrections_of,
)
from marketdata_pipelines.pipeline.definitions import note_definition
from marketdata_pipelines.pipeline.deriving import Deriver, ValidBars, together
from marketdata_pipelines.pipeline.gathering import Gathered
from marketdata_pipelines.pipeline.neighbours import SharedBuckets
from marketdata_pipelines.pipeline.outcome import PartitionOutcome
from marketdata_pipelines.pipeline.quality.gating import QualityGate, failed_checks
from marketdata_pipelines.pipeline.quality.suspicion import Noted, note_bars
from marketdata_pipelines.pipeline.quality.tick_sizes import TickSizes
from marketdata_pipelines.pipeline.revising import Reviser, Revision
from marketdata_pipelines.pipeline.validate import LoadedPart, Validated, validate_parts
from marketdata_pipelines.pipeline.versions import Versions
from marketdata_pipelines.quality.checks import Suite, ValidatedBatch, check_raw, check_rejected, default_suites
from marketdata_pipelines.stores.lake.catalog import StandingPart
from marketdata_pipelines.stores.lake.lake import Lake

logger = logging.getLogger(__name__)
_ATTEMPTS = 20


def walk_partitions(
    lake: Lake,
    feed: Feed,
    period: Period,
    keys: Iterable[str],
    wanted: frozenset[str],
    *,
    run_id: str,
    suites: Sequence[Suite] | None = None,
) -> Iterator[PartitionOutcome]:
    """Walk partitions in order; each outcome is given once everything of it is written and committed.

    `wanted` names the assets of `period` to write; upstream ones that are not wanted are read from the lake.

    Errors: WorkFailed naming the partition in hand when the lake or the feed's settings fail it.
    """
    clear_lake(lake, feed)
    walker = walker_of(lake, feed, suites, run_id=run_id)
    for key in keys:
        outcome = walker.walk_period(key, period, wanted)
        logger.info("%s %s: %s (run %s)", feed.name, key, outcome.blocked or "written", run_id)
        yield outcome


def clear_lake(lake: Lake, feed: Feed) -> None:
    """Remove what killed writers left, and tables of partitions the feed no longer has: before walking."""
    lake.clear_leftovers()
    note_definition(lake, feed, time.time_ns() // 1000)
    misplaced = misplaced_tables(lake, feed)
    if misplaced:
        lake.store(feed.name, misplaced, {})


def walker_of(lake: Lake, feed: Feed, suites: Sequence[Suite] | None = None, *, run_id: str = "") -> "PartitionWalker":
    """A walker with the default checks, unless others are given; what it stores is told to be of that run."""
    return PartitionWalker(lake, feed, default_suites() if suites is None else suites, run_id)


class PartitionWalker:
    """Walks the partitions of one feed."""

    def __init__(self, lake: Lake, feed: Feed, suites: Sequence[Suite], run_id: str = "") -> None:
        self._lake, self._feed, self._suites, self._run_id = lake, feed, suites, run_id
        self._period = period_of(feed.partition)
        self._sets = {table_set.name: table_set for table_set in t.feed_tables(feed)}
        self._raw = t.raw_asset(feed)
        self._coarse = CoarseBars(lake, feed)
        self._calendar = feed_calendar(feed)
        self._versions = Versions(feed)
        self._buckets = SharedBuckets(feed, self._coarse, self._versions)
        self._reviser = Reviser(lake, feed, self._versions)
        self._deriver = Deriver(lake, feed, self._coarse, self._buckets, self._versions)
        self._gate = QualityGate(lake.layout.root.parent, feed)
        self._ticks = TickSizes.of(lake, feed)
        self._all = frozenset(each.name for each in self._sets.values() if each.period is self._period)

    def walk_period(self, key: str, period: Period, wanted: frozenset[str]) -> PartitionOutcome:
        """Walk one partition of any period of the feed.

        Errors: WorkFailed naming the partition, when the lake or the feed's settings fail it.
        """
        return self.walk(key, wanted) if period is self._period else self.derive_period(key, period, wanted)

    def walk(self, key: str, wanted: frozenset[str]) -> PartitionOutcome:
        """Walk one base partition."""
        return self._settled(key, lambda: self._premise(key), lambda gathered: self._gather(gathered, key, wanted))

    def derive_period(self, key: str, period: Period, wanted: frozenset[str]) -> PartitionOutcome:
        """Write the weekly or monthly assets of one partition from stored 1d bars."""
        start, end = partition_span(key, period)
        return self._settled(
            key,
            lambda: self._coarse.source_inputs(start.isoformat(), end.isoformat()),
            lambda gathered: self._gather_period(gathered, key, (start, end), wanted),
        )

    def _settled(self, key: str, premise: Callable[[], object], gather: Callable[[Gathered], None]) -> PartitionOutcome:
        """Gather and store; once more where another run has changed what it rests on before it was stored."""
        for _ in range(_ATTEMPTS):
            gathered, before = Gathered(self._feed, key), premise()
            try:
                gather(gathered)
            except StoreError as error:
                if premise() == before:
                    return gathered.blocked(str(error))
                continue
            except MarketDataError as error:
                raise WorkFailed(f"{self._feed.name} stopped at {key}: {error}") from error
            try:
                still = partial(_still, premise, before)
                outcome = gathered.store(self._lake, self._versions.manifest, holds=still, run_id=self._run_id)
            except PartitionConflict as error:
                logger.info("%s %s: %s", self._feed.name, key, error)
                continue
            if gathered.walked is not None:
                self._reviser.note(key, *gathered.walked, gathered.proof)
            return outcome
        raise WorkFailed(
            f"{self._feed.name} stopped at {key}: its sources changed {_ATTEMPTS} times while it was walked; "
            "run it again when less is written at once"
        )

    def _premise(self, key: str) -> object:
        """What a base partition's tables rest on: its raw parts, and its neighbours' bars as far as buckets share them.

        Without a table of bars of its own here: that is what the walk replaces.
        """
        parts = self._lake.catalog.standing_parts(self._feed.name, [key])
        sessions = self._calendar.sessions(*partition_span(key, self._period))
        spans = self._buckets.source_spans(key, sessions)
        if not spans:
            return [part.part.part_id for part in parts]
        around = self._coarse.source_inputs(min(first for first, _ in spans), max(last for _, last in spans))
        around.pop(key, None)
        return [part.part.part_id for part in parts], around

    def _gather(self, gathered: Gathered, key: str, wanted: frozenset[str]) -> None:
        base = self._validated(gathered, key, wanted)
        if base is not None:
            self._deriver.derive(gathered, base, wanted)

    def _gather_period(self, gathered: Gathered, key: str, span: tuple[date, date], wanted: frozenset[str]) -> None:
        start, end = span
        sources = self._coarse.source_inputs(start.isoformat(), end.isoformat())
        inputs = bucket_inputs(self._versions, sources)
        for name in sorted(wanted):
            names = self._sets[name].tables
            tables = self._coarse.tables(names, start, end)
            if any(table.num_rows for table in tables.values()):
                gathered.add(name, tables, inputs)
            else:
                gathered.remove(self._stored_tables(key, names))
                gathered.block(
                    f"{self._feed.name} has no daily bars between {start} and {end}; "
                    f"run: marketdata backfill {self._feed.name} --start {start} --end {end}"
                )

    def _validated(self, gathered: Gathered, key: str, wanted: frozenset[str]) -> ValidBars | None:
        """The partition's validated bars: made anew when wanted, else the stored ones; None when nothing follows."""
        grid = self._coarse.grid(key)
        sessions = self._calendar.sessions(*partition_span(key, self._period))
        parts = self._lake.catalog.standing_parts(self._feed.name, [key])
        horizon_us = max((part.ingest.known_at_us for part in parts), default=0)
        if not wanted & {self._raw, t.VALIDATED_BARS, t.REJECTED_BARS}:
            stored = self._lake.catalog.stored_partition(t.VALIDATED_BARS, self._feed.name, key)
            bars = self._lake.read(t.VALIDATED_BARS, self._feed.name, key)
            return ValidBars(key, grid, sessions, bars, bars, horizon_us, stored.inputs if stored else "")
        revision = self._reviser.revision(key, grid, parts) if wanted >= self._all else None
        loaded = self._loaded(gathered, parts, revision)
        validated = validate_parts(self._feed, grid, loaded)
        in_order = validated.replaced or (revision is not None and revision.in_order)
        inputs = self._versions.part_inputs([part.part.part_id for part in parts], in_order=in_order)
        bars = (
            validated.bars
            if revision is None
            else together(self._lake, self._feed, t.VALIDATED_BARS, key, validated.bars, revision)
        )
        gathered.walked = (inputs, horizon_us, parts)
        if self._raw in wanted:
            gathered.add_raw(self._raw, parts, loaded)
        if t.REJECTED_BARS in wanted:
            gathered.add_rejected(validated.rejected, inputs, stored=bool(parts))
        recorded = sum(part.part.rows for part in parts)
        if revision is not None:
            recorded = sum(part.table.num_rows for part in loaded)
        noted = self._note(gathered, key, grid, sessions, loaded, validated, inputs, wanted)
        batch = validated_batch(self._feed, key, sessions, loaded, validated, bars, recorded)
        failed = self._check(gathered, batch, validated, wanted, noted, inputs)
        gathered.proof = walk_proof(batch, gathered.checks) if revision is None and wanted >= self._all else None
        if not bars.num_rows and (failed or not parts):
            self._withdraw(gathered, key, sessions, keep_rejected=bool(parts))
            return None
        if failed:
            return None
        if t.VALIDATED_BARS in wanted:
            touched = None if revision is None else revision.symbols
            corrections = corrections_of(self._lake, self._feed, key, loaded, symbols=touched)
            gathered.add_corrections(corrections, inputs, stored=self._is_stored(CORRECTIONS, key))
            facts = row_facts(validated) | (correction_facts(corrections) if corrections.num_rows else {})
            examples = correction_examples(corrections)
            gathered.add(t.VALIDATED_BARS, {t.VALIDATED_BARS: validated.bars}, inputs, facts=facts, examples=examples)
        return ValidBars(key, grid, sessions, validated.bars, bars, horizon_us, inputs, revision)

    def _note(
        self,
        gathered: Gathered,
        key: str,
        grid: SessionGrid,
        sessions: list[Session],
        loaded: list[LoadedPart],
        validated: Validated,
        inputs: str,
        wanted: frozenset[str],
    ) -> Noted | None:
        """What is noted of the bars for judging them; None where the feed asks for no quality."""
        if self._feed.quality.level is Level.NONE or t.VALIDATED_BARS not in wanted:
            return None
        noted = note_bars(self._feed, grid, sessions, loaded, validated, self._ticks)
        tables = {SYMBOL_PROFILES: noted.profiles, QUALITY_SUSPECTS: noted.suspects}
        gathered.add_noted(tables, inputs, stored=self._stored_tables(key, tables))
        return noted

    def _loaded(self, gathered: Gathered, parts: list[StandingPart], revision: Revision | None) -> list[LoadedPart]:
        """The rows to be walked: all of them, or those of the symbols that a revision touches."""
        if revision is None:
            return [LoadedPart(part, self._lake.read_part(self._feed.name, part.part)) for part in parts]
        gathered.symbols = revision.symbols
        return self._reviser.load(parts, revision.symbols)

    def _is_stored(self, table: str, key: str) -> bool:
        return self._lake.catalog.stored_partition(table, self._feed.name, key) is not None

    def _check(
        self,
        gathered: Gathered,
        batch: ValidatedBatch,
        validated: Validated,
        wanted: frozenset[str],
        noted: Noted | None,
        inputs: str,
    ) -> bool:
        """Whether a blocking check failed; the checks of wanted assets are recorded."""
        outcomes = [check_raw(batch, self._raw), check_rejected(validated.rejected)]
        outcomes += [outcome for suite in self._suites for outcome in suite.evaluate(batch)]
        if noted is not None:
            broken, verdicts = self._gate.judge(batch, noted)
            outcomes.append(broken)
            verdicts = pa.concat_tables([failed_checks([each for each in outcomes if each is not broken]), verdicts])
            if not batch.recorded_rows:
                # That nothing was ingested is told by nothing being there.
                verdicts = verdicts.slice(0, 0)
            gathered.add_verdicts(verdicts, inputs, stored=self._is_stored(QUALITY_VERDICTS, batch.partition))
        gathered.checks += [outcome for outcome in outcomes if outcome.asset in wanted]
        failed = [outcome for outcome in outcomes if outcome.blocking and not outcome.passed]
        if failed:
            gathered.block("; ".join(f"{outcome.name}: {outcome.message}" for outcome in failed))
        return bool(failed)

    def _withdraw(self, gathered: Gathered, key: str, sessions: list[Session], *, keep_rejected: bool) -> None:
        """Remove what was derived here while rows still stood: none do, so none may be served."""
        was_stored = self._is_stored(self._coarse.source_table, key)
        buckets = self._buckets.withdraw(key, sessions) if was_stored else []
        rewritten = {made.name for made in buckets}
        names = {name for item in self._sets.values() if item.period is self._period for name in item.tables}
        names |= {CORRECTIONS}
        names -= rewritten | ({t.REJECTED_BARS} if keep_rejected else set())
        gathered.remove(self._stored_tables(key, sorted(names)))
        for made in buckets:
            gathered.add_table(made.name, made.partition, made.table, made.inputs)

    def _stored_tables(self, key: str, names: Iterable[str]) -> list[str]:
        return [name for name in names if self._is_stored(name, key)]


def _still(premise: Callable[[], object], before: object) -> bool:
    return premise() == before
