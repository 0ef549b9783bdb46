"""Which partitions are validated together: enough that Great Expectations' fixed cost is small, few for the memory."""

from collections.abc import Iterator, Mapping, Sequence

# Some 200 MB of minutes with their helper columns.
ROWS_TOGETHER = 800_000
PARTITIONS_TOGETHER = 31


def validation_groups(keys: Sequence[str], rows: Mapping[str, int], *, first_alone: bool) -> Iterator[list[str]]:
    """The keys in order, in groups of at most so many rows and partitions; larger ones are groups of their own.

    `rows` by key, none where it is not named. `first_alone`: nobody waits for others to see the newest partition.
    """
    group: list[str] = []
    held = 0
    for number, key in enumerate(keys):
        count = rows.get(key, 0)
        full = held + count > ROWS_TOGETHER or len(group) >= PARTITIONS_TOGETHER
        if group and (full or (first_alone and number == 1)):
            yield group
            group, held = [], 0
        group.append(key)
        held += count
    if group:
        yield group
