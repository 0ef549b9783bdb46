"""Receipts asked for in words, and as documents."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.pipeline.receipts.records import Difference, Verification
from marketdata_pipelines.serving.explaining import (
    bar_instant_us,
    explain_and_verify,
    explain_bar,
    receipt_document,
)
from marketdata_pipelines.serving.ranges import Moment
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import us
from marketdata_pipelines_tests.pipeline.receipt_lakes import load, minutes_feed, row, write_lines

OPEN = "2024-03-08 14:30"


@pytest.mark.parametrize(
    "value",
    [
        "2024-03-08T14:30:00Z",
        "2024-03-08T14:30Z",
        "2024-03-08 14:30",
        "2024-03-08T09:30:00-05:00",
        datetime(2024, 3, 8, 14, 30),
        datetime(2024, 3, 8, 9, 30, tzinfo=timezone(timedelta(hours=-5))),
    ],
)
def test_an_instant_is_utc_unless_it_says_otherwise(value: Moment) -> None:
    assert bar_instant_us(value, "1m") == us(OPEN)


@pytest.mark.parametrize("value", ["2024-03-08", date(2024, 3, 8)])
def test_a_date_means_its_label_from_a_day_on(value: Moment) -> None:
    assert bar_instant_us(value, "1d") == bar_instant_us(value, "1M") == us("2024-03-08 00:00")
    with pytest.raises(SettingsInvalid, match="2024-03-08 is a date; 5m bars are asked for by a time such as"):
        bar_instant_us(value, "5m")


@pytest.mark.parametrize("value", ["yesterday", "2024-13-01", "2024-03-08T25:00Z", None])
def test_anything_else_is_a_wrong_question(value: Moment) -> None:
    with pytest.raises(SettingsInvalid):
        bar_instant_us(value, "1m")


def test_a_bar_is_explained_as_stored_and_as_known_earlier(lake: Lake, tmp_path: Path) -> None:
    feed = minutes_feed()
    load(lake, feed, write_lines(tmp_path, "a.csv", row("A", 0, 10)), known_at="2024-03-09 00:00")
    load(lake, feed, write_lines(tmp_path, "b.csv", row("A", 0, 12)), known_at="2024-03-10 00:00")

    now = explain_bar(lake, feed, "A", OPEN)
    then = explain_bar(lake, feed, "A", date(2024, 3, 8), "1d", "2024-03-09")

    assert (now.bar["open"], then.bar["open"], then.timeframe) == (12.0, 10.0, "1d")


def test_a_document_is_json_with_times_in_words(lake: Lake, tmp_path: Path) -> None:
    feed = minutes_feed()
    load(lake, feed, write_lines(tmp_path, "a.csv", row("A", 0, 10), row("A", 0, 10)))
    receipt, verification = explain_and_verify(lake, feed, "A", OPEN, "5m")

    document = json.loads(json.dumps(receipt_document(receipt, verification)))

    assert (document["ts"], document["first_ts"], document["as_of"]) == ("2024-03-08T14:30:00Z",) * 2 + (None,)
    assert (document["bar"]["ts_close"], document["bar"]["session_date"]) == ("2024-03-08T14:35:00Z", "2024-03-08")
    base = document["base"][0]
    assert (base["raw"]["line"], base["raw"]["source"]["text"]) == (2, row("A", 0, 10))
    assert [lost["rules"] for lost in base["lost"]] == ["duplicate_exact"]
    assert document["parts"][0]["known_at"] == "2024-03-10T00:00:00Z"
    assert document["partitions"][0]["checks"][0]["passed"] is True
    assert document["verification"]["equal"] is True


def test_a_documents_differences_keep_every_digit(lake: Lake, tmp_path: Path) -> None:
    feed = minutes_feed()
    load(lake, feed, write_lines(tmp_path, "a.csv", row("A", 0)))
    found = Verification((Difference("bar", "open", 0.1 + 0.2, datetime(2024, 3, 8, tzinfo=UTC)),), ("bar",))

    document = receipt_document(explain_bar(lake, feed, "A", OPEN), found)

    assert document["verification"]["differences"] == [
        {"where": "bar", "field": "open", "found": 0.30000000000000004, "expected": "2024-03-08T00:00:00Z"}
    ]
