"""Bars, batches and faults that tests of suites are made of; nothing here asserts."""

from datetime import date
from typing import Any

import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.quality.suites.bar_suites import validated_suite
from marketdata_pipelines.quality.suites.batches import BarFacts, validated_batch
from marketdata_pipelines.quality.suites.records import Batch, TableSuite
from marketdata_pipelines_tests.builders import LATER, bar_table, make_feed, minutes

DAY = date(2024, 3, 8)


def good_bars(symbols: tuple[str, ...] = ("AAA", "BBB"), count: int = 20) -> pa.Table:
    """Minutes from the New York open of 8 March 2024."""
    return bar_table([row for symbol in symbols for row in minutes(symbol, "2024-03-08 14:30", count)])


def with_value(bars: pa.Table, row: int, name: str, value: Any) -> pa.Table:
    """The bars with one cell replaced."""
    values = bars[name].to_pylist()
    values[row] = value
    field = bars.schema.field(name)
    plain = pa.array(values, pa.string() if pa.types.is_dictionary(field.type) else field.type)
    return bars.set_column(bars.column_names.index(name), field, plain.cast(field.type))


def batch_of(
    bars: pa.Table,
    feed: Feed | None = None,
    *,
    written: int | None = None,
    facts: BarFacts | None = None,
    **changes: Any,
) -> tuple[TableSuite, Batch]:
    """The suite of a feed's validated bars, and the batch of these rows."""
    feed = feed or make_feed(**changes)
    facts = facts or BarFacts(LATER, DAY, DAY)
    suite = validated_suite(feed, with_ticks=bool(facts.ticks))
    return suite, validated_batch(suite, feed, bars, bars.num_rows if written is None else written, facts)
