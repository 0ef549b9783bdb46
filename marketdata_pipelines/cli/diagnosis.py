"""The checks of `marketdata doctor`: each says what it looked at, how it is, and what to do."""

import importlib.metadata
import platform
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.errors import MarketDataError
from marketdata_pipelines.settings.environment import Settings
from marketdata_pipelines.settings.feeds_file import load_feeds

_LIBRARIES = (
    "marketdata-pipelines", "dagster", "duckdb", "exchange-calendars", "numba", "numpy", "pandas", "pyarrow",
)  # fmt: skip
_UI_PORT = 3000
_ENOUGH_BYTES = 2 << 30
_SHOWN = 3
_LOAD_GRAPH = """
from marketdata_pipelines.definitions import build_definitions
from marketdata_pipelines.settings.environment import Settings
build_definitions(Settings())
"""


class State(StrEnum):
    """`note`: works, but worth knowing. `broken`: something will fail."""

    OK = "ok"
    NOTE = "note"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `advice` is what to do where it is not ok."""

    what: str
    state: State
    text: str
    advice: str = ""


def diagnose(settings: Settings) -> list[Finding]:
    """Look at everything; nothing is changed (a probe file in the data folder is removed again)."""
    findings = [_python(), *_libraries(), *_programs(), _folder(settings.folder), _disk(settings.folder)]
    try:
        feeds = load_feeds(settings.feeds_file)
    except MarketDataError as error:
        findings.append(Finding("feeds.yaml", State.BROKEN, str(error), "mend the file; `marketdata demo` writes one"))
        feeds = {}
    else:
        findings.append(Finding("feeds.yaml", State.OK, f"{len(feeds)} feeds in {settings.feeds_file}"))
    findings += [_calendar(feed) for feed in feeds.values()]
    findings += _lake(settings)
    return [*findings, *_storage(settings), *_stores(settings), _dagster(), _port(_UI_PORT)]


def _python() -> Finding:
    found = f"Python {platform.python_version()} at {sys.executable}"
    if (3, 11) <= sys.version_info[:2] < (3, 14):
        return Finding("python", State.OK, found)
    return Finding("python", State.BROKEN, found, "use Python 3.11, 3.12 or 3.13: make setup PYTHON=python3.11")


def _libraries() -> Iterator[Finding]:
    missing, found = [], []
    for name in _LIBRARIES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    yield Finding("libraries", State.OK, ", ".join(found))
    if missing:
        yield Finding("libraries", State.BROKEN, f"missing: {', '.join(missing)}", "run: make setup")
    try:
        importlib.metadata.version("bokeh-sampledata")
    except importlib.metadata.PackageNotFoundError:
        yield Finding(
            "extra demo", State.NOTE, "bokeh_sampledata is not installed", "for real bars in the demo: make setup"
        )


def _programs() -> Iterator[Finding]:
    for name in ("git", "uv"):
        path = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
        if path is None:
            yield Finding(name, State.NOTE, f"{name} is not on PATH", "needed only to work on the project")
            continue
        told = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30, check=False)
        yield Finding(name, State.OK, told.stdout.strip() or path)


def _folder(folder: Path) -> Finding:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-"):
            return Finding("data folder", State.OK, f"{folder} is writable")
    except OSError as error:
        advice = "mend its rights or point MARKETDATA_HOME at another folder"
        return Finding("data folder", State.BROKEN, f"{folder} cannot be written ({error.strerror})", advice)


def _disk(folder: Path) -> Finding:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    text = f"{free / (1 << 30):.1f} GiB free"
    if free >= _ENOUGH_BYTES:
        return Finding("disk", State.OK, text)
    return Finding("disk", State.NOTE, text, "make room before the next large ingest")


def _calendar(feed: Feed) -> Finding:
    from marketdata_pipelines.domain.session_grid import feed_calendar

    what = f"calendar of {feed.name}"
    try:
        calendar = feed_calendar(feed)
    except MarketDataError as error:
        return Finding(what, State.BROKEN, str(error), "name another calendar in feeds.yaml")
    return Finding(what, State.OK, f"{calendar.name}, {calendar.zone}")


def _lake(settings: Settings) -> Iterator[Finding]:
    from marketdata_pipelines.stores.lake.lake import Lake

    lake = Lake(settings.lake)
    if not lake.layout.catalog.exists():
        yield Finding("lake", State.NOTE, f"nothing is stored in {settings.lake} yet", "run: marketdata demo")
        return
    try:
        tables = lake.catalog.tables()
        feeds = sorted({feed for _, feed, _, _, _ in tables} | set(_feeds_with_raw(lake.layout.catalog)))
        raw = [lake.layout.root / part.part.path for feed in feeds for part in lake.catalog.standing_parts(feed)]
        derived = [
            lake.layout.root / item.path for table, feed, _, _, _ in tables for item in lake.catalog.stored(table, feed)
        ]
    except (sqlite3.Error, ValueError) as error:
        advice = "restore it from a backup, or move the lake away and ingest again"
        yield Finding("catalog", State.BROKEN, f"{lake.layout.catalog} cannot be read ({error})", advice)
        return
    yield Finding("catalog", State.OK, f"{lake.layout.catalog}: {len(tables)} tables of {len(feeds)} feeds")
    yield _files("raw files", raw, "put them back from a backup, or run: marketdata ingest FEED PATH --restart")
    yield _files("table files", derived, "delete them and run: marketdata backfill FEED --start D --end D")


def _feeds_with_raw(catalog: Path) -> list[str]:
    with sqlite3.connect(f"file:{catalog}?mode=ro", uri=True) as connection:
        found = [str(name) for (name,) in connection.execute("select distinct feed from raw_part")]
    connection.close()
    return found


def _files(what: str, paths: list[Path], advice: str) -> Finding:
    import pyarrow as pa
    import pyarrow.parquet as pq

    broken = []
    for path in paths:
        try:
            pq.read_metadata(path)
        except (OSError, pa.ArrowException):
            broken.append(path)
    if not broken:
        return Finding(what, State.OK, f"{len(paths):,} files, every footer readable")
    named = ", ".join(str(path) for path in broken[:_SHOWN])
    text = f"{len(broken):,} of {len(paths):,} missing or damaged: {named}{' …' if len(broken) > _SHOWN else ''}"
    return Finding(what, State.BROKEN, text, advice)


def _storage(settings: Settings) -> Iterator[Finding]:
    from marketdata_pipelines.orchestration.history.configuration import CONFIG_FILE, dagster_home, is_edited
    from marketdata_pipelines.orchestration.history.postgres_address import await_server, postgres_address

    what = "dagster storage"
    try:
        home, address = dagster_home(settings), postgres_address(settings)
        if address is None:
            yield Finding(what, State.OK, f"files below {home}")
        else:
            version = await_server(address, patience_seconds=0)
            yield Finding(what, State.OK, f"{address.shown} answers (PostgreSQL {version})")
    except MarketDataError as error:
        yield Finding(what, State.BROKEN, str(error))
        return
    configuration = home / CONFIG_FILE
    if configuration.exists() and is_edited(configuration):
        told = f"{configuration} was edited by hand and stays as it is, whatever the MARKETDATA_* variables say"
        yield Finding("dagster.yaml", State.NOTE, told, "to have it made from them again, delete it")


def _stores(settings: Settings) -> Iterator[Finding]:
    from marketdata_pipelines.cli.store_diagnosis import diagnose_stores

    return diagnose_stores(settings)


def _dagster() -> Finding:
    # In a process of its own: importing it here would cost seconds twice, and a broken one could end this one.
    told = subprocess.run([sys.executable, "-c", _LOAD_GRAPH], capture_output=True, text=True, timeout=300, check=False)
    if told.returncode == 0:
        return Finding("dagster", State.OK, "the code location loads")
    last = (told.stderr.strip().splitlines() or ["no message"])[-1]
    return Finding("dagster", State.BROKEN, f"the code location does not load: {last}", "mend that, or run: make setup")


def _port(port: int) -> Finding:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            advice = "fine if that is Dagster already; else: marketdata up --port 3001"
            return Finding("port", State.NOTE, f"{port} is in use", advice)
    return Finding("port", State.OK, f"{port} is free for marketdata up")
