"""JSON documents of the shapes vendors answer in become rows."""

import json
from collections.abc import Callable

import pytest

from marketdata_pipelines.errors import SourceRejected
from marketdata_pipelines_tests.sources.files.conftest import Outcome, build_feed, read_whole

Read = Callable[..., Outcome]
START_MS = 1577975400000
BAR = {"o": 1.0, "h": 2.0, "l": 0.5, "c": 1.5, "v": 100}
SHAPES = {
    "records": [{"symbol": "AAPL", "t": START_MS + 60000 * m, **BAR} for m in range(3)],
    "answer with a ticker": {
        "ticker": "AAPL",
        "status": "OK",
        "results": [{"t": START_MS + 60000 * m, **BAR} for m in range(3)],
    },
    "records by symbol": {"bars": {"AAPL": [{"t": f"2020-01-02T14:3{m}:00Z", **BAR} for m in range(3)]}, "next": None},
    "records by time": {
        "Meta Data": {"1. Information": "Intraday", "2. Symbol": "AAPL"},
        "Time Series (1min)": {
            f"2020-01-02 09:3{m}:00": {
                "1. open": "1",
                "2. high": "2",
                "3. low": "0.5",
                "4. close": "1.5",
                "5. volume": "100",
            }
            for m in range(3)
        },
    },
    "columns of lists": {
        "symbol": "AAPL",
        "t": [START_MS // 1000 + 60 * m for m in range(3)],
        **{key: [value] * 3 for key, value in BAR.items()},
    },
    "chart": {
        "chart": {
            "result": [
                {
                    "meta": {"symbol": "AAPL"},
                    "timestamp": [START_MS // 1000 + 60 * m for m in range(3)],
                    "indicators": {
                        "quote": [
                            {
                                "open": [1] * 3,
                                "high": [2] * 3,
                                "low": [0.5] * 3,
                                "close": [1.5] * 3,
                                "volume": [100] * 3,
                            }
                        ]
                    },
                }
            ]
        }
    },
    "arrays": [[START_MS + 60000 * m, "1.0", "2.0", "0.5", "1.5", "100"] for m in range(3)],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_are_recognised(read: Read, shape: str) -> None:
    outcome = read("AAPL.json", json.dumps(SHAPES[shape], indent=1), timezone="America/New_York")

    assert outcome.flagged == {}
    assert outcome.column("symbol") == ["AAPL"] * 3
    assert outcome.times == [f"2020-01-02 14:3{minute}:00+00:00" for minute in range(3)]
    assert outcome.column("low") == [0.5] * 3
    assert outcome.column("volume") == [100.0] * 3
    assert outcome.column("line") == [None] * 3


def test_an_entry_that_is_no_record_is_a_row_that_cannot_be_read(read: Read) -> None:
    outcome = read("AAPL.json", json.dumps([*SHAPES["records"], 5]))

    assert outcome.flagged == {4: "unparsable_timestamp;missing_price;symbol_missing"}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ('[{"a": 1},', "container_damaged"),
        ("[]", "no_rows"),
        ('{"error": {"code": 5}}', "missing_column"),
        ("[" * 9999, "container_damaged"),
    ],
)
def test_documents_without_rows_are_refused(write: Callable[[str, str], str], text: str, rule: str) -> None:
    with pytest.raises(SourceRejected) as refused:
        read_whole(write("a.json", text), build_feed())

    assert refused.value.rule == rule
