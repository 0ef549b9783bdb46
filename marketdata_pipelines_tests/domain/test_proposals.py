"""Jumps that look like splits."""

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pv
import pytest

from marketdata_pipelines.domain.actions import ACTION_SCHEMA
from marketdata_pipelines.domain.proposals import PROPOSAL_SCHEMA, propose_actions
from marketdata_pipelines_tests.builders import column, day

JUMP = day("2024-03-11")


def daily(
    before: float, opened: float, closed: float, volumes: tuple[float | None, float | None] = (1000.0, 1000.0)
) -> pa.Table:
    """Five quiet sessions, then five at another price from `JUMP` on."""
    days = [JUMP + timedelta(days=offset) for offset in range(-5, 5)]
    return pa.table(
        {
            "symbol": ["A"] * 10,
            "session_date": days,
            "open": [before] * 5 + [opened] + [closed] * 4,
            "close": [before] * 5 + [closed] * 5,
            "volume": pa.array([volumes[0]] * 5 + [volumes[1]] * 5, pa.float64()),
        }
    )


def test_a_fall_to_a_seventh_with_seven_times_the_volume_is_proposed() -> None:
    found = propose_actions(daily(700.0, 100.0, 101.0, (1000.0, 7000.0)))

    assert found.schema == PROPOSAL_SCHEMA
    assert column(found, "symbol") == ["A"]
    assert column(found, "ex_date") == [JUMP]
    assert column(found, "ratio") == [7.0]
    assert column(found, "confidence") == [0.95]
    assert column(found, "why") == ["700 closed, 100 opened, 101 closed: near 7:1 (0.0% off); volume times 7"]


def test_a_rise_to_ten_times_with_a_tenth_of_the_volume_is_a_reverse_split() -> None:
    found = propose_actions(daily(1.0, 10.1, 10.0, (10_000.0, 900.0)))

    assert column(found, "ratio") == [0.1]


def test_unknown_volume_is_no_objection_but_no_evidence_either() -> None:
    known = propose_actions(daily(200.0, 100.0, 100.0, (1000.0, 2000.0)))
    unknown = propose_actions(daily(200.0, 100.0, 100.0, (None, None)))

    assert column(unknown, "confidence")[0] < column(known, "confidence")[0]
    assert column(unknown, "why")[0].endswith("volume unknown")


@pytest.mark.parametrize(
    "bars",
    [
        daily(100.0, 101.0, 99.0),  # nothing happened
        daily(100.0, 56.0, 54.0),  # a fall, but near no simple ratio
        daily(100.0, 99.0, 50.0),  # fell during the session: a split shows at the open
        daily(200.0, 100.0, 100.0, (1000.0, 300.0)),  # half the price, and less volume
        daily(200.0, 0.0, 100.0),
        daily(200.0, float("nan"), 100.0),
    ],
)
def test_other_moves_are_not_proposed(bars: pa.Table) -> None:
    assert propose_actions(bars).num_rows == 0


def test_a_jump_over_a_long_pause_is_not_proposed() -> None:
    bars = daily(200.0, 100.0, 100.0)
    days = [own if own < JUMP else own + timedelta(days=30) for own in bars["session_date"].to_pylist()]

    assert propose_actions(bars.set_column(1, "session_date", pa.array(days))).num_rows == 0


@pytest.mark.parametrize(
    ("ex_date", "proposed"), [(JUMP, 0), (JUMP - timedelta(days=1), 1), (JUMP + timedelta(days=1), 1)]
)
def test_what_is_known_is_not_proposed(ex_date: object, proposed: int) -> None:
    known = pa.Table.from_pylist([{"symbol": "A", "ex_date": ex_date, "kind": "split", "ratio": 2.0}], ACTION_SCHEMA)

    assert propose_actions(daily(200.0, 100.0, 100.0), known).num_rows == proposed


def test_two_symbols_beside_each_other_are_no_jump() -> None:
    one = daily(100.0, 100.0, 100.0)
    other = daily(50.0, 50.0, 50.0).set_column(0, "symbol", pa.array(["B"] * 10))

    assert propose_actions(pa.concat_tables([other, one])).num_rows == 0


def test_no_bars_give_no_proposals() -> None:
    assert propose_actions(daily(1.0, 1.0, 1.0).slice(0, 0)).equals(PROPOSAL_SCHEMA.empty_table())


def test_every_split_of_real_symbols_is_found_and_nothing_else(shared_data: Path) -> None:
    read = pv.read_csv(shared_data / "csv_gz" / "US_daily_SPY_AAPL_QQQ.csv.gz")
    bars = read.rename_columns(["symbol", "session_date", "open", "high", "low", "close", "volume"])

    found = propose_actions(bars)

    assert list(
        zip(column(found, "symbol"), map(str, column(found, "ex_date")), column(found, "ratio"), strict=True)
    ) == [
        ("AAPL", "2000-06-21", 2.0),
        ("AAPL", "2005-02-28", 2.0),
        ("AAPL", "2014-06-09", 7.0),
        ("AAPL", "2020-08-31", 4.0),
        ("QQQ", "2000-03-20", 2.0),
    ]
