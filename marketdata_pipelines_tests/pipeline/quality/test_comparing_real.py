"""Feeds of real bars compared: what is put in is found, and what real sources say alike is no dispute."""

import gzip
from dataclasses import replace
from datetime import date, time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from marketdata_pipelines.domain.bars import RAW_BAR_SCHEMA
from marketdata_pipelines.domain.feeds import Feed, SourceKind, SourceSpec
from marketdata_pipelines.domain.quality.settings import QualitySpec
from marketdata_pipelines.pipeline.acquire import file_source
from marketdata_pipelines.pipeline.quality.comparing import ComparedPartition, compare_partition
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import column, make_feed, source_of, take_in, walk_stale

EXTENDED = (time(4), time(20))
NEW_YORK = SourceSpec(SourceKind.FILES, timezone="America/New_York")
TRUE = make_feed(name="true", extended_hours=EXTENDED)
ALTERED = make_feed(name="altered", extended_hours=EXTENDED, quality=QualitySpec(compare_with=("true",)))
MINUTES = make_feed(
    name="minutes", extended_hours=EXTENDED, source=NEW_YORK, quality=QualitySpec(compare_with=("days",))
)
HOURS = make_feed(interval="1h", name="hours", source=NEW_YORK, quality=QualitySpec(compare_with=("days",)))
DAYS = make_feed(interval="1d", name="days", quality=QualitySpec(compare_with=("hours", "minutes")))
FEEDS = {feed.name: feed for feed in (TRUE, ALTERED, MINUTES, HOURS, DAYS)}
MISSING, CLOSES, VOLUMES = 15, 12, 40


def load(lake: Lake, feed: Feed, *paths: Path) -> None:
    take_in(lake, feed, *(file_source(feed, str(path)) for path in paths))
    outcomes = walk_stale(lake, feed)
    assert outcomes
    assert all(outcome.blocked is None for outcome in outcomes)


def compare_all(lake: Lake, feed: Feed) -> list[ComparedPartition]:
    stored = lake.catalog.stored("validated_bars", feed.name)
    return [compare_partition(lake, feed, FEEDS, item.partition) for item in stored]


def disputes(found: list[ComparedPartition]) -> pa.Table:
    return pa.concat_tables([each.disputes for each in found]).unify_dictionaries()


def some_years(source: Path, folder: Path, years: tuple[str, ...]) -> Path:
    """A file of the rows of some years."""
    header, *lines = gzip.decompress(source.read_bytes()).decode().splitlines()
    kept = [line for line in lines if line.split(",")[1][:4] in years]
    path = folder / source.name.removesuffix(".gz")
    path.write_text("\n".join([header, *kept, ""]), "utf-8")
    return path


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return Lake(tmp_path_factory.mktemp("data") / "lake")


def altered_rows(bars: pa.Table) -> tuple[pa.Table, dict[str, list[tuple[str, int]]]]:
    """Raw rows like a session's bars, some altered; and (symbol, ts in microseconds) of those, by what was done."""
    rng = np.random.default_rng(7)
    regular = np.flatnonzero(bars["regular"].to_numpy())
    # Neither the first nor the last bars of a symbol: there the other side has nothing around.
    symbols = bars["symbol"].to_pylist()
    inner = [at for at in regular.tolist() if 5 < at < len(symbols) - 5 and symbols[at - 5] == symbols[at + 5]]
    inner = [at for at in inner if bars["regular"][at - 5].as_py() and bars["regular"][at + 5].as_py()]
    chosen = rng.choice(inner, MISSING + CLOSES + VOLUMES, replace=False).tolist()
    groups = {"bar": chosen[:MISSING], "close": chosen[MISSING:-VOLUMES], "volume": chosen[-VOLUMES:]}
    rows = bars.to_pylist()
    for at in groups["close"]:
        rows[at]["close"] *= 1.03
        rows[at]["high"] = max(rows[at]["high"], rows[at]["close"])
    for at in groups["volume"]:
        rows[at]["volume"] *= 4
    gone = set(groups["bar"])
    kept = [row for at, row in enumerate(rows) if at not in gone]
    raw = [{name: row.get(name) for name in RAW_BAR_SCHEMA.names} for row in kept]
    ts = bars["ts"].cast(pa.int64()).to_pylist()
    places = {kind: sorted((symbols[at], ts[at]) for at in found) for kind, found in groups.items()}
    return pa.Table.from_pylist(
        [{**row, "row": n, "line": n + 1} for n, row in enumerate(raw, 1)], RAW_BAR_SCHEMA
    ), places


def test_altered_minutes_are_found_one_and_all_and_no_others(lake: Lake, shared_data: Path) -> None:
    load(lake, TRUE, *sorted((shared_data / "parquet_daily").iterdir()))
    first = lake.catalog.stored("validated_bars", "true")[0].partition
    raw, places = altered_rows(lake.read("validated_bars", "true", first))
    whole = [table for key, table in lake.read_many("validated_bars", "true", "", "9") if key != first]
    same = pa.Table.from_pylist(
        [
            {name: row.get(name) for name in RAW_BAR_SCHEMA.names} | {"row": n, "line": n + 1}
            for n, row in enumerate((row for table in whole for row in table.to_pylist()), 1)
        ],
        schema=RAW_BAR_SCHEMA,
    )
    take_in(lake, ALTERED, source_of("altered", raw), source_of("same", same))
    walk_stale(lake, ALTERED)

    found, *others = compare_all(lake, ALTERED)

    for kind, wanted in places.items():
        own = found.disputes.filter(pc.equal(found.disputes["field"], kind))
        told = [
            (symbol, ts + 60_000_000 * bar)
            for symbol, ts, bars in zip(
                column(own, "symbol"), own["ts"].cast(pa.int64()).to_pylist(), column(own, "bars"), strict=True
            )
            for bar in range(bars)
        ]
        assert sorted(told) == wanted, kind
    assert set(column(found.disputes, "field")) <= {"bar", "close", "high", "volume"}
    prices = found.disputes.filter(pc.equal(found.disputes["field"], "close"))
    assert set(column(prices, "likelier")) == {"other"}
    assert set(column(found.findings, "symbol")) == {"BAC", "IBM"}
    assert all(each.disputes.num_rows == 0 for each in others)
    assert all(score == 100.0 for each in others for score in column(each.scores, "score"))


def test_real_minutes_and_the_daily_bars_of_another_file_agree(lake: Lake, shared_data: Path, tmp_path: Path) -> None:
    daily = some_years(shared_data / "csv_gz" / "US_daily_SPY_AAPL_QQQ.csv.gz", tmp_path, ("2013", "2014"))
    load(lake, DAYS, daily)
    load(lake, MINUTES, *sorted((shared_data / "csv_vendor").iterdir()))

    here, there = (
        compare_all(lake, MINUTES),
        compare_all(lake, replace(DAYS, quality=QualitySpec(compare_with=("minutes",)))),
    )

    for found in (here, there):
        assert disputes(found).num_rows == 0
        assert sum(row["compared"] for each in found for row in each.scores.to_pylist()) == 2 * 9


def test_a_real_daily_feed_differs_from_its_hours_on_half_days_only(shared_data: Path, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    for feed, name in ((DAYS, "US_daily_SPY_AAPL_QQQ.csv.gz"), (HOURS, "US_hourly_SPY_AAPL.csv.gz")):
        load(lake, feed, some_years(shared_data / "csv_gz" / name, tmp_path, ("1999", "2000")))

    found = compare_all(lake, replace(DAYS, quality=QualitySpec(compare_with=("hours",))))

    # The daily bars of this source go on after the early close.
    findings = pa.concat_tables([each.findings for each in found]).unify_dictionaries()
    assert sorted(set(column(findings, "session_date"))) == [
        date(1999, 11, 26), date(1999, 12, 31), date(2000, 7, 3), date(2000, 11, 24),
    ]  # fmt: skip
    assert sum(row["compared"] for each in found for row in each.scores.to_pylist()) > 2000


def test_a_daily_feed_adjusted_for_a_split_is_found_once(lake: Lake, shared_data: Path, tmp_path: Path) -> None:
    header, *lines = (
        gzip.decompress((shared_data / "csv_gz" / "US_daily_SPY_AAPL_QQQ.csv.gz").read_bytes()).decode().splitlines()
    )
    adjusted = [header]
    for line in lines:
        symbol, day, *prices, volume = line.split(",")
        if symbol == "AAPL" and day.startswith("2014"):
            by = 7 if day < "2014-06-09" else 1
            adjusted.append(
                ",".join([symbol, day, *(str(float(price) / by) for price in prices), str(int(volume) * by)])
            )
    path = tmp_path / "adjusted.csv"
    path.write_text("\n".join([*adjusted, ""]), "utf-8")
    own = make_feed(interval="1d", name="adjusted", quality=QualitySpec(compare_with=("days",)))
    if not lake.catalog.stored("validated_bars", "days"):
        load(
            lake, DAYS, some_years(shared_data / "csv_gz" / "US_daily_SPY_AAPL_QQQ.csv.gz", tmp_path, ("2013", "2014"))
        )
    load(lake, own, path)

    found = compare_partition(lake, own, {**FEEDS, "adjusted": own}, "2014-01-01")

    assert column(found.disputes, "field") == ["scale"]
    assert column(found.disputes, "ts_last") == ["2014-06-06 00:00"]
    assert column(found.findings, "message") == [
        "prices of 108 bars are 0.142857 times those of days: adjusted differently"
    ]
