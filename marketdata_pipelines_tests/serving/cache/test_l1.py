"""Entries of the first tier: how long they stay, which give way, and that many may ask at once."""

import random
import threading

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from marketdata_pipelines.serving.cache.l1 import L1

ENTRY = 400


class Clock:
    """A clock that stands still until it is told to move."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def filled(size: int, *keys: str) -> L1:
    """A tier with room for `size` entries of 600 bytes each, and these in it."""
    tier = L1(size * (600 + ENTRY))
    for key in keys:
        tier.put(key, key.upper(), 600)
    return tier


def test_a_value_is_found_under_its_key_only() -> None:
    tier = filled(3, "a")

    assert (tier.get("a"), tier.get("b")) == ("A", None)


def test_the_one_asked_for_longest_ago_gives_way_when_there_is_no_room() -> None:
    tier = filled(2, "a", "b", "c")

    assert [tier.get(key) for key in "abc"] == [None, "B", "C"]
    assert tier.figures().evicted == 1


def test_what_is_asked_for_again_outlives_a_scan() -> None:
    tier = filled(10, "hot")
    tier.get("hot")

    for number in range(100):
        tier.put(f"scanned {number}", "once", 600)

    assert tier.get("hot") == "HOT"


def test_an_entry_is_gone_when_its_time_is_over() -> None:
    clock = Clock()
    tier = L1(10_000, clock)
    tier.put("a", "A", 10, ttl_seconds=2.0)

    clock.now = 1.9
    before = tier.get("a")
    clock.now = 2.0

    assert (before, tier.get("a")) == ("A", None)
    assert (tier.figures().expired, tier.figures().bytes) == (1, 0)


def test_a_group_is_dropped_at_once_and_no_other() -> None:
    tier = L1(10_000)
    tier.put("a", "A", 10, group="bars")
    tier.put("b", "B", 10, group="bars")
    tier.put("c", "C", 10, group="views")

    dropped = tier.drop("bars")

    assert dropped == 2
    assert [tier.get(key) for key in "abc"] == [None, None, "C"]


def test_a_value_larger_than_the_tier_is_not_kept_and_pushes_nothing_out() -> None:
    tier = filled(2, "a")

    kept = tier.put("huge", "H", 5_000)

    assert (kept, tier.get("huge"), tier.get("a")) == (False, None, "A")


def test_a_tier_without_bytes_keeps_nothing() -> None:
    tier = L1(0)

    assert tier.put("a", "A", 1) is False
    assert tier.figures().entries == 0


@given(st.lists(st.tuples(st.sampled_from("pgd"), st.integers(0, 15), st.integers(0, 900)), max_size=200))
@settings(max_examples=60, phases=(Phase.explicit, Phase.generate))
def test_bytes_are_what_the_entries_take_and_never_more_than_allowed(steps: list[tuple[str, int, int]]) -> None:
    tier, newest = L1(4_000), {}

    for what, key, size in steps:
        if what == "p":
            tier.put(key, (key, size), size, group=key % 3)
            newest[key] = (key, size)
        elif what == "g":
            assert tier.get(key) in (None, newest.get(key))
        else:
            tier.drop(key % 3)

        held = [newest[key] for key in range(16) if tier.get(key) is not None]
        assert tier.figures().bytes == sum(size + ENTRY for _, size in held) <= 4_000
        assert tier.figures().entries == len(held)


def test_many_threads_may_put_ask_and_drop_at_once() -> None:
    tier, wrong = L1(50_000), []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(3_000):
            key = chance.randrange(100)
            if chance.random() < 0.3:
                tier.put(key, key * 7, 500, group=key % 5)
            elif chance.random() < 0.02:
                tier.drop(key % 5)
            elif tier.get(key) not in (None, key * 7):
                wrong.append(key)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert wrong == []
    assert tier.figures().bytes <= 50_000
    tier.clear()
    assert tier.figures().bytes == 0
