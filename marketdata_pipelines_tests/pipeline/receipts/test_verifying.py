"""Deriving a bar again and reading its sources again: what was tampered with shows, and where."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.pipeline.receipts.explaining import Explainer
from marketdata_pipelines.pipeline.receipts.records import Verification
from marketdata_pipelines.pipeline.receipts.verifying import compare_rows
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.lake.parquet import read_file, read_manifest, write_file
from marketdata_pipelines_tests.builders import us
from marketdata_pipelines_tests.pipeline.receipt_lakes import load, minutes_feed, row, write_lines

AT = "2024-03-08 14:30"


def verified(lake: Lake, feed: Feed, timeframe: str = "5m", as_of: str | None = None) -> Verification:
    explainer = Explainer(lake, feed)
    receipt = explainer.explain("A", us(AT), timeframe, None if as_of is None else us(as_of))
    return explainer.verify(receipt)


def differences(found: Verification) -> list[tuple[str, str, object, object]]:
    return [(each.where, each.field, each.found, each.expected) for each in found.differences]


def rewrite(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Change a lake file behind the catalog's back."""
    write_file(path, change(read_file(path)), read_manifest(path), path.parent)


def with_value(name: str, place: int, value: object) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        values = table[name].to_pylist()
        values[place] = value
        position = table.schema.get_field_index(name)
        return table.set_column(position, table.schema.field(name), pa.array(values, table.schema.field(name).type))

    return change


@pytest.fixture
def loaded(lake: Lake, tmp_path: Path) -> tuple[Lake, Feed, Path]:
    """A lake of ten minutes of A and B from one file, the feed and the file."""
    feed, folder = minutes_feed(), tmp_path / "landing"
    rows = [row(symbol, minute, 10 + minute) for minute in range(10) for symbol in "AB"]
    path = write_lines(folder, "a.csv", *rows)
    load(lake, feed, path)
    return lake, feed, Path(path)


@pytest.mark.parametrize("timeframe", ["1m", "5m", "1h", "1d", "2d", "1w", "1M"])
def test_an_honest_bar_is_equal_in_every_timeframe(loaded: tuple[Lake, Feed, Path], timeframe: str) -> None:
    lake, feed, _ = loaded

    found = verified(lake, feed, timeframe)

    bars = {"1m": 1, "5m": 5}.get(timeframe, 10)
    assert (found.equal, found.differences, found.unchecked) == (True, (), ())
    assert found.checked == (
        f"{timeframe} bar derived again",
        f"{bars} base bar{'s' * (bars > 1)} derived again",
        "a.csv: SHA-256 matches",
        f"{bars} row{'s' * (bars > 1)} of a.csv read again",
    )


def test_a_changed_bucket_shows_by_its_field(loaded: tuple[Lake, Feed, Path]) -> None:
    lake, feed, _ = loaded
    rewrite(lake.layout.table_file("bars_5m", "feed", "2024-03-08"), with_value("volume", 0, 500.0000000000001))

    found = verified(lake, feed)

    assert differences(found) == [("bars_5m 2024-03-08", "volume", 500.0000000000001, 500.0)]


def test_a_flag_and_a_null_are_values_too(loaded: tuple[Lake, Feed, Path]) -> None:
    lake, feed, _ = loaded
    path = lake.layout.table_file("bars_5m", "feed", "2024-03-08")
    rewrite(path, with_value("is_final", 0, False))
    rewrite(path, with_value("trade_count", 0, 0))

    assert differences(verified(lake, feed)) == [
        ("bars_5m 2024-03-08", "trade_count", 0, None),
        ("bars_5m 2024-03-08", "is_final", False, True),
    ]


def test_a_changed_validated_bar_shows_by_its_time(loaded: tuple[Lake, Feed, Path]) -> None:
    lake, feed, _ = loaded
    rewrite(lake.layout.table_file("validated_bars", "feed", "2024-03-08"), with_value("close", 3, 99.0))

    assert differences(verified(lake, feed)) == [
        ("validated bars 2024-03-08 2024-03-08T14:33:00.000000Z", "close", 99.0, 13.25),
        ("partition 2024-03-08", "check ohlc_consistent", True, False),
    ]


def test_a_changed_raw_part_shows_in_the_bar_and_against_the_line(loaded: tuple[Lake, Feed, Path]) -> None:
    lake, feed, _ = loaded
    part = lake.catalog.standing_parts("feed")[0].part
    # Row 5 of the file is A's third minute.
    rewrite(lake.layout.root / part.path, with_value("high", 4, 50.0))

    found = differences(verified(lake, feed))

    assert ("bars_5m 2024-03-08", "high", 14.5, 50.0) in found
    assert ("validated bars 2024-03-08 2024-03-08T14:32:00.000000Z", "high", 12.5, 50.0) in found
    assert (f"a.csv in raw part {part.part_id}, row 5", "high", 50.0, 12.5) in found


def test_a_raw_part_that_lost_rows_shows(loaded: tuple[Lake, Feed, Path]) -> None:
    lake, feed, _ = loaded
    part = lake.catalog.standing_parts("feed")[0].part
    rewrite(lake.layout.root / part.path, lambda table: table.slice(0, 18))

    found = differences(verified(lake, feed))

    assert (f"raw part {part.path}", "rows", 18, 20) in found


def test_a_changed_source_line_shows_by_hash_row_and_field(loaded: tuple[Lake, Feed, Path]) -> None:
    lake, feed, path = loaded
    path.write_text(path.read_text().replace("A,2024-03-08T14:31:00Z,11,", "A,2024-03-08T14:31:00Z,11.2,"))
    ingest = lake.catalog.ingests("feed")[0]
    part = lake.catalog.standing_parts("feed")[0].part

    found = verified(lake, feed)

    assert differences(found) == [
        (
            "source a.csv",
            "content",
            f"the file has changed: {ingest.bytes + 2} bytes, it had {ingest.bytes}",
            ingest.sha256,
        ),
        (f"a.csv in raw part {part.part_id}, row 3", "open", 11.0, 11.2),
    ]


def test_a_bar_the_raw_parts_do_not_give_any_more_shows(loaded: tuple[Lake, Feed, Path]) -> None:
    lake, feed, _ = loaded
    part = lake.catalog.standing_parts("feed")[0].part
    rewrite(lake.layout.root / part.path, lambda table: table.slice(20))

    found = differences(verified(lake, feed, "1m"))

    assert ("validated_bars 2024-03-08", "bar", "there", "the raw parts give none") in found
    assert ("validated bars 2024-03-08 2024-03-08T14:30:00.000000Z", "row", "there", "missing") in found


def test_a_source_that_is_gone_is_not_taken_as_equal(loaded: tuple[Lake, Feed, Path]) -> None:
    lake, feed, path = loaded
    path.unlink()

    found = verified(lake, feed)

    assert (found.equal, found.unchecked) == (True, ("a.csv: the file is not there any more",))
    assert found.checked == ("5m bar derived again", "5 base bars derived again")


def test_a_feed_that_reads_its_files_otherwise_today_compares_no_rows(loaded: tuple[Lake, Feed, Path]) -> None:
    lake, _, _ = loaded
    feed = minutes_feed(asset_class="index")

    found = verified(lake, feed)

    assert found.unchecked == ("a.csv: the feed reads its sources otherwise today; ingest it again with --restart",)


def test_a_bar_of_the_past_is_verified_as_of_then(loaded: tuple[Lake, Feed, Path], tmp_path: Path) -> None:
    lake, feed, _ = loaded
    load(lake, feed, write_lines(tmp_path, "b.csv", row("A", 0, 12)), known_at="2024-03-11 00:00")

    found = verified(lake, feed, as_of="2024-03-10 12:00")

    assert found.equal
    assert "5 rows of a.csv read again" in found.checked
    assert "1 row of b.csv read again" not in found.checked


def test_floats_are_compared_by_their_bits() -> None:
    ours = pa.table({"ts": [1, 2, 3], "x": pa.array([0.0, None, 0.1 + 0.2])})
    theirs = pa.table({"ts": [1, 2, 3], "x": pa.array([-0.0, None, 0.3])})

    found = compare_rows("t", ours, theirs, "ts")

    assert [(each.field, each.found, each.expected) for each in found] == [
        ("x", 0.0, -0.0),
        ("x", 0.1 + 0.2, 0.3),
    ]
