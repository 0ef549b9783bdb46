"""Partitions of one run as tags: one key, a range, or scattered keys within a range."""

from collections.abc import Mapping, Sequence

# Dagster's own tags for a run over one partition or a range of them.
PARTITION_TAG = "dagster/partition"
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"
# Narrows a range to scattered keys: "2024-01-02..2024-01-05,2024-01-09". Survives a re-execution from the UI.
ONLY_TAG = "marketdata/partitions"
# "false": walk what the lake has; do not look for new data at the source first.
# "refetch": ask a vendor again for what it has already answered.
ACQUIRE_TAG = "marketdata/acquire"
REFETCH = "refetch"


def partition_tags(keys: Sequence[str], existing: Sequence[str]) -> dict[str, str]:
    """The tags of a run over `keys`; both in ascending order, `keys` taken from `existing`."""
    if len(keys) == 1:
        return {PARTITION_TAG: keys[0]}
    tags = {RANGE_START_TAG: keys[0], RANGE_END_TAG: keys[-1]}
    spans = _spans(keys, existing)
    if len(spans) > 1:
        tags[ONLY_TAG] = ",".join(first if first == last else f"{first}..{last}" for first, last in spans)
    return tags


def narrowed(keys: Sequence[str], tags: Mapping[str, str]) -> list[str]:
    """Of the keys of a run's range those its tags name; all where they name none."""
    text = tags.get(ONLY_TAG)
    if text is None:
        return list(keys)
    spans = [part.partition("..") for part in text.split(",")]
    return [key for key in keys if any(first <= key <= (last or first) for first, _, last in spans)]


def _spans(keys: Sequence[str], existing: Sequence[str]) -> list[tuple[str, str]]:
    position = {key: index for index, key in enumerate(existing)}
    spans: list[tuple[str, str]] = []
    for key in keys:
        if spans and position[key] == position[spans[-1][1]] + 1:
            spans[-1] = (spans[-1][0], key)
        else:
            spans.append((key, key))
    return spans
