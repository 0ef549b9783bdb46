"""Which files a path names, and the digest of a file's stored bytes.

Opening and decompressing them is in `compression`.
"""

import glob
import hashlib
import os
from typing import Any

from marketdata_pipelines.errors import SourceUnavailable
from marketdata_pipelines.sources.files.compression import is_url, open_raw

_TEMPORARY_ENDINGS = (".part", ".tmp", "~", ".crdownload", ".swp")
_GLOB_CHARACTERS = "*?["


def list_files(path: str) -> list[str]:
    """The files a path names, sorted: a file itself, a folder's files at any depth, or a glob's matches.

    Hidden and unfinished files (`.name`, `*.part`, `*.tmp`, `*~`) of a folder or a glob are left out.
    Errors: SourceUnavailable when nothing is there.
    """
    found = _list_url(path) if is_url(path) else _list_local(path)
    if not found:
        raise SourceUnavailable(f"no file is at {path}; check the path, or wait until the file is complete")
    return found


def file_digest(path: str) -> str:
    """SHA-256 of the bytes as stored, 64 hex digits.

    Errors: SourceUnavailable when the file cannot be read.
    """
    digest = hashlib.sha256()
    with open_raw(path) as stream:
        try:
            while piece := stream.read(1 << 20):
                digest.update(piece)
        except OSError as error:
            raise SourceUnavailable(f"{path} could not be read ({error}); try again") from error
    return digest.hexdigest()


def _list_local(path: str) -> list[str]:
    expanded = os.path.expanduser(path)
    if os.path.isfile(expanded):
        return [expanded]
    if os.path.isdir(expanded):
        return sorted(_walk(expanded))
    if not any(character in expanded for character in _GLOB_CHARACTERS):
        return []
    found: set[str] = set()
    for match in glob.glob(expanded, recursive=True):
        if not _is_finished(os.path.basename(match.rstrip("/"))):
            continue
        if os.path.isdir(match):
            # `prices/**` and `prices/*` both reach folders; their files count once.
            found.update(_walk(match))
        else:
            found.add(match)
    return sorted(found)


def _walk(folder: str) -> list[str]:
    found = []
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [os.path.join(root, name) for name in names if _is_finished(name)]
    return found


def _list_url(path: str) -> list[str]:
    import fsspec

    try:
        filesystem, inner = fsspec.core.url_to_fs(path)
        if any(character in inner for character in _GLOB_CHARACTERS):
            matches = filesystem.glob(inner, detail=True)
            names = [name for name, entry in matches.items() if entry["type"] == "file"]
        elif filesystem.isfile(inner):
            return [path]
        else:
            names = filesystem.find(inner)
    except (OSError, ValueError, ImportError) as error:
        raise SourceUnavailable(f"{path} could not be listed ({error}); check the address and its driver") from error
    return sorted(_full_url(filesystem, name) for name in names if _is_finished(_below(name, inner)))


def _full_url(filesystem: Any, name: str) -> str:
    return str(filesystem.unstrip_protocol(name))


def _below(name: str, folder: str) -> str:
    return name.removeprefix(folder) if not any(c in folder for c in _GLOB_CHARACTERS) else name.rsplit("/", 1)[-1]


def _is_finished(name: str) -> bool:
    parts = [part for part in name.split("/") if part]
    return not any(part.startswith(".") for part in parts) and not name.endswith(_TEMPORARY_ENDINGS)
