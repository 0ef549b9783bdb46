import os
from pathlib import Path

import pytest

from marketdata_pipelines.pipeline.quality.state import (
    Month,
    Validation,
    known_months,
    month_of,
    read_month,
    write_month,
)

DONE = Validation(
    "2024-03-08",
    "aa",
    3,
    390,
    20,
    blocking=("ohlc_relations",),
    walk_blocking=("ohlc_relations",),
    warned=("tick_size",),
)


def test_a_month_reads_back_as_it_was_written(tmp_path: Path) -> None:
    month = Month("2024-03", {"2024-03-08": DONE}, "site")

    write_month(tmp_path, "shares", month)

    assert read_month(tmp_path, "shares", "2024-03") == month
    assert known_months(tmp_path, "shares") == ["2024-03"]
    assert os.listdir(tmp_path / "state" / "shares") == ["2024-03.json"]


def test_nothing_is_known_of_a_month_without_a_file(tmp_path: Path) -> None:
    assert read_month(tmp_path, "shares", "2024-03") == Month("2024-03")
    assert known_months(tmp_path, "shares") == []


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"site": "", "validations": {"a": {"b": 1}}}'])
def test_a_file_of_another_make_is_as_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state" / "shares" / "2024-03.json"
    path.parent.mkdir(parents=True)
    path.write_text(text, "utf-8")

    assert read_month(tmp_path, "shares", "2024-03") == Month("2024-03")


def test_partitions_that_are_no_more_are_left_out() -> None:
    month = Month("2024-03", {"2024-03-08": DONE})

    assert month.of(["2024-03-08"]) == month
    assert month.of([]) == Month("2024-03")


def test_verdicts_agree_where_the_same_rules_block() -> None:
    only_suites = Validation("2024-03-08", "aa", 1, 1, 1, blocking=("price_spike",))
    only_walk = Validation("2024-03-08", "aa", 1, 1, 1, walk_blocking=("price_spike",))
    never_judged = Validation("2024-03-08", "aa", 1, 1, 1, blocking=("price_spike",), judged=False)

    assert [each.agrees for each in (DONE, only_suites, only_walk, never_judged)] == [True, False, False, True]


def test_a_partition_belongs_to_the_month_of_its_first_day() -> None:
    assert [month_of(key) for key in ("2024-03-08", "2024-03-01", "2024-01-01")] == ["2024-03", "2024-03", "2024-01"]
