"""Days as the pipeline gets them."""

from datetime import date

import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.bars import RAW_BAR_SCHEMA, RAW_TRADE_SCHEMA
from marketdata_pipelines.domain.feeds import DataKind
from marketdata_pipelines.sources.parsed import Chunk
from marketdata_pipelines.sources.simulated.bars import simulate_bars
from marketdata_pipelines.sources.simulated.historical import historical
from marketdata_pipelines.sources.simulated.trades import simulate_trades
from marketdata_pipelines_tests.sources.simulated.feeds import simulated_feed

THURSDAY, FRIDAY, MONDAY = date(2024, 3, 7), date(2024, 3, 8), date(2024, 3, 11)


def test_only_open_sessions_are_delivered_each_under_a_stable_name() -> None:
    days = list(historical(simulated_feed(), THURSDAY, MONDAY))

    assert [day.name for day in days] == [
        "demo_us/2024-03-07.csv",
        "demo_us/2024-03-08.csv",
        "demo_us/2024-03-11.csv",
    ]


def test_a_day_is_the_same_alone_and_in_a_range() -> None:
    feed = simulated_feed(faults=(("zero_price", 2),))

    (alone,) = historical(feed, MONDAY, MONDAY)

    last = list(historical(feed, THURSDAY, MONDAY))[-1]
    assert last.table.equals(alone.table)
    assert last.faults == alone.faults


def test_bars_arrive_by_time_then_symbol_with_their_place() -> None:
    (day,) = historical(simulated_feed(), FRIDAY, FRIDAY)

    rows = day.table.to_pylist()
    assert day.table.schema.names == [name for name in RAW_BAR_SCHEMA.names if name != "original"]
    assert [(row["row"], row["line"]) for row in rows[:2]] == [(1, 2), (2, 3)]
    assert [(row["ts"], row["symbol"]) for row in rows] == sorted((row["ts"], row["symbol"]) for row in rows)


def test_the_rows_of_a_clean_day_are_the_markets_bars() -> None:
    feed = simulated_feed()

    (day,) = historical(feed, FRIDAY, FRIDAY)

    bars = simulate_bars(feed, FRIDAY)
    arrived = day.table.sort_by([("symbol", "ascending"), ("ts", "ascending")]).select(bars.schema.names)
    assert arrived.to_pylist() == bars.to_pylist()
    assert day.table["rules"].null_count == day.table.num_rows


def test_trades_arrive_as_they_happened() -> None:
    feed = simulated_feed(data=DataKind.TRADES)

    (day,) = historical(feed, FRIDAY, FRIDAY)

    trades = simulate_trades(feed, FRIDAY)
    assert day.table.schema.names == [name for name in RAW_TRADE_SCHEMA.names if name != "original"]
    assert day.table["ts"].equals(trades["ts"])
    assert day.chunk.kind is DataKind.TRADES


def test_originals_are_the_lines_of_a_csv_file() -> None:
    (day,) = historical(simulated_feed(faults=(("symbol_csv_injection", 40),)), FRIDAY, FRIDAY)
    chunk: Chunk = day.chunk

    quoted = [fault.row - 1 for fault in day.faults if fault.injected.startswith("=HYPERLINK")]
    texts = chunk.originals(np.array([quoted[0], 0]))

    assert texts[0].startswith('"=HYPERLINK(""http://x.invalid"",""')
    assert texts[1] == "AAA,2024-03-08T14:30:00Z,25.73,25.73,25.69,25.71,48276,25.715000,4"


def test_originals_of_no_rows_are_none() -> None:
    (day,) = historical(simulated_feed(), FRIDAY, FRIDAY)

    assert day.chunk.originals(np.array([], np.int64)) == []


def test_unknown_volumes_are_empty_cells() -> None:
    (day,) = historical(simulated_feed("fx"), FRIDAY, FRIDAY)

    assert day.chunk.originals(np.array([0]))[0].split(",")[6:8] == ["", ""]
    assert day.table["volume"].type == pa.float64()
