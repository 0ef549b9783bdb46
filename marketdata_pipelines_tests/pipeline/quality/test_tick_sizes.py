"""Tick sizes by symbol and day."""

from datetime import date

import pyarrow as pa

from marketdata_pipelines.domain.instruments import STANDING_INSTRUMENT_SCHEMA
from marketdata_pipelines.pipeline.quality.tick_sizes import TickSizes


def instruments(*rows: dict[str, object]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=STANDING_INSTRUMENT_SCHEMA)


def test_a_reused_symbol_has_the_tick_of_who_bore_it_then() -> None:
    ticks = TickSizes(
        instruments(
            {"instrument_id": "one", "symbol": "A", "to_date": date(2020, 1, 1), "tick_size": 0.01},
            {"instrument_id": "two", "symbol": "A", "from_date": date(2020, 1, 2), "tick_size": 0.25},
        )
    )

    assert ticks.on(date(2019, 5, 1), ["A", "B"]) == {"A": 0.01}
    assert ticks.on(date(2021, 5, 1), ["A"]) == {"A": 0.25}


def test_without_instruments_nothing_is_known() -> None:
    assert not TickSizes(None).known
    assert TickSizes(None).on(date(2020, 1, 1), ["A"]) == {}
