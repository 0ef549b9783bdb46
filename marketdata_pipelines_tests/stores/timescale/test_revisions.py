"""What the ledger says of revisions, to caches."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.errors import StoreUnavailable
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
from marketdata_pipelines.stores.timescale.revisions import read_revisions, revision_of
from marketdata_pipelines_tests.builders import make_feed
from marketdata_pipelines_tests.published_bars import Shape, partition_bars

FEED = make_feed("24/7", name="coins")
DAYS = ("2024-03-01", "2024-03-02")


def bars_of(day: str) -> pa.Table:
    return partition_bars(FEED, day, {"BTC": Shape()})


def test_revisions_are_the_digests_of_what_was_published_and_follow_it(store_database: Database) -> None:
    store = TimescaleStore(store_database)
    store.ensure_feed(FEED)
    for number, day in enumerate(DAYS):
        store.replace_partition(FEED, VALIDATED_BARS, day, bars_of(day), f"digest {number}", 1)

    before = read_revisions(store_database, "coins", VALIDATED_BARS)
    store.replace_partition(FEED, VALIDATED_BARS, DAYS[1], bars_of(DAYS[1]), "another digest", 2)

    assert before == {DAYS[0]: "digest 0", DAYS[1]: "digest 1"}
    assert read_revisions(store_database, "coins", VALIDATED_BARS) == {**before, DAYS[1]: "another digest"}
    assert read_revisions(store_database, "coins", "bars_1d") == {}
    assert read_revisions(store_database, "shares", VALIDATED_BARS) == {}


def test_a_store_that_nobody_published_to_has_none(store_dsn: str) -> None:
    with Database(store_dsn) as database:
        assert read_revisions(database, "coins", VALIDATED_BARS) == {}


def test_a_server_that_does_not_answer_is_unavailable() -> None:
    with (
        Database("postgresql://someone@127.0.0.1:1/nothing", timeout_seconds=1) as database,
        pytest.raises(StoreUnavailable),
    ):
        read_revisions(database, "coins", VALIDATED_BARS)


def test_rows_the_lake_did_not_give_are_a_revision_of_their_own() -> None:
    first, second = datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 3, 2, tzinfo=UTC)

    assert revision_of("", first) != revision_of("", second)
    assert revision_of("digest", first) == revision_of("digest", second) == "digest"
