"""For every past instant the derived tables are those of a fresh lake built with only what was known then."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.feeds import Anchor, Feed, PartitionBy
from marketdata_pipelines.domain.tables import feed_tables
from marketdata_pipelines.errors import PartitionMissing
from marketdata_pipelines.pipeline.definitions import definition_at
from marketdata_pipelines.pipeline.ingest import IngestMode
from marketdata_pipelines.pipeline.past import PastTables
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import Row, bar, make_feed, source_of, take_in, us, walk_stale

FIRST = us("2024-03-01 00:00")
HOUR = 3_600_000_000
DAYS = ("2024-01-04", "2024-01-05", "2024-01-08", "2024-01-31", "2024-02-01")
FEEDS = {
    "days": make_feed("XNYS", "1h", partition=PartitionBy.DAY),
    "months": make_feed("XNYS", "1h", partition=PartitionBy.MONTH, anchor=Anchor.SESSION),
    "round the clock": make_feed("24/7", "1h", partition=PartitionBy.DAY),
}


@dataclass(frozen=True)
class Step:
    """One ingest: which content, its rows, and how it is taken in."""

    content: int
    rows: tuple[tuple[str, str, int, float], ...]
    mode: IngestMode
    reparsed: bool


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["A", "B"]),
        st.sampled_from(DAYS),
        st.integers(15, 19),
        st.sampled_from([10.0, 11.5, 12.25, -1.0]),
    ),
    min_size=1,
    max_size=8,
).map(tuple)
STEPS = st.lists(
    st.builds(Step, st.integers(0, 3), ROWS, st.sampled_from(list(IngestMode)), st.booleans()), min_size=1, max_size=4
)


def rows_of(step: Step) -> list[Row]:
    return [bar(symbol, f"{day} {hour}:00", price) for symbol, day, hour, price in step.rows]


def history(steps: Sequence[Step]) -> list[Step]:
    """The same content brings the same rows each time."""
    first: dict[int, Step] = {}
    return [replace(step, rows=first.setdefault(step.content, step).rows) for step in steps]


def build(folder: Path, feed: Feed, steps: Sequence[Step]) -> Lake:
    lake = Lake(folder)
    for number, step in enumerate(steps):
        source = source_of(f"file-{step.content}", rows_of(step))
        take_in(lake, feed, source, known_at=FIRST + number * HOUR, mode=step.mode, restart=step.reparsed)
        walk_stale(lake, feed)
    return lake


def stored_tables(lake: Lake, feed: Feed) -> dict[tuple[str, str], list[Row]]:
    names = {name for each in feed_tables(feed) for name in each.tables if not name.startswith("raw_")}
    found = {}
    for name in sorted(names):
        for key, table in lake.read_many(name, feed.name, "", "9999-99-99"):
            found[name, key] = plain(table)
    return {place: rows for place, rows in found.items() if rows}


def past_tables(past: PastTables, feed: Feed) -> dict[tuple[str, str], list[Row]]:
    names = {name for each in feed_tables(feed) for name in each.tables if not name.startswith("raw_")}
    found = {(name, key): plain(past.read(name, key)) for name in sorted(names) for key in past.partitions(name)}
    return {place: rows for place, rows in found.items() if rows}


def plain(table: pa.Table) -> list[Row]:
    return table.to_pylist()


@pytest.mark.parametrize("name", FEEDS)
@given(steps=STEPS)
@settings(
    max_examples=5,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
def test_the_past_is_a_fresh_lake_of_what_was_known_then(name: str, steps: list[Step]) -> None:
    feed, steps = FEEDS[name], history(steps)
    with TemporaryDirectory() as folder:
        whole = build(Path(folder) / "whole", feed, steps)

        for known in range(1, len(steps) + 1):
            fresh = build(Path(folder) / f"fresh-{known}", feed, steps[:known])
            past = PastTables(whole, feed, FIRST + (known - 1) * HOUR)

            assert past_tables(past, feed) == stored_tables(fresh, feed)


def test_nothing_was_known_before_the_first_ingest(tmp_path: Path) -> None:
    lake, feed = Lake(tmp_path), FEEDS["days"]
    take_in(lake, feed, source_of("a", [bar("A", "2024-01-05 15:00")]), known_at=FIRST)

    past = PastTables(lake, feed, FIRST - 1)

    assert past.partitions("validated_bars") == past.partitions("bars_1w") == []
    assert past.read("validated_bars", "2024-01-05").num_rows == past.read("bars_1w", "2024-01-01").num_rows == 0


def test_a_table_the_feed_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PartitionMissing, match="has no table bars_5m; there: "):
        PastTables(Lake(tmp_path), FEEDS["days"]).read("bars_5m", "2024-01-05")


def test_an_earlier_answer_is_derived_by_the_definition_of_that_time(tmp_path: Path) -> None:
    lake, strict = Lake(tmp_path), make_feed("XNYS", "1h", partition=PartitionBy.DAY)
    loose = replace(strict, allow_nonpositive_prices=True)
    rows = [bar("A", "2024-01-05 15:00", 5.0), bar("A", "2024-01-05 16:00", -1.0)]
    take_in(lake, strict, source_of("a", rows), known_at=FIRST)
    take_in(lake, loose, source_of("b", [bar("A", "2024-01-05 17:00", 6.0)]), known_at=FIRST + HOUR)

    before = definition_at(lake, loose, FIRST)
    after = definition_at(lake, loose, FIRST + HOUR)

    assert (before, after) == (strict, loose)
    assert PastTables(lake, before, FIRST).read("validated_bars", "2024-01-05").num_rows == 1
    assert PastTables(lake, after, FIRST + HOUR).read("validated_bars", "2024-01-05").num_rows == 3
