from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.orchestration.assets.ranges import ONLY_TAG, narrowed, partition_tags

EXISTING = ["2024-05-01", "2024-05-02", "2024-05-03", "2024-05-06", "2024-05-07", "2024-05-08"]


def test_one_key_is_a_partition() -> None:
    assert partition_tags(["2024-05-02"], EXISTING) == {"dagster/partition": "2024-05-02"}


def test_neighbours_over_a_weekend_are_one_range() -> None:
    assert partition_tags(["2024-05-03", "2024-05-06"], EXISTING) == {
        "dagster/asset_partition_range_start": "2024-05-03",
        "dagster/asset_partition_range_end": "2024-05-06",
    }


def test_scattered_keys_are_a_range_narrowed_to_their_spans() -> None:
    tags = partition_tags(["2024-05-01", "2024-05-03", "2024-05-06", "2024-05-08"], EXISTING)

    assert tags == {
        "dagster/asset_partition_range_start": "2024-05-01",
        "dagster/asset_partition_range_end": "2024-05-08",
        "marketdata/partitions": "2024-05-01,2024-05-03..2024-05-06,2024-05-08",
    }


def test_a_run_that_names_no_keys_has_its_whole_range() -> None:
    assert narrowed(EXISTING, {}) == EXISTING


@given(st.sets(st.sampled_from(EXISTING), min_size=2))
def test_tags_give_back_the_keys_they_were_made_of(chosen: set[str]) -> None:
    keys = sorted(chosen)
    tags = partition_tags(keys, EXISTING)
    whole = [key for key in EXISTING if keys[0] <= key <= keys[-1]]

    assert narrowed(whole, tags) == keys
    assert (ONLY_TAG in tags) == (whole != keys)
