"""What a plan says, pins and refuses."""

from collections.abc import Callable
from typing import Any

import pytest

from marketdata_pipelines.domain.feeds import DataKind
from marketdata_pipelines.errors import SettingsInvalid, SourceRejected
from marketdata_pipelines.sources.files.plan import FilePlan, plan_file
from marketdata_pipelines_tests.sources.files.conftest import HEADER, build_feed, read_whole

Write = Callable[[str, str | bytes], str]
BARS = HEADER + "".join(f"SPY,2013-10-07 09:{minute}:00,1,2,0.5,1.5,100\n" for minute in range(30, 45))


def plan(write: Write, content: str | bytes, name: str = "a.csv", **settings: Any) -> FilePlan:
    return plan_file(write(name, content), build_feed(**settings))


def refusal(write: Write, content: str | bytes, name: str = "a.csv", **settings: Any) -> tuple[str, str]:
    with pytest.raises(SourceRejected) as refused:
        read_whole(write(name, content), build_feed(**settings))
    return refused.value.rule, str(refused.value)


def test_everything_guessed_is_listed(write: Write) -> None:
    found = plan(write, BARS)

    assert (found.kind, found.format, found.delimiter, found.header) == (DataKind.BARS, "csv", ",", True)
    assert (found.time_format, found.timezone, found.symbol, found.integer_volume) == ("iso", "UTC", None, True)
    assert found.guessed == (
        *("format", "encoding", "delimiter", "header", "decimal", "columns", "time_format", "timezone"),
    )


def test_what_a_plan_pins_leaves_nothing_to_guess(write: Write) -> None:
    first = plan(write, BARS)
    pinned: dict[str, Any] = dict(first.to_source_yaml())
    columns = pinned.pop("columns")

    second = plan(
        write, BARS, columns=tuple(columns.items()), **{key: value for key, value in pinned.items() if key != "label"}
    )

    assert second.guessed == ()
    assert second.columns == first.columns
    assert read_whole(second.path, build_feed()).table.num_rows == 15


def test_a_file_without_header_is_pinned_by_position_or_order(write: Write) -> None:
    body = BARS.split("\n", 1)[1]
    fields = ("symbol", "ts", "open", "high", "low", "close", "volume")
    by_position = tuple((str(at), field) for at, field in enumerate(fields, 1))
    by_order = tuple((field, field) for field in fields)

    guessed = plan(write, body)
    found = [plan(write, body, columns=columns, header=False) for columns in (by_position, by_order)]

    assert [finding.rule for finding in guessed.findings] == ["header_guessed"]
    assert plan(write, body, header=False).findings == ()
    assert [item.sources for item in found] == [guessed.sources] * 2
    assert [item.findings for item in found] == [(), ()]


def test_some_columns_can_be_pinned_and_the_others_are_recognised(write: Write) -> None:
    text = BARS.replace("close", "settled")

    found = plan(write, text, columns=(("settled", "close"),))

    assert found.sources["close"] == "settled"
    assert found.sources["open"] == "open"
    assert "columns" in found.guessed


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("", "empty_file"),
        ("\ufeff\n\n", "empty_file"),
        (HEADER, "no_rows"),
        ("hello\nworld\n", "unknown_format"),
        ("symbol,timestamp,open,high,close\nSPY,2013-10-07,1,2,1\n", "missing_column"),
        (BARS.replace("volume", "close", 1), "duplicate_header"),
        (BARS.replace("high,low", "low,high", 1), "swapped_columns"),
        (HEADER + "SPY,yesterday,1,2,0.5,1.5,100\n", "unreadable_times"),
        ("ts,bid,ask\n2013-10-07,1,2\n", "wrong_kind"),
        (HEADER + "SPY,2013-10-07\nSPY,2013-10-08\n", "missing_column"),
    ],
)
def test_files_that_cannot_be_right_are_refused_whole(write: Write, content: str, rule: str) -> None:
    assert refusal(write, content)[0] == rule


def test_a_file_of_the_other_kind_is_refused(write: Write) -> None:
    trades = "time,symbol,price,size\n2013-10-07T13:30:00Z,SPY,1.5,100\n"

    assert refusal(write, trades, data=DataKind.BARS)[0] == "wrong_kind"
    assert refusal(write, BARS, data=DataKind.TRADES)[0] == "wrong_kind"
    assert plan(write, trades).kind is DataKind.TRADES


def test_a_missing_column_names_the_columns_seen_and_how_to_pin(write: Write) -> None:
    text = refusal(write, "symbol,timestamp,open,high,close\nSPY,2013-10-07,1,2,1\n")[1]

    assert "low" in text
    assert "symbol, timestamp, open, high, close" in text
    assert "feeds.yaml" in text


def test_a_file_without_symbol_needs_a_telling_name_or_a_pin(write: Write) -> None:
    text = "ts,open,high,low,close\n2013-10-07T13:30:00Z,1,2,0.5,1.5\n"

    assert plan(write, text, "SPY_2013.csv").symbol == "SPY"
    assert plan(write, text, "x_y.csv", symbol="IBM").symbol == "IBM"
    assert plan(write, text, "eq-ibm-1.csv", symbol_from_name="^eq-([a-z]+)-").symbol == "ibm"
    assert refusal(write, text, "x_y.csv")[0] == "missing_column"
    assert refusal(write, text, "ABC.csv", symbols=("SPY", "IBM"))[0] == "missing_column"
    assert refusal(write, text, "x_y.csv", symbol_from_name="^eq-([a-z]+)-")[0] == "missing_column"


def test_decimal_commas_are_read_and_told(write: Write) -> None:
    text = BARS.replace(",", ";").replace("0.5", "0,5").replace("1.5", "1,5")

    assert [finding.rule for finding in plan(write, text).findings] == ["decimal_comma"]
    assert plan(write, text, decimal=",").findings == ()
    assert read_whole(write("a.csv", text), build_feed()).column("close")[0] == 1.5


def test_other_encodings_are_read_and_told_unless_pinned(write: Write) -> None:
    data = BARS.encode("utf-16")

    assert [finding.rule for finding in plan(write, data).findings] == ["transcoded"]
    assert plan(write, data, encoding="utf-16").findings == ()


@pytest.mark.parametrize(
    "settings",
    [
        {"timezone": "Mars/Olympus"},
        {"time_format": "%Q"},
        {"time_format": "noon"},
        {"format": "avro"},
        {"delimiter": "::"},
        {"decimal": "x"},
        {"encoding": "klingon"},
        {"columns": (("open", "opening"),)},
        {"symbol": ""},
    ],
    ids=str,
)
def test_impossible_pins_are_settings_errors(write: Write, settings: dict[str, Any]) -> None:
    with pytest.raises(SettingsInvalid):
        plan(write, BARS, **settings)
