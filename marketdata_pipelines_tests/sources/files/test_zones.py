"""Local times and UTC, as the zone database has them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.sources.files.zones import local_to_utc, open_zone, utc_to_local

ZONES = ("America/New_York", "Europe/London", "Asia/Tokyo", "Australia/Sydney", "America/Sao_Paulo", "EST")


def wall(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp())


@given(
    st.sampled_from(ZONES), st.lists(st.datetimes(datetime(1975, 1, 1), datetime(2090, 1, 1)), min_size=1, max_size=5)
)
def test_both_ways_agree_with_zoneinfo(zone: str, times: list[datetime]) -> None:
    instants = np.array([int(time.replace(tzinfo=UTC).timestamp()) for time in times])
    expected = [
        datetime.fromtimestamp(t, UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=UTC) for t in instants.tolist()
    ]

    local = utc_to_local(instants, zone)
    back = local_to_utc(local, zone)

    assert local.tolist() == [int(time.timestamp()) for time in expected]
    assert not back.nonexistent.any()
    assert ((back.first == instants) | (back.second == instants)).all()


def test_a_skipped_hour_does_not_exist_and_a_repeated_one_is_ambiguous() -> None:
    times = np.array([wall(2013, 3, 10, 2, 30), wall(2013, 11, 3, 1, 30), wall(2013, 11, 3, 2, 0)])

    found = local_to_utc(times, "America/New_York")

    assert found.nonexistent.tolist() == [True, False, False]
    assert found.ambiguous.tolist() == [False, True, False]
    assert found.first[1] == wall(2013, 11, 3, 5, 30)
    assert found.second[1] == wall(2013, 11, 3, 6, 30)


def test_far_dates_do_not_fail() -> None:
    found = local_to_utc(np.array([wall(9999, 12, 31), wall(1, 1, 1)]), "America/New_York")

    assert not found.nonexistent.any()


def test_an_unknown_zone_is_a_settings_error() -> None:
    with pytest.raises(SettingsInvalid, match="Mars/Olympus"):
        open_zone("Mars/Olympus")
