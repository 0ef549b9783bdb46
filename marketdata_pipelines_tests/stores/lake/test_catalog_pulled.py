"""The ledger of what vendors were asked."""

import sqlite3
from dataclasses import replace

import pytest

from marketdata_pipelines.stores.lake.catalog import Ingest, PulledWindow, RawPart
from marketdata_pipelines.stores.lake.lake import Lake

WINDOW = PulledWindow("2024-07-01", "exchange", 0, 100, ("A", "B"), complete=True, settled=True)


def pull(lake: Lake, sha256: str, window: PulledWindow | None, known_at_us: int = 1) -> int:
    ingest = Ingest(
        "feed", "f", "origin://exchange/x", sha256, 1, known_at_us, "run", "replace_window", "accepted", None, None, (),
        "v", "p", "c", "1", 1, 0, 9, pulled=window,
    )  # fmt: skip
    part = RawPart("2024-07-01", "raw_bars", f"part-{sha256}", f"raw_bars/{sha256}.parquet", 1)
    return lake.catalog.record_ingest(ingest, [part])


def standing(lake: Lake, as_of_us: int | None = None) -> list[str]:
    return [part.ingest.sha256 for part in lake.catalog.standing_parts("feed", as_of_us=as_of_us)]


def test_what_was_asked_is_read_back_and_files_were_asked_nothing(lake: Lake) -> None:
    pull(lake, "a", WINDOW)
    pull(lake, "b", None)

    assert [ingest.pulled for ingest in lake.catalog.ingests("feed")] == [WINDOW, None]


def test_a_pull_of_a_running_session_counts_until_a_later_one_covers_it(lake: Lake) -> None:
    pull(lake, "early", replace(WINDOW, end_us=40, settled=False), 1)
    pull(lake, "later", replace(WINDOW, end_us=60, settled=False), 2)
    running = standing(lake)
    pull(lake, "over", WINDOW, 3)

    assert running == ["later"]
    assert standing(lake) == ["over"]
    assert standing(lake, as_of_us=1) == ["early"]


@pytest.mark.parametrize(
    "later",
    [
        replace(WINDOW, symbols=("A",)), replace(WINDOW, start_us=10), replace(WINDOW, complete=False),
        replace(WINDOW, partition="2024-07-02"),
    ],
)  # fmt: skip
def test_it_goes_on_counting_beside_one_that_does_not_cover_it(lake: Lake, later: PulledWindow) -> None:
    pull(lake, "early", replace(WINDOW, end_us=40, settled=False), 1)
    pull(lake, "later", later, 2)

    assert standing(lake) == ["early", "later"]


def test_settled_pulls_all_count(lake: Lake) -> None:
    pull(lake, "first", WINDOW, 1)
    pull(lake, "corrected", WINDOW, 2)

    assert standing(lake) == ["first", "corrected"]


def test_windows_meet_where_some_bar_was_asked_for_by_both() -> None:
    assert WINDOW.meets(replace(WINDOW, start_us=99, end_us=200, symbols=("B", "C")))
    assert not WINDOW.meets(replace(WINDOW, start_us=100, end_us=200))
    assert not WINDOW.meets(replace(WINDOW, symbols=("C",)))
    assert not WINDOW.meets(replace(WINDOW, partition="2024-07-02"))


def test_a_catalog_from_before_there_were_pulls_is_read_and_grows_with_its_next_write(lake: Lake) -> None:
    pull(lake, "old", None)
    with sqlite3.connect(lake.layout.catalog) as connection:
        connection.execute("alter table ingest drop column pulled")
    connection.close()

    before = standing(lake)
    pull(lake, "new", WINDOW, 2)

    assert before == ["old"]
    assert [ingest.pulled for ingest in lake.catalog.ingests("feed")] == [None, WINDOW]
