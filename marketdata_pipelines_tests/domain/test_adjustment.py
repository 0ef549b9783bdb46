"""Adjusting bars for corporate actions: prices, volumes, closes, anchors."""

from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from marketdata_pipelines.domain.actions import ACTION_SCHEMA, empty_actions
from marketdata_pipelines.domain.adjustment import (
    Adjustment,
    FactorStep,
    adjust_bars,
    adjustment_factors,
)
from marketdata_pipelines.domain.bars import AGGREGATE_SCHEMA, BAR_SCHEMA
from marketdata_pipelines.errors import SchemaMismatch
from marketdata_pipelines_tests.builders import column, day
from marketdata_pipelines_tests.domain.action_rows import FAR, FIRST, PRICES, actions, bars, closes_of, dividend, split

RAW, SPLIT, TOTAL = Adjustment.RAW, Adjustment.SPLIT, Adjustment.TOTAL
MONTH = [FIRST + timedelta(days=offset) for offset in range(-3, 35)]


def test_a_split_divides_prices_and_multiplies_volume_before_its_day() -> None:
    found, unapplied = adjust_bars(
        bars([day("2024-03-07"), day("2024-03-08")]), actions(split("2024-03-08", 4.0)), SPLIT, FAR
    )

    assert [column(found, name) for name in PRICES] == [[25.0, 100.0]] * 5
    assert column(found, "volume") == [4000.0, 1000.0]
    assert column(found, "notional") == [100_000.0, 100_000.0]
    assert column(found, "trade_count") == [7, 7]
    assert unapplied.num_rows == 0


def test_a_reverse_split_multiplies_prices() -> None:
    found, _ = adjust_bars(bars([FIRST]), actions(split("2024-03-08", 0.1)), SPLIT, FAR)

    assert column(found, "close") == [1000.0]
    assert column(found, "volume") == [100.0]


def test_a_stock_dividend_is_a_split_of_one_and_its_ratio() -> None:
    found, _ = adjust_bars(
        bars([FIRST]), actions({"kind": "stock_dividend", "ex_date": day("2024-03-08"), "ratio": 0.25}), SPLIT, FAR
    )

    assert column(found, "close") == [80.0]
    assert column(found, "volume") == [1250.0]


def test_a_dividend_scales_prices_and_notional_but_no_volume_and_only_in_total() -> None:
    paid = actions(dividend("2024-03-08", 2.0, 100.0))

    total, _ = adjust_bars(bars([FIRST]), paid, TOTAL, FAR)
    only_split, _ = adjust_bars(bars([FIRST]), paid, SPLIT, FAR)

    assert column(total, "close") == [98.0]
    assert column(total, "notional") == [98_000.0]
    assert column(total, "volume") == [1000.0]
    assert only_split.equals(bars([FIRST]))


def test_vwap_stays_notional_over_volume() -> None:
    given_actions = actions(dividend("2024-03-08", 2.0, 100.0), split("2024-03-08", 3.0), split("2024-03-11", 0.5))

    found, _ = adjust_bars(bars([FIRST]), given_actions, TOTAL, FAR)

    assert column(found, "vwap") == pytest.approx([column(found, "notional")[0] / column(found, "volume")[0]])


def test_the_close_before_comes_from_daily_closes_where_the_action_has_none() -> None:
    closes = closes_of(("2024-03-06", 50.0), ("2024-03-07", 40.0), ("2024-03-08", 1.0))

    found, unapplied = adjust_bars(bars([FIRST]), actions(dividend("2024-03-08", 2.0)), TOTAL, FAR, closes)

    assert column(found, "close") == pytest.approx([95.0])
    assert unapplied.num_rows == 0


@pytest.mark.parametrize("known", [None, [("2024-03-08", 40.0)], [("2024-02-01", 40.0)], [("2024-03-07", None)]])
def test_without_a_close_near_before_it_a_dividend_is_reported_and_not_applied(known: Any) -> None:
    closes = None if known is None else closes_of(*known)

    found, unapplied = adjust_bars(bars([FIRST]), actions(dividend("2024-03-08", 2.0)), TOTAL, FAR, closes)

    assert found.equals(bars([FIRST]))
    assert column(unapplied, "reason") == ["no close before it"]
    assert column(unapplied, "ex_date") == [day("2024-03-08")]


def test_a_dividend_not_below_the_close_is_reported_and_not_applied() -> None:
    found, unapplied = adjust_bars(bars([FIRST]), actions(dividend("2024-03-08", 100.0, 100.0)), TOTAL, FAR)

    assert found.equals(bars([FIRST]))
    assert column(unapplied, "reason") == ["the amount is not below the close before it"]


def test_a_vendors_factor_is_taken_as_it_is() -> None:
    found, _ = adjust_bars(
        bars([FIRST]),
        actions(
            {"kind": "factor", "ex_date": day("2024-03-08"), "price_factor": 0.5},
            dividend("2024-03-11", 1.0, price_factor=0.5),
        ),
        TOTAL,
        FAR,
    )

    assert column(found, "close") == [25.0]


def test_two_actions_on_one_day_multiply() -> None:
    both = actions(split("2024-03-08", 2.0), dividend("2024-03-08", 10.0, 100.0))

    found, _ = adjust_bars(bars([FIRST]), both, TOTAL, FAR)

    assert column(found, "close") == [45.0]
    assert column(found, "volume") == [2000.0]


def test_an_anchor_before_every_action_leaves_bars_as_traded() -> None:
    days = [FIRST + timedelta(days=offset) for offset in range(20)]

    found, _ = adjust_bars(bars(days), actions(split("2024-03-08", 4.0)), TOTAL, day("2024-03-07"))

    assert found.equals(bars(days))


def test_raw_is_as_traded_and_other_symbols_are_left_alone() -> None:
    own = actions(split("2024-03-08", 4.0))

    assert adjust_bars(bars([FIRST]), own, RAW, FAR)[0].equals(bars([FIRST]))
    assert adjust_bars(bars([FIRST], "B"), own, SPLIT, FAR)[0].equals(bars([FIRST], "B"))


def test_changes_of_symbol_and_delistings_scale_nothing() -> None:
    rows = [{"kind": kind, "ex_date": day("2024-03-08"), "new_symbol": "B"} for kind in ("symbol_change", "delisting")]

    assert adjust_bars(bars([FIRST]), actions(*rows), TOTAL, FAR)[0].equals(bars([FIRST]))


def test_unknown_values_stay_unknown() -> None:
    found, _ = adjust_bars(bars([FIRST], volume=None), actions(split("2024-03-08", 4.0)), SPLIT, FAR)

    assert column(found, "volume") == [None]
    assert column(found, "notional") == [None]


@pytest.mark.parametrize("schema", [BAR_SCHEMA, AGGREGATE_SCHEMA])
def test_tables_keep_their_schema_and_empty_ones_stay_empty(schema: pa.Schema) -> None:
    row = {"symbol": "A", "session_date": FIRST, "close": 100.0, "volume": 10.0}
    table = pa.Table.from_pylist([row], schema)

    found, _ = adjust_bars(table, actions(split("2024-03-08", 4.0)), SPLIT, FAR)
    nothing, _ = adjust_bars(schema.empty_table(), actions(split("2024-03-08", 4.0)), SPLIT, FAR)

    assert found.schema == schema
    assert column(found, "close") == [25.0]
    assert nothing.equals(schema.empty_table())


def test_bars_may_be_matched_by_another_column() -> None:
    own = bars([FIRST], "OLD").append_column("instrument_id", pa.array(["A"]))

    found, _ = adjust_bars(own, actions(split("2024-03-08", 4.0)), SPLIT, FAR, key="instrument_id")

    assert column(found, "close") == [25.0]


def test_bars_without_a_session_date_are_refused() -> None:
    with pytest.raises(SchemaMismatch, match="session_date"):
        adjust_bars(bars([FIRST]).drop_columns(["session_date"]), empty_actions(), SPLIT, FAR)


def test_factors_are_shown_as_steps() -> None:
    told = actions(
        split("2024-03-08", 2.0),
        dividend("2024-03-08", 10.0, 100.0),
        split("2024-03-20", 3.0),
        split("2031-01-01", 9.0),
    )

    assert adjustment_factors(told, "A", TOTAL, FAR) == [
        FactorStep(None, 0.9 / 6, 6.0),
        FactorStep(day("2024-03-08"), 1 / 3, 3.0),
        FactorStep(day("2024-03-20"), 1.0, 1.0),
    ]
    assert adjustment_factors(told, "B", TOTAL, FAR) == [FactorStep(None, 1.0, 1.0)]


def test_many_symbols_are_adjusted_each_by_its_own_actions() -> None:
    names = [f"S{number:03}" for number in range(50)]
    table = pa.concat_tables([bars(MONTH, name) for name in names])
    told = pa.Table.from_pylist(
        [split("2024-03-08", float(number + 2), symbol=name) for number, name in enumerate(names)], ACTION_SCHEMA
    )

    found, _ = adjust_bars(table, told, SPLIT, FAR)

    closes = np.array(column(found, "close")).reshape(len(names), len(MONTH))
    assert closes[:, 0].tolist() == [100.0 / (number + 2) for number in range(len(names))]
    assert closes[:, -1].tolist() == [100.0] * len(names)


def test_actions_before_the_first_bar_are_not_missed() -> None:
    found, unapplied = adjust_bars(bars([day("2024-03-08")]), actions(dividend("2024-03-08", 2.0)), TOTAL, FAR)

    assert found.equals(bars([day("2024-03-08")]))
    assert unapplied.num_rows == 0
