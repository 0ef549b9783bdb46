"""What Yahoo serves, and what is refused before it is asked."""

import pytest

from marketdata_pipelines.domain.intervals import DAY_US, parse_interval
from marketdata_pipelines.errors import SettingsInvalid, SourceRejected
from marketdata_pipelines.sources.yfinance.reach import check_reach, reach_of, spans
from marketdata_pipelines_tests.builders import us

NOW = us("2024-03-09 12:00")


@pytest.mark.parametrize(("interval", "name"), [("1m", "1m"), ("60m", "1h"), ("90m", "90m"), ("1d", "1d")])
def test_an_interval_has_yahoos_name(interval: str, name: str) -> None:
    assert reach_of(parse_interval(interval)).name == name


@pytest.mark.parametrize("interval", ["1s", "3m", "4h", "2d", "1w", "1M"])
def test_an_interval_yahoo_has_not_lists_those_it_has(interval: str) -> None:
    with pytest.raises(SettingsInvalid, match="its intervals: 1m, 2m, 5m, 15m, 30m, 90m, 1h, 1d"):
        reach_of(parse_interval(interval))


@pytest.mark.parametrize(("interval", "days"), [("1m", 30), ("15m", 60), ("1h", 730)])
def test_a_limit_is_kept_to_the_instant(interval: str, days: int) -> None:
    reach = reach_of(parse_interval(interval))

    check_reach(reach, NOW - days * DAY_US, NOW)
    with pytest.raises(SourceRejected, match=rf"for {days} days: those from .* are gone, the first to be had are of"):
        check_reach(reach, NOW - days * DAY_US - 1, NOW)


def test_daily_bars_have_no_limit() -> None:
    check_reach(reach_of(parse_interval("1d")), us("1962-01-02 00:00"), NOW)


def test_spans_cover_the_window_without_gap_or_overlap() -> None:
    start, end = us("2024-02-20 09:30"), us("2024-03-08 21:00")

    found = spans(reach_of(parse_interval("1m")), start, end)

    assert [found[0][0], found[-1][1]] == [start, end]
    assert [before[1] for before in found[:-1]] == [after[0] for after in found[1:]]
    assert max(until - since for since, until in found) == 7 * DAY_US
