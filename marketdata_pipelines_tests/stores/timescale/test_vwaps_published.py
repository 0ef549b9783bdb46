"""vwaps published to a real server: what comes back by every way, and which series they are kept in."""

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.frames import float_values
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.stores.timescale import read_snapshot, reading
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
from marketdata_pipelines.stores.timescale.read_bounds import ReadRange
from marketdata_pipelines.stores.timescale.reading import TimescaleQueries
from marketdata_pipelines_tests.builders import LATER, make_feed
from marketdata_pipelines_tests.published_bars import Shape, lake_tables, partition_bars

FEED = make_feed("XNYS", "1m", name="us", extended_hours=(time(9), time(17)))
DAYS = ("2024-07-02", "2024-07-03")
SYMBOLS = ("DECIMAL", "MIXED", "NONE", "QUOTIENT")
# Seeds are drawn and not values: the pool's threads use `random` too, which Hypothesis takes for a strategy's doing.
SEEDS = st.integers(0, 2**32 - 1)
KINDS = ("two decimals", "four decimals", "quotient", "unknown", "whole and large", "any", "zero")


@pytest.fixture
def store(store_database: Database) -> TimescaleStore:
    return TimescaleStore(store_database)


def day_bars(day: str = DAYS[0], seed: int = 0, **kinds: str) -> pa.Table:
    """A day's bars of SYMBOLS, or of those named, by the kind of their vwaps."""
    kinds = kinds or {"DECIMAL": "decimal", "MIXED": "mixed", "NONE": "none", "QUOTIENT": "quotient"}
    bars = partition_bars(FEED, day, {symbol: Shape(gaps=0.6, unknown_volumes=0.01) for symbol in kinds}, seed)
    generator = np.random.default_rng(seed)
    close, names = bars["close"].to_numpy(), bars["symbol"].to_pylist()
    made: list[float | None] = []
    for name, value, share in zip(names, close.tolist(), generator.random(len(close)).tolist(), strict=True):
        quotient, decimal = value + share / 3, round(value + share / 3, 4)
        mixed = quotient if share < 0.1 else None if share < 0.2 else decimal
        choice = {"decimal": decimal, "mixed": mixed, "quotient": quotient, "cents": round(quotient, 2), "none": None}
        made.append(choice[kinds[name]])
    return with_vwaps(bars, made)


def some_vwaps(count: int, kinds: Sequence[str], seed: int) -> list[float | None]:
    """Vwaps each of one of these kinds; times a volume they are still doubles."""
    generator = np.random.default_rng(seed)
    ticks = generator.integers(-(10**9), 10**9, count)
    doubles = generator.choice((-1.0, 1.0), count) * 10.0 ** generator.uniform(-200, 200, count)
    by_kind: dict[str, list[float | None]] = {
        "two decimals": (ticks / 100).tolist(),
        "four decimals": (ticks / 10_000).tolist(),
        "quotient": (ticks / generator.integers(1, 10**6, count)).tolist(),
        "unknown": [None] * count,
        "whole and large": generator.integers(2**52, 2**60, count).astype(np.float64).tolist(),
        "any": doubles.tolist(),
        "zero": generator.choice((-0.0, 0.0), count).tolist(),
    }
    return [by_kind[kind][at] for at, kind in enumerate(generator.choice(list(kinds), count).tolist())]


def with_vwaps(bars: pa.Table, vwaps: list[float | None]) -> pa.Table:
    return bars.set_column(bars.schema.get_field_index("vwap"), "vwap", pa.array(vwaps, pa.float64()))


def publish(store: TimescaleStore, bars: pa.Table, day: str = DAYS[0], inputs: str = "a") -> bool:
    return store.replace_partition(FEED, VALIDATED_BARS, day, bars, inputs, LATER).changed


def scales(store: TimescaleStore, symbol: str) -> list[int]:
    with store.database.connection() as connection:
        rows = connection.execute(
            "select vwap_scale from marketdata.series where symbol = %s order by 1", [symbol]
        ).fetchall()
    return [scale for (scale,) in rows]


def bits(column: pa.ChunkedArray) -> list[bytes]:
    """Each value's bytes; an unknown one's are those of NaN."""
    return [value.tobytes() for value in float_values(column)]


def read(store: TimescaleStore, day: str = DAYS[0], timeframe: str = "1m") -> pa.Table:
    wanted = ReadRange(start_date=date.fromisoformat(day), end_date=date.fromisoformat(day))
    return TimescaleQueries(store.database).bars(FEED, SYMBOLS, timeframe, wanted, regular_only=False)


@pytest.mark.parametrize("kinds", [*zip(KINDS), KINDS], ids=[*KINDS, "every kind"])
def test_vwaps_come_back_bit_for_bit_as_they_are_published_and_corrected(
    store: TimescaleStore, kinds: tuple[str, ...]
) -> None:
    bars = partition_bars(FEED, DAYS[0], {symbol: Shape(gaps=0.95) for symbol in SYMBOLS})

    @settings(max_examples=4, phases=(Phase.explicit, Phase.generate), deadline=None)
    @given(SEEDS)
    def run(seed: int) -> None:
        made = with_vwaps(bars, some_vwaps(bars.num_rows, kinds, seed))

        publish(store, made)

        assert store.compare(FEED, VALIDATED_BARS, DAYS[0], made) == []
        assert bits(read(store)["vwap"]) == bits(made["vwap"])
        assert not publish(store, made)

    run()


def test_every_way_to_read_tells_the_same_vwaps(store: TimescaleStore, monkeypatch: pytest.MonkeyPatch) -> None:
    bars = day_bars()
    publish(store, bars)

    packed = read(store)
    with store.database.connection() as connection:
        viewed = connection.execute('select vwap from us.bars_1m order by symbol collate "C", ts').fetchall()
    monkeypatch.setattr(reading, "STREAM_ROWS", 0)
    monkeypatch.setattr(read_snapshot, "STREAM_ROWS", 0)

    assert bits(packed["vwap"]) == bits(bars["vwap"])
    assert bits(read(store)["vwap"]) == bits(bars["vwap"])
    assert [vwap for (vwap,) in viewed] == bars["vwap"].to_pylist()
    assert {symbol: scales(store, symbol) for symbol in SYMBOLS} == {
        "DECIMAL": [4], "MIXED": [4], "NONE": [0], "QUOTIENT": [0],
    }  # fmt: skip


def test_sums_of_price_and_volume_are_the_lakes(store: TimescaleStore) -> None:
    bars = day_bars()
    tables = lake_tables(FEED, DAYS[0], bars)
    publish(store, bars)

    rolled = store.compare_rollups(FEED, DAYS[0], tables)
    with store.database.connection() as connection:
        connection.execute("update marketdata.published set rolled = false")
    behind = read(store, timeframe="1h")
    begins = datetime(2024, 7, 2, 13, 30, tzinfo=UTC)
    hour = ReadRange(start_ts=begins, end_ts=begins + timedelta(hours=1))
    totals = TimescaleQueries(store.database).totals(FEED, SYMBOLS, hour)

    assert rolled == []
    lake = tables["bars_1h"]
    np.testing.assert_allclose(float_values(behind["vwap"]), float_values(lake["vwap"]), rtol=1e-12)
    first = lake.filter(pa.array([ts == begins for ts in lake["ts"].to_pylist()]))
    np.testing.assert_allclose(float_values(totals["notional"]), float_values(first["notional"]), rtol=1e-12)


def test_a_symbol_whose_vwaps_get_more_decimals_goes_on_in_another_series(store: TimescaleStore) -> None:
    cents, fine, quotients = day_bars(A="cents"), day_bars(DAYS[1], A="decimal"), day_bars(A="quotient")
    again = day_bars(DAYS[1], seed=3, A="cents")

    publish(store, cents)
    publish(store, fine, DAYS[1])
    both = TimescaleQueries(store.database).bars(FEED, ["A"], "1m", regular_only=False)

    assert scales(store, "A") == [2, 4]
    assert bits(both["vwap"]) == bits(cents["vwap"]) + bits(fine["vwap"])
    # Corrected to fewer, or to none: the series that are there will do.
    assert publish(store, again, DAYS[1])
    assert publish(store, quotients)
    assert scales(store, "A") == [2, 4]
    assert store.compare(FEED, VALIDATED_BARS, DAYS[0], quotients) == []
    assert store.compare(FEED, VALIDATED_BARS, DAYS[1], again) == []
    assert store.compare_rollups(FEED, DAYS[1], lake_tables(FEED, DAYS[1], again)) == []


def test_late_vwaps_join_those_that_are_there(store: TimescaleStore) -> None:
    bars = day_bars(A="cents", B="mixed")
    late = bars.take(pa.array([3, bars.num_rows - 2]))
    publish(store, bars)

    store.upsert_rows(FEED, with_vwaps(late, [101.12345, 100 / 7]))

    vwaps = bars["vwap"].to_pylist()
    vwaps[3], vwaps[-2] = 101.12345, 100 / 7
    assert store.compare(FEED, VALIDATED_BARS, DAYS[0], with_vwaps(bars, vwaps)) == []


# The last is a whole number that is no ticks: the lake's rows cannot even be made such as the stored ones.
@pytest.mark.parametrize("other", [None, 100 / 7, 7_784_744_544_436_946.0])
def test_a_vwap_that_differs_is_told_in_quote_currency(store: TimescaleStore, other: float | None) -> None:
    bars = day_bars(A="decimal", B="quotient")
    publish(store, bars)
    vwaps = bars["vwap"].to_pylist()

    (found,) = store.compare(FEED, VALIDATED_BARS, DAYS[0], with_vwaps(bars, [other, *vwaps[1:]]))

    assert (found.symbol, found.column, found.store, found.other) == ("A", "vwap", vwaps[0], other)


@pytest.mark.parametrize("kind", ["decimal", "quotient"])
def test_a_vwap_that_is_no_number_is_refused(store: TimescaleStore, kind: str) -> None:
    bars = day_bars(A=kind)
    vwaps = [math.nan, *bars["vwap"].to_pylist()[1:]]

    with pytest.raises(StoreError, match=r"column vwap, row \d+: nan is not finite"):
        publish(store, with_vwaps(bars, vwaps))

    assert store.published("us", VALIDATED_BARS) == {}


def test_where_prices_are_doubles_vwaps_are_kept_as_they_are(store: TimescaleStore) -> None:
    bars = day_bars()
    thirds = pa.array(bars["close"].to_numpy() / 3)
    odd = bars.set_column(bars.schema.get_field_index("close"), "close", thirds)

    publish(store, odd)

    assert {scale for symbol in SYMBOLS for scale in scales(store, symbol)} == {0}
    assert bits(read(store)["vwap"]) == bits(bars["vwap"])
    assert store.compare_rollups(FEED, DAYS[0], lake_tables(FEED, DAYS[0], odd)) == []
