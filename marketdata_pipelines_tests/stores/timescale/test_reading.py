"""How many statements a question takes, and that its answer is the same whichever way it is read."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.errors import PartitionMissing
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
from marketdata_pipelines.stores.timescale.read_bounds import ReadRange
from marketdata_pipelines.stores.timescale.read_snapshot import EVERYTHING, Snapshot
from marketdata_pipelines.stores.timescale.reading import TimescaleQueries, is_one_statement
from marketdata_pipelines_tests.builders import LATER, make_feed
from marketdata_pipelines_tests.published_bars import Shape, partition_bars

FEED = make_feed("XNYS", "1m", name="shares_1m")
DAYS = ("2024-03-07", "2024-03-08")
WITHIN = ReadRange(start_ts=datetime(2024, 3, 7, 15, 7, tzinfo=UTC), end_ts=datetime(2024, 3, 8, 16, 2, tzinfo=UTC))
BOTH_DAYS = ReadRange(date(2024, 3, 7), date(2024, 3, 8))
RANGES = [BOTH_DAYS, ReadRange(date(2024, 3, 8), date(2024, 3, 9)), WITHIN]


@pytest.fixture
def published(store_database: Database) -> Database:
    """Two sessions of three symbols; the first is known until the middle of it."""
    store = TimescaleStore(store_database)
    for number, day in enumerate(DAYS):
        bars = partition_bars(FEED, day, {name: Shape() for name in ("A", "B", "C")}, number)
        horizon = LATER if number else 1_709_830_000_000_000
        store.replace_partition(FEED, VALIDATED_BARS, day, bars, str(number), horizon)
    return store_database


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that are asked from now on."""
    asked, ask = [], Snapshot._ask

    def counted(snapshot: Snapshot, text: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        asked.append(text)
        return ask(snapshot, text, values)

    monkeypatch.setattr(Snapshot, "_ask", counted)
    return asked


def in_several(queries: TimescaleQueries, symbols: list[str], timeframe: str, wanted: ReadRange) -> pa.Table:
    """The bars as they are read where they may be many."""
    return queries.answered(FEED, lambda it: it.bars(symbols, timeframe, wanted))


@pytest.mark.parametrize("wanted", RANGES)
@pytest.mark.parametrize("timeframe", ["5m", "15m", "30m", "1h", "2h"])
def test_few_buckets_are_one_statement(
    published: Database, statements: list[str], timeframe: str, wanted: ReadRange
) -> None:
    queries = TimescaleQueries(published)
    expected = in_several(queries, ["A", "C"], timeframe, wanted)
    statements.clear()

    found = queries.bars(FEED, ["A", "C"], timeframe, wanted)

    assert len(statements) == 1
    assert found.num_rows
    assert found.equals(expected)
    assert found.schema == expected.schema
    if wanted is BOTH_DAYS:
        assert set(found["is_final"].to_pylist()) == {True, False}


def test_buckets_whose_rollups_are_behind_are_made_of_the_bars(published: Database, statements: list[str]) -> None:
    queries = TimescaleQueries(published)
    expected = queries.bars(FEED, ["B"], "1h")
    with published.connection() as connection:
        connection.execute("update marketdata.published set rolled = false where partition = %s", [DAYS[1]])
        for rollup in ("rollup_5m", "rollup_1h"):
            kind = "select 1 from pg_class where relname = %s and relkind in ('r', 'p')"
            if connection.execute(kind, [rollup]).fetchone():
                # What is behind need not be there: of TimescaleDB's aggregates nothing can be deleted by hand.
                connection.execute(f'delete from shares_1m."{rollup}" where st >= %s::date', [DAYS[1]])
    statements.clear()

    found = queries.bars(FEED, ["B"], "1h")

    assert len(statements) > 1
    assert found.drop_columns(["vwap"]).equals(expected.drop_columns(["vwap"]))


def test_no_buckets_of_a_published_range_are_no_rows(published: Database) -> None:
    queries = TimescaleQueries(published)

    assert queries.bars(FEED, ["NONE"], "1h").num_rows == 0
    with pytest.raises(PartitionMissing):
        queries.bars(FEED, ["A"], "1h", ReadRange(start_date=date(2024, 4, 1)))


def test_what_may_be_long_is_not_asked_for_at_once() -> None:
    one_day = ReadRange(date(2024, 3, 8), date(2024, 3, 8))

    assert is_one_statement(FEED, "1m", 100, one_day)
    assert not is_one_statement(FEED, "1m", 1_000, one_day)
    assert not is_one_statement(FEED, "1m", 1, EVERYTHING)
    assert is_one_statement(FEED, "1h", 1, EVERYTHING)
    assert not is_one_statement(FEED, "1h", 2, EVERYTHING)
    assert is_one_statement(FEED, "1d", 1_000, EVERYTHING)
    for interval in ("1d", "1w", "1M"):
        assert is_one_statement(make_feed("XNYS", interval), interval, 20, EVERYTHING)
        assert is_one_statement(make_feed("XNYS", interval), interval, 20, one_day)
