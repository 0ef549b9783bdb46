"""What `marketdata publish` did, a row a table and partition."""

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass

import pyarrow as pa

from marketdata_pipelines.pipeline.hot_set import EVERY, HotWritten
from marketdata_pipelines.pipeline.publishing import PublishOutcome
from marketdata_pipelines.pipeline.store_views import ViewRefreshed

_SCHEMA = pa.schema(
    [
        ("store", pa.string()),
        ("table", pa.string()),
        ("partition", pa.string()),
        ("rows", pa.int64()),
        ("changed", pa.bool_()),
        ("seconds", pa.float64()),
        ("problem", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Line:
    """One table of one partition; `problem` says why it failed or where it differs from the lake, None: it does not."""

    store: str
    table: str
    partition: str
    rows: int
    changed: bool
    seconds: float
    problem: str | None = None


def lines_of(outcome: PublishOutcome) -> Iterator[Line]:
    """A partition of a publishing asset: its tables, or why there are none."""
    seconds = round(outcome.seconds, 3)
    if outcome.failed is not None:
        yield Line("timescale", outcome.asset, outcome.partition, 0, False, seconds, outcome.failed)
        return
    found = [*outcome.differences, *(outcome.rollup_differences or ())]
    for each in outcome.tables:
        mine = next((str(difference) for difference in found if _is_of(difference.table, each.table, outcome)), None)
        yield Line("timescale", each.table, outcome.partition, each.rows, each.changed, seconds, mine)


def hot_line(written: HotWritten) -> Line:
    """A table of a partition in Redis."""
    return Line("redis", written.table, written.partition, written.rows, True, round(written.seconds, 3))


def view_line(refreshed: ViewRefreshed) -> Line:
    """A view for dashboards, replaced whole."""
    return Line("timescale", refreshed.view, EVERY, refreshed.rows, True, round(refreshed.seconds, 3))


def lines_table(lines: Sequence[Line]) -> pa.Table:
    """The answer; no rows where nothing was behind."""
    rows = [dict(zip(_SCHEMA.names, astuple(line), strict=True)) for line in lines]
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def _is_of(differing: str, table: str, outcome: PublishOutcome) -> bool:
    """Rollups are told with the bars they are made of."""
    return differing == table or (
        table == outcome.tables[0].table and all(differing != t.table for t in outcome.tables)
    )
