"""Which buckets of several days have an ex date inside."""

import numpy as np
import pyarrow as pa
import pytest

from marketdata_pipelines.domain.actions import empty_actions
from marketdata_pipelines.domain.adjustment import Adjustment, spans_action
from marketdata_pipelines_tests.builders import day
from marketdata_pipelines_tests.domain.action_rows import actions, bars, dividend, split

SPLIT, TOTAL = Adjustment.SPLIT, Adjustment.TOTAL


def several_days(label: str, ends: str, symbol: str = "A") -> pa.Table:
    """One bucket labelled at midnight UTC, complete at `ends`."""
    found = bars([day(label)], symbol)
    stamp = pa.timestamp("us", tz="UTC")
    found = found.append_column("ts", pa.array([np.datetime64(label, "us")], pa.timestamp("us")).cast(stamp))
    return found.append_column("ts_close", pa.array([np.datetime64(ends, "us")], pa.timestamp("us")).cast(stamp))


@pytest.mark.parametrize(
    ("label", "ends", "ex_date", "spans"),
    [
        ("2024-03-04", "2024-03-08T21:00", "2024-03-04", False),  # the week's first day
        ("2024-03-04", "2024-03-08T21:00", "2024-03-05", True),
        ("2024-03-04", "2024-03-08T21:00", "2024-03-08", True),
        ("2024-03-04", "2024-03-08T21:00", "2024-03-11", False),  # the next week's
        ("2024-03-01", "2024-03-28T20:00", "2024-03-15", True),
        ("2024-03-07", "2024-03-08T05:00", "2024-03-08", True),  # two sessions of Tokyo
        ("2024-03-07", "2024-03-08T01:00", "2024-03-08", False),  # one, until 20:00 in New York
        ("2024-03-08", "2024-03-09T00:00", "2024-03-09", False),  # one day in UTC
    ],
)
def test_a_bucket_of_several_days_spans_an_ex_date_inside_it(label: str, ends: str, ex_date: str, spans: bool) -> None:
    flags = spans_action(several_days(label, ends), actions(split(ex_date, 2.0)))

    assert flags.tolist() == [spans]


def test_only_counted_actions_of_the_same_symbol_are_spanned() -> None:
    week = several_days("2024-03-04", "2024-03-08T21:00")

    assert not spans_action(week, actions(dividend("2024-03-06", 1.0)), SPLIT).any()
    assert spans_action(week, actions(dividend("2024-03-06", 1.0)), TOTAL).all()
    assert not spans_action(week, actions(split("2024-03-06", 2.0)), TOTAL, day("2024-03-05")).any()
    assert not spans_action(week, actions(split("2024-03-06", 2.0, symbol="B"))).any()
    assert not spans_action(week, empty_actions()).any()
