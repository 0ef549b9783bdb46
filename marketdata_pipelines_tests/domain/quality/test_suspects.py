"""What stands out among the bars of a session is found where it is, and an ordinary session yields next to nothing."""

from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.bars import BAR_SCHEMA
from marketdata_pipelines.domain.frames import int_values
from marketdata_pipelines.domain.quality.profiles import profile_bars
from marketdata_pipelines.domain.quality.records import SUSPECT_SCHEMA
from marketdata_pipelines.domain.quality.suspects import MOST_OF_A_KIND, suspicious_bars
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines_tests.builders import make_feed
from marketdata_pipelines_tests.domain.walked_bars import (
    FOREVER_US,
    FRIDAY,
    changed,
    scaled,
    session_of,
    suspects_of,
    walked_bars,
)

FEED = make_feed()
QUICK = settings(deadline=None, max_examples=25, phases=(Phase.explicit, Phase.generate))


@QUICK
@given(st.integers(0, 10_000), st.sampled_from([40.0, 180.0, 646.0]))
def test_an_ordinary_session_has_no_suspects(seed: int, price: float) -> None:
    assert suspects_of(FEED, walked_bars(FEED, {"A": price}, seed=seed)) == []


def test_a_wick_is_told_with_its_size_beside_the_usual_range() -> None:
    bars = walked_bars(FEED, {"BAC": 13.85})
    row = bars.slice(191, 1).to_pylist()[0]

    (found,) = suspects_of(FEED, changed(bars, 191, high=max(row["open"], row["close"]) * 1.35))

    assert (found["kind"], found["ts"], found["ts_last"], found["bars"]) == ("wick", row["ts"], row["ts"], 1)
    assert found["value"] == pytest.approx(0.35, abs=0.001)
    assert 0 < found["scale"] < 0.002
    assert found["standing"] is True
    assert found["file"] is None


@QUICK
@given(st.integers(0, 389), st.sampled_from([0.08, 0.2, 0.5]), st.booleans())
def test_a_wick_is_found_at_any_bar(at: int, reach: float, up: bool) -> None:
    bars = walked_bars(FEED, {"BAC": 13.85})
    row = bars.slice(at, 1).to_pylist()[0]
    top, bottom = max(row["open"], row["close"]), min(row["open"], row["close"])
    spoiled = changed(bars, at, high=top * (1 + reach)) if up else changed(bars, at, low=bottom * (1 - reach))

    found = suspects_of(FEED, spoiled)

    assert [(each["kind"], each["ts"]) for each in found] == [("wick", row["ts"])]


def test_a_volume_far_above_the_sessions_median_is_told() -> None:
    bars = changed(walked_bars(FEED, {"A": 100.0}), 77, volume=9e9)

    (found,) = suspects_of(FEED, bars)

    assert (found["kind"], found["value"]) == ("volume", 9e9)
    assert 400 < found["scale"] < 1000


def test_bars_that_move_without_volume_are_told_as_runs() -> None:
    bars = changed(walked_bars(FEED, {"A": 100.0, "B": 50.0}), slice(10, 14), volume=0.0)

    (found,) = [each for each in suspects_of(FEED, bars) if each["kind"] == "zero_volume_move"]

    assert (found["symbol"], found["bars"]) == ("A", 4)
    assert found["scale"] == pytest.approx(4 / 390)


def test_each_symbols_first_open_is_told_for_the_session_before() -> None:
    bars = walked_bars(FEED, {"A": 100.0, "B": 50.0})
    profiles = profile_bars(FEED, bars, [session_of(FEED)], FOREVER_US)

    found = suspicious_bars(FEED, bars, profiles).to_pylist()

    assert [(each["kind"], each["symbol"], each["scale"]) for each in found] == [
        ("opening_jump", "A", None),
        ("opening_jump", "B", None),
    ]
    assert [each["value"] for each in found] == [bars["open"][0].as_py(), bars["open"][390].as_py()]


def test_of_many_sessions_in_a_partition_only_far_openings_are_told() -> None:
    feed = make_feed(interval="1h")
    days = [date(2024, 3, 6), date(2024, 3, 7), date(2024, 3, 8)]
    prices = [700.0, 702.0, 100.0]
    tables = [walked_bars(feed, {"A": price}, day) for day, price in zip(days, prices, strict=True)]
    bars = pa.concat_tables(tables).combine_chunks()
    profiles = profile_bars(feed, bars, feed_calendar(feed).sessions(days[0], days[-1]), FOREVER_US)

    found = [each for each in suspicious_bars(feed, bars, profiles).to_pylist() if each["kind"] == "opening_jump"]

    assert [each["session_date"] for each in found] == [days[0], days[2]]
    assert found[1]["scale"] == pytest.approx(702.0, rel=0.01)


def test_only_the_greatest_fifty_of_a_kind_are_kept_for_a_symbol_session() -> None:
    bars = walked_bars(FEED, {"A": 100.0, "B": 50.0})
    at = np.arange(0, 380, 4)
    high = bars["high"].to_numpy().copy()
    high[at] *= 1 + np.arange(1, len(at) + 1) / 100

    found = suspects_of(FEED, changed(bars, slice(None), high=high))

    assert len(found) == MOST_OF_A_KIND
    assert min(each["value"] for each in found) > 0.4


def test_symbols_are_found_alone_as_together_and_in_order() -> None:
    bars = walked_bars(FEED, {"A": 100.0, "B": 13.85, "C": 40.0})
    bars = changed(scaled(scaled(bars, 100, 10.0), 500, 0.1), 800, volume=1e11)
    whole = suspects_of(FEED, bars)

    alone = [
        each
        for symbol in ("A", "B", "C")
        for each in suspects_of(FEED, bars.filter(pa.array([s == symbol for s in bars["symbol"].to_pylist()])))
    ]

    assert [(each["symbol"], each["kind"]) for each in whole] == [("A", "spike"), ("B", "spike"), ("C", "volume")]
    assert alone == whole


def test_profiles_of_more_symbols_than_bars_do_not_matter() -> None:
    bars = walked_bars(FEED, {"A": 100.0, "B": 50.0})
    profiles = profile_bars(FEED, bars, [session_of(FEED)], FOREVER_US)

    found = suspicious_bars(FEED, bars.slice(390), profiles)

    assert set(found["symbol"].to_pylist()) == {"B"}


def test_no_bars_have_no_suspects() -> None:
    nothing = BAR_SCHEMA.empty_table()
    found = suspicious_bars(FEED, nothing, profile_bars(FEED, nothing, [session_of(FEED)], FOREVER_US))

    assert found.schema == SUSPECT_SCHEMA
    assert found.num_rows == 0


def test_prices_that_are_not_positive_are_no_error() -> None:
    feed = make_feed(allow_nonpositive_prices=True)
    bars = walked_bars(feed, {"CL": 20.0})
    bars = changed(bars, slice(0, 390, 7), open=-1.0, high=0.0, low=-2.0, close=0.0)

    assert suspicious_bars(feed, bars, profile_bars(feed, bars, [session_of(feed)], FOREVER_US)).num_rows < 200


def test_the_answer_is_the_same_for_unsorted_dictionaries() -> None:
    bars = scaled(walked_bars(FEED, {"A": 100.0, "B": 13.85}), 400, 10.0)
    turned = pa.DictionaryArray.from_arrays(
        pa.array(1 - int_values(bars["symbol"].combine_chunks().indices)), ["B", "A"]
    )
    again = bars.set_column(0, "symbol", turned.cast(bars.schema.field("symbol").type))

    assert suspects_of(FEED, again, FRIDAY) == suspects_of(FEED, bars, FRIDAY)
