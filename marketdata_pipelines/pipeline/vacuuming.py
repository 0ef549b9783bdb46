"""Removes files nothing leads to: what killed writers left. Never a raw part that the ledger names, never a table's.

Which raw parts may go although the ledger names them is a feed's policy (see `retention`).
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from marketdata_pipelines.stores.lake.lake import Lake
from marketdata_pipelines.stores.lake.origins import is_origin
from marketdata_pipelines.stores.lake.strays import ORIGINS, Stray, find_strays, is_raw

# Writers put files into their places before they say so; none takes nearly as long.
SAFE_AGE_SECONDS = 3600


def vacuum(
    lake: Lake, feed: str, *, now_us: int, age_seconds: float = SAFE_AGE_SECONDS, dry_run: bool = False
) -> list[Stray]:
    """Remove a feed's files that nothing has led to for `age_seconds`; returns them.

    Files that an ingest which is running may be about to name stay until it is over.
    """
    before_us = now_us - int(age_seconds * 1_000_000)
    with _no_ingest(lake, feed) as is_quiet:
        raw = [stray for stray in find_strays(lake, feed) if is_raw(stray.table)]
        raw += _origin_strays(lake, feed)
        old = [stray for stray in raw if is_quiet and stray.changed_us <= before_us]
        if is_quiet and not dry_run:
            shutil.rmtree(lake.layout.staging(feed), ignore_errors=True)
            _remove(lake, old)
    with lake.publishing(feed):
        # Looked at again where nobody can publish: what is put into place and not yet indexed is not in between.
        derived = [stray for stray in find_strays(lake, feed) if not is_raw(stray.table)]
        derived = [stray for stray in derived if stray.changed_us <= before_us]
        if not dry_run:
            _remove(lake, derived)
    if not dry_run:
        lake.clear_leftovers()
    return sorted([*old, *derived], key=lambda stray: stray.path)


@contextmanager
def _no_ingest(lake: Lake, feed: str) -> Iterator[bool]:
    """Whether no ingest into the feed is running; none begins in the block then."""
    path = lake.layout.lock(feed)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _origin_strays(lake: Lake, feed: str) -> list[Stray]:
    """Vendors' answers that no ingest names: of a pull that was killed."""
    folder = lake.layout.root / ORIGINS / feed
    if not folder.is_dir():
        return []
    named = {i.path.rpartition("/")[2] for i in lake.catalog.ingests(feed) if is_origin(i.path)}
    lists = {path.stem: path for path in folder.glob("*.json")}
    try:
        bodies = {body for name in named & set(lists) for body in _bodies(lists[name])}
    except (ValueError, KeyError):
        # A damaged list (`verify` names it) may lead to any of them.
        return []
    strays = [path for name, path in lists.items() if name not in named]
    strays += [path for path in folder.glob("*.zst") if path.stem not in bodies]
    return [_stray(lake, feed, path) for path in sorted(strays)]


def _bodies(path: Path) -> list[str]:
    return [str(item["sha256"]) for item in json.loads(path.read_bytes())["payloads"]]


def _stray(lake: Lake, feed: str, path: Path) -> Stray:
    found = path.stat()
    return Stray(feed, ORIGINS, lake.layout.relative(path), found.st_size, found.st_mtime_ns // 1000)


def _remove(lake: Lake, strays: list[Stray]) -> None:
    for stray in strays:
        path = lake.layout.root / stray.path
        path.unlink(missing_ok=True)
        if not any(path.parent.iterdir()):
            path.parent.rmdir()
