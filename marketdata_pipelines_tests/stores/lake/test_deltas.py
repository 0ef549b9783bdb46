"""Which rows of which file count."""

from marketdata_pipelines.stores.lake.deltas import (
    Delta,
    LiveFile,
    deltas_text,
    live_files,
    read_deltas,
    with_delta,
)


def delta(path: str, *symbols: str) -> Delta:
    return Delta(path, symbols, 1, 10, "open:2")


def test_what_a_later_file_speaks_for_does_not_count_in_earlier_ones() -> None:
    found = live_files("whole", (delta("one", "A", "B"), delta("two", "B", "C")))

    assert found == [
        LiveFile("whole", frozenset("ABC"), None),
        LiveFile("one", frozenset("B"), frozenset("AB")),
        LiveFile("two", frozenset(), frozenset("BC")),
    ]


def test_files_that_cannot_have_rows_of_a_symbol_are_told() -> None:
    whole, one, two = live_files("whole", (delta("one", "A", "B"), delta("two", "B")))

    assert [file.may_hold(frozenset("A")) for file in (whole, one, two)] == [False, True, False]
    assert [file.may_hold(frozenset("B")) for file in (whole, one, two)] == [False, False, True]
    assert [file.may_hold(frozenset("ZA")) for file in (whole, one, two)] == [True, True, False]


def test_deltas_nothing_counts_in_any_more_are_left_out() -> None:
    first = (delta("one", "A"), delta("two", "B"), delta("three", "A", "C"))

    assert with_delta(first, delta("four", "B", "D")) == (first[2], delta("four", "B", "D"))
    # Two together may speak for all of an older one.
    assert with_delta((delta("old", "A", "B"), delta("a", "A")), delta("b", "B")) == (delta("a", "A"), delta("b", "B"))


def test_the_index_gives_deltas_back_as_they_were() -> None:
    given = (delta("one", "A", "O'B"), delta("two", ""))

    assert read_deltas(deltas_text(given)) == given
    assert deltas_text(()) is None
    assert read_deltas(None) == ()
