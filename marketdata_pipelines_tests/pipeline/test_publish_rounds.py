"""What is left to publish of a feed, round by round, until nothing is."""

from collections.abc import Mapping, Sequence
from datetime import date

from marketdata_pipelines.domain.store_tables import StoreSet
from marketdata_pipelines.pipeline.publish_rounds import PublishRounds
from marketdata_pipelines.pipeline.publishing import Publisher, PublishOutcome, partitions_behind
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.timescale.database import Database
from marketdata_pipelines.stores.timescale.publishing import TimescaleStore
from marketdata_pipelines_tests.builders import make_feed, minutes, source_of, take_in, walk_stale
from marketdata_pipelines_tests.store_databases import store_database, store_dsn

__all__ = ["store_database", "store_dsn"]

FEED = make_feed(name="shares")
DAYS = ["2024-03-07", "2024-03-08"]


def fill(lake: Lake, days: Sequence[str] = DAYS, *, volume: float = 7.0) -> None:
    """Half an hour of each day, with a volume of its last bar."""
    for day in days:
        rows = minutes("A", f"{day} 14:30", 30)
        rows[-1]["volume"] = volume
        take_in(lake, FEED, source_of(f"{day} {volume}.csv", rows), known_at=f"{day} 23:00")
    walk_stale(lake, FEED)


def shown(work: Mapping[StoreSet, list[str]]) -> dict[str, list[str]]:
    return {each.name: keys for each, keys in work.items()}


def publish(publisher: Publisher, rounds: PublishRounds) -> list[dict[str, list[str]]]:
    """The rounds there were."""
    found = []
    while work := rounds.next():
        found.append(shown(work))
        for store_set, keys in work.items():
            for outcome in publisher.publish(store_set, keys):
                rounds.note(outcome)
    return found


def ready(lake: Lake, database: Database) -> tuple[TimescaleStore, Publisher]:
    store = TimescaleStore(database)
    publisher = Publisher(lake, store, FEED)
    publisher.ready()
    return store, publisher


def test_what_is_behind_is_one_round(lake: Lake, store_database: Database) -> None:
    fill(lake)
    store, publisher = ready(lake, store_database)

    rounds = publish(publisher, PublishRounds(lake, store, FEED))

    assert [each["timescale_bars"] for each in rounds] == [DAYS]
    assert publish(publisher, PublishRounds(lake, store, FEED)) == []


def test_what_a_publication_takes_down_is_another_round(lake: Lake, store_database: Database) -> None:
    fill(lake)
    store, publisher = ready(lake, store_database)
    publish(publisher, PublishRounds(lake, store, FEED))
    # No power of ten makes it a whole number.
    fill(lake, DAYS[1:], volume=1 / 3)

    rounds = publish(publisher, PublishRounds(lake, store, FEED))

    # The day that has to be kept as doubles takes everything else of the feed down with it.
    assert rounds[0]["timescale_bars"] == DAYS[1:]
    assert rounds[1]["timescale_bars"] == DAYS[:1]
    assert len(rounds) == 2
    assert partitions_behind(lake, store, FEED) == {}


def test_with_dates_everything_that_holds_some_of_them_is_asked_for_and_the_rest_stays_behind(
    lake: Lake, store_database: Database
) -> None:
    fill(lake)
    store, publisher = ready(lake, store_database)

    later = shown(PublishRounds(lake, store, FEED, date(2024, 3, 8), None).next())
    nothing = shown(PublishRounds(lake, store, FEED, date(2024, 4, 1), date(2024, 4, 2)).next())
    rounds = publish(publisher, PublishRounds(lake, store, FEED, date(2024, 3, 8), date(2024, 3, 8)))

    assert (later["timescale_bars"], later["timescale_weekly_bars"]) == (DAYS[1:], ["2024-03-04"])
    assert nothing == {}
    assert len(rounds) == 1
    assert list(partitions_behind(lake, store, FEED)["timescale_bars"]) == DAYS[:1]


def test_what_failed_is_not_tried_in_another_round(lake: Lake, store_database: Database) -> None:
    fill(lake)
    store, _ = ready(lake, store_database)
    rounds = PublishRounds(lake, store, FEED)
    first = shown(rounds.next())

    for name, keys in first.items():
        for key in keys:
            rounds.note(PublishOutcome(FEED.name, name, key, (), 0.1, failed="refused"))

    assert first["timescale_bars"] == DAYS
    assert rounds.next() == {}
