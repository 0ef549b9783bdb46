"""How an ingest is told: to a person, and as JSON."""

import json
from collections.abc import Sequence

from rich import box
from rich.table import Table

from marketdata_pipelines.cli.consoles import counted, output, plain
from marketdata_pipelines.cli.tally import Tally
from marketdata_pipelines.pipeline.ingest import FileReport, IngestStatus
from marketdata_pipelines.stores.lake.lake import Lake

_SHOWN_FILES = 30
_STYLES = {IngestStatus.ACCEPTED: "green", IngestStatus.KNOWN: "dim", IngestStatus.REFUSED: "bold red"}


def print_files(feed: str, reports: Sequence[FileReport], *, materialized: bool) -> None:
    """A line a file (refused ones always), totals, and the next command."""
    out = output()
    shown = [r for r in reports if r.status is IngestStatus.REFUSED or r.findings or len(reports) <= _SHOWN_FILES]
    if shown:
        out.print(_file_grid(shown))
    counts = {status: sum(report.status is status for report in reports) for status in IngestStatus}
    rows = sum(report.rows for report in reports if report.status is IngestStatus.ACCEPTED)
    changed = sorted({key for report in reports for key in report.partitions})
    files = ", ".join(f"{count:,} {_WORDS[status]}" for status, count in counts.items() if count)
    brought = f"{counted(rows, 'row')}, {counted(len(changed), 'partition')} changed"
    out.print(plain(f"{counted(len(reports), 'file')}: {files}; {brought}"), soft_wrap=True)
    if changed and not materialized:
        out.print(
            plain(f"next: marketdata backfill {feed} --start {changed[0]} --end {changed[-1]}", "dim"), soft_wrap=True
        )


def report_json(feed: str, reports: Sequence[FileReport], tally: Tally | None) -> str:
    """Everything as one JSON object."""
    files = [
        {
            "file": report.file,
            "status": report.status.value,
            "rows": report.rows,
            "partitions": list(report.partitions),
            "rule": report.rule,
            "message": report.message,
            "findings": [{"rule": finding.rule, "text": finding.text} for finding in report.findings],
        }
        for report in reports
    ]
    whole = {"feed": feed, "files": files, "materialized": None if tally is None else tally.as_json()}
    return json.dumps(whole, indent=2, ensure_ascii=False)


def rejected_files(lake: Lake, feed: str, reports: Sequence[FileReport]) -> bool:
    """Whether rows of these files are known bad already: those have their source text kept in the raw part."""
    from marketdata_pipelines.stores.lake.parquet import read_file

    names = {report.file for report in reports}
    for standing in lake.catalog.standing_parts(feed):
        if standing.ingest.file in names:
            original = read_file(lake.layout.root / standing.part.path, ["original"])["original"]
            if original.null_count < len(original):
                return True
    return False


_WORDS = {IngestStatus.ACCEPTED: "accepted", IngestStatus.KNOWN: "known already", IngestStatus.REFUSED: "refused"}


def _file_grid(reports: Sequence[FileReport]) -> Table:
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for name, justify in (("file", "left"), ("status", "left"), ("rows", "right"), ("partitions", "right")):
        grid.add_column(name, justify="right" if justify == "right" else "left", no_wrap=True)
    grid.add_column("what to know", overflow="fold")
    for report in reports:
        notes = [f"{report.rule}: {report.message}"] if report.rule else []
        notes += [f"{finding.rule}: {finding.text}" for finding in report.findings]
        grid.add_row(
            plain(report.file), plain(_WORDS[report.status], _STYLES[report.status]), f"{report.rows:,}",
            f"{len(report.partitions):,}", plain("; ".join(notes)),
        )  # fmt: skip
    return grid
