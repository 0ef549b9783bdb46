"""A drop folder: which of its files are whole and new, and which must wait.

A file counts once it has not changed over two looks, nobody writes it, and its format's end is there. Whether its
content has been taken in before is the ledger's to say. Taking files in is `pipeline.intake`'s.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from marketdata_pipelines.domain.feeds import Feed
from marketdata_pipelines.domain.intervals import SECOND_US
from marketdata_pipelines.errors import SourceUnavailable
from marketdata_pipelines.sources.files.listing import file_digest, list_files
from marketdata_pipelines.sources.files.wholeness import (
    CUT_SECONDS,
    Ending,
    ending,
    is_being_written,
    is_unfinished_name,
)
from marketdata_pipelines.stores.lake.digests import Digests
from marketdata_pipelines.stores.lake.lake import Lake

Clock = Callable[[], int]
# How long a file must have stayed as it is, by what its bytes say about its end. A cut file that never grows is
# handed over at last, so that it is refused and told instead of waiting for ever.
_STEADY_SECONDS = {Ending.WHOLE: 10, Ending.OPEN: 60, Ending.CUT: CUT_SECONDS}
# The memory between two looks is bounded; what does not fit is looked at once the others are done.
_REMEMBERED = 1000
_HASH_SECONDS = 20.0
# Above this a file is known by its stamp until the ingest has read it: a look must be over in time.
_LARGEST_HASHED_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Sight:
    """A file as one look found it."""

    path: str
    size: int
    stamp: str


@dataclass(frozen=True, slots=True)
class Watched:
    """What is remembered of a file that is not taken in yet: since when it has this stamp, and whether it was told."""

    stamp: str
    since_us: int
    told: bool = False


@dataclass(frozen=True, slots=True)
class NewFile:
    """A whole file whose content the ledger does not know. `content` is its SHA-256; a stamp's for very large files."""

    path: str
    content: str


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a folder found. `watched` is the memory for the next one.

    `unreadable` are those told for the first time now, with the reason; `waiting` names files and why they wait.
    """

    known: int
    new: tuple[NewFile, ...]
    waiting: Mapping[str, str]
    unreadable: Mapping[str, str]
    watched: Mapping[str, Watched]


@dataclass(slots=True)
class _Finding:
    whole: list[Sight] = field(default_factory=list)
    settled: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    watched: dict[str, Watched] = field(default_factory=dict)


def look(lake: Lake, feed: Feed, folder: str, watched: Mapping[str, Watched], clock: Clock) -> Look:
    """Look at a feed's drop folder once; `watched` is what the look before remembered.

    Cheap for files seen before: a stat each. New whole ones are read once, for their digest, as far as time allows.
    """
    digests = Digests(lake.layout.digests(feed.name))
    known = digests.known()
    found = _Finding()
    sights = {each.path: each for each in _sights(folder, watched, clock(), found)}
    for sight in sights.values():
        if sight.path in known and known[sight.path][0] == sight.stamp:
            found.settled[sight.path] = known[sight.path][1]
        else:
            _judge(sight, watched.get(sight.path), clock(), found)
    fresh = _hash(found, clock)
    digests.remember(fresh, gone=known.keys() - sights.keys())
    contents = {**found.settled, **{path: content for path, (_, content) in fresh.items()}}
    new = _unknown(lake, feed, contents, found)
    return Look(len(contents) - len(new), new, found.waiting, found.unreadable, found.watched)


def stamp_of(path: str) -> str:
    """What changes when a file may have: its size, and the times of its content and of its entry.

    Errors: OSError when it is not there.
    """
    return _stamp(os.stat(path))


def _sights(folder: str, watched: Mapping[str, Watched], now_us: int, found: _Finding) -> Iterator[Sight]:
    for path in _paths(folder, lambda error: _tell(str(error.filename), error, watched, now_us, found)):
        if is_unfinished_name(path):
            continue
        try:
            status = os.stat(path)
        except FileNotFoundError:
            continue  # moved away meanwhile, or a link to nothing
        except OSError as error:
            _tell(path, error, watched, now_us, found)
            continue
        if stat.S_ISREG(status.st_mode):
            yield Sight(path, status.st_size, _stamp(status))


def _paths(folder: str, on_error: Callable[[OSError], None]) -> Iterator[str]:
    expanded = os.path.expanduser(folder)
    if not os.path.isdir(expanded):
        try:
            yield from list_files(expanded)
        except SourceUnavailable:
            return
    for root, folders, names in os.walk(expanded, onerror=on_error):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (os.path.join(root, name) for name in sorted(names))


def _judge(sight: Sight, before: Watched | None, now_us: int, found: _Finding) -> None:
    same = before is not None and before.stamp == sight.stamp
    memory = before if before is not None and same else Watched(sight.stamp, now_us)
    if len(found.watched) < _REMEMBERED:
        found.watched[sight.path] = memory
    steady_seconds = (now_us - memory.since_us) / SECOND_US
    if steady_seconds < _STEADY_SECONDS[Ending.WHOLE]:
        found.waiting[sight.path] = "it has just come or changed"
        return
    try:
        if is_being_written(sight.path):
            found.waiting[sight.path] = "another process is writing it"
            return
        end = ending(sight.path)
    except FileNotFoundError:
        return
    except OSError as error:
        _tell(sight.path, error, {sight.path: memory}, now_us, found)
        return
    if steady_seconds < _STEADY_SECONDS[end]:
        found.waiting[sight.path] = _WHY[end]
    else:
        found.whole.append(sight)


_WHY = {Ending.OPEN: "its last line is not ended", Ending.CUT: "its end is missing"}


def _tell(path: str, error: OSError, watched: Mapping[str, Watched], now_us: int, found: _Finding) -> None:
    before = watched.get(path) or Watched("", now_us)
    if not before.told:
        found.unreadable[path] = error.strerror or str(error)
    found.waiting[path] = f"it cannot be read ({error.strerror})"
    if len(found.watched) < _REMEMBERED or path in found.watched:
        found.watched[path] = replace(before, told=True)


def _hash(found: _Finding, clock: Clock) -> dict[str, tuple[str, str]]:
    deadline_us = clock() + int(_HASH_SECONDS * SECOND_US)
    fresh: dict[str, tuple[str, str]] = {}
    for sight in found.whole:
        if clock() >= deadline_us:
            found.waiting[sight.path] = "others are looked at first"
            continue
        try:
            content = (
                file_digest(sight.path) if sight.size <= _LARGEST_HASHED_BYTES else f"stamp {sight.path} {sight.stamp}"
            )
            if stamp_of(sight.path) != sight.stamp:
                continue  # replaced while it was read: a new file, for the next look
        except (SourceUnavailable, OSError):
            continue
        if content.startswith("stamp "):
            found.settled[sight.path] = content
        else:
            fresh[sight.path] = (sight.stamp, content)
    return fresh


def _unknown(lake: Lake, feed: Feed, contents: Mapping[str, str], found: _Finding) -> tuple[NewFile, ...]:
    """Contents without an ingest under the feed's present definition, each once; the others need no more watching."""
    taken = lake.catalog.contents(feed.name) if contents else {}
    version = feed.parse_version
    new: dict[str, NewFile] = {}
    for path, content in contents.items():
        if content in taken and taken[content][1] == version:
            found.watched.pop(path, None)
        elif content not in new:
            new[content] = NewFile(path, content)
    return tuple(new.values())


def _stamp(status: os.stat_result) -> str:
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}"


def names_of(paths: Iterable[str], limit: int = 5) -> str:
    """`a.csv, b.csv and 3 more`."""
    names = [os.path.basename(path) for path in paths]
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
