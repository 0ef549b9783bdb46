"""What is noted of a partition's bars while they are walked."""

from pathlib import Path

from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.quality.records import QUALITY_SUSPECTS, SYMBOL_PROFILES, Level, Severity
from marketdata_pipelines.domain.quality.settings import QualitySpec, RuleSetting
from marketdata_pipelines.domain.references import Reference, ReferenceKind
from marketdata_pipelines.pipeline.quality.judging import PartitionJudge
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import LATER, column, make_feed, source_of, take_in, walk_keys
from marketdata_pipelines_tests.reference_files import take, write
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


def _declare_tick(lake: Lake, folder: Path, tick: str) -> None:
    text = f"one,A,2012-05-18,,{tick}\ntwo,B,2024-03-09,,{tick}\n"
    path = write(folder, "names.csv", text, "instrument_id,symbol,from,to,tick_size\n")
    take(lake, path, reference=Reference("names", ReferenceKind.INSTRUMENTS))


def test_prices_between_ticks_are_a_finding_with_their_place(lake: Lake, tmp_path: Path) -> None:
    feed = make_feed(instruments="names")
    _declare_tick(lake, tmp_path, "0.01")
    # Nobody is known to have borne B on that day.
    take_in(
        lake,
        feed,
        source_of("a.csv", changed(walking_prices("A"), {7: {"high": 200.005}, 9: {"low": 50.001}})),
        source_of("b.csv", changed(walking_prices("B"), {7: {"high": 200.005}})),
    )

    walk_keys(lake, feed, Period.DAY, [DAY])
    PartitionJudge(lake, feed).judge([DAY], at_us=LATER)

    findings = lake.read("quality_findings", "feed", DAY).to_pylist()
    (found,) = [row for row in findings if row["rule"] == "tick_size"]
    assert (found["symbol"], found["bars"], found["file"], found["row"]) == ("A", 2, "a.csv", 8)
    assert found["message"] == "2 bars have prices between ticks of 0.01, first 200.005"
    scores = {row["symbol"]: row["validity"] for row in lake.read("quality_scores", "feed", DAY).to_pylist()}
    assert scores["A"] < 80 < scores["B"] == 100


def test_prices_between_ticks_withhold_a_partition_where_the_feed_says_so(lake: Lake, tmp_path: Path) -> None:
    rules = (RuleSetting("tick_size", Severity.BLOCK),)
    feed = make_feed(instruments="names", quality=QualitySpec(rules=rules))
    _declare_tick(lake, tmp_path, "0.01")
    take_in(lake, feed, source_of("a.csv", changed(walking_prices("A"), {7: {"high": 100.505}})))

    outcome = walk_keys(lake, feed, Period.DAY, [DAY])[DAY]

    assert outcome.blocked is not None
    assert outcome.blocked.startswith("quality_rules: tick_size: 1 findings over 1 bars, first A")


def test_ordinary_prices_are_on_their_tick(lake: Lake, tmp_path: Path) -> None:
    feed = make_feed(instruments="names")
    _declare_tick(lake, tmp_path, "0.01")
    take_in(lake, feed, source_of("a.csv", walking_prices("A")))

    walk_keys(lake, feed, Period.DAY, [DAY])

    assert "off_tick" not in column(lake.read(QUALITY_SUSPECTS, "feed", DAY), "kind")
