"""How repairs are told: proposals for people, rows before and after, what is applied, and what became of an order."""

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from rich import box
from rich.table import Table

from marketdata_pipelines.cli.consoles import counted, output, plain
from marketdata_pipelines.cli.tally import Tally
from marketdata_pipelines.domain.bars import TS
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.repairs.records import REPAIR_ROW_SCHEMA, Repair
from marketdata_pipelines.pipeline.repairs.applying import RepairReport, RepairStatus, standing_repairs
from marketdata_pipelines.pipeline.repairs.documents import read_record
from marketdata_pipelines.stores.lake.lake import Lake

_SHOWN = 40
_ROWS_SCHEMA = pa.schema([("id", pa.string()), ("kind", pa.string()), *REPAIR_ROW_SCHEMA])
_STYLES = {RepairStatus.APPLIED: "green", RepairStatus.UNDONE: "green", RepairStatus.KNOWN: "dim"}

APPLIED_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("kind", pa.string()),
        ("symbol", pa.string()),
        ("session_date", pa.date32()),
        ("start", TS),
        ("end", TS),
        ("rows", pa.int64()),
        ("confidence", pa.float64()),
        ("known_at", TS),
        ("evidence", pa.string()),
        ("rule", pa.string()),
        ("run_id", pa.string()),
        ("code_version", pa.string()),
    ]
)


def print_proposals(feed: str, table: pa.Table) -> None:
    """The surest proposals, one a line, and the next command."""
    out = output()
    if not table.num_rows:
        out.print(plain(f"{feed}: nothing to repair was found"))
        return
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for name in ("id", "kind", "symbol", "start"):
        grid.add_column(name, no_wrap=True)
    grid.add_column("rows", justify="right", no_wrap=True)
    grid.add_column("sure", justify="right", no_wrap=True)
    grid.add_column("why", overflow="fold", min_width=30)
    for row in table.slice(0, _SHOWN).to_pylist():
        start = row["start"].strftime("%Y-%m-%d %H:%MZ")
        texts = (row["id"], row["kind"], row["symbol"], start, f"{row['rows']:,}", _sure(row["confidence"]))
        grid.add_row(*[plain(text) for text in texts], plain(row["evidence"]))
    out.print(grid)
    rows = sum(table["rows"].to_pylist())
    hidden = f", the surest {_SHOWN} shown; all of them: --format csv" if table.num_rows > _SHOWN else ""
    out.print(plain(f"{counted(table.num_rows, 'proposal')} for {counted(rows, 'row')}{hidden}", "dim"))
    can = [row for row in table.to_pylist() if row["can_apply"]]
    if can:
        out.print(
            plain(
                f"next: marketdata repair {feed} --apply {can[0]['id']}   or: --apply-all --min-confidence 0.95", "dim"
            ),
            soft_wrap=True,
        )


def print_reports(reports: Sequence[RepairReport], repairs: Sequence[Repair]) -> None:
    """What became of each repair."""
    known = {repair.id: repair for repair in repairs}
    if not reports:
        output().print("Nothing to apply: no proposal is that sure.")
    for report in reports:
        repair = known.get(report.id)
        about = "" if repair is None else f"  {repair.kind} {_symbols(repair)}, {counted(repair.count, 'row')}"
        output().print(
            plain(f"{report.id}  ") + plain(report.status, _STYLES.get(report.status, "yellow")) + plain(about),
            soft_wrap=True,
        )
        if repair is not None and repair.advice is not None:
            output().print(plain(f"  {repair.advice}"), soft_wrap=True)


def reports_json(feed: str, reports: Sequence[RepairReport], tally: Tally | None) -> str:
    """The same as one JSON object."""
    repairs = [
        {"id": each.id, "status": each.status.name.lower(), "partition": each.partition, "rows": each.rows}
        for each in reports
    ]
    whole = {"feed": feed, "repairs": repairs, "materialized": None if tally is None else tally.as_json()}
    return json.dumps(whole, indent=2, ensure_ascii=False)


def rows_table(repairs: Sequence[Repair]) -> pa.Table:
    """The rows that repairs would bring, with what they said before; a dropped bar has no values."""
    found = [_ROWS_SCHEMA.empty_table()]
    for repair in repairs:
        rows = repair.rows
        ids, kinds = (pa.repeat(pa.scalar(text), rows.num_rows) for text in (repair.id, repair.kind.value))
        found.append(rows.add_column(0, "id", ids).add_column(1, "kind", kinds).cast(_ROWS_SCHEMA))
        if not rows.num_rows and repair.advice is None:
            gone: dict[str, Any] = {"id": repair.id, "kind": repair.kind.value, "symbol": repair.symbols[0]}
            found.append(pa.Table.from_pylist([{**gone, "ts": repair.first_us, "was": "the bar goes"}], _ROWS_SCHEMA))
    return pa.concat_tables(found)


def applied_table(lake: Lake, feed: Feed) -> pa.Table:
    """The repairs that stand, in the order they came."""
    rows = []
    for ingest, _ in standing_repairs(lake, feed).values():
        record = read_record(lake, feed.name, ingest.path)
        symbols = record.symbols
        rows.append(
            {
                "id": record.id,
                "kind": record.kind,
                "symbol": symbols[0] if len(symbols) == 1 else f"{len(symbols)} symbols",
                "session_date": record.session,
                "start": record.first_us,
                "end": record.last_us,
                "rows": record.rows,
                "confidence": record.confidence,
                "known_at": ingest.known_at_us,
                "evidence": record.evidence,
                "rule": record.rule,
                "run_id": ingest.run_id,
                "code_version": ingest.code_version,
            }
        )
    return pa.Table.from_pylist(rows, APPLIED_SCHEMA)


def _sure(confidence: float) -> str:
    # Never more than it is: 0.9996 is not 1.
    return f"{int(confidence * 1000) / 1000:.3f}"


def _symbols(repair: Repair) -> str:
    return repair.symbols[0] if len(repair.symbols) == 1 else f"{len(repair.symbols)} symbols"
