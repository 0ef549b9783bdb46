"""Receipts of real bars of every format and timeframe: each explained to its source line and derived again, equal.

MARKETDATA_RECEIPTS sets how many bars are drawn over all sets (10000 for a full run).
"""

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.frames import int_values
from marketdata_pipelines.domain.tables import bar_table
from marketdata_pipelines.pipeline.acquire import file_source
from marketdata_pipelines.pipeline.ingest import IngestRun, ingest_files
from marketdata_pipelines.pipeline.receipts.explaining import Explainer
from marketdata_pipelines.pipeline.receipts.records import BaseBar, RawRow, Receipt
from marketdata_pipelines.settings.feeds_file import load_feeds
from marketdata_pipelines.sources.files.listing import list_files
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.acceptance.commands import shared_data
from marketdata_pipelines_tests.acceptance.golden_sets import SETS, GoldenSet
from marketdata_pipelines_tests.builders import make_home, walk_stale

DRAWN = int(os.environ.get("MARKETDATA_RECEIPTS", "400"))


@dataclass(frozen=True, slots=True)
class Drawn:
    """A stored bar drawn at random."""

    symbol: str
    ts_us: int
    timeframe: str


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("golden", SETS, ids=lambda golden: golden.feed)
def test_every_drawn_bar_is_explained_to_its_source_and_derived_again(golden: GoldenSet, tmp_path: Path) -> None:
    feed, lake = _loaded(golden, tmp_path)
    explainer = Explainer(lake, feed)
    wrong = []

    for bar in _drawn(lake, feed, max(1, DRAWN // len(SETS))):
        receipt = explainer.explain(bar.symbol, bar.ts_us, bar.timeframe)
        verification = explainer.verify(receipt)
        if not (verification.equal and not verification.unchecked and _is_whole(receipt)):
            wrong.append((bar, verification.differences[:3], verification.unchecked[:3]))

    assert wrong == []


def _loaded(golden: GoldenSet, folder: Path) -> tuple[Feed, Lake]:
    data = shared_data()
    home = make_home(folder / "data", f"feeds:\n  {golden.feed}: {golden.definition}\n")
    feed, lake = load_feeds(home / "feeds.yaml")[golden.feed], Lake(home / "lake")
    paths = [path for name in golden.files for path in list_files(str(data / name))]
    list(ingest_files(lake, feed, [file_source(feed, path) for path in paths], IngestRun(run_id="load")))
    walk_stale(lake, feed)
    return feed, lake


def _drawn(lake: Lake, feed: Feed, count: int) -> Iterator[Drawn]:
    """Bars of every timeframe, partition by partition so that what was derived is of use to the next."""
    chance = random.Random(feed.name)
    timeframes = (feed.interval.name, *feed.timeframes)
    places = []
    for timeframe in timeframes:
        table, _ = bar_table(feed, timeframe)
        stored = [item for item in lake.catalog.stored(table, feed.name) if item.rows]
        for _ in range(-(-count // len(timeframes)) if stored else 0):
            chosen = chance.choice(stored)
            places.append((chosen.partition, timeframe, table, chance.randrange(chosen.rows)))
    for partition, timeframe, table, place in sorted(places):
        row = lake.read(table, feed.name, partition).slice(place, 1)
        yield Drawn(row["symbol"][0].as_py(), int(int_values(row["ts"])[0]), timeframe)


def _is_whole(receipt: Receipt) -> bool:
    """Whether every link is there: as many base bars as the bar counts, each with its raw row and its source text."""
    counted = receipt.bar.get("bar_count", 1)
    checks = [check.passed for partition in receipt.partitions for check in partition.checks]
    return (
        receipt.base_bars == counted
        and receipt.follows
        and bool(receipt.parts)
        and all(checks)
        and all(row is not None and row.source.text for bar in receipt.base for row in _rows(bar))
    )


def _rows(bar: BaseBar) -> list[RawRow | None]:
    ends = [] if bar.trades is None else [bar.trades.first, bar.trades.last, bar.trades.high, bar.trades.low]
    return [bar.raw, *bar.lost, *ends]
