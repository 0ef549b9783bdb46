"""Partitions are validated in groups that lose none, keep their order and stay small."""

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.pipeline.quality.validation_groups import (
    PARTITIONS_TOGETHER,
    ROWS_TOGETHER,
    validation_groups,
)


def test_days_of_a_month_go_together_as_far_as_their_rows_allow() -> None:
    rows = dict.fromkeys("abcde", 390_000)

    assert list(validation_groups("abcde", rows, first_alone=False)) == [["a", "b"], ["c", "d"], ["e"]]
    assert list(validation_groups("abcde", rows, first_alone=True)) == [["a"], ["b", "c"], ["d", "e"]]


def test_a_partition_larger_than_a_group_is_one_of_its_own() -> None:
    rows = {"a": 10, "b": ROWS_TOGETHER + 1, "c": 10}

    assert list(validation_groups("abc", rows, first_alone=False)) == [["a"], ["b"], ["c"]]


def test_no_partitions_make_no_group() -> None:
    assert list(validation_groups([], {}, first_alone=True)) == []


@settings(deadline=None, max_examples=50, phases=(Phase.explicit, Phase.generate))
@given(st.lists(st.integers(0, 2 * ROWS_TOGETHER), max_size=80), st.booleans())
def test_every_partition_is_in_one_group_and_groups_are_bounded(counts: list[int], first_alone: bool) -> None:
    keys = [f"{number:03}" for number in range(len(counts))]
    rows = dict(zip(keys, counts, strict=True))

    groups = list(validation_groups(keys, rows, first_alone=first_alone))

    assert [key for group in groups for key in group] == keys
    assert all(len(group) == 1 or sum(rows[key] for key in group) <= ROWS_TOGETHER for group in groups)
    assert all(len(group) <= PARTITIONS_TOGETHER for group in groups)
    assert not (first_alone and groups) or len(groups[0]) == 1
