"""Hourly volume against the same statistics asked of DuckDB."""

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketdata_pipelines.domain.bars import BAR_SCHEMA
from marketdata_pipelines.domain.views import hourly_volume

# 00:30 in New York on the day in autumn when 01:00 comes twice.
CHANGE_US = 1_730_608_200_000_000
MINUTE_US = 60_000_000
ORACLE = """
select symbol::varchar as symbol, session_date, extract('hour' from timezone($zone, ts))::bigint as "hour",
       count(*) as bars, case when count(volume) = count(*) then sum(volume) end as "sum", avg(volume) as mean,
       median(volume) as median, max(volume) as "max", stddev_samp(volume) as std_ddof1
from bars group by 1, 2, 3 order by symbol, session_date, "hour"
"""


def bars_of(rows: list[tuple[str, int, int, float | None]]) -> pa.Table:
    """(symbol, minute after the change, session day, volume) as bars."""
    rows = sorted({(symbol, minute): row for row in rows for symbol, minute, *_ in [row]}.values(), key=lambda r: r[:2])
    known = {
        "symbol": [row[0] for row in rows],
        "ts": pa.array([CHANGE_US + row[1] * MINUTE_US for row in rows], pa.timestamp("us", tz="UTC")),
        "session_date": pa.array([20_000 + row[2] for row in rows], pa.int32()).view(pa.date32()),
        "volume": pa.array([row[3] for row in rows], pa.float64()),
    }
    columns = [pa.array(known[f.name], f.type) if f.name == "symbol" else known.get(f.name, pa.nulls(len(rows), f.type))
               for f in BAR_SCHEMA]  # fmt: skip
    return pa.Table.from_arrays(columns, BAR_SCHEMA.names)


def by_duckdb(bars: pa.Table, zone: str) -> pa.Table:
    with duckdb.connect(":memory:") as connection:
        plain = bars.set_column(0, "symbol", bars["symbol"].cast(pa.string()))
        connection.register("bars", plain.select(["symbol", "ts", "session_date", "volume"]))
        return connection.sql(ORACLE, params={"zone": zone}).to_arrow_table()


VOLUMES = st.one_of(st.none(), st.integers(0, 50).map(float), st.floats(0, 1e9))
ROWS = st.lists(
    st.tuples(st.sampled_from(["A", "B", "É"]), st.integers(-200, 3000), st.integers(0, 1), VOLUMES), max_size=60
)


@given(ROWS, st.sampled_from(["America/New_York", "UTC", "Asia/Kolkata"]))
@settings(max_examples=150, deadline=None)
def test_hourly_volume_is_what_duckdb_says(rows: list[tuple[str, int, int, float | None]], zone: str) -> None:
    bars = bars_of(rows)
    ours, theirs = hourly_volume(bars, zone), by_duckdb(bars, zone)

    assert ours.schema.types == theirs.schema.types
    assert ours.column_names == theirs.column_names
    for name in ("symbol", "session_date", "hour", "bars", "max"):
        assert ours[name].to_pylist() == theirs[name].to_pylist(), name
    for name in ("sum", "mean", "median", "std_ddof1"):
        assert ours[name].is_null().to_pylist() == theirs[name].is_null().to_pylist(), name
        mine, other = (table[name].fill_null(0.0).to_numpy() for table in (ours, theirs))
        scale = max(np.abs(bars["volume"].fill_null(0.0).to_numpy()).max(initial=0.0), 1.0)
        assert mine == pytest.approx(other, rel=1e-10, abs=1e-7 * scale if name == "std_ddof1" else 1e-10), name


def test_the_hour_that_comes_twice_is_one_hour() -> None:
    table = hourly_volume(bars_of([("A", -20, 0, 1.0), ("A", 40, 0, 3.0), ("A", 100, 0, 5.0)]), "America/New_York")

    assert table.select(["hour", "bars", "sum", "median"]).to_pylist() == [
        {"hour": 0, "bars": 1, "sum": 1.0, "median": 1.0},
        {"hour": 1, "bars": 2, "sum": 8.0, "median": 4.0},
    ]
