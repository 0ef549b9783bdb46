"""A receipt for people: the bar, what it is made of, and where each row came from, indented from step to step."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from rich import box
from rich.table import Table

from marketdata_pipelines.cli.consoles import counted, output, plain
from marketdata_pipelines.pipeline.receipts.records import (
    BaseBar,
    Difference,
    FileProof,
    PartitionProof,
    PartProof,
    RawRow,
    Receipt,
    SourceText,
    TextOrigin,
    TradesProof,
    Value,
    Verification,
    VersionProof,
)

# Base bars shown: half of them from the start of the bucket, half from its end.
SHOWN = 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIGURES = ("open", "high", "low", "close", "volume", "vwap", "trade_count", "price", "size")
_LONGEST_LINE = 160


def print_receipt(receipt: Receipt, verification: Verification | None) -> None:
    """Print a receipt, and what verifying it came to."""
    console = output()
    for style, line in _lines(receipt):
        console.print(plain(line, style), soft_wrap=True)
    if verification is None:
        return
    if verification.differences:
        console.print(_difference_table(verification.differences))
    for style, line in _verdict(verification):
        console.print(plain(line, style), soft_wrap=True)


def _lines(receipt: Receipt) -> Iterator[tuple[str, str]]:
    yield "bold", f"{receipt.feed} {receipt.symbol} {receipt.timeframe} {_instant(receipt.bucket_us)}"
    yield "", f"  {_figures(receipt.bar)}{_final(receipt.bar)}"
    yield from _whence(receipt)
    yield "", ""
    yield "bold", f"Base bars: {counted(receipt.base_bars, 'bar')}"
    head = (len(receipt.base) + 1) // 2
    for place, bar in enumerate(receipt.base):
        if receipt.omitted and place == head:
            yield "dim", f"  … {receipt.omitted:,} more; all of them: --json"
        yield from _base_bar(bar)
    yield "", ""
    yield "bold", "Validated partitions"
    for partition in receipt.partitions:
        yield from _partition(partition)
    yield "", ""
    yield "bold", "Raw parts"
    for part in receipt.parts:
        yield from _part(part)


def _whence(receipt: Receipt) -> Iterator[tuple[str, str]]:
    if receipt.as_of_us is not None:
        yield "", f"  as was known at {_instant(receipt.as_of_us)}, derived in memory"
        return
    if receipt.file is not None:
        yield "", f"  stored in {_where(receipt.file)}; {_versions(receipt.file.versions)}"
    if not receipt.follows:
        yield "yellow", f"  BEHIND: its sources have changed since; run: marketdata backfill {receipt.feed}"


def _base_bar(bar: BaseBar) -> Iterator[tuple[str, str]]:
    extended = "" if bar.values.get("regular", True) else ", extended hours"
    yield "", f"  {_moment(bar.values['ts'])}  {_figures(bar.values)}{extended}"
    if bar.raw is None:
        yield "yellow", "      no raw row that stands gives this bar"
    elif bar.trades is None:
        yield from _row("", bar.raw)
    else:
        yield from _trades(bar.trades, bar.raw)
    for lost in bar.lost:
        yield from _row(f"lost ({lost.rules}): ", lost)


def _trades(trades: TradesProof, bar: RawRow) -> Iterator[tuple[str, str]]:
    said = [f"{trades.counted:,} for OHLC"]
    said += [f"{trades.volume_only:,} for volume alone"] if trades.volume_only else []
    said += [f"{trades.left_out:,} left out"] if trades.left_out else []
    said += [f"{trades.rejected:,} rejected"] if trades.rejected else []
    yield "", f"      {counted(trades.trades, 'trade')} of raw part {bar.part}: {', '.join(said)}"
    for name in ("first", "last", "high", "low"):
        yield from _row(f"{name} ", getattr(trades, name))


def _row(label: str, row: RawRow) -> Iterator[tuple[str, str]]:
    line = f"line {row.line}" if row.line is not None else f"row {row.row}"
    place = f"      {label}{row.file} {line} (raw part {row.part}, ingest {row.seq})"
    if row.rules is not None:
        place += f"  {_figures(row.values)}"
    yield ("dim" if row.rules else ""), place
    yield "dim", f"          {_text(row.source)}"


def _text(source: SourceText) -> str:
    if source.text is None:
        return f"(its text: {source.note})"
    shown = source.text if len(source.text) <= _LONGEST_LINE else f"{source.text[: _LONGEST_LINE - 1]}…"
    return shown if source.origin is TextOrigin.FILE else f"{shown}  ({source.origin})"


def _partition(partition: PartitionProof) -> Iterator[tuple[str, str]]:
    counts = f"{partition.accepted_rows:,} of {counted(partition.raw_rows, 'raw row')} accepted"
    yield "", f"  {partition.key}: {counts}, {partition.rejected_rows:,} rejected"
    if partition.file is not None:
        bars = counted(partition.file.rows, "bar")
        yield "", f"      {bars} in {_where(partition.file)}; {_versions(partition.file.versions)}"
    if partition.walk_run is not None:
        yield "", f"      written by run {partition.walk_run}"
    if not partition.follows:
        yield "yellow", "      BEHIND: not what the raw parts that stand give"
    failed = [check for check in partition.checks if not check.passed]
    yield "", f"      {counted(len(partition.checks) - len(failed), 'check')} passed, evaluated {partition.checked}"
    for check in failed:
        yield "red", f"      {check.name} FAILED: {check.message}"


def _part(part: PartProof) -> Iterator[tuple[str, str]]:
    yield "", f"  {part.part}: {part.path}, {counted(part.rows, 'row')}"
    run = f"ingest {part.seq} ({part.mode}, {part.status}) of run {part.run_id}, known since {_moment(part.known_at)}"
    yield "", f"      {run}; {_versions(part.versions)}"
    size = f", {part.bytes:,} bytes" if part.bytes else ""
    yield "", f"      {part.source_path}{size}, SHA-256 {part.sha256}: {part.source_state}"


def _where(file: FileProof) -> str:
    deltas = f" and {counted(len(file.deltas), 'delta')} beside it" if file.deltas else ""
    return f"{file.path}{deltas}, inputs {file.inputs}"


def _versions(versions: Sequence[VersionProof]) -> str:
    said = []
    for version in versions:
        now = f" (today {version.today})" if version.differs else ""
        said.append(f"{version.name.removesuffix('_version')} {version.recorded or 'unknown'}{now}")
    return ", ".join(said)


def _figures(values: Mapping[str, Value]) -> str:
    names = [name for name in _FIGURES if values.get(name) is not None]
    return "  ".join(f"{name.replace('_', ' ')} {_number(values[name])}" for name in names)


def _number(value: Value) -> str:
    """Every digit there is, as in the source."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else str(value)


def _final(values: Mapping[str, Value]) -> str:
    return "  (may still change)" if values.get("is_final") is False else ""


def _verdict(verification: Verification) -> Iterator[tuple[str, str]]:
    yield "", ""
    if verification.equal:
        yield "bold green", f"Verified, all equal: {'; '.join(verification.checked)}"
    else:
        count = counted(len(verification.differences), "difference")
        yield "bold red", f"UNEQUAL: {count}; looked at: {'; '.join(verification.checked)}"
    for text in verification.unchecked:
        yield "yellow", f"Not compared: {text}"


def _difference_table(differences: Sequence[Difference]) -> Table:
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for name in ("where", "field", "found", "expected"):
        grid.add_column(name, overflow="fold")
    for item in differences:
        values = (item.where, item.field, _cell(item.found), _cell(item.expected))
        grid.add_row(*[plain(value) for value in values])
    return grid


def _cell(value: Value) -> str:
    # Every digit: two floats may differ in their last one.
    return _moment(value) if isinstance(value, datetime) else repr(value) if isinstance(value, float) else str(value)


def _instant(us: int) -> str:
    return _moment(_EPOCH + timedelta(microseconds=us))


def _moment(value: object) -> str:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)
