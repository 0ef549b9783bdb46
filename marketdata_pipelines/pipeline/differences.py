"""What would have been answered differently at one instant than at an earlier one, and which ingests are the cause.

Both states are derived by `past`; only partitions whose raw parts, or whose definition, differ are looked at.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain import tables as t
from marketdata_pipelines.domain.bars import AGGREGATE_SCHEMA, BAR_SCHEMA, SYMBOL, TS
from marketdata_pipelines.domain.corrections import VALUES
from marketdata_pipelines.domain.differences import DifferenceKind, Differing, compare_bars
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period, is_partition_key, partition_key
from marketdata_pipelines.domain.session_grid import Ints
from marketdata_pipelines.pipeline.definitions import definition_at
from marketdata_pipelines.pipeline.difference_causes import Causes, Links
from marketdata_pipelines.pipeline.past import PastTables
from marketdata_pipelines.stores.lake.lake import Lake

TOLD = (*VALUES, "bar_count", "is_final")
_BASE_COLUMNS = (*VALUES, "session_date", "ts_close", "regular")
_BUCKET_COLUMNS = (*VALUES, "bar_count", "session_date", "ts_close", "is_final")


def _told_type(name: str) -> pa.DataType:
    return {"trade_count": pa.int64(), "bar_count": pa.int64(), "is_final": pa.bool_()}.get(name, pa.float64())


# One row a bar that differs, sorted by (symbol, ts). `columns`: what differs, `;`-separated, of bars that are on both
# sides. `seq` … `run_id` are of the newest of `causes` ingests, whose sequence numbers are `seqs`; null where another
# definition of the feed is the cause.
DIFFERENCE_SCHEMA = pa.schema(
    [
        ("symbol", SYMBOL),
        ("ts", TS),
        ("session_date", pa.date32()),
        ("kind", pa.string()),
        ("columns", pa.string()),
        *((f"old_{name}", _told_type(name)) for name in TOLD),
        *((f"new_{name}", _told_type(name)) for name in TOLD),
        ("cause", pa.string()),
        ("seq", pa.int64()),
        ("file", pa.string()),
        ("known_at", TS),
        ("run_id", pa.string()),
        ("causes", pa.int64()),
        ("seqs", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class DiffQuestion:
    """What is asked: bars of one table (timeframe) as of two instants, UTC microseconds; symbols None means all.

    start..end are session dates, both included.
    """

    from_us: int
    to_us: int
    table: str
    timeframe: str
    symbols: tuple[str, ...] | None = None
    start: date | None = None
    end: date | None = None


def differences(lake: Lake, feed: Feed, question: DiffQuestion) -> Iterator[pa.Table]:
    """The bars that would have been answered differently, a partition at a time, each of DIFFERENCE_SCHEMA.

    Extended hours are included in bars of the feed's own interval. Nothing is yielded where nothing differs.

    Errors: PartitionMissing when the file of a raw part that is needed is gone.
    """
    return _Comparison(lake, feed, question).tables()


def difference_counts(tables: Sequence[pa.Table]) -> pa.Table:
    """How many bars differ by cause, the most frequent first; a bar counts for the newest of its causes."""
    names = ["cause", "seq", "file", "known_at", "run_id"]
    whole = pa.concat_tables(
        [
            DIFFERENCE_SCHEMA.empty_table().select([*names, "kind"]),
            *(table.select([*names, "kind"]) for table in tables),
        ]
    )
    for kind in DifferenceKind:
        whole = whole.append_column(kind.value, pc.equal(whole["kind"], kind.value).cast(pa.int64()))
    kinds = [kind.value for kind in DifferenceKind]
    counted = whole.group_by(names, use_threads=False).aggregate([(kind, "sum") for kind in kinds])
    counted = counted.rename_columns([*names, *kinds])
    bars = pc.add(pc.add(counted[kinds[0]], counted[kinds[1]]), counted[kinds[2]])
    counted = counted.append_column("bars", bars)
    return counted.sort_by([("bars", "descending"), ("known_at", "ascending"), ("seq", "ascending")])


@dataclass(frozen=True, slots=True)
class _Compared:
    """Two states of a table, and where they differ."""

    old: pa.Table
    new: pa.Table
    differing: Differing

    def column(self, name: str, *, newest: bool = True) -> pa.ChunkedArray:
        """A column of the bars that differ, of the later state where it has the bar, else of the earlier one."""
        one, other = (self.new, self.old) if newest else (self.old, self.new)
        first, second = (self.differing.new, self.differing.old) if newest else (self.differing.old, self.differing.new)
        return pc.coalesce(_taken(one[name], first), _taken(other[name], second))

    def rows(self, names: Sequence[str]) -> pa.Table:
        """Columns of the bars that differ."""
        return pa.table({name: self.column(name) for name in names})


class _Comparison:
    """Answers one question."""

    def __init__(self, lake: Lake, feed: Feed, question: DiffQuestion) -> None:
        self._question = question
        self._feeds = tuple(definition_at(lake, feed, at) for at in (question.from_us, question.to_us))
        self._sides = tuple(
            PastTables(lake, definition, at)
            for definition, at in zip(self._feeds, (question.from_us, question.to_us), strict=True)
        )
        self._redefined = self._feeds[0].version != self._feeds[1].version
        self._causes = Causes(lake, self._feeds[1], question.from_us, question.to_us)

    def tables(self) -> Iterator[pa.Table]:
        touched = self._touched()
        if self._question.table == t.VALIDATED_BARS:
            for keys in self._units(t.VALIDATED_BARS):
                if keys & touched:
                    compared, links = self._base(keys)
                    yield from self._told(compared, links, keys)
            return
        for keys in self._units(self._question.table):
            sources = {
                source
                for side, feed in zip(self._sides, self._feeds, strict=True)
                for key in keys
                for source in _sources(side, feed, self._question.table, key)
            }
            if not sources & touched:
                continue
            compared = self._compared(self._question.table, keys, _BUCKET_COLUMNS)
            bars, base = self._base(sources & touched)
            rows = bars.rows(("symbol", "ts", "session_date"))
            regular = pc.or_(bars.column("regular"), bars.column("regular", newest=False))
            rows = rows.append_column("regular", regular)
            buckets = compared.rows(("symbol", "ts"))
            links = self._causes.of_buckets(self._question.timeframe, buckets, rows, base)
            yield from self._told(compared, links, sources)

    def _touched(self) -> set[str]:
        """The base partitions whose raw parts, or whose definition, differ."""
        parts = [
            {key: [part.ingest.seq for part in side.parts(key)] for key in side.partitions(t.VALIDATED_BARS)}
            for side in self._sides
        ]
        keys = parts[0].keys() | parts[1].keys()
        return {key for key in keys if self._redefined or parts[0].get(key) != parts[1].get(key)}

    def _units(self, table: str) -> list[set[str]]:
        """Partitions to compare with their own like: one by one, or all at once where they were cut another way."""
        asked = self._question
        found: list[list[str]] = []
        periods = set()
        for side, feed in zip(self._sides, self._feeds, strict=True):
            period = _periods(feed).get(table)
            if period is None:
                found.append([])
                continue
            periods.add(period)
            first = partition_key(asked.start, period) if asked.start else ""
            found.append(side.partitions(table, first, partition_key(asked.end, period) if asked.end else "9999-99-99"))
        keys = sorted({*found[0], *found[1]})
        return [{key} for key in keys] if len(periods) < 2 else [set(keys)]

    def _base(self, keys: set[str]) -> tuple[_Compared, Links]:
        compared = self._compared(t.VALIDATED_BARS, keys, _BASE_COLUMNS)
        return compared, self._causes.of_bars(sorted(keys), compared.rows(("symbol", "ts")))

    def _compared(self, table: str, keys: set[str], columns: tuple[str, ...]) -> _Compared:
        old, new = (self._read(side, feed, table, keys) for side, feed in zip(self._sides, self._feeds, strict=True))
        return _Compared(old, new, compare_bars(old, new, columns))

    def _read(self, side: PastTables, feed: Feed, table: str, keys: set[str]) -> pa.Table:
        base = table == t.VALIDATED_BARS
        schema = BAR_SCHEMA if base else AGGREGATE_SCHEMA
        period = _periods(feed).get(table)
        own = [] if period is None else sorted(key for key in keys if is_partition_key(key, period))
        found = pa.concat_tables([schema.empty_table(), *(side.read(table, key) for key in own)])
        if self._question.symbols is not None:
            found = found.filter(pc.is_in(found["symbol"].cast(pa.string()), pa.array(self._question.symbols)))
        if base:
            # As bars are answered: a base bar is one bar, and final.
            rows = found.num_rows
            found = found.append_column("bar_count", pa.array(np.ones(rows, np.int64)))
            found = found.append_column("is_final", pa.array(np.ones(rows, bool)))
        return found

    def _told(self, compared: _Compared, links: Links, keys: set[str]) -> Iterator[pa.Table]:
        differing = compared.differing
        count = len(differing.old)
        columns = {
            "symbol": compared.column("symbol"),
            "ts": compared.column("ts"),
            "session_date": compared.column("session_date"),
            "kind": pa.array(differing.kinds(), pa.string()),
            "columns": pa.array(differing.columns, pa.string()),
            **{f"old_{name}": _taken(compared.old[name], differing.old) for name in TOLD},
            **{f"new_{name}": _taken(compared.new[name], differing.new) for name in TOLD},
            **self._causes.columns(count, links, sorted(keys), redefined=self._redefined),
        }
        found = pa.table({name: column.cast(DIFFERENCE_SCHEMA.field(name).type) for name, column in columns.items()})
        for bound, keep in ((self._question.start, pc.greater_equal), (self._question.end, pc.less_equal)):
            if bound is not None:
                found = found.filter(keep(found["session_date"], bound))
        if found.num_rows:
            yield found


def _periods(feed: Feed) -> dict[str, Period]:
    return {name: each.period for each in t.feed_tables(feed) for name in each.tables}


def _sources(side: PastTables, feed: Feed, table: str, key: str) -> list[str]:
    """The base partitions a partition of a table is made of; none where the table was another one then."""
    period = _periods(feed).get(table)
    return side.sources(table, key) if period is not None and is_partition_key(key, period) else []


def _taken(column: pa.ChunkedArray, rows: Ints) -> pa.Array:
    plain = column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
    return plain.combine_chunks().take(pa.array(rows, mask=rows < 0))
