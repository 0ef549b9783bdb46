"""Clean data: real markets with their crashes, wicks and halts, and simulated ones, are hardly ever warned of."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pyarrow.compute as pc
import pytest

from marketdata_pipelines.domain.quality.records import Severity
from marketdata_pipelines.domain.session_grid import feed_calendar
from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines.sources.files.listing import list_files
from marketdata_pipelines.sources.simulated.files import write_files
from marketdata_pipelines_tests.acceptance.commands import shared_data
from marketdata_pipelines_tests.acceptance.golden_sets import SETS
from marketdata_pipelines_tests.acceptance.taking_in import judged
from marketdata_pipelines_tests.builders import day, make_feed

NY = "source: {kind: files, timezone: America/New_York}"
# Decades of bars: crashes of 2000, 2001, 2008, 2010 and 2020, half-days, and consolidated prints of that time.
LONG = (
    ("hours", "csv_gz/US_hourly_SPY_AAPL.csv.gz", f"{{{NY}, interval: 1h, calendar: XNYS}}"),
    ("days", "csv_gz/US_daily_SPY_AAPL_QQQ.csv.gz", "{source: {kind: files}, interval: 1d, calendar: XNYS}"),
    ("sheets", "excel", "{source: {kind: files}, interval: 1d, calendar: XNYS}"),
)
SHORT = ("eq_csv", "eq_parquet", "ninja", "seconds", "crypto", "perp", "futures", "fx", "trades")
# What there is to be told of: a split nobody declared, and a print before that morning's open at the old price.
KNOWN = {"eq_csv": {"split_like_jump": 1, "price_spike": 1}}


def symbol_sessions(reader: LakeReader, feed: str) -> int:
    return int(pc.sum(pc.is_valid(reader.quality(feed)["symbol"])).as_py())


def test_decades_of_real_bars_give_one_warning_in_a_thousand_sessions(tmp_path: Path) -> None:
    data, sessions = shared_data(), 0
    told: Counter[str] = Counter()

    for name, files, definition in LONG:
        reader = judged(tmp_path / name, name, definition, list_files(str(data / files)))
        sessions += symbol_sessions(reader, name)
        findings = reader.findings(name)
        told.update(findings["rule"].to_pylist())
        assert set(findings["severity"].to_pylist()) <= {str(Severity.WARN)}

    assert sessions > 37_000
    assert told.total() <= sessions / 1000, told


@pytest.mark.parametrize("feed", SHORT)
def test_days_of_real_bars_are_told_of_only_where_something_is_wrong(feed: str, tmp_path: Path) -> None:
    golden = next(item for item in SETS if item.feed == feed)
    files = [path for place in golden.files for path in list_files(str(shared_data() / place))]

    reader = judged(tmp_path / feed, feed, golden.definition, files)

    told = Counter(reader.findings(feed)["rule"].to_pylist())
    assert {rule: count for rule, count in told.items() if count > KNOWN.get(feed, {}).get(rule, 0)} == {}


def test_a_simulated_quarter_is_not_warned_of(tmp_path: Path) -> None:
    feed = make_feed(name="quarter")
    feed = replace(feed, source=replace(feed.source, symbol_count=12, seed=7))
    days = feed_calendar(feed).sessions(day("2023-10-02"), day("2023-12-29"))
    written = write_files(feed, days[0].date, days[-1].date, str(tmp_path / "landing"))

    reader = judged(
        tmp_path / "home", "quarter", "{source: {kind: files}, interval: 1m, calendar: XNYS}", [f.path for f in written]
    )

    assert symbol_sessions(reader, "quarter") >= 12 * len(days) - 12
    assert reader.findings("quarter").num_rows == 0
    assert pc.min(reader.quality("quarter")["score"]).as_py() >= 90
