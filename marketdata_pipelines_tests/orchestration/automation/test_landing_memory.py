import pytest

from marketdata_pipelines.orchestration.automation.landing_memory import Asked, LandingMemory
from marketdata_pipelines.pipeline.landing import Watched

SECOND = 1_000_000


def test_a_cursor_reads_back_as_it_was() -> None:
    memory = LandingMemory({"a.csv": Watched("1-2-3", 5, told=True)}, {"abc": Asked(2, 7)}, 3, 4, 1, 9)

    assert LandingMemory.from_text(memory.text()) == memory


@pytest.mark.parametrize("cursor", [None, "", "{", "[]", '{"watched": [1]}', '{"asked": {"a": 3}}', '{"tries": "x"}'])
def test_a_cursor_of_another_make_is_an_empty_memory(cursor: str | None) -> None:
    assert LandingMemory.from_text(cursor) == LandingMemory()


def test_contents_asked_for_are_counted_until_they_are_done() -> None:
    memory = LandingMemory().having_asked(["a", "b"], 1).having_asked(["a"], 2)

    assert memory.asked == {"a": Asked(2, 2), "b": Asked(1, 1)}
    assert memory.keeping(["b"]).asked == {"b": Asked(1, 1)}


def test_deriving_rests_longer_each_time_until_something_new_comes() -> None:
    once = LandingMemory().having_derived(1, 0, lambda tries: 60 * 2**tries)
    twice = once.having_derived(1, 60 * SECOND, lambda tries: 60 * 2**tries)

    assert (once.next_us, twice.next_us) == (60 * SECOND, 180 * SECOND)
    assert not twice.may_derive(1, 179 * SECOND)
    assert twice.may_derive(1, 180 * SECOND)
    assert twice.may_derive(2, 61 * SECOND)
    assert twice.having_derived(2, 61 * SECOND, lambda tries: 60 * 2**tries).next_us == 121 * SECOND


def test_a_cursor_of_a_thousand_files_stays_small() -> None:
    paths = [f"/data/landing/us_equities/2024/SYMBOL{n}.csv" for n in range(1000)]
    watched = dict.fromkeys(paths, Watched("1234-5678901234567890123-1234567890123456789", 1_700_000_000_000_000))

    text = LandingMemory(watched).having_asked((f"{n:064}" for n in range(5000)), 1).text()

    assert len(text) < 250_000
