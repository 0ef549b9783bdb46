"""Whoever listens hears every change, or that some may have been missed."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from queue import Empty, SimpleQueue

import pytest

from marketdata_pipelines.stores.redis.client import connect
from marketdata_pipelines.stores.redis.invalidation import Change, Event, EverythingChanged, Subscriber
from marketdata_pipelines.stores.redis.store import RedisStore
from marketdata_pipelines_tests.redis_servers import ClusterServers, RedisServer, SentinelServers
from marketdata_pipelines_tests.waiting import wait_until

CHANGE = Change("us_equities_1m", "validated_bars", "2024-03-08", "0123456789abcdef")
SECONDS = 30.0


class Heard:
    """What a subscriber was told, in order."""

    def __init__(self) -> None:
        self.events: SimpleQueue[Event] = SimpleQueue()

    def __call__(self, event: Event) -> None:
        self.events.put(event)

    def next(self) -> Event:
        return self.events.get(timeout=SECONDS)

    def is_silent(self) -> bool:
        try:
            self.events.get_nowait()
        except Empty:
            return True
        return False


@pytest.fixture
def listening(redis_namespace: str) -> Iterator[Callable[[str, Heard], Subscriber]]:
    """Opens subscribers in the namespace of this test, which wait until they hear."""
    with ExitStack() as opened:

        def listen(url: str, heard: Heard) -> Subscriber:
            made = Subscriber(partial(connect, url), redis_namespace, heard, idle_seconds=0.3, retry_seconds=0.02)
            subscriber = opened.enter_context(made)
            assert subscriber.wait(SECONDS)
            return subscriber

        yield listen


def test_every_listener_hears_a_change(
    redis_url: str, store: RedisStore, listening: Callable[[str, Heard], Subscriber]
) -> None:
    one, other, some = Heard(), Heard(), Change("f", "bars_1h", "2024-03-08", "r", ("AAPL", "é {}:"))
    listening(redis_url, one)
    listening(redis_url, other)

    reached = store.tell(CHANGE), store.tell(some)

    assert reached == (2, 2)
    assert [one.next() for _ in range(3)] == [EverythingChanged(1), CHANGE, some]
    assert [other.next() for _ in range(3)] == [EverythingChanged(1), CHANGE, some]


def test_another_namespace_hears_nothing(redis_url: str, listening: Callable[[str, Heard], Subscriber]) -> None:
    heard = Heard()
    listening(redis_url, heard)
    heard.next()
    other = RedisStore.at(redis_url, "another")

    assert other.tell(CHANGE) == 0
    assert heard.is_silent()
    other.close()


def test_a_change_is_heard_within_a_tenth_of_a_second(
    redis_url: str, store: RedisStore, listening: Callable[[str, Heard], Subscriber]
) -> None:
    heard, delays = Heard(), []
    listening(redis_url, heard)
    heard.next()
    for _ in range(200):
        began = time.perf_counter()
        store.tell(CHANGE)
        heard.next()
        delays.append(time.perf_counter() - began)

    assert sorted(delays)[len(delays) // 2] < 0.1


@pytest.mark.parametrize("fault", ["restart", "kick"])
def test_after_a_broken_connection_everything_may_have_changed(
    own_server: RedisServer, redis_namespace: str, listening: Callable[[str, Heard], Subscriber], fault: str
) -> None:
    heard, store = Heard(), RedisStore.at(own_server.url, redis_namespace)
    listening(own_server.url, heard)
    assert heard.next() == EverythingChanged(1)

    if fault == "restart":
        own_server.restart()
    else:
        with store.asked() as client:
            client.client_kill_filter(_type="pubsub")
    again = heard.next()
    wait_until(lambda: store.tell(CHANGE) == 1, "a listener", SECONDS)

    assert again == EverythingChanged(2)
    assert heard.next() == CHANGE
    store.close()


def test_a_paused_server_counts_as_gone_until_it_answers(
    own_server: RedisServer, redis_namespace: str, listening: Callable[[str, Heard], Subscriber]
) -> None:
    heard = Heard()
    subscriber = listening(own_server.url, heard)
    heard.next()

    own_server.pause()
    wait_until(lambda: not subscriber.is_listening, "the end of listening", SECONDS)
    own_server.resume()

    assert heard.next() == EverythingChanged(2)
    assert subscriber.wait(SECONDS)
    assert subscriber.epoch == 2


def test_a_quiet_connection_stays(redis_url: str, store: RedisStore, redis_namespace: str) -> None:
    heard = Heard()
    with Subscriber(partial(connect, redis_url), redis_namespace, heard, idle_seconds=0.02) as subscriber:
        assert subscriber.wait(SECONDS)
        with store.asked() as client:
            pings = partial(_pings, client)
            before = pings()
            wait_until(lambda: pings() >= before + 5, "five questions whether it is there", SECONDS)
        assert heard.next() == EverythingChanged(1)
        assert heard.is_silent()


def test_whoever_listens_before_the_server_is_there_hears_when_it_is(
    own_server: RedisServer, redis_namespace: str
) -> None:
    heard = Heard()
    own_server.kill()
    with Subscriber(partial(connect, own_server.url), redis_namespace, heard, retry_seconds=0.02) as subscriber:
        assert not subscriber.is_listening
        own_server.start()

        assert heard.next() == EverythingChanged(1)


def test_a_message_that_can_not_be_read_may_be_about_anything(
    redis_url: str, store: RedisStore, listening: Callable[[str, Heard], Subscriber]
) -> None:
    heard = Heard()
    listening(redis_url, heard)
    heard.next()
    with store.asked() as client:
        for text in ("", "nonsense", "[]", '{"feed": "f"}', '{"feed":"f","table":"t","partition":"p","revision":"r"}'):
            client.publish(store.keys.changed(), text)

    assert [heard.next() for _ in range(5)] == [EverythingChanged(1)] * 5


def test_a_fault_of_the_listener_does_not_end_the_listening(
    redis_url: str, redis_namespace: str, store: RedisStore, caplog: pytest.LogCaptureFixture
) -> None:
    heard = Heard()

    def fails_once(event: Event) -> None:
        heard(event)
        if event == CHANGE:
            raise RuntimeError("no room")

    with Subscriber.at(redis_url, redis_namespace, fails_once) as subscriber:
        assert subscriber.wait(SECONDS)
        store.tell(CHANGE)
        store.tell(Change("f", "t", "p", "r"))
        told = [heard.next() for _ in range(3)]

    assert told == [EverythingChanged(1), CHANGE, Change("f", "t", "p", "r")]
    assert "no room" in caplog.text


def test_a_closed_subscriber_leaves_no_connection(redis_url: str, redis_namespace: str, store: RedisStore) -> None:
    subscriber = Subscriber.at(redis_url, redis_namespace, Heard()).start()
    assert subscriber.wait(SECONDS)
    assert store.tell(CHANGE) == 1

    subscriber.close()

    assert not subscriber.is_listening
    wait_until(lambda: store.tell(CHANGE) == 0, "the end of the connection", SECONDS)


def test_over_a_cluster_a_change_told_to_any_node_is_heard(
    cluster_servers: ClusterServers, cluster_store: RedisStore, listening: Callable[[str, Heard], Subscriber]
) -> None:
    heard = Heard()
    listening(cluster_servers.url, heard)
    heard.next()

    cluster_store.tell(CHANGE)

    assert heard.next() == CHANGE


def test_after_a_failover_changes_are_heard_again(
    sentinel_servers: SentinelServers, redis_namespace: str, listening: Callable[[str, Heard], Subscriber]
) -> None:
    heard, store = Heard(), RedisStore.at(sentinel_servers.url, redis_namespace)
    subscriber = listening(sentinel_servers.url, heard)
    heard.next()

    sentinel_servers.master.kill()
    again = heard.next()
    wait_until(lambda: subscriber.is_listening, "listening to the new master", SECONDS)
    store.tell(CHANGE)

    assert again == EverythingChanged(2)
    assert heard.next() == CHANGE
    store.close()


def _pings(client: object) -> int:
    stats = client.info("commandstats")  # type: ignore[attr-defined]
    return int(stats.get("cmdstat_ping", {"calls": 0})["calls"])
