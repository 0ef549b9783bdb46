"""A partition walked in part holds what it would hold walked whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.feeds import Anchor, Feed, PartitionBy
from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.tables import feed_tables
from marketdata_pipelines.pipeline import revising
from marketdata_pipelines.pipeline.changes import stale_partitions
from marketdata_pipelines.pipeline.coarse import CoarseBars
from marketdata_pipelines.pipeline.ingest import IngestMode
from marketdata_pipelines.pipeline.revising import Reviser, Revision
from marketdata_pipelines.pipeline.versions import Versions
from marketdata_pipelines.stores.lake import table_writes
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import Row, bar, make_feed, source_of, take_in, us, walk_keys, walk_stale

KNOWN = us("2024-03-01 00:00")
SYMBOLS = [f"S{number:02d}" for number in range(12)]
DAY = "2024-01-05"
FEEDS = {
    "session": make_feed("XNYS", "1h", partition=PartitionBy.DAY),
    "utc": make_feed("24/7", "1h", partition=PartitionBy.DAY),
    "years of days": make_feed("XNYS", "1d", partition=PartitionBy.YEAR, anchor=Anchor.SESSION),
}


@pytest.fixture(autouse=True)
def _small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Partitions of a few rows are treated as those of many."""
    monkeypatch.setattr(revising, "SMALLEST_ROWS", 10)
    monkeypatch.setattr(table_writes, "SMALLEST_BASE_ROWS", 10)
    monkeypatch.setattr(table_writes, "LARGEST_SHARE", 0.5)


@dataclass(frozen=True)
class Step:
    """One ingest after the first: which content, its rows (symbol, hour, price), and how it is taken in."""

    content: int
    rows: tuple[tuple[str, int, float], ...]
    mode: IngestMode
    walks: bool


ROWS = st.lists(
    st.tuples(st.sampled_from([*SYMBOLS[:3], "NEW"]), st.integers(15, 19), st.sampled_from([10.0, 11.5, -1.0])),
    min_size=1, max_size=4,
).map(tuple)  # fmt: skip
STEPS = st.lists(
    st.builds(Step, st.integers(0, 2), ROWS, st.sampled_from(list(IngestMode)), st.booleans()), min_size=1, max_size=4
)


def row(feed: Feed, symbol: str, hour: int, price: float) -> Row:
    # A feed of days has the hours as sessions of one week.
    at = f"2024-01-{hour - 7:02d} 00:00" if not feed.interval.is_intraday else f"{DAY} {hour}:00"
    return bar(symbol, at, price)


def build(folder: Path, feed: Feed, steps: Sequence[Step], *, in_part: bool) -> Lake:
    lake = Lake(folder)
    first = [row(feed, symbol, hour, 20.0 + hour) for symbol in SYMBOLS for hour in (15, 16, 18)]
    take_in(lake, feed, source_of("first", first), known_at=KNOWN)
    if in_part:
        walk_stale(lake, feed)
    rows: dict[int, tuple[tuple[str, int, float], ...]] = {}
    for number, step in enumerate(steps, 1):
        content = rows.setdefault(step.content, step.rows)
        source = source_of(f"file-{step.content}", [row(feed, *each) for each in content])
        take_in(lake, feed, source, known_at=KNOWN + number, mode=step.mode, restart=True)
        if in_part and step.walks:
            walk_stale(lake, feed)
    walk_stale(lake, feed)
    return lake


def tables(lake: Lake, feed: Feed) -> dict[tuple[str, str], list[Row]]:
    names = [name for each in feed_tables(feed) for name in each.tables if not name.startswith("raw_")]
    found = ((name, key, table) for name in names for key, table in lake.read_many(name, feed.name, "", "9999-99-99"))
    return {(name, key): table.to_pylist() for name, key, table in found}


@pytest.mark.parametrize("name", FEEDS)
@given(steps=STEPS)
@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_a_walk_in_part_makes_what_a_whole_walk_makes(name: str, steps: list[Step]) -> None:
    feed = FEEDS[name]
    with TemporaryDirectory() as folder:
        revised = build(Path(folder) / "revised", feed, steps, in_part=True)
        fresh = build(Path(folder) / "fresh", feed, steps, in_part=False)

        assert tables(revised, feed) == tables(fresh, feed)
        assert all(not keys for keys in stale_partitions(revised, feed).values())


def test_one_symbols_correction_is_walked_alone(tmp_path: Path) -> None:
    feed = FEEDS["session"]
    lake = build(tmp_path, feed, [], in_part=True)
    take_in(lake, feed, source_of("fix", [row(feed, "S03", 16, 99.0)]), known_at=KNOWN + 1)

    found = revision(lake, feed)
    outcome = walk_keys(lake, feed, Period.DAY, [DAY])[DAY]

    assert found is not None
    assert found.symbols == ("S03",)
    rows = {result.asset: result.rows for result in outcome.results}
    assert (rows["validated_bars"], rows["raw_bars"]) == (36, 37)
    stored = lake.catalog.stored_partition("bars_2h", feed.name, DAY)
    assert stored is not None
    assert [delta.symbols for delta in stored.deltas] == [("S03",)]


def test_what_touches_many_symbols_is_walked_whole(tmp_path: Path) -> None:
    feed = FEEDS["session"]
    lake = build(tmp_path, feed, [], in_part=True)
    fixed = [row(feed, symbol, 16, 99.0) for symbol in SYMBOLS[:4]]
    take_in(lake, feed, source_of("fix", fixed), known_at=KNOWN + 1)

    assert revision(lake, feed) is None


def test_a_partition_walked_again_although_nothing_changed_is_walked_whole_and_told_whole(tmp_path: Path) -> None:
    feed = FEEDS["session"]
    lake = build(tmp_path, feed, [], in_part=True)

    found = revision(lake, feed)
    outcome = walk_keys(lake, feed, Period.DAY, [DAY])[DAY]

    assert found is None
    assert {result.asset for result in outcome.results} == {
        each.name for each in feed_tables(feed) if each.period is Period.DAY
    }


def test_a_symbol_whose_rows_are_all_gone_leaves_the_others(tmp_path: Path) -> None:
    feed = FEEDS["session"]
    lake = build(tmp_path, feed, [], in_part=True)
    rows = [row(feed, "NEW", 16, 99.0)]
    take_in(lake, feed, source_of("extra", rows), known_at=KNOWN + 1)
    walk_stale(lake, feed)
    take_in(lake, feed, source_of("extra", [row(feed, "NEW", 16, -1.0)]), known_at=KNOWN + 2, restart=True)

    outcome = walk_keys(lake, feed, Period.DAY, [DAY])[DAY]

    assert {result.asset for result in outcome.results} >= {"raw_bars", "validated_bars", "daily_bars"}
    assert lake.read("validated_bars", feed.name, DAY).num_rows == 36


def test_a_day_that_was_not_over_is_walked_whole(tmp_path: Path) -> None:
    feed, lake = FEEDS["session"], Lake(tmp_path)
    rows = [row(feed, symbol, 15, 20.0) for symbol in SYMBOLS]
    take_in(lake, feed, source_of("first", rows), known_at=f"{DAY}T17:00:00Z")
    walk_stale(lake, feed)
    take_in(lake, feed, source_of("fix", [row(feed, "S03", 15, 21.0)]), known_at=f"{DAY}T18:00:00Z")

    assert revision(lake, feed) is None


def test_a_table_of_another_walk_is_walked_whole(tmp_path: Path) -> None:
    feed = FEEDS["session"]
    lake = build(tmp_path, feed, [], in_part=True)
    lake.store(feed.name, [table_writes.TableWrite("bars_2h", DAY, None, "")], {})
    take_in(lake, feed, source_of("fix", [row(feed, "S03", 16, 99.0)]), known_at=KNOWN + 1)

    assert revision(lake, feed) is None


def revision(lake: Lake, feed: Feed) -> Revision | None:
    parts = lake.catalog.standing_parts(feed.name, [DAY])
    return Reviser(lake, feed, Versions(feed)).revision(DAY, CoarseBars(lake, feed).grid(DAY), parts)
