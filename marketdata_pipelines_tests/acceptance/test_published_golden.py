"""Real market data published to a SQL store: every timeframe read back is the lake's, and the golden answer.

On PostgreSQL all of the sets, on TimescaleDB one of each kind. Everything runs in this process.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import marketdata_pipelines as md
from marketdata_pipelines.cli.publish_work import PublishWork
from marketdata_pipelines.cli.records import csv_bytes
from marketdata_pipelines.pipeline.acquire import file_source
from marketdata_pipelines.pipeline.changes import stale_partitions
from marketdata_pipelines.serving.answers import LakeReader
from marketdata_pipelines_tests.acceptance.commands import shared_data
from marketdata_pipelines_tests.acceptance.golden_sets import SETS, GoldenSet, assert_same_bars, our_timeframe
from marketdata_pipelines_tests.builders import make_home, take_in, walk_keys
from marketdata_pipelines_tests.servers import PostgresServer
from marketdata_pipelines_tests.store_databases import new_database, timescale_server

# Of these, which have hundreds of small partitions, what follows a day is walked and published.
SINCE = {
    "hourly_utc": date(2019, 1, 1),
    "coins": date(2012, 5, 1),
    "daily_utc": date(2012, 1, 1),
    "xlsx_utc": date(2012, 1, 1),
}
# Sums over bars are added in another order in SQL; everything else is the same bit for bit.
_SUMS, _RELATIVE = ("volume", "vwap"), 1e-12
ON_TIMESCALE = ("eq_csv", "ninja_utc", "seconds", "xlsx_utc", "crypto", "futures", "fx", "trades")
PLACES = [("postgres", golden) for golden in SETS] + [
    ("timescale", golden) for golden in SETS if golden.feed in ON_TIMESCALE
]


@dataclass(frozen=True, slots=True)
class PublishedSet:
    """A golden set in a lake and in a SQL store, and its answers."""

    golden: GoldenSet
    reader: LakeReader
    answers: Path


@contextmanager
def database_of(engine: str, request: pytest.FixtureRequest) -> Iterator[str]:
    if engine == "timescale":
        with new_database(timescale_server(), with_timescale=True) as dsn:
            yield dsn
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        with new_database(server.url("postgres")) as dsn:
            yield dsn


@pytest.fixture(params=PLACES, ids=lambda place: f"{place[1].feed}-{place[0]}")
def published(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PublishedSet]:
    """A golden set from its files to the store, on each engine."""
    engine, golden = request.param
    data = shared_data()
    home = make_home(tmp_path / "home", f"feeds:\n  {golden.feed}: {golden.definition}\n")
    with database_of(engine, request) as dsn:
        monkeypatch.setenv("MARKETDATA_TIMESCALE_DSN", dsn)
        reader = md.open(home)
        feed = reader.feed(golden.feed)
        take_in(reader.lake, feed, *(file_source(feed, path) for path in golden_files(data, golden)))
        for period, keys in stale_partitions(reader.lake, feed).items():
            walk_keys(reader.lake, feed, period, [key for key in keys if key >= f"{SINCE.get(golden.feed, date.min)}"])
        work = PublishWork(reader, feed, (SINCE.get(golden.feed), None))
        work.publish_to("timescale")
        assert work.stopped == []
        assert [line for line in work.lines if line.problem] == []
        yield PublishedSet(golden, reader, data / "golden" / golden.golden)
        reader.stores.close()


def golden_files(data: Path, golden: GoldenSet) -> list[str]:
    paths = [data / name for name in golden.files]
    return [
        str(file) for path in paths for file in (sorted(path.iterdir()) if path.is_dir() else [path]) if file.is_file()
    ]


def test_every_timeframe_is_read_back_as_the_lake_and_the_golden_answers_have_it(published: PublishedSet) -> None:
    golden, reader = published.golden, published.reader
    since = SINCE.get(golden.feed)
    name = "ticks_utc" if golden.anchor == "ticks" else golden.anchor
    expected = pd.read_parquet(published.answers / f"{name}.parquet")
    told = {our_timeframe(str(timeframe), golden.anchor): str(timeframe) for timeframe in expected["tf"].unique()}

    for timeframe in reader.feed(golden.feed).timeframes:
        session = "all" if timeframe in ("1s", "1m") and golden.anchor != "session" else "regular"
        lake, store = (
            reader.bars(golden.feed, timeframe=timeframe, start=since, session=session, store=place)
            for place in ("lake", "timescale")
        )
        assert_same_tables(store, lake, timeframe)
        if timeframe in told:
            wanted = expected[expected["tf"] == told[timeframe]].sort_values(["symbol", "bucket"], ignore_index=True)
            wanted = wanted[wanted["bucket"] >= pd.Timestamp(since or date.min, tz="UTC")].reset_index(drop=True)
            assert_same_bars(as_csv(store), wanted, golden, timeframe)


def as_csv(table: pa.Table) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(b"".join(csv_bytes(table))), keep_default_na=False, na_values=[""])


def assert_same_tables(store: pa.Table, lake: pa.Table, timeframe: str) -> None:
    assert not store.schema.metadata, store.schema.metadata
    assert store.schema.equals(lake.schema), timeframe
    assert store.num_rows == lake.num_rows > 0, timeframe
    for column in lake.column_names:
        if column in _SUMS:
            ours, theirs = (np.asarray(table[column].to_pandas(), float) for table in (store, lake))
            assert (np.isnan(ours) == np.isnan(theirs)).all(), f"{timeframe} {column}"
            assert np.allclose(ours, theirs, rtol=_RELATIVE, atol=0.0, equal_nan=True), f"{timeframe} {column}"
        else:
            assert store[column].equals(lake[column]), f"{timeframe} {column}"
