"""What the lake says it holds, and merging deltas without changing a row."""

from datetime import date

import pytest

from marketdata_pipelines.domain.feeds import SourceKind, SourceSpec
from marketdata_pipelines.errors import PartitionMissing
from marketdata_pipelines.pipeline.upkeep import Compacted, TableStatus, compact, lake_status, with_deltas
from marketdata_pipelines.stores.lake import table_writes
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines.stores.lake.origins import OriginPayload, write_origin
from marketdata_pipelines_tests.builders import bar_table, make_feed, minutes, source_of, take_in, us, walk_stale

FEED = make_feed()
# The same files, read another way.
REREAD = make_feed(source=SourceSpec(SourceKind.FILES, timezone="UTC"))
DAYS = ("2024-03-07", "2024-03-08")


@pytest.fixture
def filled(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Two days of six symbols, walked."""
    monkeypatch.setattr(table_writes, "SMALLEST_BASE_ROWS", 10)
    for day in DAYS:
        rows = [row for symbol in "ABCDEF" for row in minutes(symbol, f"{day} 14:30", 10)]
        take_in(lake, FEED, source_of(f"{day}.csv", rows), known_at=f"{day} 22:00")
    walk_stale(lake, FEED)
    return lake


def write_symbol(lake: Lake, day: str, rows: int = 3) -> None:
    """A delta of the validated bars."""
    table = bar_table(minutes("G", f"{day} 14:30", rows))
    lake.store(FEED.name, [TableWrite("validated_bars", day, table, "later", symbols=("G",))], {})


def status_of(lake: Lake, table: str) -> TableStatus:
    return next(each for each in lake_status(lake, FEED.name) if each.table == table)


def test_raw_parts_come_first_then_tables_then_origins(filled: Lake) -> None:
    write_origin(filled.layout, FEED.name, "vendor", [OriginPayload(b"answer", "GET", 1)])

    found = lake_status(filled, FEED.name)

    tables = [each.table for each in found]
    assert (tables[0], tables[-1]) == ("raw_bars", "origins")
    assert tables[1:-1] == sorted(tables[1:-1])
    assert (found[0].partitions, found[0].rows, found[0].files) == (2, 120, 2)
    assert found[0].last_known_us == us("2024-03-08 22:00")
    assert found[-1].files == 2


def test_deltas_superseded_parts_and_strays_are_counted(filled: Lake) -> None:
    write_symbol(filled, DAYS[0])
    take_in(filled, REREAD, source_of("2024-03-07.csv", minutes("A", "2024-03-07 14:30", 1)), restart=True)
    (filled.layout.root / "bars_5m" / FEED.name / "stray.parquet").write_bytes(b"")

    assert (status_of(filled, "validated_bars").deltas, status_of(filled, "validated_bars").files) == (1, 3)
    assert status_of(filled, "validated_bars").rows == 123
    assert (status_of(filled, "raw_bars").superseded, status_of(filled, "raw_bars").rows) == (1, 61)
    assert status_of(filled, "bars_5m").unindexed == 1


def test_a_feed_that_nothing_is_known_of_has_no_rows(lake: Lake) -> None:
    assert lake_status(lake, "unknown") == []


def test_compaction_merges_deltas_and_tells_each(filled: Lake) -> None:
    for day in DAYS:
        write_symbol(filled, day)
    before = {day: filled.read("validated_bars", FEED.name, day) for day in DAYS}

    done = list(compact(filled, FEED))

    assert [(each.table, each.partition, each.rows, each.files_before) for each in done] == [
        ("validated_bars", day, 63, 2) for day in DAYS
    ]
    assert with_deltas(filled, FEED.name) == []
    assert all(filled.read("validated_bars", FEED.name, day).equals(before[day]) for day in DAYS)
    assert list(compact(filled, FEED)) == []


def test_compaction_of_some_dates_and_one_table(filled: Lake) -> None:
    for day in DAYS:
        write_symbol(filled, day)

    other = list(compact(filled, FEED, "bars_5m"))
    late: list[Compacted] = list(compact(filled, FEED, "validated_bars", date(2024, 3, 8), date(2024, 3, 8)))

    assert other == []
    assert [each.partition for each in late] == [DAYS[1]]
    assert [each.partition for each in with_deltas(filled, FEED.name)] == [DAYS[0]]


def test_a_table_the_feed_does_not_have_is_named(filled: Lake) -> None:
    with pytest.raises(PartitionMissing, match="feed has no table bars_7m; there: raw_bars, validated_bars"):
        list(compact(filled, FEED, "bars_7m"))
