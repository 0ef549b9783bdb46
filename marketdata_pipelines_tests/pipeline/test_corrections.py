"""A partition's corrections, from the lake: which files changed what, stored or derived."""

from dataclasses import replace

import pyarrow as pa
import pytest

from marketdata_pipelines.domain.corrections import CORRECTION_SCHEMA, CORRECTIONS
from marketdata_pipelines.domain.feeds import Feed, Keep, SourceKind, SourceSpec
from marketdata_pipelines.errors import PartitionMissing
from marketdata_pipelines.pipeline.coarse import CoarseBars
from marketdata_pipelines.pipeline.corrections import (
    changes_of,
    correction_examples,
    correction_facts,
    corrections_among,
    corrections_of,
    read_corrections,
)
from marketdata_pipelines.pipeline.ingest import IngestMode
from marketdata_pipelines.pipeline.retention import remove_superseded
from marketdata_pipelines.pipeline.validate import LoadedPart
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite
from marketdata_pipelines_tests.builders import (
    bar,
    column,
    make_feed,
    minutes,
    raw_trades,
    source_of,
    take_in,
    us,
    walk_stale,
)  # fmt: skip

KEY, AT, NEXT, THIRD = "2024-03-08", "2024-03-08 14:30", "2024-03-08 14:31", "2024-03-08 14:32"
# The same feed under a definition by which contents are parsed anew.
OTHERWISE_READ = make_feed(source=SourceSpec(SourceKind.FILES, timezone="America/New_York"))
DAYS = [f"2024-03-{number} 00:00" for number in range(10, 20)]


@pytest.fixture
def feed() -> Feed:
    return make_feed()


def told(table: pa.Table) -> list[tuple[object, ...]]:
    """(symbol, ts, kind, old close, new close, file, line, cause, previous file) of each row."""
    names = ("symbol", "ts", "kind", "old_close", "new_close", "file", "line", "cause", "previous_file")
    return list(zip(*(column(table, name) for name in names), strict=True))


def test_one_file_is_no_correction(lake: Lake, feed: Feed) -> None:
    take_in(lake, feed, source_of("a.csv", [bar("A", AT), bar("A", AT, 5.0), bar("A", NEXT, -1.0)]), known_at=DAYS[0])

    assert corrections_of(lake, feed, KEY).equals(CORRECTION_SCHEMA.empty_table())
    assert column(changes_of(lake, feed, KEY), "kind") == ["first"]
    assert corrections_of(lake, feed, "2024-03-11").num_rows == 0


def test_a_corrected_file_changes_bars_and_brings_late_ones(lake: Lake, feed: Feed) -> None:
    take_in(lake, feed, source_of("a.csv", [bar("A", AT, 1.0), bar("A", THIRD, 3.0)]), known_at=DAYS[0])
    fixed = [bar("A", AT, 2.0), bar("A", NEXT, 4.0), bar("A", THIRD, -1.0), bar("B", AT, 5.0)]
    take_in(lake, feed, source_of("b.csv", fixed), known_at=DAYS[1])

    found = corrections_of(lake, feed, KEY)

    assert told(found) == [
        ("A", AT, "changed", 1.0, 2.0, "b.csv", 2, "upsert", "a.csv"),
        ("A", NEXT, "late", None, 4.0, "b.csv", 3, "upsert", None),
    ]
    assert found.schema == CORRECTION_SCHEMA
    assert column(found, "known_at") == [DAYS[1]] * 2
    assert (column(found, "seq"), column(found, "previous_seq")) == ([2, 2], [1, None])


def test_a_file_that_says_the_same_again_is_no_correction_but_is_what_a_next_one_replaces(
    lake: Lake, feed: Feed
) -> None:
    for name, price in (("a.csv", 1.0), ("b.csv", 1.0), ("c.csv", 2.0)):
        take_in(lake, feed, source_of(name, [bar("A", AT, price)]), known_at=DAYS[1])

    assert told(corrections_of(lake, feed, KEY)) == [("A", AT, "changed", 1.0, 2.0, "c.csv", 2, "upsert", "b.csv")]


def test_a_replaced_window_removes_and_the_next_file_restores(lake: Lake, feed: Feed) -> None:
    take_in(lake, feed, source_of("a.csv", [bar("A", AT), bar("A", NEXT), bar("A", THIRD)]), known_at=DAYS[0])
    around = source_of("b.csv", [bar("A", AT), bar("A", THIRD)])
    take_in(lake, feed, around, known_at=DAYS[1], mode=IngestMode.REPLACE_WINDOW)
    take_in(lake, feed, source_of("c.csv", [bar("A", NEXT, 9.0)]), known_at=DAYS[2])

    assert told(corrections_of(lake, feed, KEY)) == [
        ("A", NEXT, "removed", 100.0, None, "b.csv", None, "replace_window", "a.csv"),
        ("A", NEXT, "restored", None, 9.0, "c.csv", 2, "upsert", None),
    ]


def test_a_content_parsed_again_takes_back_what_it_said(lake: Lake, feed: Feed) -> None:
    take_in(lake, feed, source_of("a.csv", [bar("A", AT, 1.0), bar("A", NEXT, 1.0)]), known_at=DAYS[0])
    once = source_of("b.csv", [bar("A", AT, 2.0), bar("A", NEXT, 2.0)])
    take_in(lake, feed, once, known_at=DAYS[1])
    again = replace(source_of("b.csv", [bar("A", NEXT, 3.0)]), sha256=once.sha256)
    take_in(lake, OTHERWISE_READ, again, known_at=DAYS[2])

    assert told(corrections_of(lake, OTHERWISE_READ, KEY)) == [
        ("A", AT, "changed", 1.0, 2.0, "b.csv", 2, "upsert", "a.csv"),
        ("A", AT, "changed", 2.0, 1.0, "a.csv", 2, "reparse", "b.csv"),
        ("A", NEXT, "changed", 1.0, 2.0, "b.csv", 3, "upsert", "a.csv"),
        ("A", NEXT, "changed", 2.0, 3.0, "b.csv", 2, "reparse", "b.csv"),
    ]


def test_a_content_parsed_again_into_other_partitions_takes_back_too(lake: Lake, feed: Feed) -> None:
    once = source_of("b.csv", [bar("A", AT, 2.0)])
    take_in(lake, feed, once, known_at=DAYS[1])
    again = replace(source_of("b.csv", [bar("A", "2024-03-07 14:30", 2.0)]), sha256=once.sha256)
    take_in(lake, OTHERWISE_READ, again, known_at=DAYS[2])

    assert told(corrections_of(lake, OTHERWISE_READ, KEY)) == [
        ("A", AT, "removed", 2.0, None, "b.csv", None, "reparse", "b.csv")
    ]
    assert corrections_of(lake, feed, "2024-03-07").num_rows == 0


def test_bars_of_trades_are_compared_as_bars(lake: Lake, feed: Feed) -> None:
    take_in(lake, feed, source_of("a.csv", raw_trades([("A", AT, 1.0, 1.0), ("A", NEXT, 3.0, 1.0)])), known_at=DAYS[0])
    take_in(lake, feed, source_of("b.csv", raw_trades([("A", AT, 2.0, 1.0), ("A", AT, 1.0, 4.0)])), known_at=DAYS[1])

    found = corrections_of(lake, feed, KEY)

    assert told(found) == [("A", AT, "changed", 1.0, 1.0, "b.csv", 2, "upsert", "a.csv")]
    assert (column(found, "old_volume"), column(found, "new_volume")) == ([1.0], [5.0])


def test_daily_bars_of_a_new_date_are_no_corrections(lake: Lake) -> None:
    feed = make_feed(interval="1d")
    for number in (4, 5, 6):
        rows = [bar("A", f"2024-03-0{number} 00:00"), bar("A", "2024-03-01 00:00", number / 2)]
        take_in(lake, feed, source_of(f"{number}.csv", rows), known_at=f"2024-03-0{number} 23:00")

    assert [row[1:5] for row in told(corrections_of(lake, feed, "2024-01-01"))] == [
        ("2024-03-01 00:00", "changed", 2.0, 2.5), ("2024-03-01 00:00", "changed", 2.5, 3.0),
    ]  # fmt: skip


def test_loaded_parts_give_the_same_table(lake: Lake, feed: Feed) -> None:
    for number in range(3):
        take_in(lake, feed, source_of(f"{number}.csv", minutes("A", AT, 5, 1.0 + number)), known_at=DAYS[number])
    accepted, withdrawing = lake.catalog.accepted_parts(feed.name, KEY)
    parts = [LoadedPart(part, lake.read_part(feed.name, part.part)) for part in accepted]

    expected = corrections_of(lake, feed, KEY)

    assert expected.num_rows == 10
    assert corrections_of(lake, feed, KEY, parts[1:]).equals(expected)
    assert corrections_among(feed, CoarseBars(lake, feed).grid(KEY), parts, withdrawing).equals(expected)


def test_corrections_of_some_symbols_are_those_rows_of_all_corrections(lake: Lake, feed: Feed) -> None:
    take_in(lake, feed, source_of("a.csv", [bar(name, AT, 1.0) for name in "ABC"]), known_at=DAYS[0])
    take_in(lake, feed, source_of("b.csv", [bar("A", AT, 2.0), bar("C", AT, 3.0)]), known_at=DAYS[1])
    take_in(lake, feed, source_of("c.csv", raw_trades([("A", NEXT, 4.0, 1.0)])), known_at=DAYS[2])
    around = source_of("d.csv", [bar("A", AT, 5.0), bar("A", THIRD)])
    take_in(lake, feed, around, known_at=DAYS[3], mode=IngestMode.REPLACE_WINDOW)
    everything = told(corrections_of(lake, feed, KEY))

    for symbols in (["A"], ["B"], ["A", "C"]):
        expected = [row for row in everything if row[0] in symbols]
        assert told(corrections_of(lake, feed, KEY, symbols=symbols)) == expected
        assert expected


def test_a_raw_part_that_is_gone_is_an_error(lake: Lake, feed: Feed) -> None:
    for name in ("a.csv", "b.csv"):
        take_in(lake, feed, source_of(name, [bar("A", AT)]), known_at=DAYS[0])
    first = lake.catalog.accepted_parts(feed.name, KEY)[0][0]
    (lake.layout.root / first.part.path).unlink()

    with pytest.raises(PartitionMissing, match=first.part.part_id):
        corrections_of(lake, feed, KEY)


def test_what_a_policy_let_go_is_still_told_by_the_stored_corrections(lake: Lake) -> None:
    feed = make_feed(keep=Keep(superseded_raw_days=1))
    for number in range(3):
        rows = [bar("A", AT, 1.0 + number), bar("B", AT, 5.0)]
        take_in(lake, feed, source_of(f"{number}.csv", rows), known_at=DAYS[number])
    before = corrections_of(lake, feed, KEY)
    walk_stale(lake, feed)
    lake.store(feed.name, [TableWrite(CORRECTIONS, KEY, before, "inputs")], {})
    gone = remove_superseded(lake, feed, now_us=us(DAYS[6]))

    take_in(lake, feed, source_of("3.csv", [bar("A", AT, 9.0)]), known_at=DAYS[7])

    assert [part.path for part in gone if (lake.layout.root / part.path).exists()] == []
    assert len(gone) == 2
    assert [row[2:6] for row in told(corrections_of(lake, feed, KEY))] == [
        ("changed", 1.0, 2.0, "1.csv"), ("changed", 2.0, 3.0, "2.csv"), ("changed", 3.0, 9.0, "3.csv"),
    ]  # fmt: skip


def test_stored_corrections_are_read_while_the_bars_are_those_of_the_last_walk(lake: Lake, feed: Feed) -> None:
    take_in(lake, feed, source_of("a.csv", [bar("A", AT, 1.0)]), known_at=DAYS[0])
    take_in(lake, feed, source_of("b.csv", [bar("A", AT, 2.0)]), known_at=DAYS[1])
    derived = corrections_of(lake, feed, KEY)
    assert [(key, table.num_rows) for key, table in read_corrections(lake, feed)] == [(KEY, 1)]

    walk_stale(lake, feed)
    lake.store(feed.name, [TableWrite(CORRECTIONS, KEY, derived, "inputs")], {})

    assert [(key, told(table)) for key, table in read_corrections(lake, feed)] == [(KEY, told(derived))]
    assert list(read_corrections(lake, feed, "2024-03-09")) == []
    take_in(lake, feed, source_of("c.csv", [bar("A", AT, 3.0)]), known_at=DAYS[2])
    assert [table.num_rows for _, table in read_corrections(lake, feed)] == [2]


def test_facts_and_examples_tell_kinds_causes_files_and_the_first_rows(lake: Lake, feed: Feed) -> None:
    take_in(lake, feed, source_of("a.csv", [*minutes("A", AT, 20), bar("B", AT)]), known_at=DAYS[0])
    take_in(lake, feed, source_of("b.csv", [*minutes("A", AT, 20, 7.0), bar("B", NEXT)]), known_at=DAYS[1])
    found = corrections_of(lake, feed, KEY)

    assert correction_facts(found) == {
        "corrections": 21, "corrected_symbols": 2, "kind_changed": 20, "kind_late": 1, "cause_upsert": 21,
        "correcting_files": "b.csv",
    }  # fmt: skip
    assert len(correction_examples(found)) == 10
    assert correction_examples(found)[0] == {
        "symbol": "A", "ts": "2024-03-08T14:30:00Z", "kind": "changed",
        "change": "close 100.02 → 7.02, open 100 → 7, high 100.05 → 7.05, low 99.95 → 6.95",
        "file": "b.csv", "line": 2, "cause": "upsert",
    }  # fmt: skip
