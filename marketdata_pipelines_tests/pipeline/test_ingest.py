"""Files into raw parts and the ledger."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from marketdata_pipelines.domain.feeds import ClosingAuction, DataKind, PartitionBy, SourceKind, SourceSpec
from marketdata_pipelines.errors import SourceRejected, SourceUnavailable
from marketdata_pipelines.pipeline.ingest import IngestMode, IngestRun, SourceFile, ingest_files
from marketdata_pipelines.sources.parsed import Finding, TableChunk
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.lake.parquet import read_file, read_manifest
from marketdata_pipelines_tests.builders import (
    LATER,
    TableRead,
    bar,
    lake_files,
    make_feed,
    minutes,
    raw_bars,
    raw_trades,
    source_of,
    take_in,
    us,
)

FEED = make_feed()
TWO_DAYS = minutes("A", "2024-03-08 14:30", 5) + minutes("A", "2024-03-11 13:30", 3)


@dataclass(frozen=True, slots=True)
class Refused:
    """A reader that refuses its file, at once or after its first chunk."""

    after: tuple[TableChunk, ...] = ()
    error: type[Exception] = SourceRejected

    def __call__(self) -> tuple[object, tuple[Finding, ...]]:
        return self._chunks(), ()

    def _chunks(self) -> object:
        yield from self.after
        if self.error is SourceRejected:
            raise SourceRejected("bad.csv ends early; fetch it again", rule="compression_damaged")
        raise self.error("gone")


def refused(name: str, *, rows: int = 0, error: type[Exception] = SourceRejected) -> SourceFile:
    chunks = TableChunk(DataKind.BARS, raw_bars(minutes("A", "2024-03-08 14:30", rows)).drop_columns(["original"]))
    return SourceFile(name, name, f"sha-{name}", 1, Refused((chunks,) if rows else (), error))  # type: ignore[arg-type]


def test_a_file_becomes_one_raw_part_for_each_partition(lake: Lake) -> None:
    (report,) = take_in(lake, FEED, source_of("a.csv", TWO_DAYS))

    assert (report.status, report.rows, report.partitions) == ("accepted", 8, ("2024-03-08", "2024-03-11"))
    parts = lake.catalog.standing_parts("feed")
    assert [(item.part.partition, item.part.tbl, item.part.rows) for item in parts] == [
        ("2024-03-08", "raw_bars", 5), ("2024-03-11", "raw_bars", 3),
    ]  # fmt: skip
    path = lake.layout.root / parts[0].part.path
    assert read_file(path)["row"].to_pylist() == [1, 2, 3, 4, 5]
    assert read_manifest(path)["file"] == "a.csv"


def test_the_ledger_tells_what_differs_from_run_to_run(lake: Lake) -> None:
    take_in(lake, FEED, source_of("a.csv", TWO_DAYS), known_at="2024-03-12 08:00")

    (ingest,) = lake.catalog.ingests("feed")
    assert (ingest.file, ingest.sha256, ingest.status, ingest.rows) == ("a.csv", "sha-a.csv", "accepted", 8)
    assert ingest.known_at_us == us("2024-03-12 08:00")
    assert (ingest.first_ts_us, ingest.last_ts_us) == (us("2024-03-08 14:30"), us("2024-03-11 13:32"))
    assert (ingest.feed_version, ingest.parse_version) == (FEED.version, FEED.parse_version)
    assert ingest.calendar_version.startswith("XNYS-")


def test_a_content_is_taken_in_once_whatever_its_name(lake: Lake) -> None:
    again = replace(source_of("a.csv", TWO_DAYS), name="copy.csv")

    reports = take_in(lake, FEED, source_of("a.csv", TWO_DAYS), again)
    reports += take_in(lake, FEED, source_of("a.csv", TWO_DAYS))

    assert [report.status for report in reports] == ["accepted", "known", "known"]
    assert [report.partitions for report in reports[1:]] == [(), ()]
    assert [report.rows for report in reports] == [8, 8, 8]
    assert len(lake.catalog.ingests("feed")) == 1


def test_restart_reads_a_known_content_again(lake: Lake) -> None:
    take_in(lake, FEED, source_of("a.csv", TWO_DAYS), known_at=LATER)
    before = lake_files(lake)

    (report,) = take_in(lake, FEED, source_of("a.csv", TWO_DAYS), known_at=LATER + 1, restart=True)

    assert (report.status, report.partitions) == ("accepted", ("2024-03-08", "2024-03-11"))
    assert [item.ingest.seq for item in lake.catalog.standing_parts("feed")] == [2, 2]
    assert lake_files(lake) == before


def test_a_feed_read_another_way_takes_its_files_in_again(lake: Lake) -> None:
    source = source_of("a.csv", TWO_DAYS)
    take_in(lake, FEED, source)

    other_rules = take_in(lake, replace(FEED, closing_auction=ClosingAuction.OWN_BAR), source)
    other_reading = take_in(lake, replace(FEED, source=SourceSpec(SourceKind.FILES, timezone="UTC")), source)

    assert [report.status for report in other_rules + other_reading] == ["known", "accepted"]


def test_partitions_a_new_reading_no_longer_fills_have_changed_too(lake: Lake) -> None:
    take_in(lake, FEED, source_of("a.csv", TWO_DAYS))
    shorter = replace(source_of("a.csv", TWO_DAYS[:5]), sha256="sha-a.csv")

    (report,) = take_in(lake, FEED, shorter, restart=True)

    assert report.partitions == ("2024-03-08", "2024-03-11")
    assert [item.part.partition for item in lake.catalog.standing_parts("feed")] == ["2024-03-08"]


def test_a_refused_file_leaves_its_cause_and_no_rows(lake: Lake) -> None:
    (report,) = take_in(lake, FEED, refused("bad.csv", rows=5))

    assert (report.status, report.rule, report.rows) == ("refused", "compression_damaged", 0)
    assert report.message == "bad.csv ends early; fetch it again"
    assert lake.catalog.standing_parts("feed") == []
    assert lake_files(lake) == {}
    assert take_in(lake, FEED, refused("bad.csv"))[0].status == "refused"
    assert len(lake.catalog.ingests("feed")) == 1


def test_a_content_that_is_refused_on_a_second_reading_loses_its_rows(lake: Lake) -> None:
    take_in(lake, FEED, source_of("bad.csv", TWO_DAYS))

    (report,) = take_in(lake, FEED, refused("bad.csv"), restart=True)

    assert (report.status, report.partitions) == ("refused", ("2024-03-08", "2024-03-11"))
    assert lake.catalog.standing_parts("feed") == []


def test_a_refused_file_keeps_no_other_from_coming_in(lake: Lake) -> None:
    reports = take_in(
        lake, FEED, source_of("a.csv", TWO_DAYS), refused("bad.csv", rows=3), source_of("c.csv", TWO_DAYS)
    )

    assert [report.status for report in reports] == ["accepted", "refused", "accepted"]


def test_each_file_is_committed_before_its_report_is_given(lake: Lake) -> None:
    sources = [source_of("a.csv", TWO_DAYS), refused("gone.csv", error=SourceUnavailable)]
    run = IngestRun(run_id="run", clock=lambda: LATER)

    reports = ingest_files(lake, FEED, sources, run)

    assert next(reports).status == "accepted"
    with pytest.raises(SourceUnavailable):
        next(reports)
    assert [ingest.file for ingest in lake.catalog.ingests("feed")] == ["a.csv"]


def test_a_file_of_the_wrong_kind_is_refused(lake: Lake) -> None:
    feed = make_feed(data=DataKind.TRADES, interval="1s")

    (report,) = take_in(lake, feed, source_of("a.csv", TWO_DAYS))

    assert (report.status, report.rule) == ("refused", "wrong_kind")
    assert "set data: bars in feeds.yaml" in str(report.message)


def test_a_file_without_any_readable_time_is_refused(lake: Lake) -> None:
    rows = [bar("A", None, rules="unparsable_timestamp")] * 3

    reports = take_in(lake, FEED, source_of("a.csv", rows), source_of("empty.csv", []))

    assert [(report.status, report.rule) for report in reports] == [("refused", "unreadable_times")] * 2


def test_trades_are_kept_as_trades(lake: Lake) -> None:
    trades = raw_trades([("A", "2024-03-08 14:30:00.5", 10.0, 1.0), ("A", "2024-03-08 14:30:01", 11.0, 2.0)])

    take_in(lake, make_feed(interval="1s"), source_of("t.csv", trades))

    (part,) = lake.catalog.standing_parts("feed")
    assert (part.part.tbl, part.part.rows) == ("raw_trades", 2)
    assert read_file(lake.layout.root / part.part.path)["price"].to_pylist() == [10.0, 11.0]


def test_bad_rows_keep_their_source_text_and_good_ones_do_not(lake: Lake) -> None:
    rows = [bar("A", "2024-03-08 14:30"), bar("A", "2024-03-08 14:31", -1.0), bar("A", "2024-03-08 14:30")]

    take_in(lake, FEED, source_of("a.csv", rows))

    (part,) = lake.catalog.standing_parts("feed")
    originals = read_file(lake.layout.root / part.part.path)["original"].to_pylist()
    assert originals[0] is None
    assert originals[1].startswith("A,2024-03-08 14:31")
    assert originals[2].startswith("A,2024-03-08 14:30")


def test_every_row_is_counted_somewhere(lake: Lake) -> None:
    rows = [
        bar("A", None, rules="unparsable_timestamp"),
        bar("A", "2024-03-08 14:30"),
        bar("A", "2031-01-01 00:00"),
        bar("A", "2024-03-09 12:00"),
        bar("A", "2024-03-11 13:30"),
        bar("A", None, rules="footer_row"),
    ]

    (report,) = take_in(lake, FEED, source_of("a.csv", rows, chunk_rows=2))

    parts = {item.part.partition: item.part.rows for item in lake.catalog.standing_parts("feed")}
    assert report.rows == 6
    assert parts == {"2024-03-08": 4, "2024-03-11": 2}


def test_a_file_that_lies_wholly_on_closed_days_goes_to_the_session_before(lake: Lake) -> None:
    (report,) = take_in(lake, FEED, source_of("weekend.csv", [bar("A", "2024-03-09 15:00"), bar("A", None)]))

    assert (report.status, report.partitions, report.rows) == ("accepted", ("2024-03-08",), 2)


def test_replacing_a_window_tells_the_partitions_it_emptied(lake: Lake) -> None:
    take_in(lake, FEED, source_of("a.csv", TWO_DAYS + minutes("A", "2024-03-12 13:30", 2)))
    edges = minutes("A", "2024-03-08 14:30", 1) + minutes("A", "2024-03-12 13:30", 1)

    (report,) = take_in(lake, FEED, source_of("b.csv", edges), mode=IngestMode.REPLACE_WINDOW)

    assert report.partitions == ("2024-03-08", "2024-03-11", "2024-03-12")
    parts = {
        item.part.partition: item.part.rows for item in lake.catalog.standing_parts("feed") if item.ingest.seq == 2
    }
    assert parts == {"2024-03-08": 1, "2024-03-11": 0, "2024-03-12": 1}


def test_a_bad_row_does_not_widen_the_replaced_window(lake: Lake) -> None:
    take_in(lake, FEED, source_of("a.csv", TWO_DAYS))
    rows = [bar("A", "2024-03-04 15:00", -1.0), *minutes("A", "2024-03-11 13:30", 1), bar("A", "2024-03-11 22:00")]

    take_in(lake, FEED, source_of("b.csv", rows), mode=IngestMode.REPLACE_WINDOW)

    ingest = lake.catalog.ingests("feed")[1]
    assert (ingest.first_ts_us, ingest.last_ts_us) == (us("2024-03-11 13:30"), us("2024-03-11 13:30"))


def test_a_replacement_without_a_good_row_deletes_nothing(lake: Lake) -> None:
    take_in(lake, FEED, source_of("a.csv", TWO_DAYS))

    (report,) = take_in(
        lake, FEED, source_of("b.csv", [bar("A", "2024-03-11 13:30", -1.0)]), mode=IngestMode.REPLACE_WINDOW
    )

    assert report.partitions == ("2024-03-11",)
    assert lake.catalog.ingests("feed")[1].first_ts_us is None


def test_findings_are_recorded_and_reported(lake: Lake) -> None:
    finding = Finding("header_guessed", "a.csv has no header; pin source.columns")
    table = raw_bars(TWO_DAYS).drop_columns(["original"])
    read = TableRead((TableChunk(DataKind.BARS, table),), (finding,))

    (report,) = take_in(lake, FEED, SourceFile("a.csv", "a.csv", "s", 1, read))

    assert report.findings == (finding,)
    assert lake.catalog.ingests("feed")[0].findings == ((finding.rule, finding.text),)


def test_several_processes_make_the_same_parts_and_ledger(lake: Lake, tmp_path: Path) -> None:
    sources = [source_of(f"{n}.csv", minutes("A", f"2024-03-{n:02} 15:00", 40), chunk_rows=15) for n in (4, 5, 6, 7)]
    sources[2:2] = [refused("bad.csv"), sources[0]]
    alone = Lake(tmp_path / "alone")

    reports = take_in(lake, FEED, *sources, workers=2)

    assert reports == take_in(alone, FEED, *sources)
    assert [report.status for report in reports] == ["accepted", "accepted", "refused", "known", "accepted", "accepted"]
    assert lake_files(lake) == lake_files(alone)
    assert lake.catalog.ingests("feed") == alone.catalog.ingests("feed")
    assert not lake.layout.staging("feed").exists()


def test_partitions_of_another_partitioning_are_not_reported(lake: Lake) -> None:
    source = source_of("a.csv", TWO_DAYS)
    take_in(lake, FEED, source)

    (report,) = take_in(lake, replace(FEED, partition=PartitionBy.MONTH), source)

    assert report.partitions == ("2024-03-01",)
