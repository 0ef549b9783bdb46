"""Files of the lake that nothing leads to: what killed writers left, found by comparing folders with the catalog.

What is old enough to go is decided in `pipeline.vacuuming`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from marketdata_pipelines.stores.lake.lake import Lake

ORIGINS = "origins"
_RAW = "raw_"


@dataclass(frozen=True, slots=True)
class Stray:
    """A file below <lake>/<table>/<feed>/ that the catalog does not name; `path` is relative to the lake."""

    feed: str
    table: str
    path: str
    bytes: int
    changed_us: int


def find_strays(lake: Lake, feed: str) -> list[Stray]:
    """The feed's files that are neither indexed nor in the ledger, in order of path."""
    named = named_files(lake, feed)
    return [stray for stray in _files(lake.layout.root, feed) if stray.path not in named]


def named_files(lake: Lake, feed: str) -> set[str]:
    """The paths of a feed that the index or the ledger leads to."""
    stored = [item for table, owner, *_ in lake.catalog.tables() if owner == feed
              for item in lake.catalog.stored(table, feed)]  # fmt: skip
    return {file.path for item in stored for file in item.files} | {p.path for p in lake.catalog.raw_parts(feed)}


def is_raw(table: str) -> bool:
    """Whether a table's files are put there by ingests."""
    return table.startswith(_RAW)


def folder_size(folder: Path) -> tuple[int, int]:
    """How many files lie below a folder, and their bytes."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    return len(sizes), sum(sizes)


def _files(root: Path, feed: str) -> Iterator[Stray]:
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        if folder.name == ORIGINS or folder.name.startswith(".") or not (folder / feed).is_dir():
            continue
        for path in sorted((folder / feed).rglob("*.parquet")):
            try:
                found = path.stat()
            except FileNotFoundError:
                # Removed by a writer since the folder was listed.
                continue
            name = path.relative_to(root).as_posix()
            yield Stray(feed, folder.name, name, found.st_size, found.st_mtime_ns // 1000)
