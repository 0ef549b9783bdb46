"""Which table a timeframe is read from, and what the text of a statement depends on."""

from datetime import UTC, date, datetime

import pytest

from marketdata_pipelines.stores.timescale.read_bounds import ReadRange
from marketdata_pipelines.stores.timescale.read_statements import Which, bucket_source, ledger_table, packed_text
from marketdata_pipelines_tests.builders import make_feed


@pytest.mark.parametrize(
    ("interval", "timeframe", "table"),
    [
        ("1s", "1m", "bars"),
        ("1s", "5m", "rollup_5m"),
        ("1m", "5m", "rollup_5m"),
        ("1m", "15m", "rollup_5m"),
        ("1m", "30m", "rollup_5m"),
        ("1m", "1h", "rollup_1h"),
        ("1m", "12h", "rollup_1h"),
        ("15m", "30m", "bars"),
        ("15m", "2h", "rollup_1h"),
        ("1h", "4h", "bars"),
    ],
)
def test_buckets_come_from_the_coarsest_table_that_they_are_made_of(interval: str, timeframe: str, table: str) -> None:
    feed = make_feed("XNYS", interval)

    assert bucket_source(feed, timeframe, rolled=True) == table
    assert bucket_source(feed, timeframe, rolled=False) == "bars"


def test_rollups_are_published_with_the_bars_they_are_made_of() -> None:
    feed = make_feed("XNYS", "1m")

    assert [ledger_table(feed, name) for name in ("1m", "5m", "1d", "1M")] == [
        "validated_bars", "validated_bars", "bars_1d", "bars_1mo",
    ]  # fmt: skip
    assert ledger_table(make_feed("XNYS", "1d"), "1d") == "validated_bars"


def test_ranges_of_one_shape_have_one_text() -> None:
    feed = make_feed("XNYS", "1m")
    march = ReadRange(date(2024, 3, 1), None, None, datetime(2024, 3, 8, 15, tzinfo=UTC))
    july = ReadRange(date(2024, 7, 1), None, None, datetime(2024, 7, 8, 15, tzinfo=UTC))

    texts = {packed_text(Which(feed, "5m", wanted.shape, True), "bars") for wanted in (march, july)}

    assert len(texts) == 1
    assert texts != {packed_text(Which(feed, "5m", ReadRange(start_date=date(2024, 3, 1)).shape, True), "bars")}


def test_names_of_feeds_are_quoted() -> None:
    feed = make_feed("XNYS", "1m", name='odd"name')

    assert '"odd""name"."bars"' in packed_text(Which(feed, "1m", ReadRange(), False), "bars")
