"""`marketdata ingest --plan`: how each file would be read, what was guessed, and the YAML that pins it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import pyarrow as pa
import yaml
from rich import box
from rich.table import Table

from marketdata_pipelines.cli.consoles import output, plain
from marketdata_pipelines.cli.progress import progress_bar
from marketdata_pipelines.cli.records import json_bytes
from marketdata_pipelines.cli.terminal import print_table
from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.errors import SourceRejected
from marketdata_pipelines.sources.files.plan import plan_file
from marketdata_pipelines.sources.files.plans import FilePlan
from marketdata_pipelines.sources.files.read import read_file

_FIRST_ROWS = 5
_FIRST_BYTES = 1 << 16
_BY_THE_WAY = ("path", "columns", "guessed", "findings")


@dataclass(frozen=True, slots=True)
class _Planned:
    """One file's plan and first rows, or why it would be refused."""

    path: str
    plan: FilePlan | None
    rows: pa.Table | None
    refusal: SourceRejected | None


def show_plans(feed: Feed, paths: Sequence[str], *, as_json: bool) -> int:
    """Show the plan of every file; files read alike are shown once. Returns 1 when one would be refused, else 0."""
    planned = []
    with progress_bar("files", len(paths)) as bar:
        for path in paths:
            bar.tell(path)
            planned.append(_plan(path, feed))
            bar.advance()
    if as_json:
        print(json.dumps([_as_json(item) for item in planned], indent=2, ensure_ascii=False))
    else:
        for alike in _alike(planned):
            _show(alike)
    return int(any(item.refusal for item in planned))


def _plan(path: str, feed: Feed) -> _Planned:
    try:
        plan = plan_file(path, feed)
        chunk = next(iter(read_file(path, feed, plan, chunk_bytes=_FIRST_BYTES)), None)
    except SourceRejected as refusal:
        return _Planned(path, None, None, refusal)
    return _Planned(path, plan, None if chunk is None else chunk.table.slice(0, _FIRST_ROWS), None)


def _alike(planned: Sequence[_Planned]) -> list[list[_Planned]]:
    groups: dict[str, list[_Planned]] = {}
    for item in planned:
        # A file that is refused or has findings is told by itself.
        told_alone = item.plan is None or item.plan.findings
        pinned = None if item.plan is None else {k: v for k, v in item.plan.to_source_yaml().items() if k != "symbol"}
        groups.setdefault(item.path if told_alone else json.dumps(pinned, default=str), []).append(item)
    return list(groups.values())


def _show(alike: list[_Planned]) -> None:
    out = output()
    first = alike[0]
    more = f" and {len(alike) - 1} more read alike" if len(alike) > 1 else ""
    out.rule(plain(f"{first.path}{more}"), align="left")
    if first.refusal is not None:
        out.print(plain(f"would be refused ({first.refusal.rule}): {first.refusal}", "bold red"), soft_wrap=True)
        return
    assert first.plan is not None
    out.print(_plan_grid(first.plan))
    for finding in first.plan.findings:
        out.print(plain(f"{finding.rule}: {finding.text}", "yellow"), soft_wrap=True)
    if first.rows is not None:
        print_table(first.rows.drop_columns(["row", "line"]), "first rows as read")
    out.print("[bold]To pin it, in feeds.yaml under this feed's[/] source:")
    pinned = first.plan.to_source_yaml()
    if len(alike) > 1:
        # Each of these files has a symbol of its own.
        pinned.pop("symbol", None)
    for line in yaml.safe_dump(pinned, sort_keys=False, allow_unicode=True).splitlines():
        out.print(plain(f"      {line}", "cyan"), soft_wrap=True)


def _plan_grid(plan: FilePlan) -> Table:
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    grid.add_column("what")
    grid.add_column("how it is read", overflow="fold")
    grid.add_column("")
    for name, value in asdict(plan).items():
        if name not in _BY_THE_WAY and value is not None:
            grid.add_row(
                name.replace("_", " "), plain(repr(value) if name == "delimiter" else str(value)), _mark(plan, name)
            )
    grid.add_row(
        "columns", plain(", ".join(f"{source} → {name}" for source, name in plan.columns)), _mark(plan, "columns")
    )
    return grid


def _mark(plan: FilePlan, name: str) -> str:
    return "[yellow]guessed[/]" if name in plan.guessed else "[dim]sure[/]"


def _as_json(item: _Planned) -> dict[str, object]:
    if item.refusal is not None:
        return {"file": item.path, "refused": item.refusal.rule, "message": str(item.refusal)}
    assert item.plan is not None
    rows = json.loads(b"".join(json_bytes(item.rows))) if item.rows is not None else []
    return {
        "file": item.path,
        "plan": {name: value for name, value in asdict(item.plan).items() if name != "path"},
        "pin": item.plan.to_source_yaml(),
        "first_rows": rows,
    }
