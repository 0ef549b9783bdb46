"""Quality events are in the store once each, in the order and with the words of the lake's log."""

import pyarrow as pa
import pytest

from marketdata_pipelines.domain.quality.events import QUALITY_EVENT_SCHEMA
from marketdata_pipelines.errors import SchemaMismatch
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
from marketdata_pipelines_tests.builders import day, make_feed, us

FEED = make_feed(name="shares")


def events(*numbers: int, feed: str = "shares") -> pa.Table:
    rows = [
        {
            "seq": number,
            "noted_at": us("2024-03-09 01:00") + number,
            "feed": feed,
            "partition": "2024-03-08",
            "session_date": day("2024-03-08") if number % 2 else None,
            "event": "graded",
            "rule": None,
            "symbol": "A" if number % 2 else None,
            "detail": f"event {number}",
            "score_before": None,
            "score_after": 90.5 + number,
        }
        for number in numbers
    ]
    return pa.Table.from_pylist(rows, schema=QUALITY_EVENT_SCHEMA)


def stored(database: Database) -> list[tuple[object, ...]]:
    with database.connection() as connection:
        return connection.execute(
            "select seq, detail, symbol, score_after from marketdata.quality_events order by feed, seq"
        ).fetchall()


def test_only_events_newer_than_the_newest_are_added(store_database: Database) -> None:
    store = TimescaleStore(store_database)

    before = store.newest_quality_event(FEED)
    first = store.append_quality_events(FEED, events(1, 4))
    second = store.append_quality_events(FEED, events(1, 4, 5))
    again = store.append_quality_events(FEED, events(1, 4, 5))

    assert (before, first, second, again, store.newest_quality_event(FEED)) == (0, 2, 1, 0, 5)
    assert stored(store_database) == [
        (1, "event 1", "A", 91.5),
        (4, "event 4", None, 94.5),
        (5, "event 5", "A", 95.5),
    ]


def test_events_of_other_feeds_are_left_out(store_database: Database) -> None:
    store = TimescaleStore(store_database)

    added = store.append_quality_events(FEED, pa.concat_tables([events(1, feed="other"), events(2)]))

    assert added == 1
    assert [row[0] for row in stored(store_database)] == [2]


def test_on_timescaledb_the_table_becomes_a_hypertable_with_what_was_in_it(store_database: Database) -> None:
    if not store_database.engine.is_timescale:
        pytest.skip("plain PostgreSQL has no hypertables")
    store = TimescaleStore(store_database)
    store.ensure_feed(FEED)
    with store_database.connection() as connection:
        connection.execute(
            "insert into marketdata.quality_events (feed, seq, noted_at, partition, event)"
            " values ('shares', 1, now(), '2024-03-08', 'graded')"
        )

    store.append_quality_events(FEED, events(1, 2))

    with store_database.connection() as connection:
        found = connection.execute(
            "select hypertable_name from timescaledb_information.hypertables where hypertable_schema = 'marketdata'"
        ).fetchall()
    assert found == [("quality_events",)]
    assert [row[0] for row in stored(store_database)] == [1, 2]


def test_a_table_of_other_columns_is_refused(store_database: Database) -> None:
    store = TimescaleStore(store_database)

    with pytest.raises(SchemaMismatch, match="give them as read"):
        store.append_quality_events(FEED, events(1).drop_columns(["detail"]))
