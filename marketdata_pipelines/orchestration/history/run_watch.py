"""Tells listeners of a run's new events, as the page's live view of a run asks for them.

Dagster listens for changes of the run's file. With a write-ahead log commits go into the file beside it, and the run's
own file may change long after, or never while somebody else has it open: both are looked at here.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from dagster._core.event_api import EventLogCursor
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._core.storage.event_log.base import EventLogConnection

logger = logging.getLogger(__name__)

Listener = Callable[[EventLogEntry, str], object]
# (run, cursor) -> the events after it.
ReadEvents = Callable[[str, str | None], EventLogConnection]
Stamp = tuple[tuple[int, int] | None, ...]
_SECONDS_BETWEEN = 0.2
# Two commits may leave the same time and size: for so long after a change its file is read whatever it looks like.
_SECONDS_RESTLESS = 1.0


@dataclass(slots=True)
class _Watch:
    listener: Listener
    cursor: str | None
    seen: Stamp | None = None
    changed_at: float = 0.0


class RunWatcher:
    """Watches runs of one event storage on a thread of its own, which lives while somebody listens."""

    def __init__(self, read: ReadEvents, path_of: Callable[[str], str]) -> None:
        """`path_of` a run is where its events are."""
        self._read, self._path_of = read, path_of
        self._lock = threading.Lock()
        self._watches: dict[str, list[_Watch]] = {}
        self._thread: threading.Thread | None = None
        self._ends = threading.Event()

    def watch(self, run_id: str, cursor: str | None, listener: Listener) -> None:
        """Tell `listener` of each event of a run after `cursor`, in order, until it says the run is over."""
        with self._lock:
            self._watches.setdefault(run_id, []).append(_Watch(listener, cursor))
            if self._thread is None or not self._thread.is_alive():
                self._ends = threading.Event()
                self._thread = threading.Thread(target=self._look_on, args=(self._ends,), daemon=True, name="run-watch")
                self._thread.start()

    def unwatch(self, run_id: str, listener: Listener) -> None:
        """Tell it no more."""
        with self._lock:
            left = [watch for watch in self._watches.pop(run_id, []) if watch.listener != listener]
            if left:
                self._watches[run_id] = left

    def close(self) -> None:
        """Tell nobody any more."""
        with self._lock:
            self._watches.clear()
            thread, self._thread = self._thread, None
            self._ends.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=15)

    def _look_on(self, ends: threading.Event) -> None:
        while not ends.wait(_SECONDS_BETWEEN):
            with self._lock:
                if not self._watches:
                    self._thread = None
                    return
                watched = [(run_id, watch) for run_id, watches in self._watches.items() for watch in watches]
            for run_id, watch in watched:
                self._look(run_id, watch)

    def _look(self, run_id: str, watch: _Watch) -> None:
        stamp, now = _stamp(self._path_of(run_id)), time.monotonic()
        if stamp[0] is None:
            # Reading would make the file of a run that has not begun, or was deleted.
            return
        if stamp != watch.seen:
            watch.seen, watch.changed_at = stamp, now
        elif now > watch.changed_at + _SECONDS_RESTLESS:
            return
        try:
            found = self._read(run_id, watch.cursor)
        except Exception:
            # The run's file may be deleted, or locked for long: the next look tries again.
            logger.warning("the events of run %s could not be read; looking again", run_id, exc_info=True)
            watch.seen = None
            return
        watch.cursor = found.cursor or watch.cursor
        for record in found.records:
            if self._tell(run_id, watch, record.event_log_entry, record.storage_id) in FINISHED_STATUSES:
                self.unwatch(run_id, watch.listener)
                return

    def _tell(self, run_id: str, watch: _Watch, entry: EventLogEntry, storage_id: int) -> object:
        try:
            return watch.listener(entry, str(EventLogCursor.from_storage_id(storage_id)))
        except Exception:
            logger.exception("a listener to run %s failed", run_id)
            return None


def _stamp(path: str) -> Stamp:
    return tuple(_state(name) for name in (path, f"{path}-wal"))


def _state(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
