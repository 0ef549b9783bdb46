import numpy as np
import pyarrow as pa

from marketdata_pipelines.domain.bars import REJECTED_SCHEMA
from marketdata_pipelines.quality.examples import (
    SHOWN,
    rejected_by_rule,
    repeated_keys,
    rows_at,
    symbols_without_bars,
)
from marketdata_pipelines_tests.builders import bar_table, minutes


def rejected(*rows: tuple[str, int, str | None]) -> pa.Table:
    """(file, line, rules) in order."""
    records = [{"file": file, "line": line, "row": line - 1, "rules": rules} for file, line, rules in rows]
    return pa.Table.from_pylist(records, schema=REJECTED_SCHEMA)


def test_rules_are_counted_with_the_place_of_the_first_row() -> None:
    found = rejected_by_rule(
        rejected(("b.csv", 9, "off_interval"), ("b.csv", 12, "high_below_low;off_interval"), ("c.csv", 2, "nonsense"))
    )

    assert found == (
        {
            "rule": "off_interval",
            "rows": 2,
            "because": "the bar does not start on the feed's interval",
            "first file": "b.csv",
            "line": 9,
        },
        {"rule": "high_below_low", "rows": 1, "because": "high is below low", "first file": "b.csv", "line": 12},
        {"rule": "nonsense", "rows": 1, "because": "", "first file": "c.csv", "line": 2},
    )


def test_rows_without_a_rule_count_for_none() -> None:
    assert rejected_by_rule(rejected(("a.csv", 2, None), ("a.csv", 3, ""))) == ()


def test_rows_are_shown_with_their_position_and_only_the_first_of_them() -> None:
    bars = bar_table(minutes("AAA", "2024-03-08 14:30", 30))

    found = rows_at(bars, np.arange(30) >= 2)

    assert len(found) == SHOWN
    assert found[0] == {
        "position": 2,
        "symbol": "AAA",
        "ts": "2024-03-08T14:32:00Z",
        "open": 100.02,
        "high": 100.07,
        "low": 99.97,
        "close": 100.04,
        "volume": 102.0,
    }


def test_symbols_that_are_listed_and_have_no_bar() -> None:
    bars = bar_table(minutes("BBB", "2024-03-08 14:30", 2))

    assert symbols_without_bars(("CCC", "BBB", "AAA"), bars) == (
        {"symbol without bars": "CCC"},
        {"symbol without bars": "AAA"},
    )
    assert symbols_without_bars((), bars) == ()


def test_repeated_keys_with_how_often() -> None:
    table = pa.table({"symbol": ["A", "B", "A", "A"], "hour": [1, 1, 1, 2]})

    assert repeated_keys(table, ["symbol", "hour"]) == ({"symbol": "A", "hour": 1, "rows": 2},)
