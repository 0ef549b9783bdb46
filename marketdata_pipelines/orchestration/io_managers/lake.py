"""The lake's IO manager: an asset's tables beside those of the feeds, one file a partition, replaced atomically."""

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa

from marketdata_pipelines.domain.corrections import CORRECTIONS
from marketdata_pipelines.domain.intervals import TIMEFRAMES, table_name
from marketdata_pipelines.domain.quality.records import QUALITY_TABLES
from marketdata_pipelines.domain.tables import (
    DAILY_BARS,
    INTRADAY_BARS,
    MONTHLY_BARS,
    QUALITY,
    RAW_BARS,
    RAW_TRADES,
    REJECTED_BARS,
    VALIDATED_BARS,
    VIEWS,
    WEEKLY_BARS,
)
from marketdata_pipelines.errors import PartitionMissing, SchemaMismatch, SettingsInvalid
from marketdata_pipelines.orchestration.io_managers.partitioned import (
    PartitionedIOManager,
    Place,
    Written,
    symbols_in,
)
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.stores.lake.lake import Lake, TableWrite

# The feeds' own chain writes these, with receipts an asset of somebody else cannot have.
_RESERVED = frozenset(
    {
        RAW_BARS, RAW_TRADES, VALIDATED_BARS, REJECTED_BARS, INTRADAY_BARS, DAILY_BARS, WEEKLY_BARS, MONTHLY_BARS,
        QUALITY, CORRECTIONS, "origins", *VIEWS, *QUALITY_TABLES, *map(table_name, TIMEFRAMES),
    }
)  # fmt: skip
_NAME = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")


class LakeIOManager(PartitionedIOManager):
    """Keeps an asset in the lake: `[feed, my_table]` as `<lake>/my_table/feed/<partition>.parquet`.

    Reads any table of the lake, those of feeds too: `AssetIn(key=["us_equities_1m", "daily_bars"],
    input_manager_key="lake", metadata={"table": "bars_1d"})`. `columns` in that metadata narrows what is read.
    """

    lake: str

    def _write(self, place: Place, key: str, table: pa.Table, revision: str, run_id: str) -> Written:
        _check(place, table)
        write = TableWrite(place.name, _file_key(key), table, revision)
        (stored,) = Lake(Path(self.lake)).store(place.group, [write], {"inputs": revision}, run_id=run_id)
        facts = {"dagster/size_bytes": stored.bytes, "file": stored.path}
        return Written(table.num_rows, symbols_in(table), revision, facts)

    def _get(self, place: Place, key: str, columns: Sequence[str] | None) -> pa.Table | None:
        _check_names(place)
        try:
            return Lake(Path(self.lake)).read(place.name, place.group, _file_key(key), columns)
        except PartitionMissing:
            return None

    def _has(self, place: Place, key: str) -> bool:
        return Lake(Path(self.lake)).catalog.stored_partition(place.name, place.group, _file_key(key)) is not None


def lake_io_manager(settings: Settings) -> LakeIOManager:
    """The IO manager over the configured home's lake."""
    return LakeIOManager(lake=str(settings.lake))


def _check(place: Place, table: pa.Table) -> None:
    _check_names(place)
    if place.name in _RESERVED:
        raise SettingsInvalid(f"{place.text} is written by the feed's own chain; give the asset another name")
    for field in table.schema:
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if pa.types.is_decimal(kind):
            # The lake keeps its own decimals for doubles: they would come back as such.
            raise SchemaMismatch(f"column {field.name} of {place.text} is {kind}; cast it to double or text")


def _check_names(place: Place) -> None:
    for name in (place.group, place.name):
        if not _NAME.match(name):
            raise SettingsInvalid(f"{name!r} in the key of {place.text} is no folder name; use letters, digits, _ . -")


def _file_key(key: str) -> str:
    """A partition's key as part of a file's name; keys of sessions, weeks and months are themselves."""
    escaped = quote(key, safe=" ")
    return escaped if escaped.strip(".") else escaped.replace(".", "%2E")
