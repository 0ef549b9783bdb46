"""One contract for every store of bars: the lake, PostgreSQL and TimescaleDB answer the same."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.errors import MarketDataError, PartitionMissing, SettingsInvalid
from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines.serving.queries.lake_store import LakeStore
from marketdata_pipelines.serving.queries.protocol import (
    BarsRequest,
    CrossSectionRequest,
    LatestRequest,
    Ranking,
    TopRequest,
    TotalsRequest,
)
from marketdata_pipelines.serving.queries.sql_store import SqlStore
from marketdata_pipelines.serving.ranges import TimeRange, time_range
from marketdata_pipelines.stores.timescale import read_snapshot
from marketdata_pipelines.stores.timescale.reading import TimescaleQueries
from marketdata_pipelines_tests.serving.queries.conftest import NAMES
from marketdata_pipelines_tests.serving.queries.equal_answers import same

EVERYTHING = TimeRange()
# From a rollup, combined from a rollup, and stored; every timeframe is asked for once.
SOME = ("5m", "30m", "2h", "1d", "1w")
RANGES = {
    "everything": EVERYTHING,
    "one session": time_range("2024-07-03", "2024-07-03"),
    "two sessions": time_range("2024-07-02", "2024-07-03"),
    "from a session on": time_range("2024-07-03", None),
    "until a session": time_range(None, "2024-07-03"),
    "an hour": time_range("2024-07-02T13:40:00Z", "2024-07-02T14:40:00Z"),
    "within a bucket": time_range("2024-07-02T14:31:00Z", "2024-07-02T14:58:00Z"),
    "over a break": time_range("2024-07-02T03:10:00Z", "2024-07-02T05:20:00Z"),
    "over a night": time_range("2024-07-02T19:00:00Z", "2024-07-03T13:37:00Z"),
    "from an instant on": time_range("2024-07-02T14:01:00Z", None),
    "until an instant": time_range(None, "2024-07-03T14:01:00Z"),
    "a date and an instant": time_range("2024-07-02", "2024-07-03T14:10:00Z"),
    "long before": time_range("1999-07-02T14:01:00Z", None),
    "only a weekend": time_range("2024-07-06T00:00:00Z", "2024-07-07T00:00:00Z"),
}


def outcome(ask: Any, request: Any) -> pa.Table | type[MarketDataError]:
    try:
        answer: pa.Table = ask(request)
    except MarketDataError as error:
        return type(error)
    return answer


def agree(queries: TimescaleQueries, reader: LakeReader, verb: str, request: Any) -> bool:
    """Both stores give the same, or refuse alike; whether there were rows."""
    found = outcome(getattr(SqlStore(queries), verb), request)
    expected = outcome(getattr(LakeStore(reader.lake), verb), request)
    if not isinstance(expected, pa.Table):
        assert found is expected
        return False
    assert isinstance(found, pa.Table)
    same(found, expected)
    return bool(found.num_rows)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("span", RANGES)
def test_bars_of_a_range_are_the_lakes(queries: TimescaleQueries, reader: LakeReader, name: str, span: str) -> None:
    feed = reader.feed(name)

    for timeframe in {feed.interval.name, *SOME} & {feed.interval.name, *feed.timeframes}:
        # Of some symbols the answer may be a single statement.
        for symbols in (None, ("A", "BTC", "0700")):
            agree(queries, reader, "bars", BarsRequest(feed, timeframe, symbols, RANGES[span]))


@pytest.mark.parametrize("name", NAMES)
def test_every_feed_has_bars_of_every_timeframe(queries: TimescaleQueries, reader: LakeReader, name: str) -> None:
    feed = reader.feed(name)

    empty = [tf for tf in feed.timeframes if not agree(queries, reader, "bars", BarsRequest(feed, tf))]

    assert empty == []


@pytest.mark.parametrize("name", NAMES)
def test_streamed_answers_are_the_packed_ones(
    queries: TimescaleQueries, reader: LakeReader, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = reader.feed(name)
    asked = [
        BarsRequest(feed, timeframe, symbols, RANGES[span])
        for timeframe in {feed.interval.name, "5m", "2h"} & {feed.interval.name, *feed.timeframes}
        for symbols in (None, ("A", "0700"), ("ZZ",))
        for span in ("everything", "within a bucket")
    ]
    expected = [SqlStore(queries).bars(request) for request in asked]
    monkeypatch.setattr(read_snapshot, "STREAM_ROWS", -1)

    found = [SqlStore(queries).bars(request) for request in asked]

    for ours, theirs in zip(found, expected, strict=True):
        same(ours, theirs)


@pytest.mark.parametrize("symbols", [("A",), ("C", "A"), ("ZZ",), ("A", "ZZ"), ()])
@pytest.mark.parametrize("timeframe", ["1m", "5m", "15m", "2h", "1d", "1w"])
def test_symbols_are_chosen(
    queries: TimescaleQueries, reader: LakeReader, timeframe: str, symbols: tuple[str, ...]
) -> None:
    has_rows = agree(queries, reader, "bars", BarsRequest(reader.feed("us"), timeframe, symbols))

    assert has_rows == ("A" in symbols)


@pytest.mark.parametrize("span", RANGES)
def test_extended_hours_of_the_feeds_own_bars_are_the_lakes(
    queries: TimescaleQueries, reader: LakeReader, span: str
) -> None:
    agree(queries, reader, "bars", BarsRequest(reader.feed("us"), "1m", None, RANGES[span], "all"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("symbols", [None, ("A",), ("ZZ",)])
def test_the_latest_bars_are_the_lakes(
    queries: TimescaleQueries, reader: LakeReader, name: str, symbols: tuple[str, ...] | None
) -> None:
    agree(queries, reader, "latest", LatestRequest(reader.feed(name), symbols))


def test_the_latest_bar_is_the_last_by_time_and_not_by_the_session_clock(
    queries: TimescaleQueries, reader: LakeReader
) -> None:
    found = SqlStore(queries).latest(LatestRequest(reader.feed("us"), ("D", "E")))

    assert found["ts"].to_pylist() == [datetime(2024, 7, 3, 11, tzinfo=UTC), datetime(2024, 7, 3, 14, 2, tzinfo=UTC)]
    assert found["regular"].to_pylist() == [False, True]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("span", RANGES)
def test_totals_of_a_window_are_the_lakes(queries: TimescaleQueries, reader: LakeReader, name: str, span: str) -> None:
    for session in ("regular", "all"):
        agree(queries, reader, "totals", TotalsRequest(reader.feed(name), None, RANGES[span], session))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("by", list(Ranking))
@pytest.mark.parametrize("day", [None, date(2024, 7, 2)])
def test_rankings_are_the_lakes(
    queries: TimescaleQueries, reader: LakeReader, name: str, by: Ranking, day: date | None
) -> None:
    agree(queries, reader, "top", TopRequest(reader.feed(name), by, 2, day))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "at",
    [
        datetime(2024, 7, 2, 14, 31, 30, tzinfo=UTC),
        datetime(2024, 7, 2, 20, 0, 30, tzinfo=UTC),
        datetime(2024, 7, 2, 4, 30, tzinfo=UTC),
        date(2024, 7, 2),
    ],
)
def test_cross_sections_are_the_lakes(
    queries: TimescaleQueries, reader: LakeReader, name: str, at: date | datetime
) -> None:
    feed = reader.feed(name)

    for timeframe in {feed.interval.name, *SOME} & {feed.interval.name, *feed.timeframes}:
        agree(queries, reader, "cross_section", CrossSectionRequest(feed, timeframe, at))


def test_what_nobody_has_is_refused_alike(queries: TimescaleQueries, reader: LakeReader) -> None:
    feed, empty = reader.feed("us"), reader.feed("empty")
    store = SqlStore(queries)

    with pytest.raises(SettingsInvalid, match="us has no '7m' bars; there: 1m, 5m"):
        store.bars(BarsRequest(feed, "7m"))
    with pytest.raises(PartitionMissing, match="empty has no validated_bars of that range in the SQL store; run: "):
        store.bars(BarsRequest(empty, "5m"))
    with pytest.raises(PartitionMissing, match="published: 2024-07-02 to 2024-07-05"):
        store.bars(BarsRequest(feed, "1m", None, time_range("2024-09-02", "2024-09-03")))
    with pytest.raises(PartitionMissing):
        store.latest(LatestRequest(empty))
    with pytest.raises(SettingsInvalid, match="session is 'night'; allowed: regular, all"):
        BarsRequest(feed, "1m", session="night")


def test_buckets_that_reach_beyond_what_is_known_are_not_final(queries: TimescaleQueries, reader: LakeReader) -> None:
    wanted = time_range("2024-07-05", "2024-07-05")

    found = SqlStore(queries).bars(BarsRequest(reader.feed("us"), "2h", ("A",), wanted))

    assert found["is_final"].to_pylist() == [True, False]


EDGES = st.tuples(st.sampled_from(("date", "instant", "open")), st.integers(0, 7 * 24 * 60))


@given(
    name=st.sampled_from(NAMES),
    place=st.integers(0, 99),
    edges=st.tuples(EDGES, EDGES),
    session=st.sampled_from(("regular", "all")),
)
@settings(max_examples=40, phases=(Phase.explicit, Phase.generate), deadline=None)
def test_any_range_is_answered_as_by_the_lake(
    queries: TimescaleQueries,
    reader: LakeReader,
    name: str,
    place: int,
    edges: tuple[tuple[str, int], tuple[str, int]],
    session: str,
) -> None:
    feed = reader.feed(name)
    timeframes = (feed.interval.name, *feed.timeframes)
    timeframe = timeframes[place % len(timeframes)]
    kinds, minutes = [kind for kind, _ in edges], sorted(minute for _, minute in edges)
    instants = [datetime(2024, 7, 1, tzinfo=UTC) + timedelta(minutes=minute) for minute in minutes]
    start, end = (
        None if kind == "open" else instant.date() if kind == "date" else instant
        for kind, instant in zip(kinds, instants, strict=True)
    )
    hours = session if timeframe == feed.interval.name else "regular"

    agree(queries, reader, "bars", BarsRequest(feed, timeframe, None, time_range(start, end), hours))
    agree(queries, reader, "totals", TotalsRequest(feed, None, time_range(start, end), session))
