"""The trades of a partition's bars are exactly those its validated bars were made of, whatever replaced what."""

import numpy as np
import pyarrow as pa
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.feeds import DataKind, Feed, TradeFilter
from marketdata_pipelines.domain.frames import int_values
from marketdata_pipelines.domain.intervals import MINUTE_US
from marketdata_pipelines.domain.session_grid import SessionGrid, feed_grid
from marketdata_pipelines.domain.trades import BAR_TRADE_SCHEMA
from marketdata_pipelines.pipeline.bar_trades import bar_trades, stored_bar_trades
from marketdata_pipelines.pipeline.validate import LoadedPart, validate_parts
from marketdata_pipelines.stores.lake.catalog import Ingest, RawPart, StandingPart
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import (
    LATER,
    day,
    make_feed,
    raw_trades,
    source_of,
    take_in,
    walk_stale,
)

FRIDAY = "2024-03-08"
FEED = make_feed(
    data=DataKind.TRADES,
    trade_filter=TradeFilter(ohlc_exclude_conditions=("I",), volume_exclude_conditions=("M",)),
)
# Symbol, second after the open, price (negative: rejected), size, condition.
Trades = st.lists(
    st.tuples(
        st.sampled_from("AB"),
        st.integers(0, 200),
        st.sampled_from([-1.0, 1.0, 2.5]),
        st.sampled_from([0.0, 1.0, 3.0]),
        st.sampled_from([None, "I", "M"]),
    ),
    min_size=1,
    max_size=8,
)
Histories = st.lists(st.tuples(Trades, st.sampled_from(["upsert", "replace_window"])), min_size=1, max_size=4)


def loaded(number: int, table: pa.Table, mode: str) -> LoadedPart:
    ts = int_values(table["ts"]) // 1000
    ingest = Ingest(
        "feed", f"{number}.csv", "x", f"sha-{number}", 1, LATER + number, "r", mode, "accepted", None, None, (),
        "v", "p", "c", "1", table.num_rows, int(ts.min()), int(ts.max()), number,
    )  # fmt: skip
    part = RawPart(FRIDAY, "raw_trades", f"part-{number}", f"{number}.parquet", table.num_rows)
    return LoadedPart(StandingPart(part, ingest), table)


def table_of(rows: list[tuple[str, int, float, float, str | None]]) -> pa.Table:
    trades = [(symbol, f"{FRIDAY} 14:{30 + at // 60}:{at % 60:02}", price, size) for symbol, at, price, size, _ in rows]
    return raw_trades(trades, conditions=[row[4] for row in rows])


def around(feed: Feed) -> SessionGrid:
    return feed_grid(feed, day(FRIDAY), day(FRIDAY))


@settings(phases=(Phase.explicit, Phase.generate), deadline=None, max_examples=60)
@given(Histories)
def test_the_volume_and_count_of_every_bar_is_that_of_its_trades(
    history: list[tuple[list[tuple[str, int, float, float, str | None]], str]],
) -> None:
    parts = [loaded(number, table_of(rows), mode) for number, (rows, mode) in enumerate(history, 1)]

    bars = validate_parts(FEED, around(FEED), parts).bars
    trades = bar_trades(FEED, around(FEED), parts)

    found: dict[tuple[str, int], list[float]] = {}
    for trade in trades.set_column(2, "ts", pa.array(int_values(trades["ts"]))).to_pylist():
        opens = trade["ts"] // 1000 // MINUTE_US * MINUTE_US
        sums = found.setdefault((trade["symbol"], opens), [0.0, 0.0])
        sums[0] += trade["size"] * trade["counts_volume"]
        sums[1] += trade["counts_price"]
    keys = zip(bars["symbol"].to_pylist(), int_values(bars["ts"]).tolist(), strict=True)
    expected = zip(bars["volume"].to_pylist(), bars["trade_count"].to_pylist(), strict=True)
    assert found == dict(zip(keys, map(list, expected), strict=True))
    assert trades.schema == BAR_TRADE_SCHEMA


def test_trades_of_one_instant_keep_the_order_of_their_file() -> None:
    rows: list[tuple[str, int, float, float, str | None]] = [
        ("B", 5, 1.0, 1.0, None),
        ("A", 9, 2.0, 2.0, None),
        ("A", 9, 3.0, 3.0, None),
        ("A", 1, 4.0, 4.0, None),
    ]

    trades = bar_trades(FEED, around(FEED), [loaded(1, table_of(rows), "upsert")])

    assert trades["size"].to_pylist() == [4.0, 2.0, 3.0, 1.0]
    assert trades["seq"].to_pylist() == [0, 1, 2, 0]
    assert set(trades["session_date"].to_pylist()) == {day(FRIDAY)}


def test_trades_of_an_interval_without_a_bar_are_in_none() -> None:
    rows: list[tuple[str, int, float, float, str | None]] = [("A", 1, 1.0, 1.0, "I"), ("A", 61, 1.0, 2.0, None)]

    trades = bar_trades(FEED, around(FEED), [loaded(1, table_of(rows), "upsert")])

    assert trades["size"].to_pylist() == [2.0]


def test_a_partition_without_any_trade_has_none() -> None:
    assert bar_trades(FEED, around(FEED), []).num_rows == 0


def test_while_the_raw_parts_are_not_walked_there_is_nothing_to_tell(lake: Lake) -> None:
    first, second = (table_of([("A", at, 1.0, 1.0, None)]) for at in (1, 70))
    take_in(lake, FEED, source_of("1.csv", first))

    before = stored_bar_trades(lake, FEED, FRIDAY)
    walk_stale(lake, FEED)
    walked = stored_bar_trades(lake, FEED, FRIDAY)
    take_in(lake, FEED, source_of("2.csv", second), known_at=LATER + 1)
    after = stored_bar_trades(lake, FEED, FRIDAY)

    assert (before, after) == (None, None)
    assert walked is not None
    assert np.array_equal(walked["size"].to_numpy(), [1.0])
