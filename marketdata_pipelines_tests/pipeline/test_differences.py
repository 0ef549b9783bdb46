"""What would have been answered differently at two instants, and which ingests are the cause."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.feeds import Feed, PartitionBy, SourceKind, SourceSpec
from marketdata_pipelines.domain.intervals import table_name
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.pipeline.corrections import corrections_of
from marketdata_pipelines.pipeline.differences import (
    DIFFERENCE_SCHEMA,
    DiffQuestion,
    difference_counts,
    differences,
)
from marketdata_pipelines.pipeline.ingest import IngestMode
from marketdata_pipelines.pipeline.past import PastTables
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import Row, bar, column, day, make_feed, minutes, source_of, take_in, us

AT, NEXT, LAST = "2024-03-08 14:30", "2024-03-08 14:31", "2024-03-08 14:44"
DAYS = [f"2024-03-{number} 00:00" for number in range(10, 30)]
FEED = make_feed()
OTHERWISE_READ = make_feed(source=SourceSpec(SourceKind.FILES, timezone="America/New_York"))


def differing(lake: Lake, first: int, last: int, timeframe: str = "1m", *, feed: Feed = FEED, **more: Any) -> pa.Table:
    """What differs between two of DAYS."""
    table = VALIDATED_BARS if timeframe == feed.interval.name else table_name(timeframe)
    question = DiffQuestion(us(DAYS[first]), us(DAYS[last]), table, timeframe, **more)
    return pa.concat_tables([DIFFERENCE_SCHEMA.empty_table(), *differences(lake, feed, question)])


def told(table: pa.Table) -> list[tuple[object, ...]]:
    names = ("symbol", "ts", "kind", "columns", "old_close", "new_close", "cause", "seqs")
    return list(zip(*(column(table, name) for name in names), strict=True))


@pytest.fixture
def revised(lake: Lake) -> Lake:
    """Three files of one session: the first, one that changes and adds bars, one that replaces three minutes."""
    take_in(lake, FEED, source_of("a.csv", minutes("A", AT, 10)), known_at=DAYS[0])
    take_in(lake, FEED, source_of("b.csv", [bar("A", AT, 7.0), bar("A", LAST, 8.0)]), known_at=DAYS[2])
    window = [bar("A", NEXT, 100.01, volume=5.0), bar("A", "2024-03-08 14:33", 100.0)]
    take_in(lake, FEED, source_of("c.csv", window), known_at=DAYS[4], mode=IngestMode.REPLACE_WINDOW)
    return lake


def test_bars_that_differ_are_told_with_their_cause(revised: Lake) -> None:
    assert told(differing(revised, 1, 3)) == [
        ("A", AT, "changed", "open;high;low;close", 100.02, 7.0, "upsert", "2"),
        ("A", LAST, "added", None, None, 8.0, "upsert", "2"),
    ]
    assert [row[1:4] for row in told(differing(revised, 3, 5))] == [
        (NEXT, "changed", "high;low;close;volume"),
        ("2024-03-08 14:32", "removed", None),
        ("2024-03-08 14:33", "changed", "open;high;low;close;volume"),
    ]


def test_the_first_load_is_told_too_and_an_instant_counts_what_became_known_in_it(revised: Lake) -> None:
    found = differing(revised, 0, 2)

    assert column(differing(revised, 1, 2), "kind") == ["changed", "added"]
    assert found.num_rows == 2
    before = list(differences(revised, FEED, DiffQuestion(0, us(DAYS[0]), VALIDATED_BARS, "1m")))
    assert column(before[0], "kind") == ["added"] * 10
    assert column(before[0], "file") == ["a.csv"] * 10


def test_causes_of_a_bucket_are_those_of_the_bars_in_it(revised: Lake) -> None:
    found = differing(revised, 1, 5, "5m")

    assert [(row[1], row[2], row[6], row[7]) for row in told(found)] == [
        (AT, "changed", "replace_window", "2;3"), ("2024-03-08 14:40", "added", "upsert", "2"),
    ]  # fmt: skip
    assert (column(found, "causes"), column(found, "run_id")) == ([2, 1], ["run", "run"])
    assert column(found, "known_at") == [DAYS[4], DAYS[2]]
    for timeframe, label in (("1d", "2024-03-08 00:00"), ("1w", "2024-03-04 00:00"), ("1M", "2024-03-01 00:00")):
        assert [(row[1], row[7]) for row in told(differing(revised, 1, 5, timeframe))] == [(label, "2;3")]


def test_nothing_differs_between_an_instant_and_itself_or_without_news(revised: Lake) -> None:
    for first, last in ((3, 3), (5, 9), (2, 3)):
        assert differing(revised, first, last).num_rows == 0


def test_a_later_ingest_may_only_make_bars_final(lake: Lake) -> None:
    take_in(lake, FEED, source_of("a.csv", [bar("A", AT)]), known_at="2024-03-08 14:31")
    take_in(lake, FEED, source_of("b.csv", [bar("B", AT)]), known_at=DAYS[0])
    question = DiffQuestion(us("2024-03-08 15:00"), us(DAYS[1]), "bars_5m", "5m", symbols=("A",))

    found = pa.concat_tables(differences(lake, FEED, question))

    assert [row[2:4] + row[6:] for row in told(found)] == [("changed", "is_final", "upsert", "2")]
    assert (column(found, "old_is_final"), column(found, "new_is_final")) == ([False], [True])


def test_symbols_and_session_dates_narrow_the_answer(lake: Lake) -> None:
    rows: list[Row] = [bar(name, f"{date} 15:00") for name in "AB" for date in ("2024-03-07", "2024-03-08")]
    take_in(lake, FEED, source_of("a.csv", rows), known_at=DAYS[1])

    assert differing(lake, 0, 2).num_rows == 4
    assert [row[:2] for row in told(differing(lake, 0, 2, symbols=("B",), start=day("2024-03-08")))] == [
        ("B", "2024-03-08 15:00")
    ]
    assert column(differing(lake, 0, 2, end=day("2024-03-07")), "symbol") == ["A", "B"]


def test_another_definition_is_a_cause_of_its_own(lake: Lake) -> None:
    wider = make_feed(calendar="24/7")
    take_in(lake, FEED, source_of("a.csv", [bar("A", AT), bar("A", "2024-03-08 23:00")]), known_at=DAYS[0])
    take_in(lake, wider, source_of("b.csv", [bar("B", AT)]), known_at=DAYS[2])

    found = differing(lake, 1, 3, feed=wider)

    assert [row[:3] + row[6:] for row in told(found)] == [
        ("A", "2024-03-08 23:00", "added", "definition", None), ("B", AT, "added", "upsert", "2"),
    ]  # fmt: skip
    assert column(found, "known_at") == [DAYS[2], DAYS[2]]


def test_a_content_read_again_under_another_partitioning_is_compared_whole(lake: Lake) -> None:
    monthly = replace(OTHERWISE_READ, partition=PartitionBy.MONTH)
    once = source_of("a.csv", [bar("A", AT), bar("A", NEXT)])
    take_in(lake, FEED, once, known_at=DAYS[0])
    again = replace(source_of("a.csv", [bar("A", AT), bar("A", NEXT, 5.0)]), sha256=once.sha256)
    take_in(lake, monthly, again, known_at=DAYS[2])

    for timeframe, label in (("1m", NEXT), ("1d", "2024-03-08 00:00"), ("1w", "2024-03-04 00:00")):
        found = told(differing(lake, 1, 3, timeframe, feed=monthly))
        assert [(*row[:3], *row[6:]) for row in found] == [("A", label, "changed", "reparse", "2")], timeframe


def test_counts_by_cause_come_with_the_most_frequent_first(revised: Lake) -> None:
    found = difference_counts([differing(revised, 1, 5)])

    names = ("cause", "seq", "file", "added", "removed", "changed", "bars")
    assert list(zip(*(column(found, name) for name in names), strict=True)) == [
        ("replace_window", 3, "c.csv", 0, 1, 2, 3), ("upsert", 2, "b.csv", 1, 0, 1, 2),
    ]  # fmt: skip
    assert difference_counts([]).num_rows == 0


FILES = st.lists(
    st.tuples(
        st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 11), st.sampled_from([1.0, 2.0, -1.0])), max_size=6),
        st.sampled_from(list(IngestMode)),
    ),
    min_size=1, max_size=4,
)  # fmt: skip


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(FILES, st.integers(0, 4), st.integers(0, 4))
def test_every_difference_is_explained(
    files: Sequence[tuple[Sequence[tuple[str, int, float]], IngestMode]], one: int, other: int
) -> None:
    first, last = sorted((one, other))
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder) / "lake")
        for number, (rows, mode) in enumerate(files):
            # The last row is always good and always the same, so that no file is refused.
            made = [bar(symbol, us(AT) + minute * 60_000_000, price) for symbol, minute, price in rows]
            take_in(lake, FEED, source_of(f"{number}", [*made, bar("Z", AT)]), known_at=DAYS[number], mode=mode)
        told_changes = {
            (row["symbol"], row["ts"], row["seq"]) for row in corrections_of(lake, FEED, "2024-03-08").to_pylist()
        }
        first_loads = _first_loads(lake, len(files))

        for timeframe in ("1m", "5m", "1w"):
            table = VALIDATED_BARS if timeframe == "1m" else table_name(timeframe)
            before, after = (_state(lake, table, DAYS[at]) for at in (first, last))
            for row in differing(lake, first, last, timeframe).to_pylist():
                key = (row["symbol"], row["ts"])
                assert before.pop(key, (None, None)) == (row["old_close"], row["old_volume"])
                assert after.pop(key, (None, None)) == (row["new_close"], row["new_volume"])
                seqs = [int(seq) for seq in row["seqs"].split(";")]
                assert all(first < seq - 1 <= last for seq in seqs)
                assert (len(seqs), seqs[-1]) == (row["causes"], row["seq"])
                if timeframe == "1m":
                    loaded = {first_loads[row["symbol"]]}
                    assert set(seqs) <= {seq for *bar_key, seq in told_changes if (*bar_key,) == key} | loaded
            assert before == after


def _state(lake: Lake, table: str, as_of: str) -> dict[tuple[str, Any], tuple[float | None, float | None]]:
    past = PastTables(lake, FEED, us(as_of))
    rows = [row for key in past.partitions(table) for row in past.read(table, key).to_pylist()]
    return {(row["symbol"], row["ts"]): (row["close"], row["volume"]) for row in rows}


def _first_loads(lake: Lake, files: int) -> dict[str, int]:
    """The first ingest of each symbol by which there were bars of it."""
    found: dict[str, int] = {}
    for number in range(files):
        bars = PastTables(lake, FEED, us(DAYS[number])).read(VALIDATED_BARS, "2024-03-08")
        for symbol in bars["symbol"].to_pylist():
            found.setdefault(symbol, number + 1)
    return found
