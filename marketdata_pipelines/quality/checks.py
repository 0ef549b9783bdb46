"""The built-in checks of a partition: what must hold whatever the feed.

A suite is anything that turns a batch into outcomes (`Suite`): these are the first one; further suites
(statistics, a validation framework's) are added to the runner beside it and never replace it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from marketdata_pipelines.domain import tables as t
from marketdata_pipelines.domain.bars import REJECTED_SCHEMA
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import float_values, int_values, symbol_codes
from marketdata_pipelines.domain.quality.records import Dimension, Level
from marketdata_pipelines.quality.examples import SHOWN, rejected_by_rule, repeated_keys, rows_at, symbols_without_bars
from marketdata_pipelines.quality.outcome import CheckOutcome, CheckSpec, Example, Facts

# Sums of the same numbers taken in another order may differ by rounding; by no more than this share.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class ValidatedBatch:
    """One partition between validation and aggregation.

    `expected_minutes`: minutes the calendar says the market was open and whose data could be known.
    `rejected` has REJECTED_SCHEMA.
    """

    feed: Feed
    partition: str
    raw_rows: int
    recorded_rows: int
    accepted_rows: int
    rejected_rows: int
    bars: pa.Table
    expected_minutes: int
    rejected: pa.Table = field(default_factory=REJECTED_SCHEMA.empty_table)


@dataclass(frozen=True, slots=True)
class DerivedBatch:
    """One asset's tables of one partition, with what they were derived from."""

    feed: Feed
    partition: str
    asset: str
    tables: dict[str, pa.Table]
    source_volume: float | None
    source_bars: int | None


class Suite(Protocol):
    """Checks over a partition's validated bars, before anything downstream is written."""

    def specs(self, feed: Feed) -> tuple[CheckSpec, ...]: ...

    def evaluate(self, batch: ValidatedBatch) -> list[CheckOutcome]: ...


_VALIDATED_SPECS = (
    CheckSpec("rows_conserved", t.VALIDATED_BARS, True, "Accepted and rejected rows add up to the raw rows."),
    CheckSpec("sorted_and_unique", t.VALIDATED_BARS, True, "(symbol, ts) strictly increases."),
    CheckSpec("ohlc_consistent", t.VALIDATED_BARS, True, "low <= open, close <= high; finite."),
    CheckSpec("not_empty_when_open", t.VALIDATED_BARS, True, "There are bars where the calendar says open."),
)


# Everything else that may block: quality rules a feed lets block, and the user's own expectations.
QUALITY_RULES_CHECK = "quality_rules"
_QUALITY_SPECS = (
    CheckSpec(QUALITY_RULES_CHECK, t.VALIDATED_BARS, True, "No blocking quality rule or expectation is broken."),
    *(
        CheckSpec(str(dimension), t.QUALITY, False, f"No quality rule about {dimension} is broken.")
        for dimension in Dimension
    ),
)


class BuiltinSuite:
    """Row conservation, order, OHLC invariants, and not empty when the market was open."""

    def specs(self, feed: Feed) -> tuple[CheckSpec, ...]:
        return _VALIDATED_SPECS

    def evaluate(self, batch: ValidatedBatch) -> list[CheckOutcome]:
        judges = (_rows_conserved, _sorted_and_unique, _ohlc_of_bars, _not_empty)
        outcomes = []
        for spec, judge in zip(_VALIDATED_SPECS, judges, strict=True):
            verdict = judge(batch)
            outcomes.append(CheckOutcome(spec.name, spec.asset, verdict[0], spec.blocking, *verdict[1:]))
        return outcomes


def check_specs(feed: Feed, suites: Iterable[Suite] | None = None) -> tuple[CheckSpec, ...]:
    """Every check the feed's assets declare."""
    raw = t.raw_asset(feed)
    specs = [
        CheckSpec("rows_recorded", raw, True, "The raw parts hold as many rows as the ledger recorded."),
        CheckSpec("every_row_has_a_reason", t.REJECTED_BARS, True, "Each rejected row names at least one rule."),
    ]
    for suite in default_suites() if suites is None else suites:
        specs += suite.specs(feed)
    if feed.quality.level is not Level.NONE:
        specs += _QUALITY_SPECS
    for table_set in t.feed_tables(feed):
        name = derived_check_name(table_set.name)
        if name is not None:
            specs.append(CheckSpec(name, table_set.name, False, _DERIVED[name][1]))
    return tuple(specs)


def default_suites() -> tuple[Suite, ...]:
    """The suites every walk runs."""
    return (BuiltinSuite(),)


def check_raw(batch: ValidatedBatch, raw_asset: str) -> CheckOutcome:
    """The raw parts against the ledger."""
    passed = batch.raw_rows == batch.recorded_rows
    message = f"{batch.raw_rows} rows in the raw parts, {batch.recorded_rows} in the ledger"
    return CheckOutcome("rows_recorded", raw_asset, passed, True, message, {"rows": batch.raw_rows})


def check_rejected(rejected: pa.Table) -> CheckOutcome:
    """Every rejected row names its rules."""
    silent = int(pc.sum(pc.equal(pc.fill_null(rejected["rules"], ""), "")).as_py() or 0)
    message = f"{rejected.num_rows} rejected rows, {silent} without a reason"
    facts: Facts = {"rows": rejected.num_rows}
    examples = rejected_by_rule(rejected)[:SHOWN]
    return CheckOutcome("every_row_has_a_reason", t.REJECTED_BARS, silent == 0, True, message, facts, examples)


def derived_check_name(asset: str) -> str | None:
    """The check an asset downstream of validation carries."""
    if asset in (t.INTRADAY_BARS, t.DAILY_BARS, t.WEEKLY_BARS, t.MONTHLY_BARS):
        return "aggregates_conserve"
    return "one_row_a_key" if asset in t.VIEWS else None


def check_derived(batch: DerivedBatch) -> CheckOutcome | None:
    """The check of a derived asset over one partition."""
    name = derived_check_name(batch.asset)
    if name is None:
        return None
    passed, message, facts, examples = _DERIVED[name][0](batch)
    return CheckOutcome(name, batch.asset, passed, False, message, facts, examples)


# Whether it holds, what was found, figures, and the first of what is wrong.
_Verdict = tuple[bool, str, Facts, tuple[Example, ...]]


def _rows_conserved(batch: ValidatedBatch) -> _Verdict:
    passed = batch.accepted_rows + batch.rejected_rows == batch.raw_rows
    message = f"{batch.accepted_rows} accepted + {batch.rejected_rows} rejected of {batch.raw_rows} raw rows"
    facts: Facts = {"raw": batch.raw_rows, "accepted": batch.accepted_rows, "rejected": batch.rejected_rows}
    return passed, message, facts, ()


def _sorted_and_unique(batch: ValidatedBatch) -> _Verdict:
    wrong = _out_of_order(batch.bars)
    return _verdict_on_rows(batch.bars, wrong, "out of order or repeated")


def _ohlc_of_bars(batch: ValidatedBatch) -> _Verdict:
    wrong = _inconsistent(batch.bars)
    return _verdict_on_rows(batch.bars, wrong, "break low <= open, close <= high")


def _verdict_on_rows(bars: pa.Table, wrong: NDArray[np.bool_], fault: str) -> _Verdict:
    count = int(wrong.sum())
    examples = rows_at(bars, wrong) if count else ()
    return count == 0, f"{count} of {bars.num_rows} bars {fault}", {"wrong": count}, examples


def _not_empty(batch: ValidatedBatch) -> _Verdict:
    passed = batch.bars.num_rows > 0 or batch.expected_minutes == 0
    message = f"{batch.bars.num_rows} bars; the calendar says open for {batch.expected_minutes} minutes"
    if not passed and batch.raw_rows == 0 and batch.feed.is_pulled:
        message += f"; its vendor gave none, and is asked again by: marketdata backfill {batch.feed.name}"
    elif not passed and batch.raw_rows == 0:
        message += f"; nothing was ingested: marketdata ingest {batch.feed.name} PATH"
    elif not passed:
        message += f"; every row was rejected: marketdata rejected {batch.feed.name} --start {batch.partition}"
    facts: Facts = {"bars": batch.bars.num_rows, "expected_minutes": batch.expected_minutes}
    if not passed:
        return passed, message, facts, rejected_by_rule(batch.rejected)[:SHOWN]
    # Listed symbols without a bar are no fault (a listing may be younger or older), but worth a look.
    absent = symbols_without_bars(batch.feed.source.symbols, batch.bars)
    return passed, message, facts | {"symbols_without_bars": len(absent)}, absent[:SHOWN]


def _aggregates_conserve(batch: DerivedBatch) -> _Verdict:
    facts: Facts = {}
    problems: list[tuple[str, str]] = []
    examples: tuple[Example, ...] = ()
    for name, table in batch.tables.items():
        facts[name] = table.num_rows
        wrong = _out_of_order(table) | _inconsistent(table)
        if wrong.any():
            problems.append((name, f"{int(wrong.sum())} bars out of order or inconsistent"))
            examples = examples or tuple(Example(table=name) | example for example in rows_at(table, wrong))
        bars = pc.sum(table["bar_count"]).as_py() or 0
        if batch.source_bars is not None and bars != batch.source_bars:
            problems.append((name, f"made of {bars} bars, not {batch.source_bars}"))
        volume = pc.sum(table["volume"]).as_py() or 0.0
        known = table["volume"].null_count == 0
        if known and batch.source_volume is not None and not _close(volume, batch.source_volume):
            problems.append((name, f"volume {volume}, not {batch.source_volume}"))
    told = "; ".join(f"{name}: {text}" for name, text in problems) or "bars and volume add up in every timeframe"
    sums = tuple(Example(table=name, problem=text) for name, text in problems)
    return not problems, told, facts, examples or sums


def _one_row_a_key(batch: DerivedBatch) -> _Verdict:
    facts: Facts = {}
    repeated = 0
    examples: tuple[Example, ...] = ()
    for name, table in batch.tables.items():
        keys = [key for key in ("symbol", "bucket", "session_date", "hour") if key in table.column_names]
        distinct = _distinct(table, keys)
        facts[name] = table.num_rows
        if table.num_rows != distinct:
            repeated += table.num_rows - distinct
            examples = examples or repeated_keys(table, keys)
    return repeated == 0, f"{repeated} repeated keys", facts, examples


def _distinct(table: pa.Table, keys: list[str]) -> int:
    """How many different keys a table has."""
    columns = [symbol_codes(table[key])[0] if key == "symbol" else int_values(table[key]) for key in keys]
    order = np.lexsort(columns)
    changed = np.zeros(max(len(order) - 1, 0), np.bool_)
    for column in columns:
        changed |= column[order][1:] != column[order][:-1]
    return int(changed.sum()) + min(len(order), 1)


_DERIVED: dict[str, tuple[Callable[[DerivedBatch], _Verdict], str]] = {
    "aggregates_conserve": (_aggregates_conserve, "Sorted, consistent; bar counts and volume equal their source's."),
    "one_row_a_key": (_one_row_a_key, "No key occurs twice."),
}


def _out_of_order(bars: pa.Table) -> NDArray[np.bool_]:
    """Which bars do not come after the one before them; never the first."""
    codes, _ = symbol_codes(bars["symbol"])
    ts = int_values(bars["ts"])
    same = codes[1:] == codes[:-1]
    wrong = np.zeros(len(ts), np.bool_)
    wrong[1:] = ~np.where(same, ts[1:] > ts[:-1], codes[1:] > codes[:-1])
    return wrong


def _inconsistent(bars: pa.Table) -> NDArray[np.bool_]:
    opens, high, low, close = (float_values(bars[name]) for name in ("open", "high", "low", "close"))
    good = (low <= opens) & (low <= close) & (opens <= high) & (close <= high) & np.isfinite(high) & np.isfinite(low)
    return ~good


def _close(left: float, right: float) -> bool:
    return abs(left - right) <= _ROUNDING * max(abs(left), abs(right), 1.0)
