"""The built-in checks: what they pass, what they fail, and what they say."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from marketdata_pipelines.domain.bars import AGGREGATE_SCHEMA, BAR_SCHEMA, REJECTED_SCHEMA
from marketdata_pipelines.domain.session_grid import feed_grid
from marketdata_pipelines.domain.tables import asset_sets
from marketdata_pipelines.pipeline.aggregate import aggregate_partition
from marketdata_pipelines.quality.checks import (
    BuiltinSuite,
    DerivedBatch,
    ValidatedBatch,
    check_derived,
    check_raw,
    check_rejected,
    check_specs,
    derived_check_name,
)
from marketdata_pipelines_tests.builders import LATER, bar, bar_table, day, make_feed, minutes

FEED = make_feed()
BARS = bar_table(minutes("A", "2024-03-08 14:30", 3) + minutes("B", "2024-03-08 14:30", 2))
GOOD = ValidatedBatch(FEED, "2024-03-08", 7, 7, 5, 2, BARS, 390)


def failed(batch: ValidatedBatch) -> dict[str, str]:
    """Messages of the failed checks, by name."""
    return {outcome.name: outcome.message for outcome in BuiltinSuite().evaluate(batch) if not outcome.passed}


def changed(table: pa.Table, name: str, values: list[Any]) -> pa.Table:
    position = table.schema.get_field_index(name)
    return table.set_column(position, table.schema.field(name), pa.array(values, table.schema.field(name).type))


def test_a_good_partition_passes_every_check() -> None:
    outcomes = BuiltinSuite().evaluate(GOOD)

    assert [outcome.name for outcome in outcomes] == [
        "rows_conserved", "sorted_and_unique", "ohlc_consistent", "not_empty_when_open",
    ]  # fmt: skip
    assert all(outcome.passed and outcome.blocking and outcome.asset == "validated_bars" for outcome in outcomes)


def test_rows_must_add_up() -> None:
    assert failed(replace(GOOD, rejected_rows=1)) == {"rows_conserved": "5 accepted + 1 rejected of 7 raw rows"}


@pytest.mark.parametrize("order", [[1, 0, 2, 3, 4], [0, 0, 2, 3, 4], [3, 4, 0, 1, 2]])
def test_bars_must_be_sorted_and_unique(order: list[int]) -> None:
    assert failed(replace(GOOD, bars=BARS.take(pa.array(order)))) == {
        "sorted_and_unique": "1 of 5 bars out of order or repeated"
    }


@pytest.mark.parametrize(
    ("name", "value"), [("high", 1.0), ("low", 500.0), ("open", 500.0), ("close", 1.0), ("high", np.inf), ("low", None)]
)
def test_prices_must_be_consistent_and_finite(name: str, value: float | None) -> None:
    values = BARS[name].to_pylist()
    values[2] = value

    assert "ohlc_consistent" in failed(replace(GOOD, bars=changed(BARS, name, values)))


def test_an_open_market_must_have_bars() -> None:
    empty = replace(GOOD, bars=BAR_SCHEMA.empty_table(), accepted_rows=0, rejected_rows=7)
    nothing = replace(empty, raw_rows=0, rejected_rows=0)

    assert failed(empty)["not_empty_when_open"].endswith("marketdata rejected feed --start 2024-03-08")
    assert failed(nothing)["not_empty_when_open"].endswith("nothing was ingested: marketdata ingest feed PATH")
    assert failed(replace(nothing, expected_minutes=0)) == {}


def test_raw_parts_must_hold_what_the_ledger_says() -> None:
    assert check_raw(GOOD, "raw_bars").passed
    lost = check_raw(replace(GOOD, raw_rows=6), "raw_bars")
    assert (lost.passed, lost.blocking, lost.message) == (False, True, "6 rows in the raw parts, 7 in the ledger")


def test_rejected_rows_must_have_a_reason() -> None:
    rows = [{"rules": "future"}, {"rules": ""}, {"rules": None}]
    table = pa.Table.from_pylist(rows, REJECTED_SCHEMA)

    assert check_rejected(REJECTED_SCHEMA.empty_table()).passed
    assert check_rejected(table.slice(0, 1)).passed
    assert check_rejected(table).message == "3 rejected rows, 2 without a reason"


AGGREGATES = aggregate_partition(FEED, feed_grid(FEED, day("2024-03-08"), day("2024-03-08")), BARS, LATER)


def derived(table: pa.Table, *, volume: float | None = 504.0, bars: int | None = 5) -> DerivedBatch:
    return DerivedBatch(FEED, "2024-03-08", "intraday_bars", {"bars_5m": table}, volume, bars)


def message(batch: DerivedBatch) -> str | None:
    """What the check says when it fails."""
    outcome = check_derived(batch)
    assert outcome is not None
    assert not outcome.blocking
    return None if outcome.passed else outcome.message


def test_aggregates_must_conserve_bars_and_volume() -> None:
    table = AGGREGATES.intraday["bars_5m"]

    assert message(derived(table)) is None
    assert message(derived(table, bars=4)) == "bars_5m: made of 5 bars, not 4"
    assert message(derived(table, volume=500.0)) == "bars_5m: volume 504.0, not 500.0"
    assert message(derived(table, volume=504.0 * (1 + 1e-12))) is None
    assert message(derived(table, volume=None, bars=None)) is None
    assert message(derived(table.take(pa.array([1, 0])))) == "bars_5m: 1 bars out of order or inconsistent"


def test_unknown_volume_is_not_compared() -> None:
    bars = bar_table([bar("A", "2024-03-08 14:30", volume=None), bar("A", "2024-03-08 14:31")])
    table = aggregate_partition(FEED, feed_grid(FEED, day("2024-03-08"), day("2024-03-08")), bars, LATER).daily

    assert message(derived(table, volume=None, bars=2)) is None


def test_empty_aggregates_pass() -> None:
    assert message(derived(AGGREGATE_SCHEMA.empty_table(), volume=None, bars=0)) is None


def test_views_have_one_row_a_key() -> None:
    once = pa.table({"symbol": ["A", "B"], "bucket": [1, 1], "n": [1, 2]})

    def view(table: pa.Table) -> DerivedBatch:
        return DerivedBatch(FEED, "2024-03-08", "daily_summary", {"daily_summary": table}, None, None)

    assert message(view(once)) is None
    assert message(view(pa.concat_tables([once, once]))) == "2 repeated keys"


def test_every_asset_has_a_check_and_every_check_its_asset() -> None:
    for feed in (FEED, make_feed(interval="1d"), make_feed(interval="1M")):
        specs = check_specs(feed)
        assets = {table_set.name for table_set in asset_sets(feed)}

        assert {spec.asset for spec in specs} == assets
        assert len({(spec.asset, spec.name) for spec in specs}) == len(specs)
        assert all(spec.text.endswith(".") for spec in specs)


def test_assets_before_and_at_validation_have_no_derived_check() -> None:
    assert derived_check_name("validated_bars") is None
    assert check_derived(DerivedBatch(FEED, "k", "raw_bars", {}, None, None)) is None
