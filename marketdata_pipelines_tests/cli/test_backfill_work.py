"""What a backfill of a range consists of."""

from datetime import date

import pytest

from marketdata_pipelines.cli.backfill_work import plan_backfill
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines_tests.builders import make_feed


def test_closed_days_are_no_partitions_and_weeks_and_months_follow_the_days() -> None:
    # 4 July 2024 is a Thursday and a holiday.
    work = plan_backfill(make_feed(), "2024-06-28", "2024-07-05", None)

    assert work.partitions == {
        Period.DAY: ["2024-06-28", "2024-07-01", "2024-07-02", "2024-07-03", "2024-07-05"],
        Period.WEEK: ["2024-06-24", "2024-07-01"],
        Period.MONTH: ["2024-06-01", "2024-07-01"],
    }


def test_a_daily_feed_has_yearly_partitions_only() -> None:
    work = plan_backfill(make_feed(interval="1d"), "2012-12-01", "2013-01-31", None)

    assert work.partitions == {Period.YEAR: ["2012-01-01", "2013-01-01"]}


@pytest.mark.parametrize("name", ["bars_5m", "intraday_bars"])
def test_to_a_table_takes_what_it_is_made_of_and_no_more(name: str) -> None:
    work = plan_backfill(make_feed(), "2024-03-08", "2024-03-08", name)

    assert work.assets == {"raw_bars", "validated_bars", "intraday_bars"}
    assert list(work.partitions) == [Period.DAY]


def test_days_to_come_are_left_out() -> None:
    work = plan_backfill(make_feed(), "2024-03-07", "2024-03-29", None, today=date(2024, 3, 8))

    assert work.partitions[Period.DAY] == ["2024-03-07", "2024-03-08"]


@pytest.mark.parametrize(
    ("start", "end", "to", "text"),
    [
        ("8.3.2024", "2024-03-08", None, r"--start 8\.3\.2024 is no date"),
        ("2024-03-08", "2024-03-07", None, "is before --start"),
        ("2024-03-09", "2024-03-10", None, "no session between"),
        ("2024-03-08", "2024-03-08", "bars_7m", "--to bars_7m is no table of feed; there: raw_bars"),
    ],
)
def test_a_range_that_cannot_be_is_explained(start: str, end: str, to: str | None, text: str) -> None:
    with pytest.raises(SettingsInvalid, match=text):
        plan_backfill(make_feed(), start, end, to)
