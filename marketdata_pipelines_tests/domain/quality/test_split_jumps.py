"""Jumps between sessions of the size of a split."""

from fractions import Fraction

import pyarrow as pa
import pytest

from marketdata_pipelines.domain.quality.history import PastSessions
from marketdata_pipelines.domain.quality.openings import session_openings
from marketdata_pipelines.domain.quality.rules import QUALITY_RULE_BY_ID
from marketdata_pipelines.domain.quality.split_jumps import split_like_jumps
from marketdata_pipelines_tests.domain.action_rows import actions, split
from marketdata_pipelines_tests.domain.quality_rows import (
    Row,
    finding,
    opening,
    profile,
    profile_table,
    quiet_sessions,
    session_day,
    suspect,
    suspect_table,
)

TODAY = session_day(0)
RULE = QUALITY_RULE_BY_ID["split_like_jump"]


def jumps(
    *rows: Row, known: pa.Table | None = None, suspects: pa.Table | None = None, told: tuple[Row, ...] = ()
) -> list[Row]:
    profiles = profile_table(rows)
    past = PastSessions(profiles, quiet_sessions("A"))
    openings = session_openings(past, profiles, suspect_table() if suspects is None else suspects, known)
    return split_like_jumps(RULE, past, openings, told)[0]


def after_split(ratio: float, **changes: float) -> Row:
    """Today's session at prices and volumes of a split from 100."""
    price = 100.0 / ratio
    figures = {"open": price, "close": price * 1.01, "volume": 1_000_000.0 * ratio}
    return profile("A", TODAY, **(figures | changes))


@pytest.mark.parametrize("ratio", [7.0, 2.0, 1.5, 0.1, 20.0, 0.5])
def test_a_split_nobody_told_of_is_found(ratio: float) -> None:
    found = jumps(after_split(ratio))

    assert [row["symbol"] for row in found] == ["A"]
    assert found[0]["value"] == pytest.approx(ratio)
    assert found[0]["ts"] == opening(TODAY)


def test_the_message_says_which_prices_and_which_ratio() -> None:
    found = jumps(profile("A", TODAY, open=14.3, close=14.2))

    assert found[0]["message"] == (
        "opened at 14.3 after 100 closed: near a 7:1 split (0.1% off), and no corporate action says so"
    )


@pytest.mark.parametrize("ratio", [Fraction(7), Fraction(1, 10)])
def test_a_split_with_its_action_is_none(ratio: Fraction) -> None:
    known = actions(split(TODAY.isoformat(), float(ratio)))

    assert jumps(after_split(float(ratio)), known=known) == []


def test_a_split_with_an_action_of_another_ratio_is_one() -> None:
    assert len(jumps(after_split(10.0), known=actions(split(TODAY.isoformat(), 2.0)))) == 1


def test_prices_alone_may_be_split() -> None:
    # A file whose prices were divided and whose volumes were left alone.
    assert len(jumps(after_split(2.0, volume=1_000_000.0))) == 1


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(profile("A", TODAY, open=88.0, close=85.0), id="an ordinary fall"),
        pytest.param(profile("A", TODAY, open=1000.0, close=100.5), id="one bad first print"),
        pytest.param(profile("A", TODAY, open=80.0, close=80.5), id="no simple ratio"),
        pytest.param(after_split(2.0, volume=20_000_000.0), id="news, with ten times a split's volume"),
        pytest.param(after_split(0.5, volume=4_000_000.0), id="a takeover"),
        pytest.param(profile("B", TODAY, open=14.3, close=14.2), id="a symbol without a past"),
    ],
)
def test_other_jumps_are_no_splits(row: Row) -> None:
    assert jumps(row) == []


def test_the_way_back_from_an_odd_session_is_no_split() -> None:
    odd = profile("A", TODAY, open=10.0, close=10.0)
    back = profile("A", session_day(1), open=100.0, close=100.0)

    assert [row["session_date"] for row in jumps(odd, back)] == [TODAY]


def test_a_split_of_daily_bars_is_found_on_its_day() -> None:
    rows = [profile("A", session_day(n), open=price, close=price) for n, price in enumerate([100, 101, 25.2, 25.3])]

    assert [row["session_date"] for row in jumps(*rows)] == [session_day(2)]


def test_the_first_bar_of_a_superseded_file_is_judged_too() -> None:
    known = suspect_table([suspect("opening_jump", "A", TODAY, 0, 14.3, standing=False, file="old.csv", row=781)])

    found = jumps(profile("A", TODAY), suspects=known)

    assert [(row["file"], row["row"], row["standing"]) for row in found] == [("old.csv", 781, False)]


def test_a_bar_that_is_told_as_a_spike_is_not_told_again() -> None:
    spike = finding("price_spike", "A", TODAY, ts=opening(TODAY))

    assert jumps(after_split(0.1), told=(spike,)) == []
