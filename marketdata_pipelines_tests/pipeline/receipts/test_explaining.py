"""Receipts: from a bar back to the lines it was made of."""

from datetime import UTC, datetime, time
from pathlib import Path

import pytest

from marketdata_pipelines.domain.feeds import DataKind, TradeFilter
from marketdata_pipelines.errors import PartitionMissing, SettingsInvalid
from marketdata_pipelines.pipeline.ingest import IngestMode
from marketdata_pipelines.pipeline.receipts.explaining import Explainer
from marketdata_pipelines.pipeline.receipts.records import BaseBar, RawRow, Receipt
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import make_feed, us
from marketdata_pipelines_tests.pipeline.receipt_lakes import OPEN, explain, load, minutes_feed, row, write_lines


def raw(bar: BaseBar) -> RawRow:
    assert bar.raw is not None
    return bar.raw


def places(receipt: Receipt) -> list[tuple[str, int | None, str | None]]:
    """File, line and text of each base bar's own row."""
    return [(raw(bar).file, raw(bar).line, raw(bar).source.text) for bar in receipt.base]


def test_a_bucket_leads_to_its_base_bars_their_lines_and_their_text(lake: Lake, tmp_path: Path) -> None:
    feed, rows = minutes_feed(), [row("A", minute, 10 + minute) for minute in range(7)]
    load(lake, feed, write_lines(tmp_path, "a.csv", *rows))

    receipt = explain(lake, feed, "A", "2024-03-08 14:33", "5m")

    assert (receipt.table, receipt.partition, receipt.bar["ts"]) == (
        "bars_5m", "2024-03-08", datetime(2024, 3, 8, 14, 30, tzinfo=UTC),
    )  # fmt: skip
    assert (receipt.base_bars, receipt.omitted, receipt.follows) == (5, 0, True)
    assert places(receipt) == [("a.csv", minute + 2, rows[minute]) for minute in range(5)]
    assert [bar.values["open"] for bar in receipt.base] == [10.0, 11.0, 12.0, 13.0, 14.0]


def test_a_receipt_names_the_partition_its_checks_and_the_ingest(lake: Lake, tmp_path: Path) -> None:
    feed = minutes_feed()
    path = write_lines(tmp_path, "a.csv", row("A", 0), row("A", 1, price=-1))
    load(lake, feed, path)

    receipt = explain(lake, feed, "A", "2024-03-08 14:30")

    partition, part = receipt.partitions[0], receipt.parts[0]
    assert (partition.key, partition.raw_rows, partition.accepted_rows, partition.rejected_rows) == (
        "2024-03-08", 2, 1, 1,
    )  # fmt: skip
    assert [check.passed for check in partition.checks] == [True] * 6
    stored = lake.catalog.stored_partition("validated_bars", "feed", "2024-03-08")
    assert partition.file is not None
    assert stored is not None
    assert (partition.file.inputs, partition.file.path, partition.file.rows) == (stored.inputs, stored.path, 1)
    assert (part.seq, part.run_id, part.mode, part.status, part.rows) == (1, "run", "upsert", "accepted", 2)
    assert (part.source_path, part.source_state) == (path, "SHA-256 matches")
    assert part.known_at == datetime(2024, 3, 10, tzinfo=UTC)
    assert not any(version.differs for version in (*part.versions, *partition.file.versions))


@pytest.mark.parametrize(("name", "end"), [("a.csv", "\r\n"), ("a.csv.gz", "\n"), ("a.csv", "\r")])
def test_lines_are_found_whatever_ends_and_packs_them(lake: Lake, tmp_path: Path, name: str, end: str) -> None:
    feed, rows = minutes_feed(), [row("A", minute) for minute in range(3)]
    load(lake, feed, write_lines(tmp_path, name, "", *rows, end=end))

    assert places(explain(lake, feed, "A", "2024-03-08 14:31")) == [(name, 4, rows[1])]


def test_a_quoted_line_break_spoils_its_lines_and_shifts_none_behind_them(lake: Lake, tmp_path: Path) -> None:
    feed, good = minutes_feed(), row("A", 5)
    load(lake, feed, write_lines(tmp_path, "a.csv", row("A", 0), 'A,"2024-03-08', f'T14:31",{good}', good))

    assert places(explain(lake, feed, "A", "2024-03-08 14:35")) == [("a.csv", 5, good)]


def test_rows_that_lost_are_told_with_their_reasons(lake: Lake, tmp_path: Path) -> None:
    feed = minutes_feed()
    first = [row("A", 0, 10), row("A", 0, 11), row("A", 1)]
    load(lake, feed, write_lines(tmp_path, "a.csv", *first), known_at="2024-03-09 00:00")
    load(lake, feed, write_lines(tmp_path, "b.csv", row("A", 0, 12), row("A", 0, -3)), known_at="2024-03-10 00:00")

    bar = explain(lake, feed, "A", "2024-03-08 14:30").base[0]

    assert (raw(bar).file, raw(bar).line, bar.values["open"]) == ("b.csv", 2, 12.0)
    assert [(lost.file, lost.line, lost.rules, lost.source.text) for lost in bar.lost] == [
        ("a.csv", 2, "superseded", first[0]),
        ("a.csv", 3, "duplicate_conflict", first[1]),
        ("b.csv", 3, "price_not_positive", row("A", 0, -3)),
    ]


def test_what_a_replaced_window_deletes_is_no_bar_any_more_but_was_one(lake: Lake, tmp_path: Path) -> None:
    feed = minutes_feed()
    rows = [row("A", minute) for minute in range(3)]
    load(lake, feed, write_lines(tmp_path, "a.csv", *rows), known_at="2024-03-09 00:00")
    shorter = write_lines(tmp_path, "b.csv", rows[0], rows[2])
    load(lake, feed, shorter, known_at="2024-03-10 00:00", mode=IngestMode.REPLACE_WINDOW)

    with pytest.raises(
        PartitionMissing, match="no 1m bar of A at 2024-03-08T14:31:00Z; the nearest are at 2024-03-08T14:30:00Z"
    ):
        explain(lake, feed, "A", "2024-03-08 14:31")
    before = explain(lake, feed, "A", "2024-03-08 14:31", as_of_us=us("2024-03-09 12:00"))

    assert places(before) == [("a.csv", 3, rows[1])]
    assert [part.file for part in explain(lake, feed, "A", "2024-03-08 14:32", "5m").parts] == ["a.csv", "b.csv"]


def test_as_of_an_earlier_instant_the_earlier_row_stands(lake: Lake, tmp_path: Path) -> None:
    feed = minutes_feed()
    load(lake, feed, write_lines(tmp_path, "a.csv", row("A", 0, 10)), known_at="2024-03-09 00:00")
    load(lake, feed, write_lines(tmp_path, "b.csv", row("A", 0, 12)), known_at="2024-03-10 00:00")

    receipt = explain(lake, feed, "A", "2024-03-08 14:30", "1h", as_of_us=us("2024-03-09 12:00"))

    assert (receipt.bar["open"], receipt.file, receipt.follows) == (10.0, None, True)
    assert (raw(receipt.base[0]).file, receipt.base[0].lost, len(receipt.parts)) == ("a.csv", (), 1)


def test_extended_hours_are_explained_for_the_base_interval_and_in_no_bucket(lake: Lake, tmp_path: Path) -> None:
    feed = minutes_feed(extended_hours=(time(4), time(20)))
    early = "A,2024-03-08T12:00:00Z,10,10.5,9.5,10,100"
    load(lake, feed, write_lines(tmp_path, "a.csv", early, row("A", 0)))

    receipt = explain(lake, feed, "A", "2024-03-08 12:00")

    assert (receipt.bar["regular"], places(receipt)) == (False, [("a.csv", 2, early)])
    assert explain(lake, feed, "A", "2024-03-08 14:30", "1d").base_bars == 1
    with pytest.raises(PartitionMissing, match="no 5m bar of A at 2024-03-08T12:00:00Z"):
        explain(lake, feed, "A", "2024-03-08 12:00", "5m")


# Sessions pair up from 1998-01-02 on: the 5th with the 6th of March 2024.
@pytest.mark.parametrize(("timeframe", "label"), [("2d", "2024-03-05"), ("1w", "2024-03-04"), ("1M", "2024-03-01")])
def test_buckets_of_several_days_reach_over_their_partitions(
    lake: Lake, tmp_path: Path, timeframe: str, label: str
) -> None:
    feed = minutes_feed()
    rows = [row("A", minute, day=f"2024-03-0{day}") for day in (5, 6) for minute in range(2)]
    load(lake, feed, write_lines(tmp_path, "a.csv", *rows))

    receipt = explain(lake, feed, "A", "2024-03-06 00:00", timeframe)

    assert (receipt.bar["ts"], receipt.base_bars) == (datetime.fromisoformat(f"{label}T00:00Z"), 4)
    assert [partition.key for partition in receipt.partitions] == ["2024-03-05", "2024-03-06"]
    assert [part.partition for part in receipt.parts] == ["2024-03-05", "2024-03-06"]
    assert [place[1] for place in places(receipt)] == [2, 3, 4, 5]
    assert explain(lake, feed, "A", "2024-03-05 15:00", timeframe).bar == receipt.bar


@pytest.mark.parametrize(("interval", "partition"), [("1h", "2024-03-01"), ("1d", "2024-01-01")])
def test_partitions_of_a_month_or_a_year_are_explained(
    lake: Lake, tmp_path: Path, interval: str, partition: str
) -> None:
    feed = make_feed("24/7", interval)
    rows = [f"A,2024-03-0{day}T00:00:00Z,10,11,9,10,{day}" for day in (4, 5)]
    load(lake, feed, write_lines(tmp_path, "a.csv", *rows))

    receipt = explain(lake, feed, "A", "2024-03-05 00:00", "1w")

    assert [proof.key for proof in receipt.partitions] == [partition]
    assert [place[1] for place in places(receipt)] == [2, 3]


@pytest.mark.parametrize(
    ("listed", "lines"), [(5, [2, 3, 4, 60, 61]), (2, [2, 61]), (1, [2]), (0, []), (None, list(range(2, 62)))]
)
def test_only_the_ends_of_a_long_bucket_are_listed_unless_all_are_asked_for(
    lake: Lake, tmp_path: Path, listed: int | None, lines: list[int]
) -> None:
    feed = minutes_feed()
    load(lake, feed, write_lines(tmp_path, "a.csv", *[row("A", minute) for minute in range(60)]))

    receipt = explain(lake, feed, "A", "2024-03-08 14:30", "1d", listed=listed)

    assert (receipt.base_bars, receipt.omitted) == (60, 60 - len(lines))
    assert [place[1] for place in places(receipt)] == lines


def test_bars_made_of_trades_lead_to_the_trades_that_made_them(lake: Lake, tmp_path: Path) -> None:
    left_out = TradeFilter(ohlc_exclude_conditions=("odd",), exclude_exchanges=("X",))
    feed = make_feed("24/7", "1m", data=DataKind.TRADES, trade_filter=left_out)
    at = "2024-03-08T14:30"
    lines = [
        f"A,{at}:05.5Z,10.5,1,N,",
        f"A,{at}:01.25Z,10,1,N,",
        f"A,{at}:03Z,99,2,N,odd",
        f"A,{at}:03Z,98,2,X,",
        f"A,{at}:04Z,9,1,N,",
        f"A,{at}:06Z,-1,1,N,",
        "A,2024-03-08T14:31:00Z,50,1,N,",
    ]
    header = "symbol,timestamp,price,size,exchange,conditions"
    load(lake, feed, write_lines(tmp_path, "t.csv", *lines, header=header))

    bar = explain(lake, feed, "A", "2024-03-08 14:30").base[0]

    trades = bar.trades
    assert trades is not None
    assert (trades.trades, trades.counted, trades.volume_only, trades.left_out, trades.rejected) == (5, 3, 1, 1, 1)
    ends = (trades.first, trades.last, trades.high, trades.low)
    assert [(end.line, end.source.text) for end in ends] == [(3, lines[1]), (2, lines[0]), (2, lines[0]), (6, lines[4])]
    assert (bar.values["open"], bar.values["close"], bar.values["volume"]) == (10.0, 10.5, 5.0)


def test_a_file_that_is_gone_or_changed_leaves_the_parsed_fields_and_says_so(lake: Lake, tmp_path: Path) -> None:
    feed = minutes_feed()
    gone, changed = (write_lines(tmp_path, name, row(name[0], 0)) for name in ("a.csv", "b.csv"))
    load(lake, feed, gone, changed)
    Path(gone).unlink()
    Path(changed).write_text(Path(changed).read_text().replace("100", "101"))

    bars = [explain(lake, feed, symbol, "2024-03-08 14:30").base[0] for symbol in ("a", "b")]

    assert [raw(bar).source.text for bar in bars] == [None, None]
    assert raw(bars[0]).source.note == "the file is not there any more"
    assert raw(bars[1]).source.note == "the file has changed: its SHA-256 is another"
    assert raw(bars[0]).values["open"] == 10.0


def test_what_is_stored_but_behind_is_said_to_be(lake: Lake, tmp_path: Path) -> None:
    feed = minutes_feed()
    load(lake, feed, write_lines(tmp_path, "a.csv", row("A", 0, 10)), known_at="2024-03-09 00:00")
    newer = write_lines(tmp_path, "b.csv", row("A", 0, 12))
    load(lake, feed, newer, known_at="2024-03-10 00:00", walk=False)

    receipt = explain(lake, feed, "A", "2024-03-08 14:30", "5m")

    assert (receipt.follows, receipt.partitions[0].follows, receipt.bar["open"]) == (False, False, 10.0)


def test_a_timeframe_the_feed_does_not_have_is_a_wrong_question(lake: Lake) -> None:
    with pytest.raises(SettingsInvalid, match="feed has no '1s' bars; there: 1m, 5m"):
        Explainer(lake, minutes_feed()).explain("A", us(OPEN), "1s")
