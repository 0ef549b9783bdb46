"""Who is alive, told by locks that end with their process however it ends: run workers and the daemon of a home."""

from pathlib import Path

from filelock import FileLock, Timeout

DAEMON_LOCK, DAEMON_PROCESS = "daemon.lock", "daemon.pid"


def is_held(path: Path) -> bool:
    """Whether a process of this machine holds the lock."""
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True


def daemon_is_living(home: Path) -> bool:
    """Whether a daemon of `marketdata up` works on this home."""
    return is_held(home / DAEMON_LOCK)


def daemon_process(home: Path) -> str:
    """The process of the daemon that works on this home, as far as it is known."""
    try:
        return (home / DAEMON_PROCESS).read_text("ascii")
    except OSError:
        return "unknown"
