"""Connections kept between reads: as many as are needed, no caller gets another's answer, and they outlive outages."""

import multiprocessing
import os
import threading
from collections.abc import Iterator

import pytest
import redis

from marketdata_pipelines.stores.redis.client import connect
from marketdata_pipelines.stores.redis.kept import KeptConnections
from marketdata_pipelines_tests.redis_servers import RedisServer, SentinelServers
from marketdata_pipelines_tests.waiting import wait_until


@pytest.fixture
def client(own_server: RedisServer) -> Iterator[redis.Redis]:
    with own_server.client() as told:
        told.mset({f"key {number}": f"value {number}" for number in range(100)})
    opened = connect(own_server.url)
    assert isinstance(opened, redis.Redis)
    yield opened
    opened.close()


def connections(server: RedisServer) -> int:
    """How many clients the server has, but for the one that asks."""
    with server.client() as client:
        return len(client.client_list()) - 1


def test_one_after_the_other_uses_one_connection(client: redis.Redis, own_server: RedisServer) -> None:
    kept = KeptConnections(client)

    found = [kept.read("GET", f"key {number}") for number in range(100)]
    several = kept.read("MGET", "key 1", "none", "key 2")

    assert found == [f"value {number}".encode() for number in range(100)]
    assert several == [b"value 1", None, b"value 2"]
    assert connections(own_server) == 1


def test_many_threads_get_their_own_answers(client: redis.Redis, own_server: RedisServer) -> None:
    kept, wrong = KeptConnections(client), list[object]()

    def ask(number: int) -> None:
        for _ in range(200):
            found = kept.read("GET", f"key {number}")
            if found != f"value {number}".encode():
                wrong.append((number, found))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert wrong == []
    assert connections(own_server) <= 8


def test_a_server_that_restarted_is_connected_to_again(client: redis.Redis, own_server: RedisServer) -> None:
    kept = KeptConnections(client)
    kept.read("GET", "key 1")

    own_server.restart()

    assert kept.read("GET", "key 1") is None


def test_a_server_that_is_gone_is_told_and_asked_again_later(client: redis.Redis, own_server: RedisServer) -> None:
    kept = KeptConnections(client)
    kept.read("GET", "key 1")
    own_server.kill()

    with pytest.raises(redis.ConnectionError):
        kept.read("GET", "key 1")
    own_server.start()

    assert kept.read("GET", "key 1") is None


def test_an_answer_that_came_too_late_is_nobodys(client: redis.Redis, own_server: RedisServer) -> None:
    kept = KeptConnections(client)
    kept.read("GET", "key 1")
    own_server.pause()
    with pytest.raises(redis.TimeoutError):
        kept.read("GET", "key 1")
    own_server.resume()

    assert [kept.read("GET", f"key {number}") for number in (2, 3)] == [b"value 2", b"value 3"]


def test_a_refusal_leaves_no_answer_behind(client: redis.Redis) -> None:
    kept = KeptConnections(client)

    with pytest.raises(redis.ResponseError):
        kept.read("GET", "key 1", "key 2")

    assert kept.read("GET", "key 1") == b"value 1"


def test_a_client_that_was_closed_connects_again(client: redis.Redis, own_server: RedisServer) -> None:
    kept = KeptConnections(client)
    kept.read("GET", "key 1")

    client.close()
    wait_until(lambda: connections(own_server) == 0, "the end of its connections", 30)

    assert kept.read("GET", "key 1") == b"value 1"


def _ask_in_child(kept: KeptConnections, told: "multiprocessing.connection.Connection") -> None:
    told.send([kept.read("GET", f"key {number}") for number in range(50)])
    os._exit(0)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_has_connections_of_its_own(client: redis.Redis) -> None:
    kept = KeptConnections(client)
    kept.read("GET", "key 1")
    forking = multiprocessing.get_context("fork")
    receiver, sender = forking.Pipe(duplex=False)
    child = forking.Process(target=_ask_in_child, args=(kept, sender))
    child.start()
    ours = [kept.read("GET", f"key {number}") for number in range(50, 100)]
    theirs = receiver.recv()
    child.join(30)

    assert ours == [f"value {number}".encode() for number in range(50, 100)]
    assert theirs == [f"value {number}".encode() for number in range(50)]


def test_after_a_failover_the_new_master_is_read(sentinel_servers: SentinelServers) -> None:
    client = connect(sentinel_servers.url)
    assert isinstance(client, redis.Redis)
    kept = KeptConnections(client)
    kept.read("GET", "key")
    sentinel_servers.master.kill()
    with pytest.raises(redis.RedisError):
        kept.read("GET", "key")

    def is_written() -> bool:
        try:
            return bool(client.set("key", "new"))
        except redis.RedisError:
            return False

    wait_until(is_written, "a new master", 30)

    assert kept.read("GET", "key") == b"new"
    client.close()
