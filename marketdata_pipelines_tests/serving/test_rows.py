"""Answers as of an instant: those a lake gives that was built with only what was known then."""

from pathlib import Path

import pyarrow as pa
import pytest

from marketdata_pipelines.errors import PartitionMissing, SettingsInvalid
from marketdata_pipelines.pipeline.ingest import IngestMode
from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines.serving.rows import PastRows
from marketdata_pipelines_tests.builders import Row, bar, make_home, minutes, source_of, take_in, us, walk_stale

FEEDS = """
feeds:
  us_1m:
    source: {kind: files}
    interval: 1m
    calendar: XNYS
    extended_hours: ["04:00", "20:00"]
"""
FIRST, SECOND, THIRD = "2024-02-01T00:00:00Z", "2024-02-02T00:00:00Z", "2024-02-03T00:00:00Z"
LOADS: list[tuple[str, str, list[Row], IngestMode]] = [
    (FIRST, "first", [*minutes("A", "2024-01-05 14:30", 60), *minutes("B", "2024-01-05 14:30", 30, 50.0),
                      *minutes("A", "2024-01-08 14:30", 40, 101.0), bar("A", "2024-01-05 12:00", 99.0)],
     IngestMode.UPSERT),
    (SECOND, "corrected", [bar("A", "2024-01-05 14:45", 120.0), bar("A", "2024-01-05 15:45", -3.0)], IngestMode.UPSERT),
    (THIRD, "replaced", [bar("A", "2024-01-08 14:30", 90.0), bar("A", "2024-01-08 15:09", 91.0)],
     IngestMode.REPLACE_WINDOW),
]  # fmt: skip
TIMEFRAMES = ("1m", "5m", "1h", "12h", "1d", "2d", "1w", "1M")
VIEWS = ("daily_summary", "hourly_volume", "symbol_performance", "top_volume", "latest_bars")


def reader(folder: Path, loads: int) -> LakeReader:
    made = LakeReader(make_home(folder, FEEDS))
    feed = made.feed("us_1m")
    for known_at, name, rows, mode in LOADS[:loads]:
        take_in(made.lake, feed, source_of(name, rows), known_at=known_at, mode=mode)
        walk_stale(made.lake, feed)
    return made


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> LakeReader:
    return reader(tmp_path_factory.mktemp("whole") / "home", 3)


@pytest.mark.parametrize(("as_of", "loads"), [(FIRST, 1), (SECOND, 2), ("2024-02-02", 2), (THIRD, 3), (None, 3)])
def test_every_answer_is_the_one_given_then(tmp_path: Path, whole: LakeReader, as_of: str | None, loads: int) -> None:
    fresh = reader(tmp_path / "fresh", loads)

    for timeframe in TIMEFRAMES:
        assert whole.bars("us_1m", timeframe=timeframe, as_of=as_of).equals(fresh.bars("us_1m", timeframe=timeframe))
    for view in VIEWS:
        assert rows(whole.table("us_1m", view, as_of=as_of)) == rows(fresh.table("us_1m", view))
    assert whole.rejected("us_1m", superseded=True, as_of=as_of).equals(fresh.rejected("us_1m", superseded=True))
    hours = {"timeframe": "1h", "session": "all", "start": "2024-01-05", "end": "2024-01-05"}
    assert whole.bars("us_1m", **hours, as_of=as_of).equals(fresh.bars("us_1m", **hours))  # type: ignore[arg-type]


def test_partitions_that_did_not_change_since_are_read_from_their_files(whole: LakeReader) -> None:
    source = PastRows(whole.lake, whole.feed("us_1m"), us(SECOND))

    found = source.rows("bars_5m", "2024-01-01", "2024-01-31")

    assert [item.partition for item in found.stored] == ["2024-01-05"]
    assert [key for key, _ in found.derived] == ["2024-01-08"]


def test_symbols_and_ranges_narrow_the_past_too(whole: LakeReader) -> None:
    found = whole.bars("us_1m", ["B"], "5m", "2024-01-05T14:35Z", "2024-01-05T14:45Z", as_of=FIRST)

    assert found["symbol"].to_pylist() == ["B", "B"]


def test_before_anything_was_known_the_answer_says_since_when(whole: LakeReader) -> None:
    with pytest.raises(
        PartitionMissing, match=r"us_1m had no bars_1d in that range then; first known 2024-02-01T00:00"
    ):
        whole.bars("us_1m", timeframe="1d", as_of="2024-01-31")


def test_an_instant_that_is_none_is_refused(whole: LakeReader) -> None:
    with pytest.raises(SettingsInvalid, match="is no date"):
        whole.bars("us_1m", as_of="yesterday")


def rows(table: pa.Table) -> list[Row]:
    """Rows to compare: DuckDB adds up a range in no certain order, which shows in the last digit of a deviation."""
    return [
        {name: float(f"{value:.12g}") if isinstance(value, float) else value for name, value in row.items()}
        for row in table.to_pylist()
    ]
