"""Validates partitions' tables by their suites, every row of them, and compares the verdict with the walk's.

Which partitions are behind, and the pages made of the outcomes, are `reporting`'s.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import partition_span, period_of
from marketdata_pipelines.domain.quality.grades import grade_of
from marketdata_pipelines.domain.quality.records import (
    FINDING_SCHEMA,
    QUALITY_FINDINGS,
    QUALITY_SCORES,
    Severity,
)
from marketdata_pipelines.domain.quality.settings import active_rules
from marketdata_pipelines.domain.tables import REJECTED_BARS, VALIDATED_BARS, feed_tables
from marketdata_pipelines.errors import PartitionMissing
from marketdata_pipelines.pipeline.quality.expectations import CheckExpectations
from marketdata_pipelines.pipeline.quality.state import Validation
from marketdata_pipelines.pipeline.quality.tick_sizes import TickSizes
from marketdata_pipelines.quality.scores import score_facts
from marketdata_pipelines.quality.suites.bar_suites import validated_suite
from marketdata_pipelines.quality.suites.batches import BarFacts, table_batch, validated_batch
from marketdata_pipelines.quality.suites.records import Batch, SuiteOutcome, TableSuite
from marketdata_pipelines.quality.suites.symbol_sessions import symbol_sessions
from marketdata_pipelines.quality.suites.table_suites import SYMBOL_SESSIONS, VIEW_KEYS, suite_of
from marketdata_pipelines.stores.lake.catalog import Stored
from marketdata_pipelines.stores.lake.lake import Lake, digest

# A suite, by partition key its rows and what is to be told beside the result; outcomes by the same keys.
RunSuite = Callable[[TableSuite, Mapping[str, Batch], Mapping[str, Mapping[str, str]]], Mapping[str, SuiteOutcome]]


@dataclass(frozen=True, slots=True)
class Validated:
    """A partition and what every suite said of it; `grade` is the walk's verdict, None where there is none."""

    validation: Validation
    outcomes: tuple[SuiteOutcome, ...]
    grade: str | None


def suite_tables(feed: Feed) -> list[str]:
    """The tables of a feed that have a suite, and are stored."""
    names = dict.fromkeys(name for table_set in feed_tables(feed) for name in table_set.tables)
    own = (VALIDATED_BARS, REJECTED_BARS, *VIEW_KEYS)
    return [name for name in names if name in own or name.startswith("bars_")]


def quality_inputs(lake: Lake, feed: Feed, expected: str = "") -> dict[str, str]:
    """What the tables under each partition key were made of, and what they are validated by, as a digest.

    `expected` stands for the user's own expectations.

    A week or month counts under the key of its first day.
    """
    watched = _watched(feed)
    made: dict[str, list[str]] = defaultdict(list)
    for (table, key), inputs in lake.catalog.stored_inputs(feed.name).items():
        if table in watched:
            made[key].append(f"{table}={inputs}")
    about = suites_version(feed) + expected
    return {key: digest([about, *sorted(tables)]) for key, tables in made.items()}


def suites_version(feed: Feed) -> str:
    """A digest that changes when what is asked of the feed's tables does."""
    suites = [suite_of(feed, table) for table in (*suite_tables(feed), SYMBOL_SESSIONS)]
    return digest(
        f"{suite.table} {each.rule.id} {each.rule.severity} {each.safe_sql}" for suite in suites for each in suite.rules
    )


def _watched(feed: Feed) -> set[str]:
    return {*suite_tables(feed), QUALITY_SCORES, QUALITY_FINDINGS}


class PartitionValidator:
    """Validates the partitions of one feed: `run` evaluates a suite on batches, `check` what the user expects.

    `expected` stands for the user's expectations, as in `quality_inputs`; `ticks` are those of the feed's instruments.
    """

    def __init__(
        self,
        lake: Lake,
        feed: Feed,
        run: RunSuite,
        check: CheckExpectations | None = None,
        *,
        expected: str = "",
        ticks: TickSizes | None = None,
    ) -> None:
        self._lake, self._feed, self._run, self._check = lake, feed, run, check
        self._ticks = ticks or TickSizes(None)
        self._about, self._watched = suites_version(feed) + expected, _watched(feed)
        self._suites = {table: suite_of(feed, table) for table in (*suite_tables(feed), SYMBOL_SESSIONS)}
        if self._ticks.known:
            self._suites[VALIDATED_BARS] = validated_suite(feed, with_ticks=True)

    def inputs(self, key: str) -> str:
        """As `quality_inputs`, of one partition key."""
        stored = self._lake.catalog.stored_at(self._feed.name, {(table, key) for table in self._watched})
        return digest([self._about, *sorted(f"{table}={each.inputs}" for (table, _), each in stored.items())])

    def validate(self, keys: Sequence[str], *, now_us: int) -> dict[str, Validated | None]:
        """Run the suites of all tables that are stored under some partition keys, each table of all of them at once.

        Memory:  one table of all the keys is held at a time.
        Returns: by key, in order; None where a walk was storing other tables meanwhile: what was seen is neither the
                 one nor the other.
        """
        inputs = {key: self.inputs(key) for key in keys}
        outcomes = self._outcomes(keys)
        return {
            key: self._settled(key, outcomes[key], inputs[key], now_us) if key in outcomes else None for key in keys
        }

    def _settled(self, key: str, outcomes: Sequence[SuiteOutcome], inputs: str, now_us: int) -> Validated | None:
        try:
            found = self._validated(key, outcomes, inputs, now_us)
        except PartitionMissing:
            return None
        return found if self.inputs(key) == inputs else None

    def _validated(self, key: str, outcomes: Sequence[SuiteOutcome], inputs: str, now_us: int) -> Validated:
        expected = tuple(self._expectations(key))
        findings = self._findings(key)
        judged = self._stored(QUALITY_SCORES, key) is not None
        # What the user expects was decided on the rows of the walk, which may have been withheld: it is not compared.
        compared = set(active_rules(self._feed.quality))
        blocking = {rule.rule for outcome in outcomes for rule in outcome.blocked}
        unmet = {rule.rule for outcome in expected for rule in outcome.rules if not rule.passed}
        warned = {rule.rule for outcome in outcomes for rule in outcome.warned} | unmet
        validation = Validation(
            partition=key,
            inputs=inputs,
            tables=len(outcomes),
            rows=sum(outcome.rows for outcome in outcomes),
            rules=sum(len(outcome.rules) for outcome in (*outcomes, *expected)),
            blocking=tuple(sorted(blocking)),
            walk_blocking=tuple(sorted(_blocking(findings) & compared)),
            warned=tuple(sorted(warned)),
            judged=judged,
            at_us=now_us,
        )
        return Validated(validation, (*outcomes, *expected), self._grade(key) if judged else None)

    def _outcomes(self, keys: Sequence[str]) -> dict[str, list[SuiteOutcome]]:
        """What every suite says by key; keys of which a table was removed meanwhile are left out."""
        found: dict[str, list[SuiteOutcome]] = {key: [] for key in keys}
        for table, suite in self._suites.items():
            batches: dict[str, Batch] = {}
            for key in list(found) if suite.rules else ():
                try:
                    batch = self._scored(suite, key) if table == SYMBOL_SESSIONS else self._stored_batch(suite, key)
                except PartitionMissing:
                    del found[key]
                    continue
                if batch is not None:
                    batches[key] = batch
            if batches:
                told = self._run(suite, batches, {key: self._facts(key, table) for key in batches})
                for key, outcome in told.items():
                    found[key].append(outcome)
        return found

    def _stored_batch(self, suite: TableSuite, key: str) -> Batch | None:
        stored = self._stored(suite.table, key)
        if stored is None or (stored.rows == 0 and not suite.may_be_empty):
            return None
        rows = self._lake.read(suite.table, self._feed.name, key)
        if suite.table != VALIDATED_BARS:
            return table_batch(suite, rows, stored.rows)
        return self._bars_batch(suite, key, rows, stored)

    def _scored(self, suite: TableSuite, key: str) -> Batch | None:
        """Scores beside the counts of findings."""
        stored = self._stored(QUALITY_SCORES, key)
        if stored is None:
            return None
        rules = [each.rule.id for each in suite.rules if each.rule.id in dict(suite.columns)]
        table = symbol_sessions(self._lake.read(QUALITY_SCORES, self._feed.name, key), self._findings(key), rules)
        return table_batch(suite, table, stored.rows)

    def _expectations(self, key: str) -> Iterator[SuiteOutcome]:
        check = self._check
        if check is None:
            return
        for table in self._suites:
            if self._stored(table, key) is not None:
                found = check(table, self._lake.read(table, self._feed.name, key), self._facts(key, table))
                if found is not None:
                    yield found

    def _bars_batch(self, suite: TableSuite, key: str, rows: pa.Table, stored: Stored) -> Batch:
        first, last = partition_span(key, period_of(self._feed.partition))
        known = self._lake.catalog.horizons(self._feed.name, key, key)
        # One tick a symbol is all the suite can hold prices against; the walk knows that of each session.
        ticks = self._ticks.throughout((first, last), pc.unique(rows["symbol"]).to_pylist())
        facts = BarFacts(known.get(key, 0), first, last, ticks)
        return validated_batch(suite, self._feed, rows, stored.rows, facts)

    def _grade(self, key: str) -> str | None:
        """That of the partition's sessions together."""
        scores = self._lake.read(QUALITY_SCORES, self._feed.name, key)
        return str(grade_of(float(score_facts(scores)["score"]))) if scores.num_rows else None

    def _facts(self, key: str, table: str) -> dict[str, str]:
        return {"feed": self._feed.name, "partition": key, "table": table, "feed version": self._feed.version}

    def _findings(self, key: str) -> pa.Table:
        if self._stored(QUALITY_FINDINGS, key) is None:
            return FINDING_SCHEMA.empty_table()
        return self._lake.read(QUALITY_FINDINGS, self._feed.name, key)

    def _stored(self, table: str, key: str) -> Stored | None:
        return self._lake.catalog.stored_partition(table, self._feed.name, key)


def _blocking(findings: pa.Table) -> set[str]:
    standing = findings.filter(pc.fill_null(findings["standing"], True))
    return set(standing.filter(pc.equal(standing["severity"], str(Severity.BLOCK)))["rule"].to_pylist())
