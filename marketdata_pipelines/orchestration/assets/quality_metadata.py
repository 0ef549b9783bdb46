"""Where Dagster's page leads from a verdict: to the report, the Data Docs, and the commands that tell more.

The figures beside a verdict are told like those of any other asset and check (see `metadata`).
"""

from collections.abc import Sequence
from datetime import date
from typing import Any
from urllib.parse import quote

from dagster import MetadataValue, UrlMetadataValue

from marketdata_pipelines.domain.tables import QUALITY
from marketdata_pipelines.pipeline.outcome import PartitionOutcome
from marketdata_pipelines.pipeline.quality.headlines import SymbolScore
from marketdata_pipelines.pipeline.reports.files import report_name
from marketdata_pipelines.quality.outcome import Example

Metadata = dict[str, Any]
PAGES = "/quality"


def verdict_links(outcome: PartitionOutcome, asset: str) -> Metadata:
    """Where the verdict on a partition is shown in full: pages of `marketdata up`, and commands. Of other assets none.

    A report tells of the partition up to its last judged session.
    """
    if asset != QUALITY:
        return {}
    first = date.fromisoformat(outcome.partition)
    last = next((each.last_session for each in outcome.results if each.asset == QUALITY and each.last_session), first)
    days = f"{outcome.feed} --start {first} --end {last}"
    return {
        "report": page_link(None, "reports", outcome.feed, report_name(first, last)),
        "Data Docs": page_link(None, "docs", outcome.feed, f"{first:%Y-%m}", "index.html"),
        "read it": f"marketdata quality {days} --findings",
        "rejected rows": f"marketdata rejected {days} --findings",
    }


def page_link(ui_url: str | None, *path: str) -> UrlMetadataValue:
    """A page of `marketdata up`: below `ui_url`, or on whatever address Dagster's own page is looked at."""
    return MetadataValue.url(f"{(ui_url or '').rstrip('/')}{PAGES}/{'/'.join(map(quote, path))}")


def symbol_records(worst: Sequence[SymbolScore]) -> list[Example]:
    """Symbols for a table of the page."""
    return [
        {
            "symbol": each.symbol,
            "session": each.session.isoformat(),
            "score": round(each.score, 2),
            "grade": each.grade,
            "findings": each.findings,
        }
        for each in worst
    ]
