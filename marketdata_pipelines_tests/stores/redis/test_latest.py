"""Last bars: the later partition wins, then who knew more; what is not known to be the last is not put."""

import pyarrow as pa
import pytest

from marketdata_pipelines.domain.bars import BAR_SCHEMA
from marketdata_pipelines.errors import SchemaMismatch
from marketdata_pipelines.stores.redis.latest import LATEST_SCHEMA, LatestPart
from marketdata_pipelines.stores.redis.store import RedisStore
from marketdata_pipelines_tests.stores.redis.bars import minute_bars, of_symbol

FEED = "us_equities_1m"
THURSDAY, FRIDAY = "2024-03-07", "2024-03-08"


def _put(
    store: RedisStore,
    partition: str,
    horizon: int,
    bars: pa.Table,
    *,
    newest: bool = True,
    complete: bool = True,
    revision: str = "r1",
) -> int:
    return store.put_latest(FEED, LatestPart(partition, revision, horizon, newest, complete), bars)


def _opens(store: RedisStore, symbols: list[str] | None = None) -> dict[str, float]:
    found = store.get_latest(FEED, symbols)
    return dict(zip(found.column("symbol").to_pylist(), found.column("open").to_pylist(), strict=True))


@pytest.fixture(params=["store", "cluster_store"])
def any_store(request: pytest.FixtureRequest) -> RedisStore:
    """One server, and a cluster."""
    opened: RedisStore = request.getfixturevalue(request.param)
    return opened


def test_the_last_bar_of_each_symbol_is_got_as_it_was(any_store: RedisStore) -> None:
    bars = minute_bars(["AAPL", "BTC/USD", "é x"], 3)
    written = _put(any_store, FRIDAY, 1, bars, revision="0123456789abcdef")

    found = any_store.get_latest(FEED, ["é x", "NONE", "AAPL"])

    assert written == 3
    assert found.schema == LATEST_SCHEMA
    assert found.select(BAR_SCHEMA.names).to_pylist() == [of_symbol(bars, "é x")[-1], of_symbol(bars, "AAPL")[-1]]
    assert set(found.column("partition").to_pylist()) == {FRIDAY}
    assert set(found.column("revision").to_pylist()) == {"0123456789abcdef"}


def test_what_is_unknown_of_a_bar_stays_unknown(store: RedisStore) -> None:
    bars = minute_bars(["AAPL"], 1)
    _put(store, FRIDAY, 1, bars)

    row = store.get_latest(FEED, ["AAPL"]).to_pylist()[0]

    assert row["volume"] is None
    assert row["vwap"] is None
    assert row["trade_count"] is None
    assert row["close"] == 100.1


def test_all_symbols_are_got_without_naming_them(any_store: RedisStore) -> None:
    _put(any_store, FRIDAY, 1, minute_bars(["A", "B", ""]))

    assert list(_opens(any_store)) == ["", "A", "B"]
    assert list(_opens(any_store, ["", "B"])) == ["", "B"]
    assert any_store.get_latest("other").num_rows == 0
    assert any_store.get_latest(FEED, []).num_rows == 0


def test_more_symbols_than_one_question_takes(store: RedisStore) -> None:
    symbols = [f"S{number:05d}" for number in range(9_001)]
    _put(store, FRIDAY, 1, minute_bars(symbols, 1))

    assert store.get_latest(FEED, symbols).column("symbol").to_pylist() == symbols
    assert store.get_latest(FEED).num_rows == 9_001


def test_an_earlier_partition_does_not_replace_a_later_one(store: RedisStore) -> None:
    _put(store, FRIDAY, 1, minute_bars(["AAPL"], price=10))

    written = _put(store, THURSDAY, 9, minute_bars(["AAPL"], price=5))

    assert written == 0
    assert _opens(store) == {"AAPL": 12}


def test_a_correction_replaces_and_an_older_publisher_does_not(store: RedisStore) -> None:
    _put(store, FRIDAY, 2, minute_bars(["AAPL"], price=10))

    corrected = _put(store, FRIDAY, 3, minute_bars(["AAPL"], price=20))
    late = _put(store, FRIDAY, 1, minute_bars(["AAPL"], price=30))

    assert (corrected, late) == (1, 0)
    assert _opens(store) == {"AAPL": 22}


def test_a_bar_that_may_not_be_the_last_is_put_only_over_an_earlier_one(store: RedisStore) -> None:
    _put(store, THURSDAY, 1, minute_bars(["KNOWN"], price=10))

    written = _put(store, FRIDAY, 1, minute_bars(["KNOWN", "UNKNOWN"], price=20), newest=False, complete=False)

    assert written == 1
    assert _opens(store) == {"KNOWN": 22}


def test_a_symbol_that_vanished_from_its_partition_is_no_longer_served(store: RedisStore) -> None:
    _put(store, FRIDAY, 1, minute_bars(["AAPL", "GONE"], price=10))
    _put(store, FRIDAY, 2, minute_bars(["AAPL"], price=20))

    # Whoever read the lake before the correction comes too late.
    stale = _put(store, FRIDAY, 1, minute_bars(["GONE"], price=10), complete=False)

    assert stale == 0
    assert _opens(store) == {"AAPL": 22}


def test_a_vanished_bar_gives_way_to_the_one_before_it(store: RedisStore) -> None:
    _put(store, FRIDAY, 1, minute_bars(["GONE"], price=10))
    _put(store, FRIDAY, 2, minute_bars([]))

    doubtful = _put(store, THURSDAY, 2, minute_bars(["GONE"], price=5), newest=False, complete=False)
    known = _put(store, THURSDAY, 2, minute_bars(["GONE"], price=5), complete=False)

    assert (doubtful, known) == (0, 1)
    assert _opens(store) == {"GONE": 7}


def test_other_partitions_symbols_stay_when_one_is_complete(store: RedisStore) -> None:
    _put(store, THURSDAY, 1, minute_bars(["RARE"], price=5))

    _put(store, FRIDAY, 1, minute_bars(["AAPL"], price=10))

    assert _opens(store) == {"AAPL": 12, "RARE": 7}


def test_a_record_of_somebody_else_is_a_miss(store: RedisStore) -> None:
    _put(store, FRIDAY, 1, minute_bars(["AAPL", "MSFT"]))
    with store.asked() as client:
        client.hset(store.keys.latest(FEED), "AAPL", b"something else")

    assert list(_opens(store, ["AAPL", "MSFT"])) == ["MSFT"]
    assert list(_opens(store)) == ["MSFT"]
    assert _put(store, FRIDAY, 1, minute_bars(["AAPL"]), complete=False) == 1


def test_what_does_not_fit_a_record_is_refused(store: RedisStore) -> None:
    with pytest.raises(ValueError, match="over 16"):
        _put(store, "2024-03-08T00:00:00", 1, minute_bars(["AAPL"]))
    with pytest.raises(SchemaMismatch, match="close"):
        _put(store, FRIDAY, 1, minute_bars(["AAPL"]).drop_columns(["close"]))
