from pathlib import Path

import pyarrow as pa
import pytest

from marketdata_pipelines.domain.bars import RAW_BAR_SCHEMA, RAW_TRADE_SCHEMA
from marketdata_pipelines.domain.tables import RAW_BARS, RAW_TRADES, REJECTED_BARS, feed_tables
from marketdata_pipelines.orchestration.assets.columns import column_schema
from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines_tests.builders import make_feed, minutes, source_of, take_in, walk_stale

FEED = make_feed("24/7")
TYPES = {"double": "float64", "date32[day]": "date"}
EVERY_TABLE = [(each.name, table) for each in feed_tables(FEED)[1:] for table in each.tables]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Everything a feed writes, over one day with a bad row."""
    lake = Lake(tmp_path_factory.mktemp("lake"))
    rows = minutes("AAA", "2024-03-08 10:00", 200)
    take_in(lake, FEED, source_of("a.csv", [*rows, rows[0] | {"ts": None}]))
    walk_stale(lake, FEED)
    return lake


def told(asset: str) -> dict[str, str]:
    return {column.name: column.type for column in column_schema(asset).columns}


def stored(schema: pa.Schema) -> dict[str, str]:
    kinds = {field.name: field.type for field in schema}
    plain = {name: kind.value_type if pa.types.is_dictionary(kind) else kind for name, kind in kinds.items()}
    return {
        name: "timestamp" if pa.types.is_timestamp(kind) else TYPES.get(str(kind), str(kind))
        for name, kind in plain.items()
    }


@pytest.mark.parametrize(("asset", "table"), EVERY_TABLE)
def test_the_columns_told_are_those_of_the_file(lake: Lake, asset: str, table: str) -> None:
    (path,) = list(Path(lake.layout.root).rglob(f"{table}/**/*.parquet"))

    names = stored(pa.parquet.read_schema(path))

    assert list(told(asset)) == list(names)
    assert told(asset) == stored(lake.read(table, FEED.name, path.stem).schema)


def test_raw_columns_are_those_of_the_raw_schemas() -> None:
    assert told(RAW_BARS) == stored(RAW_BAR_SCHEMA)
    assert told(RAW_TRADES) == stored(RAW_TRADE_SCHEMA)


def test_every_column_has_a_meaning_and_only_some_may_be_unknown() -> None:
    columns = {column.name: column for column in column_schema("daily_bars").columns}

    assert all(column.description for column in columns.values())
    assert "quote currency" in (columns["close"].description or "")
    assert [name for name, column in columns.items() if column.constraints.nullable] == [
        "volume", "notional", "vwap", "trade_count",
    ]  # fmt: skip
    assert column_schema("daily_bars").constraints.other == ["unique (symbol, ts)"]
    assert column_schema(REJECTED_BARS).constraints.other == []


def test_of_raw_rows_anything_may_be_missing() -> None:
    assert all(column.constraints.nullable for column in column_schema(RAW_BARS).columns)
