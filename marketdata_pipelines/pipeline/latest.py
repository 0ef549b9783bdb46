"""The last bar of every symbol of a feed, over all of its partitions, and the revision such rows have.

One partition's are a view of it (`views`); what keeps them in memory is not decided here.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.tables import LATEST_BARS
from marketdata_pipelines.stores.lake.catalog import Stored
from marketdata_pipelines.stores.lake.duck import asked_again, connect, query_text, relation_sql
from marketdata_pipelines.stores.lake.lake import Lake, digest

# They are of all partitions together: what stands for the partition where they are kept.
EVERY_PARTITION = "all"
LATEST_SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("ts", pa.timestamp("us", tz="UTC")),
        ("ts_close", pa.timestamp("us", tz="UTC")),
        ("session_date", pa.date32()),
        *((name, pa.float64()) for name in ("open", "high", "low", "close", "volume")),
        ("regular", pa.bool_()),
    ]
)


@dataclass(frozen=True, slots=True)
class Latest:
    """The last bars of a feed (LATEST_SCHEMA, one row a symbol, in order of symbol) and what they were made of."""

    rows: pa.Table
    inputs: Mapping[str, str]

    @property
    def revision(self) -> str:
        """16 hex digits: the same for the same partitions of the same revisions."""
        return revision_of(self.inputs)


class LatestBars:
    """Reads the last bars of feeds from a lake; safe across threads.

    What it read is remembered: when sessions were added or corrected since, only these and later ones are read again.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._known: dict[str, Latest] = {}
        self._lock = threading.Lock()

    def of(self, feed: Feed) -> Latest:
        """The last bar of each symbol, extended hours included; no rows where nothing is stored.

        Errors: StoreError when a file of the lake cannot be read.
        """
        with self._lock:
            known = self._known.get(feed.name)
        found = asked_again(lambda: self._read(feed, known))
        with self._lock:
            self._known[feed.name] = found
        return found

    def _read(self, feed: Feed, known: Latest | None) -> Latest:
        stored = {item.partition: item for item in self._lake.catalog.stored(LATEST_BARS, feed.name)}
        inputs = {partition: item.inputs for partition, item in stored.items()}
        if known is None:
            return Latest(_last(self._lake, list(stored.values())), inputs)
        changed = {key for key in {*inputs, *known.inputs} if inputs.get(key) != known.inputs.get(key)}
        if not changed:
            return known
        first = min(changed)
        # A partition's key is the first day it covers.
        before = pc.less(known.rows["session_date"], pa.scalar(date.fromisoformat(first)))
        later = _last(self._lake, [item for key, item in stored.items() if key >= first])
        gone = known.rows.filter(pc.invert(before))["symbol"]
        if not pc.all(pc.is_in(gone, value_set=later["symbol"]), min_count=0).as_py():
            # Of a symbol that is not there any more, an earlier bar is the last one now.
            return Latest(_last(self._lake, list(stored.values())), inputs)
        kept = known.rows.filter(before)
        kept = kept.filter(pc.invert(pc.is_in(kept["symbol"], value_set=later["symbol"])))
        return Latest(pa.concat_tables([kept, later]).sort_by("symbol").combine_chunks(), inputs)


def latest_revision(lake: Lake, feed_name: str) -> str:
    """The revision of the feed's last bars as the index has it now; `Latest.revision` is that of rows."""
    return revision_of({item.partition: item.inputs for item in lake.catalog.stored(LATEST_BARS, feed_name)})


def latest_rows(lake: Lake, feed: Feed) -> pa.Table:
    """The last bar of each symbol (LATEST_SCHEMA); `LatestBars` is quicker for whoever asks again."""
    return LatestBars(lake).of(feed).rows


def revision_of(inputs: Mapping[str, str]) -> str:
    """The revision of rows that are made of several partitions, from each one's `Stored.inputs`."""
    return digest(f"{partition} {inputs[partition]}" for partition in sorted(inputs))


def _last(lake: Lake, stored: list[Stored]) -> pa.Table:
    if not stored:
        return pa.Table.from_arrays([pa.nulls(0, field.type) for field in LATEST_SCHEMA], schema=LATEST_SCHEMA)
    with connect() as connection:
        connection.execute(f'create temp view "{LATEST_BARS}" as {relation_sql(lake.layout.root, stored)}')
        found = connection.sql(query_text(f"select_{LATEST_BARS}"), params={"start_date": None, "end_date": None})
        rows = found.to_arrow_table()
    plain = rows.set_column(0, "symbol", rows["symbol"].cast(pa.string()))
    return plain.cast(LATEST_SCHEMA).replace_schema_metadata(None).combine_chunks()
