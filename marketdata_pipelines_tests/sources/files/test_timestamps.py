"""What a bar's time means: its open, in UTC, or its date."""

from collections.abc import Callable
from typing import Any

import pytest

from marketdata_pipelines.domain.feeds import Label
from marketdata_pipelines_tests.sources.files.conftest import HEADER, Outcome

Read = Callable[..., Outcome]


def times(read: Read, *cells: str, **settings: Any) -> list[str]:
    text = HEADER + "".join(f"SPY,{cell},1,2,0.5,1.5,100\n" for cell in cells)
    return [time[:16] for time in read("a.csv", text, **settings).times]


def test_a_bar_labelled_by_its_end_opens_an_interval_earlier(read: Read) -> None:
    assert times(read, "2013-10-07T13:31:00Z", label=Label.END) == ["2013-10-07 13:30"]
    assert times(read, "2013-10-07T14:00:00Z", label=Label.END, interval="1h") == ["2013-10-07 13:00"]


def test_a_pinned_zone_applies_to_naive_times_only(read: Read) -> None:
    zone = {"timezone": "America/New_York"}

    assert times(read, "2013-10-07 09:30", **zone) == ["2013-10-07 13:30"]
    assert times(read, "2013-10-07T13:30:00Z", **zone) == ["2013-10-07 13:30"]
    assert times(read, "1381152600", **zone) == ["2013-10-07 13:30"]


def test_naive_times_without_any_hint_are_utc_and_listed_as_guessed(read: Read) -> None:
    outcome = read("a.csv", HEADER + "SPY,2013-10-07 13:30,1,2,0.5,1.5,100\n")

    assert outcome.times == ["2013-10-07 13:30:00+00:00"]
    assert outcome.plan.timezone == "UTC"
    assert "timezone" in outcome.plan.guessed
    assert outcome.plan.findings == ()


@pytest.mark.parametrize(
    "cell",
    [
        "2020-01-02",
        "2020-01-02 16:00",
        "20200102",
        "2020-01-02T00:00:00Z",
        "2020-01-02T05:00:00Z",
        "1577941200",
        "01/02/2020",
    ],
)
def test_a_daily_bar_is_its_exchange_date(read: Read, cell: str) -> None:
    assert times(read, cell, interval="1d") == ["2020-01-02 00:00"]


def test_a_day_labelled_by_the_midnight_it_ends_at_is_the_day_before(read: Read) -> None:
    settings: dict[str, Any] = {"interval": "1d", "label": Label.END, "calendar": "24/7"}

    assert times(read, "2020-01-03T00:00:00Z", **settings) == ["2020-01-02 00:00"]
    assert times(read, "2020-01-02", **settings) == ["2020-01-02 00:00"]
    assert times(read, "2020-01-02 16:00", **settings) == ["2020-01-02 00:00"]


def test_an_hour_the_clocks_skip_is_named(read: Read) -> None:
    text = HEADER + "SPY,2013-03-10 02:30,1,2,0.5,1.5,100\nSPY,2013-03-10 03:30,1,2,0.5,1.5,100\n"

    outcome = read("a.csv", text, timezone="America/New_York")

    assert outcome.flagged == {1: "local_time_nonexistent"}
    assert outcome.times == ["None", "2013-03-10 07:30:00+00:00"]


def test_rows_of_a_repeated_hour_come_last_with_their_place_and_text(read: Read) -> None:
    cells = ["2013-11-03 00:59", "2013-11-03 01:30", "2013-11-03 01:59", "2013-11-03 01:30", "2013-11-03 02:00"]
    text = HEADER + "".join(f"SPY,{cell},1,2,0.5,1.5,100\n" for cell in cells)

    outcome = read("a.csv", text, timezone="America/New_York")

    assert outcome.column("row") == [1, 5, 2, 3, 4]
    assert [time[11:16] for time in outcome.times] == ["04:59", "07:00", "05:30", "05:59", "06:30"]
    assert [original.split(",")[1] for original in outcome.originals] == [cells[0], cells[4], *cells[1:4]]
    assert outcome.flagged == {}


def test_one_pass_of_a_repeated_hour_alone_is_ambiguous(read: Read) -> None:
    text = HEADER + "SPY,2013-11-03 01:30,1,2,0.5,1.5,100\nSPY,2013-11-03 02:30,1,2,0.5,x,100\n"

    outcome = read("a.csv", text, timezone="America/New_York")

    assert outcome.flagged == {1: "local_time_ambiguous", 2: "unparsable_price"}
