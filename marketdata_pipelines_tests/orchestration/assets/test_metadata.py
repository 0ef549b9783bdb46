from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from dagster import TableMetadataValue
from dagster._serdes import serialize_value

from marketdata_pipelines.domain.rules import ROW_RULES
from marketdata_pipelines.domain.sketch import sketch_tables
from marketdata_pipelines.orchestration.assets.events import materialization
from marketdata_pipelines.orchestration.assets.metadata import (
    asset_metadata,
    check_metadata,
    markdown_table,
    records_table,
)
from marketdata_pipelines.pipeline.outcome import AssetResult, PartitionOutcome
from marketdata_pipelines.quality.outcome import CheckOutcome, Example
from marketdata_pipelines_tests.builders import bar_table, minutes

FIRST, LAST = datetime(2024, 5, 1, 13, 30, tzinfo=UTC), datetime(2024, 5, 1, 19, 59, tzinfo=UTC)
PREVIEW = pa.table({"symbol": ["AAA"], "ts": pa.array([FIRST], pa.timestamp("us", "UTC")), "close": [1.25]})
BY_RULE: Example = {"rule": "off_interval", "rows": 3, "because": "…", "first file": "a.csv", "line": 9}
REJECTED = AssetResult(
    "rejected_bars", 3, 1, FIRST, LAST, 900, {"rejected_bars": 3}, {"off_interval": 3}, examples=(BY_RULE,)
)
DAILY = AssetResult(
    "daily_bars", 3, 2, FIRST, LAST, 1200, {"bars_1d": 2, "bars_2d": 1}, {}, PREVIEW, date(2024, 12, 31)
)
LARGEST_EVENT_BYTES = 12_000


def outcome(*results: AssetResult) -> PartitionOutcome:
    return PartitionOutcome("demo", "2024-05-01", results, (), None)


def records(value: object) -> list[dict[str, object]]:
    assert isinstance(value, TableMetadataValue)
    return [dict(record.data) for record in value.records]


def test_rows_symbols_span_bytes_and_tables_are_told() -> None:
    metadata = asset_metadata(outcome(DAILY), DAILY)

    assert (metadata["dagster/row_count"], metadata["symbols"], metadata["dagster/size_bytes"]) == (3, 2, 1200)
    assert (metadata["first_ts"].value, metadata["last_ts"].value) == (FIRST.timestamp(), LAST.timestamp())
    assert records(metadata["rows by table"]) == [{"table": "bars_1d", "rows": 2}, {"table": "bars_2d", "rows": 1}]


def test_rejects_are_told_by_rule_as_figures_and_as_a_table() -> None:
    metadata = asset_metadata(outcome(REJECTED), REJECTED)

    assert metadata["rejected/off_interval"] == 3
    assert records(metadata["by rule"]) == [BY_RULE]


def test_bars_come_with_a_plot_and_it_comes_first() -> None:
    sketch = sketch_tables({"validated_bars": bar_table(minutes("AAA", "2024-05-01 13:30", 60))})
    bars = AssetResult("validated_bars", 60, 1, FIRST, LAST, 10, {"validated_bars": 60}, sketch=sketch)

    metadata = asset_metadata(outcome(bars), bars)

    assert next(iter(metadata)) == "plot"
    assert metadata["plot"].value.startswith("![AAA](<data:image/svg+xml,")


@pytest.mark.parametrize(
    ("asset", "table", "command"),
    [
        ("validated_bars", "validated_bars", "marketdata bars demo --session all --start 2024-05-01 --end 2024-05-03"),
        ("intraday_bars", "bars_5m", "marketdata bars demo --timeframe 5m --start 2024-05-01 --end 2024-05-03"),
        ("monthly_bars", "bars_1mo", "marketdata bars demo --timeframe 1M --start 2024-05-01 --end 2024-05-03"),
        ("top_volume", "top_volume", "marketdata table demo top_volume --start 2024-05-01 --end 2024-05-03"),
    ],
)
def test_the_command_that_reads_the_rows_names_their_sessions(asset: str, table: str, command: str) -> None:
    result = AssetResult(asset, 1, 1, FIRST, LAST, 10, {table: 1}, last_session=date(2024, 5, 3))

    assert asset_metadata(outcome(result), result)["read it"] == command


def test_rejected_rows_have_no_session_and_take_that_of_the_bars_beside_them() -> None:
    alone = asset_metadata(outcome(REJECTED), REJECTED)["read it"]
    beside = asset_metadata(outcome(REJECTED, DAILY), REJECTED)["read it"]

    assert alone == "marketdata rejected demo --start 2024-05-01 --end 2024-05-01"
    assert beside == "marketdata rejected demo --start 2024-05-01 --end 2024-12-31"


def test_a_check_tells_its_figures_and_the_first_of_what_it_found() -> None:
    check = CheckOutcome("one_row_a_key", "top_volume", False, False, "2 repeated", {"rows": 9}, ({"symbol": "AAA"},))

    metadata = check_metadata(outcome(), check)

    assert metadata["rows"] == 9
    assert records(metadata["first of them"]) == [{"symbol": "AAA"}]
    assert "read it" not in metadata


def test_a_check_that_failed_over_rejected_rows_says_how_to_see_them() -> None:
    check = CheckOutcome("not_empty_when_open", "validated_bars", False, True, "0 bars", {}, (BY_RULE,))

    assert check_metadata(outcome(), check)["read it"] == (
        "marketdata rejected demo --start 2024-05-01 --end 2024-05-01"
    )


def test_a_column_of_a_table_may_hold_unknown_values() -> None:
    table = records_table([{"line": None, "text": "x" * 500}, {"line": 3, "text": None}])

    assert [(column.name, column.type) for column in table.schema.columns] == [("line", "int"), ("text", "string")]
    assert records(table)[0]["line"] is None
    assert len(str(records(table)[0]["text"])) == 80


@pytest.mark.parametrize(
    ("asset", "table", "command"),
    [
        ("validated_bars", "validated_bars", "marketdata explain demo AAA 2024-05-01T13:30:00Z"),
        ("intraday_bars", "bars_5m", "marketdata explain demo AAA 2024-05-01T13:30:00Z --timeframe 5m"),
        ("raw_bars", "raw_bars", None),
        ("top_volume", "top_volume", None),
    ],
)
def test_the_first_bar_comes_with_the_command_that_explains_it(asset: str, table: str, command: str | None) -> None:
    result = AssetResult(asset, 1, 1, FIRST, LAST, 10, {table: 1}, {}, PREVIEW)

    assert asset_metadata(outcome(result), result).get("explain a bar") == command


def test_preview_is_a_markdown_table_of_the_columns_that_say_most() -> None:
    assert markdown_table(PREVIEW) == (
        "| symbol | ts | close |\n| --- | --- | --- |\n| AAA | 2024-05-01T13:30:00Z | 1.25 |"
    )
    wide = bar_table(minutes("AAA", "2024-05-01 13:30", 1))
    assert markdown_table(wide).partition("\n")[0] == (
        "| symbol | ts | session_date | open | high | low | close | volume |"
    )


def test_a_rows_own_text_is_never_markup() -> None:
    text = "a|b`c ![x](http://example.com/x.png)\n<b>"

    assert markdown_table(pa.table({"original": [text]})).splitlines()[2] == (
        "| `a\\|b'c ![x](http://example.com/x.png) <b>` |"
    )


def test_the_largest_event_stays_small() -> None:
    everything = tuple(
        Example(rule=rule, rows=99_999, because="x" * 120, line=1_000_000) | {"first file": "y" * 120}
        for rule in ROW_RULES
    )
    preview = pa.table({name: ["z" * 500] * 5 for name in ("file", "symbol", "rules", "original")})
    result = AssetResult(
        "rejected_bars", 9, 9, FIRST, LAST, 9, {"rejected_bars": 9}, dict.fromkeys(ROW_RULES, 99_999), preview,
        examples=everything,
    )  # fmt: skip

    stored = serialize_value(materialization(outcome(result), result))

    assert len(stored) < LARGEST_EVENT_BYTES
