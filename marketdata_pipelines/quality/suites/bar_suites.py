"""The suites of bars: the validated ones, and those of every coarser timeframe."""

from collections.abc import Mapping

from marketdata_pipelines.domain import tables as t
from marketdata_pipelines.domain.bars import AGGREGATE_SCHEMA, BAR_SCHEMA, PRICES
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import parse_interval
from marketdata_pipelines.domain.quality.records import Dimension, Level, Severity
from marketdata_pipelines.domain.quality.rules import QualityRule, Scope
from marketdata_pipelines.domain.quality.settings import active_rules
from marketdata_pipelines.quality.suites import conditions as c
from marketdata_pipelines.quality.suites.columns import duckdb_columns
from marketdata_pipelines.quality.suites.hours import usual_pauses
from marketdata_pipelines.quality.suites.records import Measure, SuiteRule, TableSuite

KEYS = ("symbol", "ts")
_SHOWN = (*PRICES, "volume")
_Conditions = dict[str, tuple[str, tuple[str, ...]]]

BAR_COUNT = QualityRule(
    "bar_count_positive", Dimension.CONSISTENCY, Severity.BLOCK, Level.BASIC, Scope.BAR,
    "A combined bar is made of at least one bar.", "bar_count >= 1", "suites",
)  # fmt: skip
MEMBERS = QualityRule(
    "members_in_bucket", Dimension.CONSISTENCY, Severity.BLOCK, Level.BASIC, Scope.BAR,
    "The first bar of a combined one is not after the last, and that begins before the bucket is complete.",
    "first_ts <= last_ts < ts_close", "suites",
)  # fmt: skip


def validated_suite(feed: Feed, *, with_ticks: bool = False) -> TableSuite:
    """The suite of `validated_bars`: the rules the feed asks for. `with_ticks`: the batch knows tick sizes."""
    found = _on_prices(feed) | {
        "key_present": (
            c.missing_keys(("symbol",), ("ts", "ts_close", "session_date")),
            (*KEYS, "ts_close", "session_date"),
        ),
        "bar_has_length": (c.without_length(intraday=feed.interval.is_intraday), ("ts", "ts_close")),
        "on_interval": (c.off_interval(feed), ("ts", "session_date", "regular")),
        "in_session": (c.out_of_session(usual_pauses(feed)), ("ts", "session_date", "regular")),
        "not_future": (c.in_future(), ("ts_close",)),
    }
    if with_ticks:
        found["tick_size"] = (c.off_tick(), ("symbol", *PRICES))
    rules = _suite_rules(feed, found)
    name = f"{feed.name}.{t.VALIDATED_BARS}"
    return TableSuite(name, t.VALIDATED_BARS, rules, duckdb_columns(BAR_SCHEMA), KEYS, _SHOWN)


def aggregate_suite(feed: Feed, table: str) -> TableSuite:
    """The suite of one table of coarser bars (`bars_5m` … `bars_1M`)."""
    timeframe = table.removeprefix("bars_")
    intraday = timeframe != "1mo" and parse_interval(timeframe).is_intraday
    found = _on_prices(feed) | {
        "key_present": (
            c.missing_keys(("symbol",), ("ts", "ts_close", "session_date")),
            (*KEYS, "ts_close", "session_date"),
        ),
        "bar_has_length": (c.without_length(intraday=intraday), ("ts", "ts_close")),
    }
    rules = _suite_rules(feed, found)
    if rules:
        members = "not (first_ts <= last_ts and last_ts < ts_close)"
        rules += (
            SuiteRule(BAR_COUNT, "not (bar_count >= 1)", ("bar_count",)),
            SuiteRule(MEMBERS, members, ("first_ts", "last_ts", "ts_close")),
        )
    # Buckets of several days lie in the partition of their label, and extended hours are in none by session.
    columns = duckdb_columns(AGGREGATE_SCHEMA)
    return TableSuite(f"{feed.name}.{table}", table, rules, columns, KEYS, _SHOWN, may_be_empty=True)


def table_rules(active: Mapping[str, QualityRule]) -> tuple[SuiteRule, ...]:
    """The rules about a table as a whole, as far as they are asked for."""
    measures = (("schema_types", Measure.SCHEMA), ("row_count", Measure.ROW_COUNT))
    return tuple(SuiteRule(active[name], measure=measure) for name, measure in measures if name in active)


def _on_prices(feed: Feed) -> _Conditions:
    """The conditions that every table of bars shares."""
    found = {
        "key_unique": (c.not_increasing(KEYS), KEYS),
        "prices_finite": (c.not_finite(), PRICES),
        "ohlc_relations": (c.not_consistent(), PRICES),
        "volume_valid": (c.volume_wrong(), ("volume",)),
        "vwap_in_range": (c.vwap_outside(), ("vwap", "low", "high", "close")),
        "trade_count_valid": (c.trade_count_wrong(), ("trade_count",)),
    }
    if not feed.allow_nonpositive_prices:
        found["prices_positive"] = (c.not_positive(), PRICES)
    return found


def _suite_rules(feed: Feed, found: _Conditions) -> tuple[SuiteRule, ...]:
    active = active_rules(feed.quality)
    rules = [_suite_rule(rule, *found[name], feed.quality.sample) for name, rule in active.items() if name in found]
    return (*table_rules(active), *rules)


def _suite_rule(rule: QualityRule, sql: str, columns: tuple[str, ...], sample: float | None) -> SuiteRule:
    # What blocks looks at every row, whatever the sample.
    if sample is None or sample >= 1 or rule.severity is Severity.BLOCK:
        return SuiteRule(rule, sql, columns)
    return SuiteRule(rule, c.only_sampled(sql), ("symbol", *columns), sampled=sample)
