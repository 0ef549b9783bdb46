"""The last bar of every symbol: read once, and only what changed afterwards."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.tables import LATEST_BARS
from marketdata_pipelines.domain.views import latest_bars
from marketdata_pipelines.pipeline.latest import LATEST_SCHEMA, LatestBars, latest_revision, latest_rows
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines_tests.builders import bar, bar_table, make_feed

FEED = make_feed("24/7", name="coins")


def store(lake: Lake, day: int, prices: dict[str, float] | None, inputs: str = "x") -> None:
    """One day's last bars, or its removal."""
    key = f"2024-03-{day + 1:02d}"
    rows = [bar(symbol, f"{key} 10:00", price) for symbol, price in (prices or {}).items()]
    table = None if prices is None else latest_bars(bar_table(rows))
    lake.store("coins", [TableWrite(LATEST_BARS, key, table, inputs)], {})


def shown(rows: pa.Table) -> dict[str, tuple[str, float]]:
    """Date and price by symbol."""
    listed = rows.select(["symbol", "session_date", "close"]).to_pylist()
    return {row["symbol"]: (row["session_date"].isoformat(), row["close"]) for row in listed}


def test_the_last_bar_may_be_of_an_earlier_partition(lake: Lake) -> None:
    store(lake, 0, {"A": 1.0, "B": 2.0})
    store(lake, 1, {"B": 3.0})

    found = latest_rows(lake, FEED)

    assert found.schema.equals(LATEST_SCHEMA)
    assert shown(found) == {"A": ("2024-03-01", 1.0), "B": ("2024-03-02", 3.0)}


def test_nothing_stored_has_no_rows_and_a_revision_of_its_own(lake: Lake) -> None:
    latest = LatestBars(lake).of(FEED)

    assert latest.rows.schema.equals(LATEST_SCHEMA)
    assert (latest.rows.num_rows, latest.revision) == (0, latest_revision(lake, "coins"))


def test_the_revision_changes_with_any_partition_and_only_then(lake: Lake) -> None:
    store(lake, 0, {"A": 1.0})
    bars = LatestBars(lake)
    first = bars.of(FEED)

    again = bars.of(FEED)
    store(lake, 0, {"A": 1.0}, "y")
    changed = bars.of(FEED)

    assert again is first
    assert changed.revision == latest_revision(lake, "coins") != first.revision


def test_a_symbol_taken_out_of_its_last_session_falls_back_to_an_earlier_one(lake: Lake) -> None:
    store(lake, 0, {"A": 1.0, "B": 2.0})
    store(lake, 1, {"A": 3.0, "B": 4.0})
    bars = LatestBars(lake)
    bars.of(FEED)

    store(lake, 1, {"B": 4.0}, "corrected")

    assert shown(bars.of(FEED).rows) == {"A": ("2024-03-01", 1.0), "B": ("2024-03-02", 4.0)}


days = st.tuples(
    st.integers(0, 4),
    st.none() | st.dictionaries(st.sampled_from("ABC"), st.integers(1, 50).map(float), max_size=3),
)


@given(st.lists(days, min_size=1, max_size=8))
@settings(max_examples=25, phases=(Phase.explicit, Phase.generate))
def test_what_is_remembered_never_changes_the_answer(changes: list[tuple[int, dict[str, float] | None]]) -> None:
    with TemporaryDirectory() as folder:
        lake = Lake(Path(folder))
        remembering = LatestBars(lake)

        for number, (day, prices) in enumerate(changes):
            store(lake, day, prices, f"change {number}")

            assert remembering.of(FEED).rows.equals(latest_rows(lake, FEED))
