"""Where the quality reports of a feed are; brings them up to date and shows them. Their content is made elsewhere."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from marketdata_pipelines.errors import StoreError

if TYPE_CHECKING:
    from marketdata_pipelines.pipeline.quality.reporting import Reported
    from marketdata_pipelines.serving.answers import LakeReader

# Nobody asked for reports, only for a look: what takes longer is left to --report or the running system.
_PASSING_SECONDS = 20.0


def renew_reports(reader: "LakeReader", feed: str, *, asked: bool) -> None:
    """Bring a feed's reports and Data Docs up to date; tells how long it took, and what was left.

    Unless `asked` for, it takes a moment's work only and gives way to another process that is at it.
    Errors: PartitionConflict when another process is at it for long.
    """
    import time

    from marketdata_pipelines.cli.consoles import notes, plain
    from marketdata_pipelines.errors import PartitionConflict
    from marketdata_pipelines.pipeline.quality.reporting import (
        SECONDS_TO_WAIT,
        bring_up_to_date,
        reports_behind,
    )

    definition = reader.feed(feed)
    if not reports_behind(reader.lake, definition, reader.settings):
        return

    def tell(line: str) -> None:
        notes().print(plain(line, "dim"), soft_wrap=True)

    try:
        done = bring_up_to_date(
            reader.lake,
            definition,
            reader.settings,
            now_us=time.time_ns() // 1000,
            progress=tell,
            budget_seconds=None if asked else _PASSING_SECONDS,
            seconds_to_wait=SECONDS_TO_WAIT if asked else 0.0,
        )
    except PartitionConflict as error:
        if asked:
            raise
        tell(str(error))
        return
    tell(_told(done))


def _told(done: "Reported") -> str:
    from marketdata_pipelines.cli.consoles import counted

    made = f"{counted(len(done.validated), 'partition')} validated, {counted(len(done.reports), 'report')} written"
    left = f"; {done.left:,} left: marketdata quality {done.feed} --report" if done.left else ""
    return f"{made} in {done.seconds:.1f} s{left}"


def report_places(home: Path, feed: str, last: date) -> dict[str, Path]:
    """The report of a session, else the newest, and the Data Docs of its month, as far as they are there."""
    reports, docs = home / "quality" / "reports" / feed, home / "quality" / "docs" / feed
    candidates = {
        "report": (reports / f"{last}.html", reports / "latest.html"),
        "Data Docs": (docs / f"{last:%Y-%m}" / "index.html", docs / "index.html"),
    }
    found = {name: next((path for path in paths if path.is_file()), None) for name, paths in candidates.items()}
    return {name: path for name, path in found.items() if path is not None}


def show_report(home: Path, feed: str, last: date, browse: "Callable[[str], bool] | None" = None) -> None:
    """Open the report in the browser; says where it is when there is none to open it with.

    Errors: StoreError when there is no report.
    """
    import webbrowser

    from marketdata_pipelines.cli.consoles import notes, plain

    path = report_places(home, feed, last).get("report")
    if path is None:
        raise StoreError(f"{feed} has no report yet; run: marketdata quality {feed} --report --open")
    opened = (browse or webbrowser.open)(path.as_uri())
    notes().print(plain(f"opened {path}" if opened else f"no browser to open it with: {path}"), soft_wrap=True)
