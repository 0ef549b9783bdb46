"""Writes that nobody waits for: a bounded queue and a thread. Only for what can be made again: it may be lost."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

from marketdata_pipelines.errors import StoreError

logger = logging.getLogger(__name__)

Write = Callable[[], None]


class WriteBehind:
    """Writes by key in the order they were asked for; of two under one key only the later one is made.

    Full, it drops the oldest. A write that fails is dropped: `on_failure` is told.
    """

    def __init__(
        self,
        *,
        most: int = 256,
        on_dropped: Callable[[], None] = lambda: None,
        on_failure: Callable[[StoreError], None] = lambda error: None,
    ) -> None:
        self._most, self._on_dropped, self._on_failure = most, on_dropped, on_failure
        self._waiting: OrderedDict[Hashable, Write] = OrderedDict()
        self._changed = threading.Condition()
        self._closing = self._is_writing = False
        self._writer: threading.Thread | None = None

    def put(self, key: Hashable, write: Write) -> None:
        """Have something written soon; dropped where this is closed already."""
        with self._changed:
            if self._closing:
                self._on_dropped()
                return
            self._waiting[key] = write
            self._waiting.move_to_end(key)
            if len(self._waiting) > self._most:
                self._waiting.popitem(last=False)
                self._on_dropped()
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_all, name="cache-writer", daemon=True)
                self._writer.start()
            self._changed.notify_all()

    def flush(self, seconds: float = 5.0) -> bool:
        """Wait until all is written; False where it takes longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._is_writing, seconds)

    def close(self, seconds: float = 5.0) -> None:
        """Write what waits, within that time, and end the thread."""
        self.flush(seconds)
        with self._changed:
            self._closing = True
            for _ in self._waiting:
                self._on_dropped()
            self._waiting.clear()
            self._changed.notify_all()
        if self._writer is not None:
            self._writer.join(seconds)

    def _write_all(self) -> None:
        while True:
            with self._changed:
                self._is_writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                _, write = self._waiting.popitem(last=False)
                self._is_writing = True
            try:
                write()
            except StoreError as error:
                self._on_failure(error)
