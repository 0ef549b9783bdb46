"""What is noted of a partition's bars while they are walked."""

from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.quality.records import QUALITY_SUSPECTS, SYMBOL_PROFILES, Level
from marketdata_pipelines.domain.quality.settings import QualitySpec
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import column, make_feed, source_of, take_in, walk_keys
from marketdata_pipelines_tests.repair_lakes import changed, walking_prices

FEED = make_feed()
DAY = "2024-03-08"
SPIKE = {100: {"open": 1000.0, "high": 1001.0, "low": 999.0, "close": 1000.0}}


def test_each_symbol_session_has_a_profile_with_its_rejected_rows(lake: Lake) -> None:
    rows = changed(walking_prices("A"), {7: {"high": -1.0}}) + walking_prices("B", seed=2)[:50]
    take_in(lake, FEED, source_of("a.csv", rows))

    walk_keys(lake, FEED, Period.DAY, [DAY])

    profiles = lake.read(SYMBOL_PROFILES, "feed", DAY)
    assert column(profiles, "symbol") == ["A", "B"]
    assert column(profiles, "bars") == [389, 50]
    assert column(profiles, "raw_rows") == [390, 50]
    assert column(profiles, "rejected_validity") == [1, 0]


def test_a_suspect_knows_its_place_in_the_file(lake: Lake) -> None:
    take_in(lake, FEED, source_of("spiky.csv", changed(walking_prices("A"), SPIKE)))

    walk_keys(lake, FEED, Period.DAY, [DAY])

    suspects = lake.read(QUALITY_SUSPECTS, "feed", DAY).to_pylist()
    spike = next(row for row in suspects if row["kind"] == "spike")
    assert (spike["file"], spike["row"], spike["standing"]) == ("spiky.csv", 101, True)


def test_rows_that_another_file_replaced_are_looked_at_too(lake: Lake) -> None:
    take_in(lake, FEED, source_of("spiky.csv", changed(walking_prices("A"), SPIKE)))
    take_in(lake, FEED, source_of("mended.csv", walking_prices("A")))

    walk_keys(lake, FEED, Period.DAY, [DAY])

    suspects = lake.read(QUALITY_SUSPECTS, "feed", DAY).to_pylist()
    spikes = [(row["file"], row["row"], row["standing"]) for row in suspects if row["kind"] == "spike"]
    assert spikes == [("spiky.csv", 101, False)]


def test_a_row_that_stands_in_a_file_half_replaced_is_told_of_once(lake: Lake) -> None:
    take_in(lake, FEED, source_of("spiky.csv", changed(walking_prices("A"), SPIKE)))
    take_in(lake, FEED, source_of("end.csv", walking_prices("A")[300:]))

    walk_keys(lake, FEED, Period.DAY, [DAY])

    suspects = lake.read(QUALITY_SUSPECTS, "feed", DAY).to_pylist()
    spikes = [(row["file"], row["row"], row["standing"]) for row in suspects if row["kind"] == "spike"]
    assert spikes == [("spiky.csv", 101, True)]


def test_nothing_is_noted_where_no_quality_is_asked_for(lake: Lake) -> None:
    feed = make_feed(quality=QualitySpec(Level.NONE))
    take_in(lake, feed, source_of("a.csv", walking_prices("A")))

    walk_keys(lake, feed, Period.DAY, [DAY])

    assert lake.catalog.stored_partition(SYMBOL_PROFILES, "feed", DAY) is None
