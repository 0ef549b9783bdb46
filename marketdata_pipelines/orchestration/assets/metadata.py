"""What Dagster shows beside one written asset and one check of a partition: figures, a plot, tables, commands.

Every event is stored, for every partition: an entry is a figure that makes a curve over partitions, or a few lines.
Which events there are is not decided here (see `events`).
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any

import pyarrow as pa
from dagster import MetadataValue, TableColumn, TableMetadataValue, TableRecord, TableSchema

from marketdata_pipelines.domain.intervals import TIMEFRAMES, table_name
from marketdata_pipelines.domain.tables import REJECTED_BARS, VALIDATED_BARS
from marketdata_pipelines.orchestration.assets.plots import plot_markdown
from marketdata_pipelines.orchestration.keys import read_command
from marketdata_pipelines.pipeline.outcome import AssetResult, PartitionOutcome
from marketdata_pipelines.pipeline.receipts.records import explain_command
from marketdata_pipelines.quality.outcome import CheckOutcome, Example

Metadata = dict[str, Any]
# What fits the width of the page; the columns' texts are in the asset's definition.
_PREVIEWED = (
    "file", "line", "symbol", "ts", "bucket", "session_date",
    "open", "high", "low", "close", "volume", "rules", "original",
)  # fmt: skip
_PREVIEW_COLUMNS = 8
_RECORDS, _FIGURES = 12, 20
_LONGEST_CELL = 80
# Tables of bars with the timeframe their receipts are asked for by; None: the feed's own.
_EXPLAINED = {VALIDATED_BARS: None, **{table_name(timeframe): timeframe for timeframe in TIMEFRAMES}}
_TYPES = {bool: "bool", int: "int", float: "float", str: "string"}


def asset_metadata(outcome: PartitionOutcome, result: AssetResult) -> Metadata:
    """What is told about one asset of one partition; times are UTC."""
    metadata: Metadata = {}
    if result.sketch is not None:
        metadata["plot"] = MetadataValue.md(plot_markdown(result.sketch))
    if result.examples:
        metadata["corrections" if result.asset == VALIDATED_BARS else "by rule"] = records_table(result.examples)
    metadata |= {"dagster/row_count": result.rows, "symbols": result.symbols}
    if result.bytes:
        metadata["dagster/size_bytes"] = result.bytes
    if result.first_ts is not None and result.last_ts is not None:
        metadata["first_ts"] = MetadataValue.timestamp(_aware(result.first_ts))
        metadata["last_ts"] = MetadataValue.timestamp(_aware(result.last_ts))
    prefix = "rejected/" if result.asset == REJECTED_BARS else ""
    metadata |= {f"{prefix}{name}": value for name, value in islice(result.facts.items(), _FIGURES)}
    if list(result.table_rows) != [result.asset]:
        metadata["rows by table"] = records_table([{"table": n, "rows": rows} for n, rows in result.table_rows.items()])
    if result.preview is not None and result.preview.num_rows:
        metadata["preview"] = MetadataValue.md(markdown_table(result.preview))
    command = read_command(outcome.feed, result.asset, next(iter(result.table_rows)))
    if command is not None:
        metadata["read it"] = f"{command} {_days(outcome, result.last_session)}"
    finest = next(iter(result.table_rows))
    if finest in _EXPLAINED and result.preview is not None and result.preview.num_rows:
        symbol, ts = (result.preview[name][0].as_py() for name in ("symbol", "ts"))
        metadata["explain a bar"] = explain_command(outcome.feed, symbol, _aware(ts), _EXPLAINED[finest])
    return metadata


def check_metadata(outcome: PartitionOutcome, check: CheckOutcome) -> Metadata:
    """The figures of a check, the first of what it found, and how to see all rejected rows where they are the cause."""
    metadata: Metadata = dict(check.facts)
    if check.examples:
        by_rule = "rule" in check.examples[0]
        metadata["by rule" if by_rule else "first of them"] = records_table(check.examples)
        if by_rule and not check.passed:
            metadata["read it"] = f"marketdata rejected {outcome.feed} {_days(outcome, None)}"
    return metadata


def records_table(records: Sequence[Example]) -> TableMetadataValue:
    """The first records as a table with the columns of the first one; the page shows it without a click."""
    names = list(records[0])
    columns = [TableColumn(name, _type([record[name] for record in records])) for name in names]
    rows = [TableRecord({name: _shortened(record[name]) for name in names}) for record in records[:_RECORDS]]
    return MetadataValue.table(rows, TableSchema(columns))


def markdown_table(table: pa.Table) -> str:
    """A few rows as a Markdown table of the columns that say most."""
    names = [name for name in _PREVIEWED if name in table.column_names]
    names += [name for name in table.column_names if name not in names]
    names = names[:_PREVIEW_COLUMNS]
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    lines += ["| " + " | ".join(_cell(row[name]) for name in names) + " |" for row in table.select(names).to_pylist()]
    return "\n".join(lines)


def _days(outcome: PartitionOutcome, last: date | None) -> str:
    """The partition's session dates; a table without sessions takes the last one of what was written beside it."""
    known = [last] if last else [each.last_session for each in outcome.results if each.last_session]
    end = max([date.fromisoformat(outcome.partition), *known])
    return f"--start {outcome.partition} --end {end}"


def _type(values: Sequence[object]) -> str:
    return next((_TYPES[type(value)] for value in values if value is not None), "string")


def _shortened(value: str | int | float | None) -> str | int | float | None:
    if isinstance(value, str) and len(value) > _LONGEST_CELL:
        return f"{value[: _LONGEST_CELL - 1]}…"
    return value


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    # A row's own text may hold anything; in code nothing of it is formatted or followed.
    text = str(_shortened(str(value))).replace("|", "\\|").replace("\n", " ").replace("`", "'")
    return f"`{text}`" if isinstance(value, str) and not text.isalnum() and text else text


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
