"""Which row stands for a bar from ingest to ingest, and what its changes are called."""

import pyarrow as pa

from marketdata_pipelines.domain.corrections import (
    CORRECTION_SCHEMA,
    KINDS,
    VALUES,
    BarKeys,
    Offer,
    ReplacedWindow,
    Step,
    says_the_same,
    trace_changes,
)
from marketdata_pipelines_tests.builders import bar, ints, raw_bars

# Two bars of one symbol-session, complete at 10 and 20, and one of another.
KEYS = BarKeys(ints(0, 0, 1), ints(0, 10, 0), ints(10, 20, 10), ints(0, 0, 1))


def offer(keys: list[int], rows: list[int], window: ReplacedWindow | None = None) -> Offer:
    return Offer(ints(*keys), ints(*rows), ints(*keys), window)


def traced(offers: list[Offer], steps: list[Step]) -> list[tuple[int, int, str, int, int]]:
    found = trace_changes(KEYS, offers, steps)
    kinds = [KINDS[kind].value for kind in found.kind.tolist()]
    return list(
        zip(found.step.tolist(), found.key.tolist(), kinds, found.old.tolist(), found.new.tolist(), strict=True)
    )


def test_no_ingest_changes_nothing() -> None:
    assert traced([], []) == []


def test_a_later_offer_changes_what_an_earlier_one_said() -> None:
    steps = [Step(100, 0, (0,)), Step(200, 1, (0, 1))]

    assert traced([offer([0, 1], [5, 6]), offer([1], [7])], steps) == [
        (0, 0, "first", -1, 5), (0, 1, "first", -1, 6), (1, 1, "changed", 6, 7),
    ]  # fmt: skip


def test_a_bar_is_late_when_its_session_was_known_after_it_was_complete() -> None:
    after, before = [Step(20, 0, (0,)), Step(30, 1, (0, 1))], [Step(19, 0, (0,)), Step(30, 1, (0, 1))]
    offers = [offer([0], [5]), offer([1, 2], [6, 7])]

    assert traced(offers, after)[1:] == [(1, 1, "late", -1, 6), (1, 2, "first", -1, 7)]
    assert traced(offers, before)[1:] == [(1, 1, "first", -1, 6), (1, 2, "first", -1, 7)]


def test_a_replaced_window_removes_what_it_does_not_bring_and_a_later_offer_restores_it() -> None:
    steps = [Step(100, 0, (0,)), Step(200, 1, (0, 1)), Step(300, 2, (0, 1, 2))]
    offers = [offer([0, 1, 2], [3, 4, 5]), offer([1], [6], ReplacedWindow(0, 20, ints(0))), offer([0], [7])]

    assert traced(offers, steps)[3:] == [
        (1, 0, "removed", 3, -1), (1, 1, "changed", 4, 6), (2, 0, "restored", -1, 7),
    ]  # fmt: skip


def test_what_an_offer_replaced_stands_again_once_the_offer_does_not_count() -> None:
    steps = [Step(100, 0, (0,)), Step(200, 1, (0, 1)), Step(300, None, (0,))]
    offers = [offer([0, 1], [3, 4]), offer([1], [6], ReplacedWindow(0, 5, None))]

    assert traced(offers, steps)[2:] == [
        (1, 0, "removed", 3, -1), (1, 1, "changed", 4, 6), (2, 0, "restored", -1, 3), (2, 1, "changed", 6, 4),
    ]  # fmt: skip


def test_unknown_is_the_same_as_unknown_and_nothing_else() -> None:
    raw = raw_bars(
        [bar("A", 0), bar("A", 0, volume=None), bar("A", 0, volume=float("nan")), bar("A", 0, trade_count=1)]
    )

    assert says_the_same(raw, ints(0, 0, 1, 0), ints(0, 1, 2, 3)).tolist() == [True, False, True, False]


def test_the_schema_has_old_and_new_of_every_value() -> None:
    assert {f"{age}_{name}" for age in ("old", "new") for name in VALUES} <= set(CORRECTION_SCHEMA.names)
    assert CORRECTION_SCHEMA.field("old_trade_count").type == pa.int64()
