"""Scores and findings as they are answered, and scores combined."""

import pytest

from marketdata_pipelines.domain.quality.events import QualityEvent, QualityEventKind
from marketdata_pipelines.domain.quality.records import FINDING_SCHEMA, SCORE_SCHEMA
from marketdata_pipelines.errors import PartitionMissing, SettingsInvalid
from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines.serving.quality import By, scores_by
from marketdata_pipelines.stores.lake.quality_events import QualityEvents
from marketdata_pipelines_tests.builders import column, make_home, us
from marketdata_pipelines_tests.quality_tables import finding, scored, store_quality

FEEDS = """
feeds:
  us: {source: landing, interval: 1m, calendar: XNYS}
  hourly: {source: landing, interval: 1h, calendar: XNYS}
  partly: {source: landing, interval: 1m, calendar: XNYS}
  unjudged: {source: landing, interval: 1m, calendar: XNYS, quality: {level: none}}
"""
FRIDAY, MONDAY = "2024-03-08", "2024-03-11"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> LakeReader:
    """Two sessions by day, and two in one month of an hourly feed."""
    found = LakeReader(make_home(tmp_path_factory.mktemp("data"), FEEDS))
    store_quality(
        found.lake,
        "us",
        FRIDAY,
        [
            scored(None, FRIDAY, 95.0, bars=400, expected=400),
            scored("A", FRIDAY, 100.0, bars=300, expected=390),
            scored("B", FRIDAY, 60.0),
        ],
        [
            finding("price_spike", FRIDAY, "B", "2024-03-08 15:00", file="b.csv", line=7, row=6, part="p1"),
            finding("stale_run", FRIDAY, "A", "2024-03-08 16:00", ts_last="2024-03-08 16:20", bars=21, standing=False),
        ],
    )
    store_quality(
        found.lake,
        "us",
        MONDAY,
        [
            scored(None, MONDAY, 30.0, bars=90, expected=100, blocked=True),
            scored("A", MONDAY, 30.0, bars=90, expected=100, blocked=True),
        ],
        [finding("market_gap", MONDAY, severity="block"), finding("own_expectation", MONDAY, "A")],
    )
    both = [scored("A", "2024-03-01", 90.0), scored("A", "2024-03-28", 80.0)]
    store_quality(found.lake, "hourly", "2024-03-01", both, [finding("long_gap", "2024-03-28", "A")])
    return found


def test_scores_are_those_of_the_sessions_asked_for_totals_first(reader: LakeReader) -> None:
    found = reader.quality("us")

    assert found.column_names == SCORE_SCHEMA.names
    assert column(found, "symbol") == [None, "A", "B", None, "A"]
    assert column(found, "score") == [95.0, 100.0, 60.0, 30.0, 30.0]
    assert column(reader.quality("us", MONDAY, MONDAY), "score") == [30.0, 30.0]
    assert column(reader.quality("hourly", "2024-03-02", "2024-03-31"), "score") == [80.0]


def test_scores_of_some_symbols_have_no_totals(reader: LakeReader) -> None:
    assert column(reader.quality("us", symbols=["B"]), "symbol") == ["B"]


def test_nothing_scored_says_what_to_run(reader: LakeReader) -> None:
    with pytest.raises(PartitionMissing, match=r"scored: 2024-03-08 to 2024-03-11; run: marketdata backfill us"):
        reader.quality("us", "2024-04-01", "2024-04-02")
    with pytest.raises(PartitionMissing, match="its quality level is none"):
        reader.quality("unjudged")


def test_findings_have_all_columns_but_the_raw_part(reader: LakeReader) -> None:
    found = reader.findings("us")

    assert found.column_names == [name for name in FINDING_SCHEMA.names if name != "part"]
    assert column(found, "rule") == ["stale_run", "price_spike", "market_gap", "own_expectation"]
    assert column(found, "standing") == [False, True, True, True]
    assert column(found, "ts_last") == ["2024-03-08 16:20", "2024-03-08 15:00", None, None]


def test_findings_are_chosen_by_symbol_rule_severity_and_date(reader: LakeReader) -> None:
    assert column(reader.findings("us", symbols=["B"]), "rule") == ["price_spike", "market_gap"]
    assert column(reader.findings("us", rule="price_spike"), "file") == ["b.csv"]
    assert column(reader.findings("us", severity="block"), "rule") == ["market_gap"]
    assert column(reader.findings("hourly", end="2024-03-27"), "rule") == []


def test_a_rule_that_found_something_is_known_whoever_declared_it(reader: LakeReader) -> None:
    assert reader.findings("us", rule="own_expectation").num_rows == 1
    assert reader.findings("us", rule="tick_size").num_rows == 0
    for feed in ("us", "unjudged"):
        with pytest.raises(SettingsInvalid, match="'spikes' is no quality rule; see: marketdata quality --rules"):
            reader.findings(feed, rule="spikes")


def test_days_are_the_sessions_as_a_whole(reader: LakeReader) -> None:
    found = scores_by(reader.quality("us"), By.DAY)

    assert column(found, "score") == [95.0, 30.0]
    assert column(found, "blocked") == [False, True]


def test_days_of_some_symbols_are_their_mean_weighted_by_the_room_for_bars(reader: LakeReader) -> None:
    found = scores_by(reader.quality("us", symbols=["A", "B"]), By.DAY)

    assert column(found, "score") == pytest.approx([(390 * 100 + 10 * 60) / 400, 30.0])
    assert column(found, "bars") == [310, 90]
    assert column(found, "grade") == ["A", "D"]


def test_symbols_are_means_over_their_sessions_worst_first(reader: LakeReader) -> None:
    found = scores_by(reader.quality("us"), By.SYMBOL)

    assert column(found, "symbol") == ["B", "A"]
    assert column(found, "score") == pytest.approx([60.0, (390 * 100 + 100 * 30) / 490])
    assert column(found, "sessions") == [1, 2]
    assert column(found, "worst") == [60.0, 30.0]
    assert [str(day) for day in column(found, "worst_session")] == [FRIDAY, MONDAY]
    assert column(found, "blocked") == [False, True]


def test_dimensions_name_their_worst_session_and_symbol(reader: LakeReader) -> None:
    found = scores_by(reader.quality("us"), By.DIMENSION).to_pylist()

    assert [row["dimension"] for row in found] == [
        "completeness", "accuracy", "consistency", "validity", "timeliness", "uniqueness",
    ]  # fmt: skip
    assert found[0]["score"] == pytest.approx((400 * 95 + 100 * 30) / 500)
    assert (found[0]["latest"], found[0]["worst"], str(found[0]["worst_session"])) == (30.0, 30.0, MONDAY)
    assert (found[0]["worst_symbol"], found[0]["symbol_sessions_below_100"]) == ("A", 2)
    assert (found[1]["score"], found[1]["worst_symbol"]) == (100.0, None)


def test_dimensions_that_were_not_judged_stay_unknown(reader: LakeReader) -> None:
    unjudged = [scored(None, FRIDAY, 90.0, accuracy=None), scored("A", FRIDAY, 90.0, accuracy=None)]
    store_quality(reader.lake, "partly", FRIDAY, unjudged)

    assert scores_by(reader.quality("partly"), By.DIMENSION).to_pylist()[1]["score"] is None
    assert column(scores_by(reader.quality("partly"), By.SYMBOL), "accuracy") == [None]


def test_queries_see_scores_and_findings_as_views(reader: LakeReader) -> None:
    worst = reader.sql("select symbol, score from us.quality_scores where symbol is not null order by score limit 1")
    counted = reader.sql(
        "select feed, count(*) as n from quality_findings where feed <> 'partly' group by feed order by feed"
    )

    assert worst.to_pylist() == [{"symbol": "A", "score": 30.0}]
    assert counted.to_pylist() == [{"feed": "hourly", "n": 1}, {"feed": "us", "n": 4}]


def test_queries_see_the_log_of_quality_events(reader: LakeReader) -> None:
    log = QualityEvents(reader.lake.layout.catalog)
    log.append("us", FRIDAY, us("2026-01-01 00:00"), [QualityEvent(QualityEventKind.REPAIRED, detail="by hand")])

    assert column(reader.quality_events("us"), "detail") == ["by hand"]
    assert reader.quality_events("hourly").num_rows == 0
    assert reader.sql("select feed, detail from quality_events").to_pylist() == [{"feed": "us", "detail": "by hand"}]
    assert reader.sql("select count(*) as n from us.quality_events").to_pylist() == [{"n": 1}]
