"""The user's own expectations of a feed's stored tables, for its reports; in the walk they are `gating`'s."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.errors import MarketDataError
from marketdata_pipelines.quality.expectations import (
    UserExpectation,
    expectations_folder,
    has_expectations,
    read_expectations,
)
from marketdata_pipelines.quality.suites.records import SuiteOutcome
from marketdata_pipelines.quality.suites.table_suites import suite_of
from marketdata_pipelines.stores.lake.lake import digest

# A table, its rows and what is told beside the result; None where nothing is expected of that table.
CheckExpectations = Callable[[str, pa.Table, Mapping[str, str]], SuiteOutcome | None]


def expectations_digest(home: Path, feed: str) -> str:
    """Changes with any file of expectations; never fails, as one that cannot be read is told when it is run."""
    folder = expectations_folder(home, feed)
    if not has_expectations(folder):
        return ""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return digest(f"{path.name} {path.read_bytes().hex()}" for path in files)


def expectation_checks(home: Path, feed: Feed) -> CheckExpectations:
    """What evaluates the expectations of a feed.

    Errors: SettingsInvalid naming file and key, for one that nobody can evaluate.
    """
    by_table: dict[str, list[UserExpectation]] = defaultdict(list)
    for each in read_expectations(expectations_folder(home, feed.name)):
        by_table[each.table].append(each)
    if not by_table:
        return lambda _table, _rows, _facts: None
    from marketdata_pipelines.quality.gx.user_expectations import check_expectations, run_expectations

    for table, expected in by_table.items():
        try:
            suite = suite_of(feed, table)
        except MarketDataError as error:
            raise expected[0].fail("table", str(error)) from error
        check_expectations(expected, suite)

    def check(table: str, rows: pa.Table, facts: Mapping[str, str]) -> SuiteOutcome | None:
        expected = by_table.get(table)
        if not expected:
            return None
        # A page of its own: beside the table's suite it would be taken for an earlier validation of it.
        return run_expectations(f"{feed.name}.{table}.expectations", f"{table}.expectations", expected, rows, facts)

    return check
