"""The packaged sample of real daily bars."""

import importlib.util
import sys
from datetime import date

import numpy as np
import pytest

from marketdata_pipelines.domain.bars import RAW_BAR_SCHEMA
from marketdata_pipelines.domain.feeds import (
    Anchor,
    AssetClass,
    CalendarSpec,
    DataKind,
    Feed,
    PartitionBy,
    SourceKind,
    SourceSpec,
)
from marketdata_pipelines.domain.intervals import parse_interval
from marketdata_pipelines.domain.session_grid import feed_grid
from marketdata_pipelines.domain.validation import bar_mask
from marketdata_pipelines.errors import SourceRejected, SourceUnavailable
from marketdata_pipelines.sources import sample
from marketdata_pipelines.sources.sample import read_sample, sample_files


def sample_feed(*symbols: str) -> Feed:
    return Feed(
        name="demo_daily",
        source=SourceSpec(SourceKind.SAMPLE, symbols=symbols),
        interval=parse_interval("1d"),
        calendar=CalendarSpec("XNYS"),
        asset_class=AssetClass.EQUITY,
        data=DataKind.BARS,
        anchor=Anchor.SESSION,
        partition=PartitionBy.YEAR,
    )


@pytest.fixture
def packaged() -> None:
    if importlib.util.find_spec("bokeh_sampledata") is None:
        pytest.skip("bokeh_sampledata is not installed: uv sync --extra demo")


@pytest.mark.usefixtures("packaged")
def test_five_symbols_in_chunks_of_their_own() -> None:
    chunks = list(read_sample(sample_feed()))

    assert [(chunk.table["symbol"][0].as_py(), chunk.table.num_rows) for chunk in chunks] == [
        ("AAPL", 3270),
        ("FB", 196),
        ("GOOG", 2148),
        ("IBM", 3270),
        ("MSFT", 3270),
    ]


@pytest.mark.usefixtures("packaged")
def test_a_row_in_full_with_its_place_and_source_text() -> None:
    chunk = list(read_sample(sample_feed()))[1]

    first = chunk.table.slice(0, 1).to_pylist()[0]
    assert chunk.table.schema.names == [name for name in RAW_BAR_SCHEMA.names if name != "original"]
    assert str(first.pop("ts")) == "2012-05-18 00:00:00+00:00"
    assert first == {
        "row": 3271,
        "line": 3272,
        "symbol": "FB",
        "open": 42.05,
        "high": 45.0,
        "low": 38.0,
        "close": 38.2318,
        "volume": 573576400.0,
        "vwap": None,
        "trade_count": None,
        "rules": None,
    }
    assert chunk.originals(np.array([0])) == ["FB,2012-05-18,42.05,45.0,38.0,38.2318,573576400,38.2318"]


@pytest.mark.usefixtures("packaged")
def test_only_the_symbols_the_feed_lists() -> None:
    chunks = list(read_sample(sample_feed("MSFT", "AAPL")))

    assert [chunk.table["symbol"][0].as_py() for chunk in chunks] == ["AAPL", "MSFT"]


@pytest.mark.usefixtures("packaged")
def test_every_bar_of_the_sample_is_valid() -> None:
    feed = sample_feed()
    grid = feed_grid(feed, date(2000, 3, 1), date(2013, 3, 1))

    broken = sum(int((bar_mask(c.table, feed, grid, 1_700_000_000_000_000)[0] != 0).sum()) for c in read_sample(feed))

    assert broken == 0


@pytest.mark.usefixtures("packaged")
def test_files_hold_the_packaged_lines_of_one_symbol_each() -> None:
    files = sample_files()

    assert [file.name for file in files] == ["AAPL.csv", "FB.csv", "GOOG.csv", "IBM.csv", "MSFT.csv"]
    for file, chunk in zip(files, read_sample(sample_feed()), strict=True):
        header, *lines = file.content.decode().splitlines()
        assert header == "Ticker,Date,Open,High,Low,Close,Volume,Adj Close"
        assert lines == list(chunk.originals(np.arange(chunk.table.num_rows)))


def test_a_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bokeh_sampledata", None)

    with pytest.raises(SourceUnavailable, match=r"marketdata-pipelines\[demo\].*uv sync --extra demo"):
        list(read_sample(sample_feed()))


def test_a_damaged_package_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "sample_bytes", lambda: b"no gzip")

    with pytest.raises(SourceRejected, match="cannot be read") as refused:
        list(read_sample(sample_feed()))

    assert refused.value.rule == "container_damaged"
