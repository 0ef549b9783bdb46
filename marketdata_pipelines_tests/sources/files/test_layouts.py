"""Written times are read as written, or not at all."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.sources.files.layouts import read_written, unknown_tokens

MICROS = 10**6


def read(text: str, time_format: str = "iso", ticks: int = MICROS) -> int | None:
    found = read_written(pa.array([text]), time_format, ticks)
    return int(found.values[0]) if found.readable[0] else None


def micros(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp()) * MICROS


@given(st.lists(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)), min_size=1, max_size=20))
def test_every_iso_time_reads_as_python_reads_it(times: list[datetime]) -> None:
    found = read_written(pa.array([time.isoformat() for time in times]), "iso", MICROS)

    seconds = [(time - datetime(1970, 1, 1)) for time in times]
    assert found.readable.all()
    assert found.values.tolist() == [(s.days * 86_400 + s.seconds) * MICROS + s.microseconds for s in seconds]


@pytest.mark.parametrize(
    ("text", "time_format", "parts"),
    [
        ("20110301 090100", "%Y%m%d %H%M%S", (2011, 3, 1, 9, 1)),
        ("1/2/2013 9:05", "%m/%d/%Y %H:%M", (2013, 1, 2, 9, 5)),
        ("01.02.2012 00:01:00.000", "%d.%m.%Y %H:%M:%S.%f", (2012, 2, 1, 0, 1)),
        ("04-Oct-2013", "%d-%b-%Y", (2013, 10, 4)),
        ("Oct 4, 2013", "%b %d, %Y", (2013, 10, 4)),
        ("1/5/2020 12:30:00 AM", "%m/%d/%Y %I:%M:%S %p", (2020, 1, 5, 0, 30)),
        ("1/5/2020 12:30:00 PM", "%m/%d/%Y %I:%M:%S %p", (2020, 1, 5, 12, 30)),
        ("04/10/69", "%m/%d/%y", (1969, 4, 10)),
        ("20131007T133000Z", "iso", (2013, 10, 7, 13, 30)),
        ("2013-10-07 13:30:00 UTC", "iso", (2013, 10, 7, 13, 30)),
        ("2013-10-07T09:30:00-04:00", "iso", (2013, 10, 7, 13, 30)),
        ("2013-10-07T19:00:00+0530", "iso", (2013, 10, 7, 13, 30)),
        ("01.02.2012 02:00:00.000 GMT+0200", "%d.%m.%Y %H:%M:%S.%f", (2012, 2, 1, 0, 0)),
    ],
)
def test_vendor_times_are_read(text: str, time_format: str, parts: tuple[int, ...]) -> None:
    assert read(text, time_format) == micros(*parts)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "1381152600",
        "not-a-date",
        "2013-13-07T13:30:00Z",
        "2013-02-30 10:00:00",
        "2013-10-07 24:00",
        "2013-10-07T13:60Z",
    ],
)
def test_what_is_no_iso_time_is_not_read(text: str) -> None:
    assert read(text) is None


def test_nanoseconds_are_kept_and_finer_digits_cut() -> None:
    assert read("1970-01-01T00:00:01.1234567899Z", ticks=10**9) == 1_123_456_789


def test_layouts_may_change_from_row_to_row() -> None:
    found = read_written(pa.array(["2013-10-07", "x", None, "2013-10-07 00:00:01", "2013-10-07T00:00:02Z"]), "iso", 1)

    assert found.readable.tolist() == [True, False, False, True, True]
    assert found.aware.tolist() == [False, False, False, False, True]
    assert found.dated.tolist() == [True, False, False, False, False]
    assert (found.values[[3, 4]] - found.values[0]).tolist() == [1, 2]


def test_a_leap_day_exists_only_in_leap_years() -> None:
    assert read("2000-02-29") is not None
    assert read("1900-02-29") is None


def test_unknown_parts_of_a_format_are_named() -> None:
    assert unknown_tokens("%Y-%j %Q") == ["%j", "%Q"]
    assert unknown_tokens("%Y-%m-%d %H:%M:%S.%f%z") == []
