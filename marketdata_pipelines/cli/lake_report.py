"""What the commands of `marketdata lake` tell, as tables."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict

import pyarrow as pa

from marketdata_pipelines.domain.bars import TS
from marketdata_pipelines.pipeline.upkeep import Compacted, TableStatus
from marketdata_pipelines.pipeline.verifying import Finding

_STATUS = pa.schema(
    [
        ("feed", pa.string()), ("table", pa.string()), ("partitions", pa.int64()), ("rows", pa.int64()),
        ("bytes", pa.int64()), ("files", pa.int64()), ("deltas", pa.int64()), ("superseded", pa.int64()),
        ("removed", pa.int64()), ("unindexed", pa.int64()), ("last_known", TS),
    ]
)  # fmt: skip
_COMPACTED = pa.schema(
    [
        ("feed", pa.string()), ("table", pa.string()), ("partition", pa.string()), ("rows", pa.int64()),
        ("files_before", pa.int64()), ("bytes_before", pa.int64()), ("bytes_after", pa.int64()),
    ]
)  # fmt: skip
_FINDINGS = pa.schema([(name, pa.string()) for name in ("feed", "table", "partition", "fault", "text")])
_REMOVED = pa.schema([("feed", pa.string()), ("path", pa.string()), ("bytes", pa.int64()), ("why", pa.string())])


def status_table(found: Iterable[TableStatus]) -> pa.Table:
    """A row a table of a feed."""
    rows = [{**asdict(each), "last_known": each.last_known_us} for each in found]
    return pa.Table.from_pylist(rows, schema=_STATUS)


def compacted_table(feed: str, done: Iterable[Compacted]) -> pa.Table:
    """A row a partition whose deltas were merged."""
    return pa.Table.from_pylist([{"feed": feed, **asdict(each)} for each in done], schema=_COMPACTED)


def findings_table(found: Iterable[Finding]) -> pa.Table:
    """A row a finding."""
    return pa.Table.from_pylist([asdict(each) for each in found], schema=_FINDINGS)


def removed_table(rows: Sequence[dict[str, object]]) -> pa.Table:
    """A row a file."""
    return pa.Table.from_pylist(list(rows), schema=_REMOVED)
