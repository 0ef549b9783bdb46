"""A small disk for a server of a test to fill, made without rights on the machine; nothing here asserts.

It is a file system in memory, of a namespace of its own (`unshare`, `nsenter` of util-linux): nobody else sees it,
and nothing of it is left when its last process ends. Where namespaces are not allowed, `limit_files` is the next best.
"""

import contextlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from marketdata_pipelines_tests.servers import PostgresServer

_MAKE = 'mount -t tmpfs -o "size=$1,mode=0777" none "$2" && echo made && exec cat'
_OWN_USER = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")


class DiskNotAllowed(Exception):
    """This system lets nobody without rights mount anything."""


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A mounted disk: `folder` is its place for those who run `within` it, `seen` its place for this process."""

    folder: Path
    seen: Path
    within: Sequence[str]

    def fill(self, free_bytes: int) -> None:
        """Leave so much room and no more."""
        self.free()
        room = os.statvfs(self.seen)
        with open(self._ballast, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(room.f_bavail * room.f_frsize - free_bytes, 1))

    def free(self) -> None:
        """Make room again."""
        self._ballast.unlink(missing_ok=True)

    @property
    def _ballast(self) -> Path:
        return self.seen / "ballast"


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[SmallDisk]:
    """A disk of that size, mounted over a new `folder` for as long as the block runs, or a process is within.

    Errors: DiskNotAllowed, saying why.
    """
    folder.mkdir(parents=True)
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _MAKE, "sh", str(size_bytes), str(folder)]
    try:
        keeper = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    except FileNotFoundError as error:
        raise DiskNotAllowed("util-linux, which has `unshare`, is not installed") from error
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    with keeper:
        told = keeper.stdout.readline().strip()
        try:
            if told != "made":
                raise DiskNotAllowed(f"no file system can be mounted in a namespace here: {told}")
            enter = ("nsenter", f"--target={keeper.pid}", "--user", "--mount", "--preserve-credentials", "--")
            within = (*enter, *_OWN_USER)
            _try(within)
            yield SmallDisk(folder, Path(f"/proc/{keeper.pid}/root{folder}"), within)
        finally:
            with contextlib.suppress(BrokenPipeError):
                keeper.stdin.close()


def _try(within: Sequence[str]) -> None:
    tried = subprocess.run([*within, "true"], capture_output=True, text=True)
    if tried.returncode:
        raise DiskNotAllowed(f"no namespace can be entered here: {tried.stderr.strip()}")


def limit_files(server: PostgresServer, most_bytes: int | None) -> None:
    """Let no process that the server starts from now on make a file longer; None: as long as they like.

    Writing beyond is refused by the system with EFBIG, not with ENOSPC as by a full disk; the server takes both alike.
    """
    limit = "unlimited" if most_bytes is None else str(most_bytes)
    command = ["prlimit", f"--pid={server.process.pid}", f"--fsize={limit}:"]
    subprocess.run(command, check=True, capture_output=True, **server.rights)
