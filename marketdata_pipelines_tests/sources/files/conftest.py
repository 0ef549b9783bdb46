"""What the tests of file reading share: feeds, files on disk, and reading one whole file into a table."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from marketdata_pipelines.domain.feeds import (
    AssetClass,
    CalendarSpec,
    DataKind,
    Feed,
    Label,
    SourceKind,
    SourceSpec,
    default_anchor,
    default_asset_class,
    default_partition,
)
from marketdata_pipelines.domain.intervals import parse_interval
from marketdata_pipelines.sources.files.plan import FilePlan, plan_file
from marketdata_pipelines.sources.files.read import read_file

HEADER = "symbol,timestamp,open,high,low,close,volume\n"


@dataclass(frozen=True)
class Outcome:
    """One file as read: its plan, all rows, and the source text of each row."""

    plan: FilePlan
    table: pa.Table
    originals: list[str]

    def column(self, name: str) -> list[Any]:
        return list(self.table[name].to_pylist())

    @property
    def times(self) -> list[str]:
        return [str(ts) for ts in self.table["ts"].to_pylist()]

    @property
    def flagged(self) -> dict[int, str]:
        """{row: rules} of the rows that break one."""
        rows = zip(self.column("row"), self.column("rules"), strict=True)
        return {row: rules for row, rules in rows if rules is not None}

    @property
    def warnings(self) -> list[str]:
        return [finding.rule for finding in self.plan.findings]


def build_feed(
    interval: str = "1m",
    calendar: str = "XNYS",
    data: DataKind | None = None,
    label: Label = Label.START,
    asset_class: AssetClass | None = None,
    **source: Any,
) -> Feed:
    width = parse_interval(interval)
    return Feed(
        name="feed",
        source=SourceSpec(kind=SourceKind.FILES, label=label, **source),
        interval=width,
        calendar=CalendarSpec(calendar),
        asset_class=asset_class or default_asset_class(calendar),
        data=data,
        anchor=default_anchor(calendar),
        partition=default_partition(width),
    )


def read_whole(path: str, feed: Feed, chunk_bytes: int = 32 << 20) -> Outcome:
    plan = plan_file(path, feed)
    chunks = list(read_file(path, feed, plan, chunk_bytes=chunk_bytes))
    originals = [text for chunk in chunks for text in chunk.originals(np.arange(chunk.table.num_rows))]
    return Outcome(plan, pa.concat_tables([chunk.table for chunk in chunks]), originals)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], str]:
    """Write a file and give its path."""

    def write_file(name: str, content: str | bytes) -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write_file


@pytest.fixture
def read(write: Callable[[str, str | bytes], str]) -> Callable[..., Outcome]:
    """Write a file and read it whole with a feed of these settings."""

    def read_content(name: str, content: str | bytes, **settings: Any) -> Outcome:
        return read_whole(write(name, content), build_feed(**settings))

    return read_content


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real market data beside the project, where a checkout has it."""
    folder = Path(__file__).resolve().parents[4] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no market data at {folder}")
    return folder
