"""Sources looked at again: their state, their rows' text, their rows."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marketdata_pipelines.domain.feeds import Feed, SourceKind, SourceSpec
from marketdata_pipelines.pipeline.acquire import acquire
from marketdata_pipelines.pipeline.receipts import sources as receipts_sources
from marketdata_pipelines.pipeline.receipts.explaining import Explainer
from marketdata_pipelines.pipeline.receipts.records import Receipt, SourceText, TextOrigin
from marketdata_pipelines.pipeline.receipts.sources import RowSources
from marketdata_pipelines.stores.lake.catalog import StandingPart
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import LATER, make_feed, us, walk_stale
from marketdata_pipelines_tests.pipeline.receipt_lakes import explain, load, minutes_feed, row, write_lines
from marketdata_pipelines_tests.sources.exchange.exchanges import exchange_up, pull_all, pulled_feed
from marketdata_pipelines_tests.sources.files.test_excel import workbook

BARS = [("A", f"2024-03-08T14:{minute}:00Z", 10.0, 10.5, 9.5, 10.25, 100.0) for minute in (30, 31)]
NAMES = ("symbol", "timestamp", "open", "high", "low", "close", "volume")


def first_text(receipt: Receipt) -> SourceText:
    raw = receipt.base[0].raw
    assert raw is not None
    return raw.source


def only_part(lake: Lake) -> StandingPart:
    return lake.catalog.standing_parts("feed")[0]


def test_rows_without_lines_show_their_cells(lake: Lake, tmp_path: Path) -> None:
    feed = minutes_feed()
    pq.write_table(pa.Table.from_pylist([dict(zip(NAMES, bar, strict=True)) for bar in BARS]), tmp_path / "a.parquet")
    load(lake, feed, str(tmp_path / "a.parquet"))

    text = first_text(explain(lake, feed, "A", "2024-03-08 14:31"))

    assert text.origin is TextOrigin.FILE
    assert json.loads(text.text or "") == dict(zip(NAMES, BARS[1], strict=True))


def test_records_of_a_json_document_show_as_they_are(lake: Lake, tmp_path: Path) -> None:
    feed, records = minutes_feed(), [dict(zip(NAMES, bar, strict=True)) for bar in BARS]
    (tmp_path / "a.json").write_text(json.dumps(records))
    load(lake, feed, str(tmp_path / "a.json"))

    text = first_text(explain(lake, feed, "A", "2024-03-08 14:31"))

    assert json.loads(text.text or "") == records[1]


def test_rows_of_a_workbook_show_their_cells_and_their_row_in_the_sheet(lake: Lake, tmp_path: Path) -> None:
    feed, book = minutes_feed(), workbook(A=[["made by a vendor"], NAMES, *BARS])
    (tmp_path / "a.xlsx").write_bytes(book)
    load(lake, feed, str(tmp_path / "a.xlsx"))

    raw = explain(lake, feed, "A", "2024-03-08 14:31").base[0].raw

    assert raw is not None
    assert (raw.line, raw.source.text) == (4, "A,2024-03-08T14:31:00Z,10.0,10.5,9.5,10.25,100.0")


def test_text_that_was_kept_needs_no_file(lake: Lake, tmp_path: Path) -> None:
    feed, bad = minutes_feed(), row("A", 0, -1)
    path = Path(write_lines(tmp_path, "a.csv", row("A", 0), bad))
    load(lake, feed, str(path))
    path.unlink()

    lost = explain(lake, feed, "A", "2024-03-08 14:30").base[0].lost[0]

    assert lost.source == SourceText(bad, TextOrigin.KEPT)


def simulated() -> Feed:
    return replace(make_feed(), source=SourceSpec(SourceKind.SIMULATED, symbols=("A", "B"), seed=3))


def test_a_simulated_row_is_made_again(lake: Lake) -> None:
    feed = simulated()
    acquire(lake, feed, None, ["2024-07-03"], run_id="r", now_us=LATER)
    walk_stale(lake, feed)
    explainer = Explainer(lake, feed)

    receipt = explainer.explain("A", us("2024-07-03 13:30"), "5m")

    text = first_text(receipt)
    assert text.origin is TextOrigin.MADE_AGAIN
    assert (text.text or "").startswith("A,2024-07-03T13:30:00Z,")
    assert explainer.verify(receipt).checked[2:] == (
        "feed-2024-07-03.csv: made again", "5 rows of feed-2024-07-03.csv read again",
    )  # fmt: skip


def test_a_simulated_feed_of_another_seed_makes_another_content(lake: Lake) -> None:
    feed = simulated()
    acquire(lake, feed, None, ["2024-07-03"], run_id="r", now_us=LATER)
    other = replace(feed, source=replace(feed.source, seed=4))

    state = RowSources(lake, other).state(only_part(lake))

    assert (state.same, state.text) == (False, "the feed makes another content today")


def test_a_row_of_the_packaged_sample_is_made_again(lake: Lake) -> None:
    pytest.importorskip("bokeh_sampledata")
    feed = replace(make_feed("XNYS", "1d"), source=SourceSpec(SourceKind.SAMPLE, symbols=("IBM",)))
    acquire(lake, feed, None, [], run_id="r", now_us=LATER)
    walk_stale(lake, feed)
    explainer = Explainer(lake, feed)

    receipt = explainer.explain("IBM", us("2012-09-21 00:00"), "1w")

    assert (first_text(receipt).text or "").startswith("IBM,2012-09-17,")
    assert explainer.verify(receipt).unchecked == ()


def test_a_pulled_row_shows_what_the_vendor_wrote_and_is_read_again_from_it(lake: Lake) -> None:
    with exchange_up() as served:
        feed = pulled_feed(served.url)
        pull_all(lake, feed, ["2024-07-03"], served.clock)
    walk_stale(lake, feed)
    explainer = Explainer(lake, feed)

    receipt = explainer.explain("A", us("2024-07-03 13:35"), "5m")

    text, verification = first_text(receipt), explainer.verify(receipt)
    assert text.origin is TextOrigin.ANSWER
    assert json.loads(text.text or "")["ts"] == "2024-07-03T13:35:00Z"
    assert "hashes match" in receipt.parts[0].source_state
    assert (verification.equal, verification.unchecked) == (True, ())
    assert verification.checked[-1] == "5 rows of feed-2024-07-03 read again"


def test_answers_that_were_removed_are_said_to_be(lake: Lake) -> None:
    with exchange_up() as served:
        feed = pulled_feed(served.url)
        pull_all(lake, feed, ["2024-07-03"], served.clock)
    walk_stale(lake, feed)
    for path in (lake.layout.root / "origins").rglob("*.zst"):
        path.unlink()

    text = first_text(explain(lake, feed, "A", "2024-07-03 13:35"))

    assert text.text is None
    assert "its vendor's answers were removed" in text.note


def test_a_large_file_is_known_by_size_and_time_until_it_is_verified(lake: Lake, tmp_path: Path) -> None:
    feed = minutes_feed()
    path = write_lines(tmp_path, "a.csv", row("A", 0))
    load(lake, feed, path, known_at="2024-03-10 00:00")
    sources, part = RowSources(lake, feed), only_part(lake)

    os.utime(path, ns=(0, us("2024-03-09 00:00") * 1000))
    untouched = sources.state(part, limit_bytes=10)
    os.utime(path, ns=(0, us("2024-03-11 00:00") * 1000))
    touched = sources.state(part, limit_bytes=10)

    assert untouched.same is True
    assert untouched.text == "size and time unchanged; too much to hash in passing (--verify does)"
    assert touched.same is None
    assert touched.text == "size unchanged, written to since; too much to hash in passing (--verify does)"
    assert sources.state(part, limit_bytes=None).text == "SHA-256 matches"


def test_a_line_far_into_a_packed_file_is_left_out_unless_there_is_time(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = minutes_feed()
    lines = [row("A", minute, 10 + minute) for minute in range(200)]
    load(lake, feed, write_lines(tmp_path, "a.csv.gz", *lines))
    monkeypatch.setitem(receipts_sources._UNFOLDED_LIMIT, "gz", 0)

    hurried = first_text(explain(lake, feed, "A", "2024-03-08 16:00"))
    patient = first_text(explain(lake, feed, "A", "2024-03-08 16:00", patient=True))

    assert hurried.note == "it lies too far into the file to be read in passing; --verify reads it"
    assert patient.text == lines[90]


def test_files_at_a_url_are_left_alone_until_they_are_verified(lake: Lake, tmp_path: Path) -> None:
    feed = minutes_feed()
    url = f"file://{write_lines(tmp_path, 'a.csv', row('A', 0))}"
    load(lake, feed, url)
    explainer = Explainer(lake, feed)

    receipt = explainer.explain("A", us("2024-03-08 14:30"))

    assert first_text(receipt).note == "at a URL; not looked at (--verify reads it)"
    assert explainer.verify(receipt).checked[2:] == ("a.csv: SHA-256 matches", "1 row of a.csv read again")
