"""Simulated days on disk."""

import csv
import gzip
import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marketdata_pipelines.domain.feeds import DataKind, Feed, SourceKind, SourceSpec
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.sources.files.read import read_file
from marketdata_pipelines.sources.simulated.files import Compression, FileFormat, require_writable, write_files
from marketdata_pipelines.sources.simulated.historical import historical
from marketdata_pipelines.sources.simulated.rates import FAULT_KINDS
from marketdata_pipelines_tests.sources.simulated.feeds import simulated_feed

FRIDAY, MONDAY = date(2024, 3, 8), date(2024, 3, 11)


def writable_faults(feed: Feed, file_format: FileFormat) -> tuple[tuple[str, float], ...]:
    """Three of every fault that this feed's rows and this format can hold."""
    kinds = []
    for kind in FAULT_KINDS:
        asked = replace(feed, source=replace(feed.source, faults=((kind, 3),)))
        try:
            require_writable(asked, file_format, None)
        except SettingsInvalid:
            continue
        kinds.append((kind, 3.0))
    return tuple(kinds)


def rows_of(table: pa.Table) -> list[tuple[object, ...]]:
    """Rows as comparable values: NaN as text, an empty text as unknown."""
    names = [name for name in table.column_names if name != "line"]
    columns = [[None if value in ("", None) else repr(value) for value in table[name].to_pylist()] for name in names]
    return list(zip(*columns, strict=True))


def test_one_file_a_session_with_header_and_the_days_lines(tmp_path: Path) -> None:
    feed = simulated_feed(faults=(("ragged_short", 2), ("symbol_csv_injection", 2)))

    written = write_files(feed, FRIDAY, MONDAY, str(tmp_path))

    days = list(historical(feed, FRIDAY, MONDAY))
    assert sorted(path.name for path in tmp_path.iterdir()) == [".labels.csv", "2024-03-08.csv", "2024-03-11.csv"]
    for file, day in zip(written, days, strict=True):
        header, *lines = Path(file.path).read_text(encoding="utf-8").splitlines()
        assert header == "symbol,timestamp,open,high,low,close,volume,vwap,trade_count"
        assert lines == list(day.chunk.originals(np.arange(day.table.num_rows)))
        assert (file.rows, file.faults) == (len(lines), day.faults)


def test_the_bytes_of_a_day_are_pinned(tmp_path: Path) -> None:
    feed = simulated_feed(faults=(("dup_conflict", 2), ("bad_timestamp", 2), ("gap_missing_minutes", 1)))

    (written,) = write_files(feed, FRIDAY, FRIDAY, str(tmp_path))

    assert written.sha256 == "57e9764dab8ba5902481ae8d5a8f556854f619c4223c250b7cd4c68cc04da594"


@pytest.mark.parametrize("file_format", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize(
    "feed",
    [
        simulated_feed(),
        simulated_feed("24/7"),
        simulated_feed("fx", "5m"),
        simulated_feed(interval="1d", symbols=(), symbol_count=60),
        simulated_feed(data=DataKind.TRADES),
    ],
)
def test_reading_a_written_file_gives_the_days_rows(tmp_path: Path, feed: Feed, file_format: FileFormat) -> None:
    feed = replace(feed, source=replace(feed.source, faults=writable_faults(feed, file_format)))
    (written,) = write_files(feed, FRIDAY, FRIDAY, str(tmp_path), format=file_format)

    chunks = list(read_file(written.path, replace(feed, source=SourceSpec(SourceKind.FILES))))

    (day,) = historical(feed, FRIDAY, FRIDAY)
    read = pa.concat_tables([chunk.table for chunk in chunks])
    assert rows_of(read) == rows_of(day.table)
    if file_format == "csv":
        assert read["line"].equals(day.table["line"])
        everything = np.arange(read.num_rows)
        assert list(chunks[0].originals(everything)) == list(day.chunk.originals(everything))


def test_labels_tell_line_row_and_what_was_written(tmp_path: Path) -> None:
    feed = simulated_feed(faults=(("zero_price", 1), ("gap_missing_minutes", 1)))

    write_files(feed, FRIDAY, FRIDAY, str(tmp_path))

    with open(tmp_path / ".labels.csv", newline="", encoding="utf-8") as stream:
        labels = {label["defect"]: label for label in csv.DictReader(stream)}
    lines = (tmp_path / "2024-03-08.csv").read_text(encoding="utf-8").splitlines()
    zero, gap = labels["zero_price"], labels["gap_missing_minutes"]
    assert list(zero) == [
        *("file", "line", "row", "symbol", "ts_utc", "defect", "scope", "expect"),
        *("column", "original", "injected"),
    ]
    assert lines[int(zero["line"]) - 1] == zero["injected"].replace("|", ",")
    assert int(zero["line"]) == int(zero["row"]) + 1
    assert (zero["file"], zero["scope"], zero["expect"], zero["column"]) == (
        "2024-03-08.csv",
        "row",
        "reject_row",
        "price",
    )
    assert (gap["scope"], gap["expect"]) == ("block", "warn")


def test_a_file_without_a_fault_is_labelled_clean(tmp_path: Path) -> None:
    feed = simulated_feed(faults=(("zero_price", 0.0004),), seed=3)

    written = write_files(feed, date(2024, 3, 4), FRIDAY, str(tmp_path))

    with open(tmp_path / ".labels.csv", newline="", encoding="utf-8") as stream:
        labelled = {label["file"] for label in csv.DictReader(stream) if label["defect"] == "none"}
    assert labelled == {Path(file.path).name for file in written if not file.faults}
    assert labelled


def test_clean_feeds_have_no_labels(tmp_path: Path) -> None:
    write_files(simulated_feed(), FRIDAY, FRIDAY, str(tmp_path))

    assert [path.name for path in tmp_path.iterdir()] == ["2024-03-08.csv"]


@pytest.mark.parametrize("compression", ["gz", "zst"])
def test_compressed_files_hold_the_same_text(tmp_path: Path, compression: Compression) -> None:
    feed = simulated_feed()
    (plain,) = write_files(feed, FRIDAY, FRIDAY, str(tmp_path))

    (packed,) = write_files(feed, FRIDAY, FRIDAY, str(tmp_path), compression=compression)

    content = Path(packed.path).read_bytes()
    if compression == "gz":
        unpacked = gzip.decompress(content)
    else:
        unpacked = pa.CompressedInputStream(pa.BufferReader(content), "zstd").read()
    assert Path(packed.path).name == f"2024-03-08.csv.{compression}"
    assert unpacked == Path(plain.path).read_bytes()


def test_json_lines_hold_the_days_rows(tmp_path: Path) -> None:
    feed = simulated_feed(faults=(("volume_bad_format", 1),))

    (written,) = write_files(feed, FRIDAY, FRIDAY, str(tmp_path), format="jsonl")

    rows = [json.loads(line) for line in Path(written.path).read_text(encoding="utf-8").splitlines()]
    bad = written.faults[0].row - 1
    (day,) = historical(feed, FRIDAY, FRIDAY)
    assert isinstance(rows[bad]["volume"], str)
    assert [row["close"] for row in rows] == day.table["close"].to_pylist()


def test_parquet_holds_the_days_rows(tmp_path: Path) -> None:
    feed = simulated_feed(faults=(("bad_timestamp", 1),))

    (written,) = write_files(feed, FRIDAY, FRIDAY, str(tmp_path), format="parquet")

    (day,) = historical(feed, FRIDAY, FRIDAY)
    table = pq.read_table(written.path)
    assert table.column_names[:2] == ["symbol", "timestamp"]
    assert table["timestamp"].equals(day.table["ts"])


@pytest.mark.parametrize(("file_format", "kind"), [("jsonl", "ragged_short"), ("parquet", "volume_bad_format")])
def test_faults_a_format_cannot_hold_are_refused(tmp_path: Path, file_format: FileFormat, kind: str) -> None:
    with pytest.raises(SettingsInvalid, match=f"{file_format} cannot hold {kind}; write csv or remove them"):
        write_files(simulated_feed(faults=((kind, 1),)), FRIDAY, FRIDAY, str(tmp_path), format=file_format)


@pytest.mark.parametrize(
    "options", [{"format": "xlsx"}, {"compression": "bz2"}, {"format": "parquet", "compression": "gz"}]
)
def test_unknown_formats_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(SettingsInvalid, match="is not written; use "):
        write_files(simulated_feed(), FRIDAY, FRIDAY, str(tmp_path), **options)
