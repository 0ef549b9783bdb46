"""Parquet columns of every usual type become rows."""

import io
from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marketdata_pipelines.errors import SourceRejected
from marketdata_pipelines_tests.sources.files.conftest import Outcome, build_feed, read_whole

Read = Callable[..., Outcome]
MINUTE_US = 1381152600_000000
PRICES = {"open": [1.5, 2.5], "high": [2.0, 3.0], "low": [1.0, 2.0], "close": [1.75, 2.75], "volume": [100, 200]}


def parquet(**columns: object) -> bytes:
    target = io.BytesIO()
    pq.write_table(pa.table({"symbol": ["SPY", "SPY"], **PRICES, **columns}), target)
    return target.getvalue()


@pytest.mark.parametrize(
    "ts",
    [
        pa.array([MINUTE_US, MINUTE_US + 60_000_000], pa.timestamp("us", "UTC")),
        pa.array([MINUTE_US, MINUTE_US + 60_000_000], pa.timestamp("us", "America/New_York")),
        pa.array([MINUTE_US * 1000, MINUTE_US * 1000 + 60 * 10**9], pa.timestamp("ns", "UTC")),
        pa.array([MINUTE_US // 10**6, MINUTE_US // 10**6 + 60]),
        pa.array(["2013-10-07T13:30:00Z", "2013-10-07T13:31:00Z"]),
    ],
    ids=str,
)
def test_times_of_any_type_are_instants(read: Read, ts: pa.Array) -> None:
    outcome = read("a.parquet", parquet(timestamp=ts))

    assert outcome.times == ["2013-10-07 13:30:00+00:00", "2013-10-07 13:31:00+00:00"]
    assert outcome.plan.findings == ()
    assert outcome.flagged == {}


def test_naive_times_are_utc_with_a_warning_unless_a_zone_is_pinned(read: Read) -> None:
    naive = pa.array([MINUTE_US, MINUTE_US + 60_000_000], pa.timestamp("us"))

    assumed = read("a.parquet", parquet(ts=naive))
    pinned = read("a.parquet", parquet(ts=naive), timezone="America/New_York")

    assert (assumed.warnings, assumed.times[0]) == (["naive_timestamp"], "2013-10-07 13:30:00+00:00")
    assert (pinned.warnings, pinned.times[0]) == ([], "2013-10-07 17:30:00+00:00")


def test_dates_are_days(read: Read) -> None:
    outcome = read("a.parquet", parquet(date=pa.array([date(2020, 1, 2), date(2020, 1, 3)])), interval="1d")

    assert outcome.times == ["2020-01-02 00:00:00+00:00", "2020-01-03 00:00:00+00:00"]


def test_decimal_and_text_prices_are_exact(read: Read) -> None:
    ts = pa.array([MINUTE_US, MINUTE_US + 1], pa.timestamp("us", "UTC"))
    decimals = pa.array([Decimal("1.2345"), Decimal("0.1000")], pa.decimal128(10, 4))

    outcome = read("a.parquet", parquet(ts=ts, low=decimals, open=["1.3", "x"]))

    assert outcome.column("low") == [1.2345, 0.1]
    assert outcome.warnings == ["price_as_string"]
    assert outcome.flagged == {2: "unparsable_price"}


def test_rows_show_their_values_as_source_text(read: Read) -> None:
    outcome = read("a.parquet", parquet(ts=pa.array([MINUTE_US, MINUTE_US], pa.timestamp("us", "UTC"))))

    assert outcome.originals[0] == "SPY,2013-10-07 13:30:00+00:00,1.5,2.0,1.0,1.75,100.0,,"
    assert outcome.column("line") == [None, None]


@pytest.mark.parametrize("cut", [10, 200, -40, -8])
def test_a_damaged_file_is_refused(write: Callable[[str, bytes], str], cut: int) -> None:
    path = write("a.parquet", parquet(ts=[MINUTE_US, MINUTE_US])[:cut])

    with pytest.raises(SourceRejected) as refused:
        read_whole(path, build_feed())

    assert refused.value.rule == "container_damaged"


def test_an_empty_table_has_no_rows(write: Callable[[str, bytes], str]) -> None:
    target = io.BytesIO()
    pq.write_table(pa.table({"ts": pa.array([], pa.int64())}), target)

    with pytest.raises(SourceRejected) as refused:
        read_whole(write("a.parquet", target.getvalue()), build_feed())

    assert refused.value.rule == "no_rows"
