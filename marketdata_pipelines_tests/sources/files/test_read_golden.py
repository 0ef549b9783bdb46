"""Every real data set parses to its golden rows exactly."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from marketdata_pipelines.domain.feeds import DataKind, Label
from marketdata_pipelines.errors import SourceRejected
from marketdata_pipelines.sources.files.plan import plan_file
from marketdata_pipelines_tests.sources.files.conftest import build_feed, read_whole

NEW_YORK = {"timezone": "America/New_York"}
SETS: dict[str, tuple[str, dict[str, Any]]] = {
    "eq_csv": ("csv_vendor/*.csv", NEW_YORK),
    "eq_parquet": ("parquet_daily/*.parquet", {}),
    "eq_seconds": ("csv_gz/IBM_1s_*.csv.gz", {"interval": "1s", **NEW_YORK}),
    "eq_hourly": ("csv_gz/US_hourly_*.csv.gz", {"interval": "1h"}),
    "eq_daily": ("csv_gz/US_daily_*.csv.gz", {"interval": "1d"}),
    "fut_csvgz": ("csv_gz/CME_ES_*.csv.gz", {"calendar": "CMES"}),
    "crypto_jsonl": ("jsonl/*.jsonl", {"calendar": "24/7"}),
    "crypto_perp_gz": ("csv_gz/BTC-PERP_*.csv.gz", {"calendar": "24/7"}),
    "fx_tsv": ("tsv/*.tsv", {"calendar": "fx"}),
    "eq_ninjatrader": ("ninjatrader/*.txt", {"label": Label.END, "timezone": "UTC"}),
    "daily_xlsx": ("excel/*.xlsx", {"interval": "1d"}),
    "trades_ibm": ("trades/IBM_*.csv.gz", {"data": DataKind.TRADES, **NEW_YORK}),
    "trades_bitstampusd": ("trades/bitstampUSD_*.csv", {"calendar": "24/7"}),
}


@pytest.mark.parametrize("name", SETS)
def test_real_files_give_the_golden_rows(shared_data: Path, name: str) -> None:
    pattern, settings = SETS[name]
    feed = build_feed(**settings)
    tables = [read_whole(str(path), feed).table for path in sorted(shared_data.glob(pattern))]
    table = pa.concat_tables(tables)
    golden = pq.read_table(shared_data / "golden" / "canonical" / f"{name}.parquet")
    values = ["open", "high", "low", "close", "volume"] if "open" in golden.column_names else ["price", "size"]
    schema = pa.schema(
        [("symbol", pa.string()), ("ts", pa.timestamp("us", "UTC")), *((v, pa.float64()) for v in values)]
    )

    found, wanted = (part.select(schema.names).cast(schema) for part in (table, golden))
    if name == "crypto_jsonl":
        found = found.set_column(0, "symbol", pc.replace_substring(found["symbol"], "-", ""))
    if "open" in values:
        order = [("symbol", "ascending"), ("ts", "ascending")]
        found, wanted = found.sort_by(order), wanted.sort_by(order)

    assert found.equals(wanted)
    assert table["rules"].null_count == table.num_rows


def test_tick_quotes_are_refused_by_name(shared_data: Path) -> None:
    path = next((shared_data / "quotes").glob("*.csv.gz"))

    with pytest.raises(SourceRejected, match="quotes") as refused:
        plan_file(str(path), build_feed())

    assert refused.value.rule == "wrong_kind"
