"""What withholds a partition beyond the built-in checks."""

from pathlib import Path

import pytest

from marketdata_pipelines.domain.partitions import Period
from marketdata_pipelines.domain.quality.records import Level, Severity
from marketdata_pipelines.domain.quality.settings import QualitySpec, RuleSetting
from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.pipeline.outcome import PartitionOutcome
from marketdata_pipelines.quality.outcome import CheckOutcome
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import make_feed, source_of, take_in, walk_keys
from marketdata_pipelines_tests.repair_lakes import changed, walking_prices

BLOCKING = make_feed(quality=QualitySpec(rules=(RuleSetting("price_spike", Severity.BLOCK),)))
FEED = make_feed()
DAY = "2024-03-08"
SPIKE = {100: {"open": 1000.0, "high": 1001.0, "low": 999.0, "close": 1000.0}}


def check_of(outcome: PartitionOutcome) -> CheckOutcome:
    return next(check for check in outcome.checks if check.name == "quality_rules")


def expect(lake: Lake, text: str) -> None:
    folder = lake.layout.root.parent / "expectations" / "feed"
    folder.mkdir(parents=True)
    (folder / "own.yaml").write_text(text, "utf-8")


@pytest.mark.parametrize("feed", [BLOCKING, make_feed(quality=QualitySpec(Level.STRICT))], ids=["one rule", "strict"])
def test_a_rule_that_the_feed_lets_block_withholds_what_is_downstream(lake: Lake, feed: object) -> None:
    take_in(lake, BLOCKING, source_of("a.csv", changed(walking_prices("A"), SPIKE)))

    outcome = walk_keys(lake, feed, Period.DAY, [DAY])[DAY]  # type: ignore[arg-type]

    assert outcome.blocked is not None
    assert outcome.blocked.startswith("quality_rules: price_spike: 1 findings over 1 bars, first A 2024-03-08T")
    assert "see: marketdata quality feed --start 2024-03-08 --end 2024-03-08 --findings" in outcome.blocked
    assert lake.catalog.stored_partition("validated_bars", "feed", DAY) is None
    assert check_of(outcome).examples[0]["rule"] == "price_spike"


def test_the_same_bars_pass_where_the_rule_only_warns(lake: Lake) -> None:
    take_in(lake, FEED, source_of("a.csv", changed(walking_prices("A"), SPIKE)))

    outcome = walk_keys(lake, FEED, Period.DAY, [DAY])[DAY]

    assert outcome.blocked is None
    assert check_of(outcome).passed


def test_a_bad_row_that_was_replaced_blocks_nothing(lake: Lake) -> None:
    take_in(lake, BLOCKING, source_of("a.csv", changed(walking_prices("A"), SPIKE)))
    take_in(lake, BLOCKING, source_of("b.csv", walking_prices("A")))

    assert walk_keys(lake, BLOCKING, Period.DAY, [DAY])[DAY].blocked is None


def test_a_users_critical_expectation_blocks_and_is_told(lake: Lake) -> None:
    expect(lake, "type: expect_column_max_to_be_between\nkwargs: {column: close, max_value: 1}\nseverity: critical\n")
    take_in(lake, FEED, source_of("a.csv", walking_prices("A")))

    outcome = walk_keys(lake, FEED, Period.DAY, [DAY])[DAY]

    assert outcome.blocked is not None
    assert "expect_column_max_to_be_between" in outcome.blocked
    verdicts = lake.read("quality_verdicts", "feed", DAY).to_pylist()
    assert [row["severity"] for row in verdicts] == ["block"]


def test_a_users_warning_lets_the_partition_pass_and_is_kept(lake: Lake) -> None:
    expect(lake, "type: expect_column_max_to_be_between\nkwargs: {column: close, max_value: 1}\nseverity: warning\n")
    take_in(lake, FEED, source_of("a.csv", walking_prices("A")))

    outcome = walk_keys(lake, FEED, Period.DAY, [DAY])[DAY]

    assert outcome.blocked is None
    assert "1 of 1 expectations warn" in check_of(outcome).message
    assert [row["severity"] for row in lake.read("quality_verdicts", "feed", DAY).to_pylist()] == ["warn"]


def test_an_expectation_of_a_column_there_is_not_names_its_file_and_key(lake: Lake, tmp_path: Path) -> None:
    expect(lake, "type: expect_column_values_to_not_be_null\nkwargs: {column: clos}\n")
    take_in(lake, FEED, source_of("a.csv", walking_prices("A")))

    with pytest.raises(Exception, match=r"own\.yaml.*clos") as raised:
        walk_keys(lake, FEED, Period.DAY, [DAY])

    causes = [raised.value, raised.value.__cause__]
    assert any(isinstance(each, SettingsInvalid) for each in causes)
