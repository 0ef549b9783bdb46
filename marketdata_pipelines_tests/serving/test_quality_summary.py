"""A feed's quality over a range in one record."""

import pyarrow as pa
import pytest

from marketdata_pipelines.domain.bars import REJECTED_SCHEMA
from marketdata_pipelines.domain.quality.disputes import DISPUTE_SCHEMA
from marketdata_pipelines.domain.quality.records import QUALITY_DISPUTES
from marketdata_pipelines.domain.tables import REJECTED_BARS
from marketdata_pipelines.errors import PartitionMissing
from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines.stores.lake.lake import TableWrite
from marketdata_pipelines_tests.builders import day, make_home, us
from marketdata_pipelines_tests.quality_tables import finding, scored, store_quality

FEEDS = """
feeds:
  us: {source: landing, interval: 1m, calendar: XNYS}
  hourly: {source: landing, interval: 1h, calendar: XNYS}
"""
THURSDAY, FRIDAY, MONDAY = "2024-03-07", "2024-03-08", "2024-03-11"


def rejected(rules: str, ts: str, symbol: str = "A", row: int = 1) -> dict[str, object]:
    return {
        "file": "a.csv", "line": row + 1, "row": row, "symbol": symbol, "ts": us(ts), "rules": rules, "original": "",
        "part": "p",
    }  # fmt: skip


def store(reader: LakeReader, feed: str, key: str, name: str, rows: list[dict[str, object]], schema: pa.Schema) -> None:
    table = pa.Table.from_pylist(rows, schema=schema)
    reader.lake.store(feed, [TableWrite(name, key, table, "digest", None)], {})


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> LakeReader:
    """Three sessions by day, the last one withheld; two months of an hourly feed."""
    found = LakeReader(make_home(tmp_path_factory.mktemp("data"), FEEDS))
    store_quality(found.lake, "us", THURSDAY, [scored(None, THURSDAY, 80.0), scored("A", THURSDAY, 80.0)])
    store_quality(
        found.lake, "us", FRIDAY, [scored(None, FRIDAY, 90.0), scored("A", FRIDAY, 95.0), scored("B", FRIDAY, 85.0)],
        [
            finding("bad_wick", FRIDAY, "A", "2024-03-08 15:00"),
            finding("bad_wick", FRIDAY, "B", "2024-03-08 14:40", file="b.csv", line=9),
            finding("bad_wick", FRIDAY, "B", "2024-03-08 14:50", standing=False),
        ],
    )  # fmt: skip
    blocks = [
        finding("long_gap", MONDAY, symbol, severity="block", message=f"{at} bars are missing")
        for at, symbol in enumerate("ABCDE", 20)
    ]
    store_quality(
        found.lake, "us", MONDAY, [scored(None, MONDAY, 29.0, blocked=True), scored("A", MONDAY, 29.0)], blocks
    )
    bad = [
        rejected("high_below_low", "2024-03-08 15:00", row=7),
        rejected("high_below_low;off_interval", "2024-03-08 15:01", "B", row=3),
        rejected("superseded", "2024-03-08 15:02", row=4),
    ]
    store(found, "us", FRIDAY, REJECTED_BARS, bad, REJECTED_SCHEMA)
    disputes = [{"symbol": symbol, "session_date": day(FRIDAY)} for symbol in "AAB"]
    store(found, "us", FRIDAY, QUALITY_DISPUTES, disputes, DISPUTE_SCHEMA)
    store_quality(
        found.lake, "hourly", "2024-01-01", [scored(None, "2024-01-31", 60.0), scored(None, "2024-01-30", 1.0)]
    )
    store_quality(
        found.lake, "hourly", "2024-02-01", [scored(None, "2024-02-01", 70.0), scored(None, "2024-02-02", 75.0)]
    )
    march = [
        rejected("future", "2024-02-01 15:00", row=1),
        rejected("future", "2024-02-02 15:00", row=2),
        rejected("future", "2024-02-28 15:00", row=3),
    ]
    store(found, "hourly", "2024-02-01", REJECTED_BARS, march, REJECTED_SCHEMA)
    return found


def test_the_latest_session_is_set_beside_the_one_before(reader: LakeReader) -> None:
    found = reader.quality_summary("us", end=FRIDAY)

    assert (found.score, found.level, found.grade) == (85.0, "Good", "B")
    assert (found.first, found.last, found.sessions, found.symbols) == (day(THURSDAY), day(FRIDAY), 2, 2)
    assert found.before is not None
    assert (found.latest.score, found.before.score, found.change) == (90.0, 80.0, 10.0)


def test_the_session_before_may_lie_outside_the_range_and_in_another_partition(reader: LakeReader) -> None:
    friday = reader.quality_summary("us", FRIDAY, FRIDAY).before
    february = reader.quality_summary("hourly", "2024-02-01", "2024-02-01").before
    second = reader.quality_summary("hourly", "2024-02-02", "2024-02-02").before

    assert [each.score for each in (friday, february, second) if each is not None] == [80.0, 60.0, 70.0]
    assert reader.quality_summary("us", THURSDAY, THURSDAY).before is None


def test_some_symbols_are_summed_up_by_themselves(reader: LakeReader) -> None:
    found = reader.quality_summary("us", FRIDAY, FRIDAY, ["B"])

    assert (found.score, found.symbols, found.disputes) == (85.0, 1, 1)
    assert [(each.rule, each.rows) for each in found.rejected] == [("high_below_low", 1), ("off_interval", 1)]
    with pytest.raises(PartitionMissing, match="us has no scores of Z in that range; see which symbols there are"):
        reader.quality_summary("us", symbols=["Z"])


def test_findings_that_stand_are_counted_by_rule_with_the_earliest(reader: LakeReader) -> None:
    found = reader.quality_summary("us", FRIDAY, FRIDAY)

    (wicks,) = found.rules
    assert (wicks.rule, wicks.findings, wicks.symbols, wicks.sessions) == ("bad_wick", 2, 2, 1)
    assert (wicks.first_symbol, wicks.first_at, wicks.first_line) == ("B", "2024-03-08T14:40:00Z", 9)
    assert found.superseded_findings == 1


def test_a_row_counts_for_each_rule_it_broke_and_replaced_ones_for_none(reader: LakeReader) -> None:
    found = reader.quality_summary("us", FRIDAY, FRIDAY).rejected

    assert [(each.rule, each.rows, each.line) for each in found] == [("high_below_low", 2, 8), ("off_interval", 1, 4)]


def test_rejected_rows_of_a_month_are_those_around_the_dates(reader: LakeReader) -> None:
    (future,) = reader.quality_summary("hourly", "2024-02-01", "2024-02-02").rejected

    assert (future.rule, future.rows) == ("future", 2)


def test_a_blocked_partition_says_why(reader: LakeReader) -> None:
    found = reader.quality_summary("us")

    (blocked,) = found.blocked
    assert blocked.partition == MONDAY
    assert blocked.reason == (
        "long_gap: A 20 bars are missing; long_gap: B 21 bars are missing; long_gap: C 22 bars are missing; 2 more"
    )


def test_whether_anything_blocks_does_not_depend_on_what_is_asked_of_it(reader: LakeReader) -> None:
    assert reader.quality_summary("us").blocking
    assert reader.quality_summary("us", severity="warn").blocking
    assert reader.quality_summary("us", rule="bad_wick").blocking
    assert not reader.quality_summary("us", end=FRIDAY).blocking


def test_disputes_are_counted_by_date(reader: LakeReader) -> None:
    assert reader.quality_summary("us").disputes == 3
    assert reader.quality_summary("us", MONDAY).disputes == 0


def test_the_document_has_plain_values_only(reader: LakeReader) -> None:
    document = reader.quality_summary("us", FRIDAY).document()

    assert (document["first"], document["latest"]["session"], document["change"]) == (FRIDAY, MONDAY, -61.0)
    assert document["blocked"][0]["partition"] == MONDAY
    assert document["blocking"] is True
