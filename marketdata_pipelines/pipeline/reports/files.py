"""Puts quality reports where people find them: a page a day or range, the newest once more, and a list of them.

    <home>/quality/reports/<feed>/<date>.html, <start>_<end>.html, latest.html, index.html

Pages appear whole or not at all, also where several processes write them.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path

from filelock import FileLock, Timeout

from marketdata_pipelines.errors import StoreError
from marketdata_pipelines.quality.report.index import IndexEntry, read_entry, render_index
from marketdata_pipelines.quality.report.page import render_report
from marketdata_pipelines.quality.report.records import ReportData

LATEST, INDEX = "latest.html", "index.html"
# Enough of a page to hold what the list tells of it.
_HEAD_BYTES = 4_096
_LOCK_SECONDS = 60


def reports_folder(home: Path, feed: str) -> Path:
    """The folder of a feed's reports below a data folder."""
    return home / "quality" / "reports" / feed


def report_name(start: date, end: date) -> str:
    """The file name of the report on the sessions from start to end."""
    return f"{end.isoformat()}.html" if start == end else f"{start.isoformat()}_{end.isoformat()}.html"


def write_report(home: Path, data: ReportData, *, index: bool = True) -> Path:
    """Write the page of a report, as `latest.html` too where none ends later, and the list; returns its path.

    `index` False leaves the list alone: whoever writes many pages calls `write_index` once.
    Errors: StoreError when the folder cannot be written to, or another process holds it for a minute.
    """
    folder = reports_folder(home, data.feed.name)
    path = folder / report_name(data.start, data.end)
    content = render_report(data).encode()
    _write(path, content)
    with _locked(folder):
        if all(_end(other) <= data.end for other in _pages(folder)):
            _write(folder / LATEST, content)
    if index:
        write_index(home, data.feed.name)
    return path


def write_index(home: Path, feed: str) -> Path:
    """Write the list of a feed's reports, the newest first; returns its path.

    Errors: StoreError when the folder cannot be written to.
    """
    folder = reports_folder(home, feed)
    with _locked(folder):
        entries = [entry for path in _pages(folder) if (entry := _entry(path)) is not None]
        _write(folder / INDEX, render_index(feed, entries).encode())
    return folder / INDEX


def _pages(folder: Path) -> list[Path]:
    """The pages of days and ranges, the newest end first."""
    pages = [path for path in folder.glob("[0-9]*.html") if _is_dated(path)]
    return sorted(pages, key=lambda path: (_end(path), path.stem), reverse=True)


def _is_dated(path: Path) -> bool:
    try:
        _end(path)
    except ValueError:
        return False
    return True


def _end(path: Path) -> date:
    return date.fromisoformat(path.stem.rsplit("_", 1)[-1])


def _entry(path: Path) -> IndexEntry | None:
    with suppress(FileNotFoundError), path.open("rb") as page:
        return read_entry(path.name, page.read(_HEAD_BYTES).decode("utf-8", "replace"))
    return None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time chooses what is newest in a folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=_LOCK_SECONDS):
            yield
    except Timeout as error:
        raise StoreError(
            f"{folder} has been locked for {_LOCK_SECONDS} s; end the process that writes reports there"
        ) from error
    except OSError as error:
        raise StoreError(f"{folder} cannot be written to ({error.strerror}); make it writable") from error


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as page:
            page.write(content)
            page.flush()
            os.fsync(page.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written ({error.strerror}); make its folder writable") from error
    finally:
        # Gone where it took its place; left where writing it failed.
        with suppress(OSError):
            temporary.unlink()
