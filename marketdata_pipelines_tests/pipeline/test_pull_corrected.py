"""A vendor that changes its mind: corrected, vanished and restored bars."""

from collections.abc import Iterator

import pytest

from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import us, walk_stale
from marketdata_pipelines_tests.sources.exchange.exchanges import Served, exchange_up, pull_all, pulled_feed

KEY = "2024-07-01"
FIRST = us("2024-07-01 13:30")


@pytest.fixture
def served() -> Iterator[Served]:
    with exchange_up(("A",)) as up:
        yield up


def pull_again(lake: Lake, served: Served) -> None:
    served.clock.pass_by(60)
    feed = pulled_feed(served.url, symbols=("A",))
    pull_all(lake, feed, [KEY], served.clock, refetch=True)
    walk_stale(lake, feed)


def closes(lake: Lake) -> dict[int, float]:
    bars = lake.read("validated_bars", "feed", KEY)
    return dict(zip(bars["ts"].cast("int64").to_pylist(), bars["close"].to_pylist(), strict=True))


def rejected(lake: Lake) -> list[str]:
    return [row["rules"] for row in lake.read("rejected_bars", "feed", KEY).to_pylist() if row["rules"] != "superseded"]


def test_a_corrected_bar_is_one_new_part_and_the_older_one_is_recorded(lake: Lake, served: Served) -> None:
    pull_again(lake, served)
    before = closes(lake)
    served.exchange.corrections.rows["A", FIRST] = {"close": before[FIRST] + 0.01, "high": before[FIRST] + 1}

    pull_again(lake, served)

    assert len(lake.catalog.standing_parts("feed", [KEY])) == 2
    assert closes(lake) == {**before, FIRST: before[FIRST] + 0.01}
    superseded = lake.read("rejected_bars", "feed", KEY)
    assert set(superseded["rules"].to_pylist()) == {"superseded"}


def test_a_bar_that_vanished_is_deleted_and_said_to_be(lake: Lake, served: Served) -> None:
    pull_again(lake, served)
    before = closes(lake)
    served.exchange.corrections.rows["A", FIRST] = None

    pull_again(lake, served)

    assert closes(lake) == {ts: close for ts, close in before.items() if ts != FIRST}
    assert rejected(lake) == ["deleted"]


def test_the_last_bar_can_vanish_too(lake: Lake, served: Served) -> None:
    pull_again(lake, served)
    last = max(closes(lake))
    served.exchange.corrections.rows["A", last] = None

    pull_again(lake, served)

    assert last not in closes(lake)


def test_back_to_what_was_said_first_ends_as_that(lake: Lake, served: Served) -> None:
    pull_again(lake, served)
    first = closes(lake)
    served.exchange.corrections.rows["A", FIRST] = {"volume": 1.0, "vwap": None}
    pull_again(lake, served)
    served.exchange.corrections.rows.clear()

    pull_again(lake, served)
    again = len(lake.catalog.ingests("feed"))
    pull_again(lake, served)

    assert closes(lake) == first
    volumes = lake.read("validated_bars", "feed", KEY)["volume"].to_pylist()
    assert volumes[0] != 1.0
    assert again == len(lake.catalog.ingests("feed")) == 3


def test_an_answer_without_bars_for_a_session_that_was_held_deletes_and_is_asked_for_again(
    lake: Lake, served: Served
) -> None:
    pull_again(lake, served)
    for ts in closes(lake):
        served.exchange.corrections.rows["A", ts] = None

    pull_again(lake, served)

    feed = pulled_feed(served.url, symbols=("A",))
    assert lake.catalog.stored_partition("validated_bars", "feed", KEY) is None
    assert set(rejected(lake)) == {"deleted"}
    served.exchange.corrections.rows.clear()
    pull_all(lake, feed, [KEY], served.clock)
    walk_stale(lake, feed)
    assert len(closes(lake)) == 390


def test_bad_bars_of_a_vendor_are_rejected_with_the_text_they_came_in(lake: Lake, served: Served) -> None:
    served.exchange.corrections.rows["A", FIRST] = {"high": 0.01}

    pull_again(lake, served)

    (row,) = lake.read("rejected_bars", "feed", KEY).to_pylist()
    assert (row["file"], row["rules"], row["line"]) == (f"feed-{KEY}", "high_below_low", None)
    assert row["original"].startswith('{"symbol": "A", "ts": "2024-07-01T13:30:00Z", "open": ')
