"""Telling every process what was published, and hearing it: what they hold of it is to be dropped.

Redis delivers to whoever listens at that moment. A listener whose connection broke has missed what was told meanwhile:
each time it listens anew, it is told that everything may have changed.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Self, TypeAlias

import redis
from redis.client import PubSub

from marketdata_pipelines.errors import StoreError, StoreUnavailable
from marketdata_pipelines.stores.redis.client import RedisClient, connect
from marketdata_pipelines.stores.redis.keys import Keys

logger = logging.getLogger(__name__)

# How soon `close` is noticed; messages are heard at once.
_TICK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Change:
    """A partition has another revision now; `symbols` None: of any symbol."""

    feed: str
    table: str
    partition: str
    revision: str
    symbols: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class EverythingChanged:
    """Changes may have been missed: drop all that is held. `epoch` counts how often the listener has begun anew."""

    epoch: int


Event: TypeAlias = Change | EverythingChanged


def publish(client: RedisClient, namespace: str, change: Change) -> int:
    """Tell a change to all that listen; how many connections it went to (of a cluster: of one node).

    Errors: the client's own.
    """
    return int(client.publish(Keys(namespace).changed(), json.dumps(asdict(change))))


class Subscriber:
    """Hears changes in a thread of its own and hands each to `heard`, which must be quick; begins anew by itself.

    `connect` gives a client of its own, which it closes. What goes wrong in between is not logged: whoever asks the
    same server for values says that it is gone.
    `idle_seconds`: after so long without a word the connection is tried; without an answer it counts as broken.
    """

    def __init__(
        self,
        connect: Callable[[], RedisClient],
        namespace: str,
        heard: Callable[[Event], None],
        *,
        idle_seconds: float = 1.0,
        retry_seconds: float = 0.25,
    ) -> None:
        self._connect, self._heard = connect, heard
        self._channel = Keys(namespace).changed()
        self._idle_seconds, self._retry_seconds = idle_seconds, retry_seconds
        self._closed, self._listening = threading.Event(), threading.Event()
        self._epoch = 0
        self._thread = threading.Thread(target=self._run, name="marketdata-invalidation", daemon=True)

    @classmethod
    def at(cls, url: str, namespace: str, heard: Callable[[Event], None], *, timeout_seconds: float = 0.5) -> Self:
        """Hears what is told at an address, over a connection of its own."""
        return cls(partial(connect, url, timeout_seconds=timeout_seconds), namespace, heard)

    @property
    def is_listening(self) -> bool:
        """Whether changes are heard right now; while not, what is held may be outdated without a word."""
        return self._listening.is_set()

    @property
    def epoch(self) -> int:
        """How often it has begun to listen."""
        return self._epoch

    def start(self) -> Self:
        self._thread.start()
        return self

    def wait(self, timeout_seconds: float) -> bool:
        """Wait until it listens; whether it does."""
        return self._listening.wait(timeout_seconds)

    def close(self) -> None:
        """End the thread and its connection."""
        self._closed.set()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self._listen()
            except (redis.RedisError, OSError, StoreError) as error:
                logger.debug("changes are not heard for now: %s", type(error).__name__)
            finally:
                self._listening.clear()
            self._closed.wait(self._retry_seconds)

    def _listen(self) -> None:
        client = self._connect()
        try:
            heard: PubSub = client.pubsub()  # type: ignore[no-untyped-call]
            with heard:
                heard.subscribe(self._channel)
                self._follow(heard)
        finally:
            client.close()

    def _follow(self, heard: PubSub) -> None:
        last, is_asked = time.monotonic(), False
        while not self._closed.is_set():
            said = heard.get_message(timeout=min(_TICK_SECONDS, self._idle_seconds))
            if said is not None:
                last, is_asked = time.monotonic(), False
                self._hand(said)
            elif time.monotonic() - last > self._idle_seconds:
                # A machine that is gone closes no connection: ask, and take silence for an end.
                if is_asked:
                    raise StoreUnavailable("no answer where changes are told")
                heard.ping()
                last, is_asked = time.monotonic(), True

    def _hand(self, said: Mapping[str, Any]) -> None:
        if said["type"] == "subscribe":
            # Also after the client has connected anew by itself.
            self._epoch += 1
            self._tell(EverythingChanged(self._epoch))
            self._listening.set()
        elif said["type"] == "message":
            self._tell(_event(said["data"], self._epoch))

    def _tell(self, event: Event) -> None:
        try:
            self._heard(event)
        except Exception:
            # This loop is its thread's outermost: a listener's fault must not end the hearing of others' changes.
            logger.exception("what was to be done about a change failed: %s", event)


def _event(data: bytes, epoch: int) -> Event:
    # A message that can't be read is of another release: what it says of is not known, so it may be anything.
    try:
        told = json.loads(data)
        symbols = told["symbols"]
        feed, table, partition, revision = (str(told[name]) for name in ("feed", "table", "partition", "revision"))
        return Change(feed, table, partition, revision, None if symbols is None else tuple(map(str, symbols)))
    except (ValueError, KeyError, TypeError):
        return EverythingChanged(epoch)
