"""What the three IO managers share: a run's partitions out one by one and in when they are asked for, and the figures.

Where rows are kept is each manager's own (`lake`, `timescale`, `redis`).
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from dagster import AssetKey, ConfigurableIOManager, Failure, InputContext, OutputContext

from marketdata_pipelines.errors import MarketDataError, PartitionMissing, SettingsInvalid, StoreUnavailable
from marketdata_pipelines.orchestration.io_managers.frames import (
    content_revision,
    is_mapping,
    partitions_of,
    parts_of,
    shape_of,
    to_arrow,
)

# The one partition of an asset that has none.
WHOLE = "all"
# Metadata of an asset or input that these managers read.
PRIMARY_KEY, TABLE, COLUMNS, ALLOW_MISSING = "primary_key", "table", "columns", "allow_missing_partitions"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an asset's rows belong: the first part of its key, and what follows; `key` tells its rows apart."""

    group: str
    name: str
    key: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return f"{self.group}/{self.name}"


@dataclass(frozen=True, slots=True)
class Written:
    """What became of one partition; `facts` are told beside it."""

    rows: int
    symbols: int | None
    revision: str
    facts: Mapping[str, Any]


class PartitionedIOManager(ConfigurableIOManager):
    """Tables by asset and partition.

    An output is one frame, or for a range of partitions a mapping or an iterator of (partition, frame): each is stored
    before the next is asked for. A generator goes into an `Output`, annotated so; a bare one Dagster runs.
    An input is one table, or where it has several partitions a mapping that reads on access: annotate it as
    `LazyPartitions`, `PandasPartitions` or `PolarsPartitions`, or leave the annotation out.
    """

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        """Store what an asset returned.

        Errors: Failure with the reason: no frame, a partition that is not the run's, what the store cannot hold.
        """
        what = _name(context)
        try:
            place = self._place(context.asset_key if context.has_asset_key else None, context.definition_metadata, what)
            if obj is None:
                raise PartitionMissing(f"{what} returned None; return a frame, perhaps without rows")
            if context.has_asset_partitions:
                self._put_partitions(context, place, obj)
            else:
                context.add_output_metadata(_facts(self._put(place, WHOLE, to_arrow(obj, what), context)))
        except MarketDataError as error:
            raise Failure(str(error), allow_retries=isinstance(error, StoreUnavailable)) from error

    def load_input(self, context: InputContext) -> Any:
        """Read what another asset stored.

        Errors: Failure for a partition that was never stored; a mapping raises PartitionMissing on access.
        """
        what = f"the input {context.name}" if not context.has_asset_key else context.asset_key.to_user_string()
        asked = context.definition_metadata or {}
        annotation = context.dagster_type.typing_type
        try:
            place = self._place(context.asset_key if context.has_asset_key else None, asked, what)
            shape = shape_of(annotation)
            columns = _texts(asked.get(COLUMNS), COLUMNS, what)

            def read(key: str) -> Any:
                table = self._get(place, key, columns)
                if table is None:
                    raise PartitionMissing(_missing(place, key))
                return shape(table)

            if not context.has_asset_partitions:
                return read(WHOLE)
            keys = sorted(context.asset_partition_keys)
            if asked.get(ALLOW_MISSING):
                keys = [key for key in keys if self._has(place, key)]
            if len(keys) == 1 and not is_mapping(annotation):
                return read(keys[0])
            return partitions_of(annotation, keys, read)
        except MarketDataError as error:
            raise Failure(str(error), allow_retries=isinstance(error, StoreUnavailable)) from error

    def _put_partitions(self, context: OutputContext, place: Place, obj: Any) -> None:
        written = [
            (key, self._put(place, key, table, context))
            for key, table in parts_of(obj, sorted(context.asset_partition_keys), place.text)
        ]
        for key, each in written:
            context.step_context.add_asset_metadata(_facts(each), asset_key=context.asset_key, partition_key=key)

    def _put(self, place: Place, key: str, table: pa.Table, context: OutputContext) -> Written:
        return self._write(place, key, table, content_revision(table), context.run_id)

    def _has(self, place: Place, key: str) -> bool:
        return self._get(place, key, ()) is not None

    def _place(self, key: AssetKey | None, metadata: Mapping[str, Any] | None, what: str) -> Place:
        if key is None:
            raise SettingsInvalid(f"{what} is no asset; this IO manager stores assets by their keys")
        group, *rest = key.path if len(key.path) > 1 else ("assets", *key.path)
        asked = metadata or {}
        name = str(_plain(asked.get(TABLE)) or "__".join(rest))
        return Place(group, name, _texts(asked.get(PRIMARY_KEY), PRIMARY_KEY, what) or ())

    @abstractmethod
    def _write(self, place: Place, key: str, table: pa.Table, revision: str, run_id: str) -> Written:
        """Replace a partition."""

    @abstractmethod
    def _get(self, place: Place, key: str, columns: Sequence[str] | None) -> pa.Table | None:
        """A partition's rows; None where it was never stored."""


def symbols_in(table: pa.Table) -> int | None:
    """How many symbols a table has; None where it has no such column."""
    return len(table["symbol"].unique().drop_null()) if "symbol" in table.column_names else None


def _facts(written: Written) -> dict[str, Any]:
    facts: dict[str, Any] = {"dagster/row_count": written.rows, "revision": written.revision, **written.facts}
    return facts if written.symbols is None else {**facts, "symbols": written.symbols}


def _missing(place: Place, key: str) -> str:
    which = "" if key == WHOLE else f" for {key}"
    return f"{place.text} has nothing stored{which}; materialize it first"


def _name(context: OutputContext) -> str:
    return context.asset_key.to_user_string() if context.has_asset_key else f"the output {context.name}"


def _texts(value: Any, name: str, what: str) -> tuple[str, ...] | None:
    """A list of names in metadata: a list, or a text parted by commas."""
    found = _plain(value)
    if found is None:
        return None
    if isinstance(found, str):
        return tuple(part.strip() for part in found.split(",") if part.strip())
    if isinstance(found, list | tuple) and all(isinstance(each, str) for each in found):
        return tuple(found)
    raise SettingsInvalid(f"metadata {name} of {what} is {found!r}; give names of columns")


def _plain(value: Any) -> Any:
    return getattr(value, "value", value)
