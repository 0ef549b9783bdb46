"""The partitions, files and raw parts a receipt rests on: digests, row counts, checks, runs and versions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import pyarrow as pa

from marketdata_pipelines.domain import tables as t
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import partition_span, period_of
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.pipeline.past import PastTables
from marketdata_pipelines.pipeline.receipts.buckets import BarTables
from marketdata_pipelines.pipeline.receipts.records import (
    Checked,
    CheckProof,
    FileProof,
    PartitionProof,
    PartProof,
    VersionProof,
)
from marketdata_pipelines.pipeline.receipts.sources import SourceState
from marketdata_pipelines.pipeline.standing import follows
from marketdata_pipelines.pipeline.versions import Versions
from marketdata_pipelines.quality.checks import ValidatedBatch, check_raw, check_rejected, default_suites
from marketdata_pipelines.stores.lake.catalog import StandingPart
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.lake.parquet import read_manifest, row_count
from marketdata_pipelines.stores.lake.walks import WalkProof, Walks

_VERSIONS = ("feed_version", "calendar_version", "code_version")
_KEPT = 64
_WALKED = (t.VALIDATED_BARS, t.REJECTED_BARS)


class PartitionProofs:
    """Proofs of one feed's partitions; `past` says which state of the lake they are of, `tables` has its rows."""

    def __init__(self, lake: Lake, feed: Feed, past: PastTables, tables: BarTables) -> None:
        self._lake, self._feed, self._past, self._tables = lake, feed, past, tables
        self._stored = past.as_of_us is None
        self._walks = Walks(lake.layout.catalog)
        self._today: Mapping[str, object] = {**Versions(feed).manifest, "parse_version": feed.parse_version}
        self.partition: Callable[[str], PartitionProof] = lru_cache(maxsize=_KEPT)(self._partition)
        self.file: Callable[[str, str], FileProof | None] = lru_cache(maxsize=_KEPT)(self._file)
        self._validated_follows: Callable[[str], bool] = lru_cache(maxsize=_KEPT)(
            lambda key: follows(lake, feed, t.VALIDATED_BARS, key, [key])
        )

    def follows(self, table: str, key: str, bases: Sequence[str]) -> bool:
        """Whether a table's partition is what today's raw parts give; always, where it was derived in memory."""
        if not self._stored:
            return True
        if table == t.VALIDATED_BARS:
            return self._validated_follows(key)
        return follows(self._lake, self._feed, table, key, bases)

    def part(self, part: StandingPart, state: SourceState) -> PartProof:
        """A raw part with its ingest, and what its source was found to be."""
        ingest = part.ingest
        names = ("feed_version", "parse_version", "calendar_version", "code_version")
        return PartProof(
            part=part.part.part_id,
            partition=part.part.partition,
            path=part.part.path,
            rows=part.part.rows,
            seq=ingest.seq,
            known_at=datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ingest.known_at_us),
            mode=ingest.mode,
            status=ingest.status,
            run_id=ingest.run_id,
            file=ingest.file,
            source_path=ingest.path,
            sha256=ingest.sha256,
            bytes=ingest.bytes,
            source_state=state.text,
            versions=tuple(VersionProof(name, getattr(ingest, name), str(self._today[name])) for name in names),
        )

    def _file(self, table: str, key: str) -> FileProof | None:
        stored = self._lake.catalog.stored_partition(table, self._feed.name, key) if self._stored else None
        if stored is None:
            return None
        manifest = read_manifest(self._lake.layout.root / stored.path)
        versions = tuple(VersionProof(n, str(manifest.get(n, "")), str(self._today[n])) for n in _VERSIONS)
        deltas = tuple(delta.path for delta in stored.deltas)
        return FileProof(table, key, stored.path, deltas, stored.inputs, stored.rows, versions)

    def _walk_run(self, key: str) -> str | None:
        stored = self._lake.catalog.stored_partition(t.VALIDATED_BARS, self._feed.name, key) if self._stored else None
        return None if stored is None else stored.run_id or None

    def _partition(self, key: str) -> PartitionProof:
        kept = self._kept(key)
        if kept is None:
            return self.evaluated(key)
        checks = tuple(CheckProof(c.name, c.asset, c.passed, c.blocking, c.message) for c in kept.checks)
        counts = kept.raw_rows, kept.accepted_rows, kept.rejected_rows
        return self._proof(key, counts, checks, Checked.BY_ITS_WALK)

    def evaluated(self, key: str) -> PartitionProof:
        """A partition's proof with its rows counted and its checks evaluated now."""
        batch = self._batch(key)
        outcomes = [check_raw(batch, t.raw_asset(self._feed)), check_rejected(batch.rejected)]
        outcomes += [outcome for suite in default_suites() for outcome in suite.evaluate(batch)]
        checks = tuple(CheckProof(o.name, o.asset, o.passed, o.blocking, o.message) for o in outcomes)
        return self._proof(key, (batch.raw_rows, batch.accepted_rows, batch.rejected_rows), checks, Checked.NOW)

    def _proof(
        self, key: str, counts: tuple[int, int, int], checks: tuple[CheckProof, ...], checked: Checked
    ) -> PartitionProof:
        raw_rows, accepted_rows, rejected_rows = counts
        return PartitionProof(
            key=key,
            file=self.file(t.VALIDATED_BARS, key),
            follows=self.follows(t.VALIDATED_BARS, key, [key]),
            raw_rows=raw_rows,
            accepted_rows=accepted_rows,
            rejected_rows=rejected_rows,
            checks=checks,
            checked=checked,
            walk_run=self._walk_run(key),
        )

    def _kept(self, key: str) -> WalkProof | None:
        """What the walk of the stored tables kept; None where they are behind, or were walked in part."""
        if not self._stored or not self.follows(t.VALIDATED_BARS, key, [key]):
            return None
        stored = self._lake.catalog.stored_partition(t.VALIDATED_BARS, self._feed.name, key)
        walked = self._walks.last(self._feed.name, key)
        return walked.proof if walked is not None and stored is not None and walked.inputs == stored.inputs else None

    def _batch(self, key: str) -> ValidatedBatch:
        """What the walk's checks look at: the tables that are stored, where they can be counted, else made again."""
        parts = self._past.parts(key)
        counted = self._counted(key, parts)
        if counted is None:
            validated = self._past.validated(key)
            counted = _Counted(validated.raw_rows, validated.accepted_rows, validated.bars, validated.rejected)
        sessions = feed_calendar(self._feed).sessions(*partition_span(key, period_of(self._feed.partition)))
        known_until = self._past.horizon_us(key)
        return ValidatedBatch(
            feed=self._feed,
            partition=key,
            raw_rows=counted.raw_rows,
            recorded_rows=sum(part.part.rows for part in parts),
            accepted_rows=counted.accepted_rows,
            rejected_rows=counted.rejected.num_rows,
            bars=counted.bars,
            expected_minutes=sum(session.minutes for session in sessions if session.close <= known_until),
            rejected=counted.rejected,
        )

    def _counted(self, key: str, parts: Sequence[StandingPart]) -> "_Counted | None":
        """The stored tables of a partition with the rows its parts' files have; None where none follow from its parts,
        or of trades: how many of them stand is in no table."""
        if not self.follows(t.VALIDATED_BARS, key, [key]) or any(part.part.tbl == t.RAW_TRADES for part in parts):
            return None
        names = {table: self._lake.catalog.stored_partition(table, self._feed.name, key) for table in _WALKED}
        if not self._stored or None in names.values():
            return None
        bars, rejected = (self._tables.read(table, key) for table in _WALKED)
        raw_rows = sum(row_count(self._lake.layout.root / part.part.path) for part in parts)
        return _Counted(raw_rows, bars.num_rows, bars, rejected)


@dataclass(frozen=True, slots=True)
class _Counted:
    """`raw_rows` of a partition and how many of them stand, with its bars and its rejected rows."""

    raw_rows: int
    accepted_rows: int
    bars: pa.Table
    rejected: pa.Table
