"""Tick sizes by symbol and day."""

from datetime import date
from pathlib import Path

import pyarrow as pa

from marketdata_pipelines.domain.instruments import STANDING_INSTRUMENT_SCHEMA
from marketdata_pipelines.domain.quality.settings import QualitySpec, RuleSetting
from marketdata_pipelines.domain.references import Reference, ReferenceKind
from marketdata_pipelines.pipeline.quality.tick_sizes import TickSizes
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import make_feed
from marketdata_pipelines_tests.reference_files import take, write


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


def test_two_claims_to_a_symbol_leave_it_out() -> None:
    ticks = TickSizes(
        instruments(
            {"instrument_id": "one", "symbol": "A", "tick_size": 0.01},
            {"instrument_id": "two", "symbol": "A", "tick_size": 0.25},
            {"instrument_id": "three", "symbol": "B", "tick_size": 0.0},
        )
    )

    assert ticks.on(date(2020, 1, 1), ["A", "B"]) == {}


def test_throughout_some_days_only_what_stays_is_known() -> None:
    ticks = TickSizes(
        instruments(
            {"instrument_id": "one", "symbol": "A", "to_date": date(2020, 1, 15), "tick_size": 0.01},
            {"instrument_id": "two", "symbol": "A", "from_date": date(2020, 1, 16), "tick_size": 0.25},
            {"instrument_id": "three", "symbol": "B", "tick_size": 0.5},
        )
    )

    assert ticks.throughout((date(2020, 1, 1), date(2020, 1, 31)), ["A", "B"]) == {"B": 0.5}
    assert ticks.throughout((date(2020, 1, 1), date(2020, 1, 15)), ["A"]) == {"A": 0.01}
    assert ticks.throughout((), ["A"]) == {}


def test_a_feed_knows_those_of_the_instruments_it_names_if_it_asks(lake: Lake, tmp_path: Path) -> None:
    names = Reference("names", ReferenceKind.INSTRUMENTS)
    header = "instrument_id,symbol,from,to,tick_size\n"
    take(lake, write(tmp_path, "names.csv", "one,A,2012-05-18,,0.01\n", header), reference=names)

    def known(quality: QualitySpec = QualitySpec(), instruments: str | None = "names") -> dict[str, float]:  # noqa: B008
        feed = make_feed(instruments=instruments, quality=quality)
        return TickSizes.of(lake, feed).on(date(2024, 3, 8), ["A"])

    assert known() == {"A": 0.01}
    assert known(instruments=None) == known(instruments="others") == {}
    assert known(QualitySpec(rules=(RuleSetting("tick_size", off=True),))) == {}
