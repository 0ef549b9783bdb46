"""How a tally is told to a person."""

from marketdata_pipelines.cli.consoles import counted, output, plain
from marketdata_pipelines.cli.tally import Tally
from marketdata_pipelines.domain.quality.grades import grade_of

_SHOWN = 20


def print_tally(tally: Tally, feed: str) -> None:
    """Rows, reasons, bars by timeframe, and what was blocked with what to do."""
    out = output()
    out.print(
        f"[bold]{counted(tally.partitions, 'partition')}[/] walked: [bold green]{tally.accepted:,}[/] rows accepted, "
        f"[bold {'yellow' if tally.rejected_rows else 'green'}]{tally.rejected_rows:,}[/] rejected",
        soft_wrap=True,
    )
    if tally.rejected:
        reasons = ", ".join(f"{rule} {count:,}" for rule, count in tally.rejected.most_common())
        out.print(plain(f"  rejected by rule: {reasons}"), soft_wrap=True)
    if tally.bars:
        written = ", ".join(f"{timeframe} {rows:,}" for timeframe, rows in tally.bars.items())
        out.print(plain(f"  bars written: {written}"), soft_wrap=True)
    if tally.score is not None:
        out.print(plain(f"  quality: {quality_text(tally)}"), soft_wrap=True)
    print_problems(tally)
    if tally.rejected_rows:
        out.print(plain(f"  see them: marketdata rejected {feed}", "dim"), soft_wrap=True)
    if tally.findings:
        out.print(plain(f"  what was found: marketdata quality {feed}", "dim"), soft_wrap=True)


def quality_text(tally: Tally) -> str:
    """Score and grade of what was judged, and its findings by rule."""
    if tally.score is None:
        return "not judged"
    found = ", ".join(f"{rule} {count:,}" for rule, count in tally.findings.most_common(_SHOWN))
    return f"{tally.score:.1f} of 100, grade {grade_of(tally.score)}; {found or 'nothing found'}"


def print_problems(tally: Tally) -> None:
    """What was blocked, failed or left out; nothing when all went well."""
    _print_some([f"{key}: {reason}" for key, reason in tally.blocked.items()], "blocked", "bold red")
    _print_some(tally.failed_checks, "check failed", "yellow")
    _print_some(tally.failures, "run failed", "bold red")
    _print_some(tally.notes, "note", "yellow")


def _print_some(lines: list[str], label: str, style: str) -> None:
    for line in lines[:_SHOWN]:
        output().print(plain(f"  {label}: ", style) + plain(line), soft_wrap=True)
    if len(lines) > _SHOWN:
        output().print(plain(f"  … and {len(lines) - _SHOWN:,} more; all of them: --json", style), soft_wrap=True)
