"""What one partition's walk has made so far: tables to be stored in one commit, checks, and results to report."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import date, datetime

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.corrections import CORRECTIONS
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import count_symbols
from marketdata_pipelines.domain.quality.records import QUALITY_VERDICTS
from marketdata_pipelines.domain.sketch import sketch_tables
from marketdata_pipelines.domain.tables import (
    DAILY_BARS,
    INTRADAY_BARS,
    MONTHLY_BARS,
    REJECTED_BARS,
    VALIDATED_BARS,
    WEEKLY_BARS,
)
from marketdata_pipelines.pipeline.outcome import AssetResult, PartitionOutcome
from marketdata_pipelines.pipeline.validate import LoadedPart
from marketdata_pipelines.quality.checks import DerivedBatch, check_derived
from marketdata_pipelines.quality.examples import rejected_by_rule
from marketdata_pipelines.quality.outcome import CheckOutcome, Example, Facts
from marketdata_pipelines.stores.lake.catalog import StandingPart, Stored
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines.stores.lake.walks import WalkProof

_PREVIEW_ROWS = 5
_FILES_SHOWN = 10
_SKETCHED = {VALIDATED_BARS, INTRADAY_BARS, DAILY_BARS, WEEKLY_BARS, MONTHLY_BARS}
_RAW_KEYS = pa.schema([("symbol", pa.string()), ("ts", pa.timestamp("us", tz="UTC"))])


class Gathered:
    """Collects one partition's tables; nothing is written before `store`."""

    def __init__(self, feed: Feed, key: str) -> None:
        self._feed, self._key = feed, key
        # The symbols whose rows the tables hold, where a partition is walked in part (see `revising`).
        self.symbols: tuple[str, ...] | None = None
        # What the validated bars were made of, when known and of which parts: for the next walk to go on from.
        self.walked: tuple[str, int, list[StandingPart]] | None = None
        # What receipts tell of a partition that was walked whole.
        self.proof: WalkProof | None = None
        self._writes: list[TableWrite] = []
        self._results: list[AssetResult] = []
        self._reason: str | None = None
        self.checks: list[CheckOutcome] = []

    def add(
        self,
        asset: str,
        tables: dict[str, pa.Table],
        inputs: str | dict[str, str],
        *,
        facts: Facts | None = None,
        volume: float | None = None,
        bars: int | None = None,
        whole: Collection[str] = (),
        examples: tuple[Example, ...] = (),
    ) -> None:
        """An asset's tables of this partition, with the digest of what they are derived from (one, or by table).

        `volume` and `bars` are what they must add up to, where known. `whole` names tables that hold every symbol
        although the partition is walked in part.
        """
        for name, table in tables.items():
            symbols = None if name in whole else self.symbols
            digest = inputs if isinstance(inputs, str) else inputs[name]
            self._writes.append(TableWrite(name, self._key, table, digest, symbols))
        outcome = check_derived(DerivedBatch(self._feed, self._key, asset, tables, volume, bars))
        if outcome is not None:
            self.checks.append(outcome)
        self._results.append(replace(_result(asset, tables, facts or {}), examples=examples))

    def add_table(self, table: str, key: str, content: pa.Table | None, inputs: str) -> None:
        """A whole table, perhaps of another partition that this one's bars are in too; None removes it."""
        self._writes.append(TableWrite(table, key, content, inputs))

    def add_raw(self, asset: str, parts: list[StandingPart], loaded: list[LoadedPart]) -> None:
        """The raw parts, which ingest has written, and what was read of them; nothing where there are none."""
        if parts:
            self._results.append(_raw_result(asset, parts, loaded))

    def add_rejected(self, rejected: pa.Table, inputs: str, *, stored: bool) -> None:
        """The rejected rows; kept also when a check blocks what is downstream."""
        if stored:
            self._writes.append(TableWrite(REJECTED_BARS, self._key, rejected, inputs, self.symbols))
            examples = rejected_by_rule(rejected)
            counts: Facts = {str(example["rule"]): int(example["rows"] or 0) for example in examples}
            result = _result(REJECTED_BARS, {REJECTED_BARS: rejected}, counts)
            self._results.append(replace(result, examples=examples))

    def add_corrections(self, corrections: pa.Table, inputs: str, *, stored: bool) -> None:
        """How bars changed from ingest to ingest; a partition without any has no such table."""
        if corrections.num_rows or (stored and self.symbols is not None):
            self._writes.append(TableWrite(CORRECTIONS, self._key, corrections, inputs, self.symbols))
        elif stored:
            self._writes.append(TableWrite(CORRECTIONS, self._key, None, inputs))

    def add_noted(self, tables: dict[str, pa.Table], inputs: str, *, stored: Collection[str]) -> None:
        """What was noted of the bars; kept also when a check blocks what is downstream. Empty tables are not kept."""
        for name, table in tables.items():
            if table.num_rows or (name in stored and self.symbols is not None):
                self._writes.append(TableWrite(name, self._key, table, inputs, self.symbols))
            elif name in stored:
                self._writes.append(TableWrite(name, self._key, None, inputs))

    def add_verdicts(self, verdicts: pa.Table, inputs: str, *, stored: bool) -> None:
        """The checks of the walk that failed; a partition where all passed has no such table."""
        if verdicts.num_rows or stored:
            table = verdicts if verdicts.num_rows else None
            self._writes.append(TableWrite(QUALITY_VERDICTS, self._key, table, inputs))

    def remove(self, tables: Iterable[str]) -> None:
        """Forget tables of this partition, whose sources are gone."""
        self._writes += [TableWrite(name, self._key, None, "") for name in tables]

    def block(self, reason: str) -> None:
        """Say why what is downstream is withheld."""
        self._reason = reason

    def blocked(self, reason: str) -> PartitionOutcome:
        """The outcome when nothing could be made."""
        return PartitionOutcome(self._feed.name, self._key, (), tuple(self.checks), reason)

    def store(
        self, lake: Lake, manifest: dict[str, object], *, holds: Callable[[], bool], run_id: str = ""
    ) -> PartitionOutcome:
        """Write everything in one commit and tell what it was.

        Errors: PartitionConflict when `holds`, asked right before, says no; nothing is written then.
        """
        stored = lake.store(self._feed.name, self._writes, manifest, holds=holds, run_id=run_id)
        own = {item.tbl: item for item in stored if item.partition == self._key}
        results = [_as_stored(result, own) for result in self._results]
        return PartitionOutcome(self._feed.name, self._key, tuple(results), tuple(self.checks), self._reason)


def _result(asset: str, tables: dict[str, pa.Table], facts: Facts) -> AssetResult:
    rows = {name: table.num_rows for name, table in tables.items()}
    finest = next(iter(tables.values()))
    first, last = _span(finest)
    preview = finest.slice(0, _PREVIEW_ROWS)
    return AssetResult(
        asset, sum(rows.values()), count_symbols(finest), first, last, 0, rows, facts, preview,
        last_session=_last_session(finest),
        sketch=sketch_tables(tables) if asset in _SKETCHED else None,
    )  # fmt: skip


def _raw_result(asset: str, parts: list[StandingPart], loaded: list[LoadedPart]) -> AssetResult:
    rows = sum(part.part.rows for part in parts)
    keys = [part.table.select(["symbol", "ts"]).cast(_RAW_KEYS, safe=False) for part in loaded]
    whole = pa.concat_tables([_RAW_KEYS.empty_table(), *keys])
    first, last = _span(whole)
    names = sorted({part.ingest.file for part in parts})
    more = f" and {len(names) - _FILES_SHOWN} more" if len(names) > _FILES_SHOWN else ""
    facts: Facts = {"parts": len(parts), "files": ", ".join(names[:_FILES_SHOWN]) + more}
    preview = loaded[0].table.slice(0, _PREVIEW_ROWS) if loaded else None
    return AssetResult(asset, rows, count_symbols(whole), first, last, 0, {asset: rows}, facts, preview)


def _as_stored(result: AssetResult, stored: dict[str, Stored]) -> AssetResult:
    """With the sizes of the whole tables, of which a walk in part has made some rows only."""
    rows = {name: stored[name].rows if name in stored else count for name, count in result.table_rows.items()}
    size = sum(stored[name].bytes for name in rows if name in stored)
    finest = stored.get(next(iter(rows)))
    symbols = result.symbols if finest is None or not finest.symbols else finest.symbols
    return replace(result, bytes=size, table_rows=rows, rows=sum(rows.values()), symbols=symbols)


def _span(table: pa.Table) -> tuple[datetime | None, datetime | None]:
    if "ts" not in table.column_names or not table.num_rows:
        return None, None
    bounds = pc.min_max(table["ts"].cast(pa.timestamp("us", tz="UTC"), safe=False)).as_py()
    return bounds["min"], bounds["max"]


def _last_session(table: pa.Table) -> date | None:
    return pc.max(table["session_date"]).as_py() if "session_date" in table.column_names else None
