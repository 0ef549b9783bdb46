"""Start and end of a question."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.serving.ranges import TimeRange, time_range


def test_dates_are_session_dates_and_times_are_instants() -> None:
    assert time_range("2024-03-08", date(2024, 3, 11)) == TimeRange(date(2024, 3, 8), date(2024, 3, 11))
    assert time_range("2024-03-08T14:30:00Z", None) == TimeRange(start_ts=datetime(2024, 3, 8, 14, 30, tzinfo=UTC))
    assert time_range(None, None) == TimeRange()


def test_times_without_zone_are_utc_and_others_keep_theirs() -> None:
    tokyo = datetime(2024, 3, 8, 9, tzinfo=timezone(timedelta(hours=9)))

    assert time_range(datetime(2024, 3, 8, 14, 30), tokyo + timedelta(days=1)).start_ts == datetime(
        2024, 3, 8, 14, 30, tzinfo=UTC
    )
    assert time_range(tokyo, None).start_ts == datetime(2024, 3, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize("text", ["yesterday", "2024-13-01", "2024-03-08T25:00", ""])
def test_other_texts_are_refused_with_examples(text: str) -> None:
    with pytest.raises(SettingsInvalid, match=r"is no date \(2024-03-08\) or time \(2024-03-08T14:30:00Z\)"):
        time_range(text, None)


@pytest.mark.parametrize(
    ("start", "end"),
    [("2024-03-08", "2024-03-07"), ("2024-03-08T14:30Z", "2024-03-08T14:29Z"), ("2024-03-08", "2024-03-06T10:00Z")],
)
def test_a_range_ends_after_it_starts(start: str, end: str) -> None:
    with pytest.raises(SettingsInvalid, match=r"ends .* before it starts"):
        time_range(start, end)


def test_partitions_of_dates_are_exact_and_of_instants_have_a_margin() -> None:
    dates = time_range("2024-03-08", "2024-03-31")

    assert dates.partitions(Period.DAY) == ("2024-03-08", "2024-03-31")
    assert dates.partitions(Period.WEEK) == ("2024-03-04", "2024-03-25")
    assert dates.partitions(Period.YEAR) == ("2024-01-01", "2024-01-01")
    # A session's first bars may lie on the UTC day before its date.
    instants = time_range("2024-03-07T23:00Z", "2024-03-08T05:00Z").partitions(Period.DAY)
    assert instants[0] <= "2024-03-08" <= instants[1]


def test_an_open_end_reaches_every_partition() -> None:
    assert time_range(None, None).partitions(Period.DAY) == ("", "9999-99-99")


@pytest.mark.parametrize(
    ("start", "end", "covered"),
    [
        ("2024-03-01", "2024-04-30", True),
        (None, None, True),
        ("2024-03-02", None, False),
        (None, "2024-04-29", False),
        ("2024-03-01T00:00Z", None, False),
    ],
)
def test_a_range_covers_partitions_that_lie_within_its_dates(start: str | None, end: str | None, covered: bool) -> None:
    wanted = time_range(start, end)

    assert wanted.covers(["2024-03-01", "2024-04-01"], Period.MONTH) is covered
    assert wanted.covers([], Period.MONTH) is False
