"""Late rows: by partition, and of several of one instant the last."""

from datetime import date

import pyarrow as pa
import pytest

from marketdata_pipelines.errors import SchemaMismatch
from marketdata_pipelines.stores.timescale.late import last_of_each, partition_bars
from marketdata_pipelines_tests.builders import bar, bar_table, make_feed

DAYS = make_feed("XNYS", "1m", name="us")
MONTHS = make_feed("XNYS", "1h", name="hours")
ROWS = bar_table([bar("B", "2024-07-01 14:00"), bar("A", "2024-07-02 14:00", 2.0), bar("B", "2024-07-02 14:00", 3.0)])


def test_rows_go_to_the_partition_of_their_session() -> None:
    by_day, by_month = partition_bars(DAYS, ROWS), partition_bars(MONTHS, ROWS)

    assert {key: part["symbol"].to_pylist() for key, part in by_day.items()} == {
        "2024-07-01": ["B"],
        "2024-07-02": ["A", "B"],
    }
    assert {key: part["session_date"].to_pylist() for key, part in by_month.items()} == {
        "2024-07-01": [date(2024, 7, 2), date(2024, 7, 1), date(2024, 7, 2)]
    }


def test_the_last_of_one_instant_counts() -> None:
    corrected = bar_table([bar("A", "2024-07-02 14:00", 9.0)])

    kept = last_of_each(pa.concat_tables([ROWS, corrected]).unify_dictionaries())

    assert kept["symbol"].to_pylist() == ["A", "B", "B"]
    assert kept["close"].to_pylist() == [9.0, 100.0, 3.0]
    assert last_of_each(ROWS.slice(0, 0)).num_rows == 0


def test_rows_without_a_session_date_are_refused() -> None:
    with pytest.raises(SchemaMismatch, match="lack session_date"):
        partition_bars(DAYS, ROWS.drop_columns(["session_date"]))
