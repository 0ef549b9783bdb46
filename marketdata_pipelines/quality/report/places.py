"""Where a finding is: its time and place in words, and the commands that lead there."""

from marketdata_pipelines.quality.report.markup import (
    NOTHING,
    clock_text,
    command,
    count_text,
    day_text,
    instant_argument,
    instant_text,
    visible,
)
from marketdata_pipelines.quality.report.records import FeedFacts, FindingRow


def commands(feed: FeedFacts, finding: FindingRow) -> tuple[str, ...]:
    """The command lines that show a finding's bar and the rows behind it."""
    found = []
    if finding.symbol and finding.ts_us is not None:
        moment = instant_argument(finding.ts_us)
        # A symbol may look like an option.
        end_of_options = ("--",) if finding.symbol.startswith("-") else ()
        found.append(command("marketdata", "explain", feed.name, *end_of_options, finding.symbol, moment))
    if finding.session_date is not None:
        day = finding.session_date.isoformat()
        found.append(command("marketdata", "rejected", feed.name, "--findings", "--start", day, "--end", day))
    return tuple(found)


def when(finding: FindingRow) -> str:
    """The session, and the time in it as far as it is known; without its date where that is the session's."""
    day = day_text(finding.session_date) if finding.session_date else NOTHING
    times = span(finding)
    return f"{day}, {times}" if times else day


def span(finding: FindingRow) -> str:
    """From the first bar concerned to the last; empty where no bar is, or where bars have a date only."""
    if finding.ts_us is None:
        return ""
    last_us = finding.ts_us if finding.ts_last_us is None else finding.ts_last_us
    first, last = _moment(finding, finding.ts_us), _moment(finding, last_us)
    if first == last == "00:00":
        return ""
    return first if first == last else f"{first} {NOTHING} {last}"


def source(finding: FindingRow) -> str:
    """The file and line the finding's first bar came from; empty where that is not one."""
    if not finding.file:
        return ""
    name = visible(finding.file)
    if finding.line is not None:
        return f"{name}, line {count_text(finding.line)}"
    return name if finding.row is None else f"{name}, row {count_text(finding.row)}"


def _moment(finding: FindingRow, us: int) -> str:
    """The time of day, with its date where that is not the session's."""
    if finding.session_date is not None and instant_argument(us)[:10] == finding.session_date.isoformat():
        return clock_text(us)
    return instant_text(us)
