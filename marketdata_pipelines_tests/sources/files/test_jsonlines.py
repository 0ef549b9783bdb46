"""JSON lines become rows; a line that cannot be read costs itself only."""

import json
from collections.abc import Callable

from marketdata_pipelines_tests.sources.files.conftest import Outcome

Read = Callable[..., Outcome]


def record(minute: int, **changes: object) -> str:
    bar = {"symbol": "SPY", "t": 1381152600000 + 60000 * minute, "o": 1, "h": 2.5, "l": 0.5, "c": "1.5", "v": 100}
    return json.dumps({**bar, **changes})


def lines(*texts: str) -> str:
    return "".join(f"{text}\n" for text in texts)


def test_numbers_and_numbers_as_text_are_read(read: Read) -> None:
    outcome = read("a.jsonl", lines(*(record(minute) for minute in range(3))))

    assert outcome.plan.findings == ()
    assert outcome.plan.time_format == "epoch_ms"
    assert outcome.flagged == {}
    assert outcome.column("close") == [1.5] * 3
    assert outcome.column("volume") == [100.0] * 3
    assert outcome.times[1] == "2013-10-07 13:31:00+00:00"
    assert outcome.originals[2] == record(2)


def test_each_bad_line_is_named_and_the_others_stand(read: Read) -> None:
    texts = [record(minute) for minute in range(1000)]
    texts[10] = texts[10][:-5]
    texts[20] = "[1, 2]"
    texts[30] = record(30, o="abc")
    texts[40] = record(40, h=None)
    texts[50] = record(50, t="x")
    texts[60] = ""
    texts[70] = record(70) + record(71)
    texts[80] = record(80, symbol="x" * 70_000)
    texts[90] = record(90, symbol="\ud800")
    texts[99] = record(99, v=1.5)

    outcome = read("a.jsonl", lines(*texts))

    assert outcome.flagged == {
        11: "invalid_json",
        21: "invalid_json",
        31: "unparsable_price",
        41: "missing_price",
        51: "unparsable_timestamp",
        70: "invalid_json",
        80: "line_oversized",
        90: "symbol_hostile",
        99: "volume_format",
    }
    assert outcome.column("row") == list(range(1, 1000))
    assert outcome.column("line")[58:62] == [59, 60, 62, 63]


def test_not_a_number_is_a_value_and_a_missing_key_is_none(read: Read) -> None:
    texts = [record(0), record(1, o=float("nan")), record(2, v=None), json.dumps({"symbol": "SPY", "t": 1381152780000})]

    outcome = read("a.jsonl", lines(*texts))

    assert outcome.flagged == {4: "missing_price"}
    assert str(outcome.column("open")[1]) == "nan"
    assert outcome.column("volume") == [100.0, 100.0, None, None]


def test_conditions_in_a_list_are_joined(read: Read) -> None:
    trade = {"S": "AAPL", "x": "V", "p": 100.5, "s": 10, "c": ["@", "I"], "t": "2020-01-02T14:30:00.123456789Z"}

    outcome = read(
        "a.jsonl", lines(json.dumps(trade), json.dumps({**trade, "c": []}), json.dumps({**trade, "c": None}))
    )

    assert outcome.column("conditions") == ["@;I", "", None]
    assert outcome.table["ts"].cast("int64").to_pylist()[0] % 10**9 == 123456789
