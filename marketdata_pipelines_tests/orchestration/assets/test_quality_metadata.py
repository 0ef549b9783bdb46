from datetime import date

from dagster import UrlMetadataValue

from marketdata_pipelines.orchestration.assets.events import evaluation, materialization
from marketdata_pipelines.orchestration.assets.quality_metadata import page_link, symbol_records, verdict_links
from marketdata_pipelines.pipeline.outcome import AssetResult, PartitionOutcome
from marketdata_pipelines.pipeline.quality.headlines import SymbolScore
from marketdata_pipelines.quality.outcome import CheckOutcome, Example


def outcome(partition: str = "2024-03-08", last: date | None = None, *, passed: bool = False) -> PartitionOutcome:
    result = AssetResult("quality", 1, 1, None, None, 0, {"quality_scores": 1}, {"score": 91.5}, last_session=last)
    examples: tuple[Example, ...] = () if passed else ({"rule": "price_spike", "findings": 2},)
    check = CheckOutcome("accuracy", "quality", passed, False, "told", {"score": 91.5}, examples)
    return PartitionOutcome("days", partition, (result,), (check,), None)


def test_a_verdict_leads_to_its_pages_and_commands() -> None:
    judged = outcome()

    told = materialization(judged, judged.results[0]).metadata

    assert told["report"] == UrlMetadataValue("/quality/reports/days/2024-03-08.html")
    assert told["Data Docs"] == UrlMetadataValue("/quality/docs/days/2024-03/index.html")
    assert told["read it"].value == "marketdata quality days --start 2024-03-08 --end 2024-03-08 --findings"
    assert told["rejected rows"].value == "marketdata rejected days --start 2024-03-08 --end 2024-03-08 --findings"
    assert told["score"].value == 91.5


def test_a_partition_of_many_sessions_leads_to_the_report_up_to_its_last() -> None:
    told = verdict_links(outcome("2024-03-01", date(2024, 3, 28)), "quality")

    assert told["report"] == UrlMetadataValue("/quality/reports/days/2024-03-01_2024-03-28.html")
    assert told["read it"].startswith("marketdata quality days --start 2024-03-01 --end 2024-03-28")


def test_a_failed_check_leads_there_too_and_one_that_passed_needs_no_more() -> None:
    failed, passed = outcome(), outcome(passed=True)

    told = evaluation(failed, failed.checks[0], None).metadata
    brief = evaluation(passed, passed.checks[0], None).metadata

    assert told["read it"].value == "marketdata quality days --start 2024-03-08 --end 2024-03-08 --findings"
    assert "report" in told
    assert list(brief) == ["score"]


def test_other_assets_have_no_such_links() -> None:
    assert verdict_links(outcome(), "validated_bars") == {}


def test_links_begin_with_the_address_people_use_where_one_is_set() -> None:
    assert page_link("https://desk.example/", "reports", "a b", "latest.html").value == (
        "https://desk.example/quality/reports/a%20b/latest.html"
    )


def test_symbols_are_told_in_columns_of_plain_values() -> None:
    (record,) = symbol_records([SymbolScore("AAA", date(2024, 3, 8), 87.234567, "B", 3)])

    assert record == {"symbol": "AAA", "session": "2024-03-08", "score": 87.23, "grade": "B", "findings": 3}
