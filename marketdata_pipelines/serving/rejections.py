"""Rows kept out of the validated bars, and what was noticed about whole files."""

from datetime import UTC, date, datetime, time, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.bars import REJECTED_SCHEMA
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.partitions import Period, period_of
from marketdata_pipelines.domain.tables import REJECTED_BARS
from marketdata_pipelines.serving.ranges import TimeRange
from marketdata_pipelines.serving.rows import PastRows, RowSource
from marketdata_pipelines.stores.lake.lake import Lake

_COLUMNS = ["file", "line", "row", "symbol", "ts", "rules", "original"]
# Good rows that a later ingest replaced: recorded, but no defects.
_REPLACED = ("superseded", "deleted")


def rejected_rows(
    lake: Lake, source: RowSource, wanted: TimeRange, *, superseded: bool, findings: bool = False
) -> pa.Table:
    """Rejected rows of a range in (file, row) order; without a range also what concerns whole files.

    With `findings` also the rows that quality rules found something in (see `findings`).
    """
    feed = source.feed
    found = source.rows(REJECTED_BARS, *wanted.partitions(period_of(feed.partition)))
    tables = [table for _, table in found.tables(lake, feed.name, REJECTED_BARS)]
    rows = pa.concat_tables([REJECTED_SCHEMA.empty_table(), *tables])
    if not superseded:
        rows = rows.filter(pc.invert(pc.is_in(rows["rules"], pa.array(_REPLACED))))
    if findings:
        from marketdata_pipelines.serving.findings import with_found_rows

        rows = with_found_rows(lake, feed, wanted, rows)
    rows = rows.select(_COLUMNS)
    if wanted == TimeRange():
        rows = pa.concat_tables([rows, _file_findings(lake, source)])
    else:
        rows = _within(rows, feed, wanted)
    return rows.sort_by([("file", "ascending"), ("row", "ascending")])


def _within(rows: pa.Table, feed: Feed, wanted: TimeRange) -> pa.Table:
    """Rows of partitions longer than a day that lie in the range; rows without a readable time stay."""
    start, end = around_days(feed, wanted)
    for bound, keep in ((start, pc.greater_equal), (end, pc.less)):
        if bound is not None:
            rows = rows.filter(pc.fill_null(keep(rows["ts"], pa.scalar(bound, rows["ts"].type)), True))
    return rows


def around_days(feed: Feed, wanted: TimeRange) -> tuple[datetime | None, datetime | None]:
    """Instants between which rows of a range lie (the end excluded); None where partitions tell them apart already."""
    if wanted.start_ts is None and wanted.end_ts is None and period_of(feed.partition) is Period.DAY:
        return None, None
    return wanted.start_ts or _midnight(wanted.start_date, -1), wanted.end_ts or _midnight(wanted.end_date, 2)


def _midnight(day: date | None, shift: int) -> datetime | None:
    # Session dates are local: a day on either side covers every zone.
    if day is None:
        return None
    return datetime.combine(day, time(), UTC) + timedelta(days=shift)


def _file_findings(lake: Lake, source: RowSource) -> pa.Table:
    known_us = source.as_of_us if isinstance(source, PastRows) else None
    ingests = lake.catalog.ingests(source.feed.name)
    newest = {ingest.sha256: ingest for ingest in ingests if known_us is None or ingest.known_at_us <= known_us}
    found = []
    for ingest in newest.values():
        if ingest.rule is not None:
            found.append((ingest.file, ingest.rule, ingest.message or ""))
        found += [(ingest.file, rule, text) for rule, text in ingest.findings]
    columns = {name: pa.nulls(len(found), REJECTED_SCHEMA.field(name).type) for name in _COLUMNS}
    for position, name in enumerate(("file", "rules", "original")):
        columns[name] = pa.array([item[position] for item in found], pa.string())
    return pa.table(columns, schema=pa.schema([REJECTED_SCHEMA.field(name) for name in _COLUMNS]))
