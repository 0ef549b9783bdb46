"""Open ends that other rows close, and days that several names claim."""

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.domain.aliases import (
    FIRST_DAY,
    LAST_DAY,
    Alias,
    Segment,
    cut_segments,
    day_date,
    effective_aliases,
    first_day,
    last_day,
    row_flags,
)

D = date
RANGES = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.sampled_from("ABC")), max_size=8)


def ends(*aliases: Alias, **lives: tuple[date | None, date | None]) -> set[tuple[str, str, str]]:
    found = effective_aliases(aliases, lives)
    return {(each.symbol, str(each.from_date or ""), str(each.to_date or "")) for each in found}


def test_an_open_alias_ends_the_day_before_the_next() -> None:
    found = ends(Alias("A", "FB", D(2012, 5, 18), None), Alias("A", "META", D(2022, 6, 9), None))

    assert found == {("FB", "2012-05-18", "2022-06-08"), ("META", "2022-06-09", "")}


def test_an_open_alias_ends_with_its_instrument() -> None:
    assert ends(Alias("A", "X", D(2001, 1, 1), None), A=(None, D(2009, 6, 1))) == {("X", "2001-01-01", "2009-06-01")}
    assert ends(Alias("A", "X", D(2001, 1, 1), D(2002, 1, 1)), A=(None, D(2009, 6, 1))) == {
        ("X", "2001-01-01", "2002-01-01")
    }


def test_an_alias_that_begins_after_its_instrument_ended_stays_open() -> None:
    assert ends(Alias("A", "X", D(2010, 1, 1), None), A=(None, D(2009, 6, 1))) == {("X", "2010-01-01", "")}


def test_an_alias_without_first_date_begins_with_its_instrument() -> None:
    assert ends(Alias("A", "X", None, D(2002, 1, 1)), A=(D(1999, 1, 1), None)) == {("X", "1999-01-01", "2002-01-01")}
    assert ends(Alias("A", "X", None, D(1998, 1, 1)), A=(D(1999, 1, 1), None)) == {("X", "", "1998-01-01")}


def test_an_alias_without_first_date_begins_after_the_last_bearer_before_it() -> None:
    contracts = (Alias("ESZ2013", "ESZ3", None, None), Alias("ESZ2023", "ESZ3", None, None))
    lives: dict[str, tuple[date | None, date | None]] = {
        "ESZ2013": (None, D(2013, 12, 20)),
        "ESZ2023": (None, D(2023, 12, 15)),
    }

    assert ends(*contracts, **lives) == {("ESZ3", "", "2013-12-20"), ("ESZ3", "2013-12-21", "2023-12-15")}


def test_two_bearers_on_a_day_are_flagged_and_others_are_not() -> None:
    aliases = [
        Alias("A", "X", D(2000, 1, 1), D(2005, 1, 1)),
        Alias("B", "X", D(2005, 1, 1), D(2009, 1, 1)),
        Alias("C", "X", D(2010, 1, 1), None),
        Alias("C", "Y", D(2010, 1, 1), None),
    ]

    assert row_flags(aliases) == ["alias_overlap", "alias_overlap", "alias_double", "alias_double"]


def test_an_alias_may_break_both_rules() -> None:
    aliases = [Alias("A", "X", None, None), Alias("B", "X", None, None), Alias("A", "Y", None, None)]

    assert row_flags(aliases) == ["alias_overlap;alias_double", "alias_overlap", "alias_double"]


def test_days_claimed_by_two_are_a_segment_of_both() -> None:
    assert cut_segments([(0, 9, "A"), (5, 14, "B"), (15, 20, "B")]) == [
        Segment(0, 4, ("A",)),
        Segment(5, 9, ("A", "B")),
        Segment(10, 20, ("B",)),
    ]


def test_ranges_that_end_before_they_begin_claim_nothing() -> None:
    assert cut_segments([(5, 4, "A")]) == []
    assert cut_segments([(5, 4, "A"), (1, 2, "B")]) == [Segment(1, 2, ("B",))]


@given(RANGES)
def test_a_day_is_in_the_segment_of_everyone_who_claims_it(ranges: list[tuple[int, int, str]]) -> None:
    segments = cut_segments(ranges)

    for day in range(32):
        claims = tuple(sorted({name for first, last, name in ranges if first <= day <= last}))
        inside = [segment.claims for segment in segments if segment.first_day <= day <= segment.last_day]
        assert inside == ([claims] if claims else [])
    assert all(before.last_day < after.first_day for before, after in pairwise(segments))


@pytest.mark.parametrize("text", ["1970-01-01", "1969-12-31", "2014-04-03"])
def test_days_are_dates_and_back(text: str) -> None:
    day = date.fromisoformat(text)

    assert day_date(first_day(day)) == day == day_date(last_day(day))
    assert [day_date(FIRST_DAY), day_date(LAST_DAY)] == [None, None]
    assert (first_day(None), last_day(None)) == (FIRST_DAY, LAST_DAY)
