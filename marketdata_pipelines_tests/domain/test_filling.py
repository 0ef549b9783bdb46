"""Filling that was asked for."""

import pyarrow as pa

from marketdata_pipelines.domain.filling import expected_buckets, fill_forward
from marketdata_pipelines.domain.intervals import HOUR_US, MINUTE_US
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines_tests.builders import column, day, make_feed, us, utc


def buckets(calendar: str, width: int, first: str, last: str, *, from_epoch: bool = False) -> list[tuple[str, str]]:
    feed = make_feed(calendar)
    starts, ends, days = expected_buckets(feed_calendar(feed).sessions(day(first), day(last)), width, from_epoch)
    assert len(days) == len(starts)
    return [(utc(int(a)), utc(int(b))) for a, b in zip(starts, ends, strict=True)]


def test_the_last_bucket_of_a_session_is_cut_at_the_close() -> None:
    found = buckets("XNYS", HOUR_US, "2024-07-03", "2024-07-03")

    assert found[0] == ("2024-07-03 13:30", "2024-07-03 14:30")
    assert found[-1] == ("2024-07-03 16:30", "2024-07-03 17:00")
    assert len(found) == 4


def test_no_bucket_bridges_the_lunch_break() -> None:
    found = buckets("XHKG", 2 * HOUR_US, "2024-03-08", "2024-03-08")

    assert found == [
        ("2024-03-08 01:30", "2024-03-08 03:30"),
        ("2024-03-08 03:30", "2024-03-08 04:00"),
        ("2024-03-08 05:00", "2024-03-08 07:00"),
        ("2024-03-08 07:00", "2024-03-08 08:00"),
    ]


def test_utc_buckets_count_from_1970_and_occur_once() -> None:
    found = buckets("fx", 4 * HOUR_US, "2024-03-10", "2024-03-11", from_epoch=True)

    assert found[0] == ("2024-03-10 20:00", "2024-03-11 00:00")
    assert len(found) == len(set(found)) == 7


def test_no_sessions_have_no_buckets() -> None:
    assert buckets("XNYS", HOUR_US, "2024-03-09", "2024-03-10") == []


def seen(rows: list[tuple[str, str, float]]) -> pa.Table:
    """Bars as users see them."""
    count = len(rows)
    times = [us(ts) for _, ts, _ in rows]
    stamp = pa.timestamp("us", tz="UTC")
    return pa.table(
        {
            "symbol": [symbol for symbol, _, _ in rows],
            "timeframe": ["1m"] * count,
            "ts": pa.array(times, pa.int64()).cast(stamp),
            "ts_close": pa.array([ts + MINUTE_US for ts in times], pa.int64()).cast(stamp),
            "session_date": pa.array([day("2024-03-08")] * count, pa.date32()),
            **{name: [close for _, _, close in rows] for name in ("open", "high", "low", "close", "volume", "vwap")},
            "trade_count": pa.array([3] * count, pa.int64()),
            "bar_count": pa.array([1] * count, pa.int64()),
            "is_final": [True] * count,
        }
    )


def test_empty_minutes_between_bars_take_the_previous_close_and_say_so() -> None:
    bars = seen([("A", "2024-03-08 14:30", 10.0), ("A", "2024-03-08 14:33", 11.0), ("B", "2024-03-08 14:40", 5.0)])
    sessions = feed_calendar(make_feed()).sessions(day("2024-03-08"), day("2024-03-08"))

    filled = fill_forward(bars, expected_buckets(sessions, MINUTE_US, counts_from_epoch=False))

    assert column(filled, "ts") == [
        "2024-03-08 14:30", "2024-03-08 14:31", "2024-03-08 14:32", "2024-03-08 14:33", "2024-03-08 14:40",
    ]  # fmt: skip
    assert column(filled, "filled") == [False, True, True, False, False]
    for name in ("open", "high", "low", "close"):
        assert column(filled, name) == [10.0, 10.0, 10.0, 11.0, 5.0]
    assert column(filled, "volume") == [10.0, 0.0, 0.0, 11.0, 5.0]
    assert column(filled, "vwap") == [10.0, None, None, 11.0, 5.0]
    assert column(filled, "bar_count") == [1, 0, 0, 1, 1]
    assert column(filled, "ts_close")[1] == "2024-03-08 14:32"


def test_nothing_is_filled_over_a_closed_day() -> None:
    bars = seen([("A", "2024-03-08 20:59", 10.0), ("A", "2024-03-11 13:30", 11.0)])
    sessions = feed_calendar(make_feed()).sessions(day("2024-03-08"), day("2024-03-11"))

    filled = fill_forward(bars, expected_buckets(sessions, MINUTE_US, counts_from_epoch=False))

    assert column(filled, "filled") == [False, False]
