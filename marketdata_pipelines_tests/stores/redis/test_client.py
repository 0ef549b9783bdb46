"""Addresses of every kind are connected to; what fails is told without a secret, and in time."""

import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from marketdata_pipelines.errors import SettingsInvalid, StoreError, StoreUnavailable
from marketdata_pipelines.stores.redis.client import address_of, connect, describe, masked, translated
from marketdata_pipelines.stores.redis.store import RedisStore
from marketdata_pipelines_tests.redis_servers import ClusterServers, RedisServer, SentinelServers, start_cluster
from marketdata_pipelines_tests.stores.redis.bars import GROUP, minute_bars
from marketdata_pipelines_tests.waiting import wait_until

SECRET = "pa55word-x"
MALFORMED = [
    "",
    "localhost:6379",
    "http://localhost",
    f"redis://user:{SECRET}@host:port/0",
    f"redis://user:{SECRET}#1@host/0",
    f"redis+sentinel://:{SECRET}@host:26379",
    f"redis+sentinel://:{SECRET}@host:26379/bars/nought",
    f"redis+sentinel://:{SECRET}@/bars",
    f"redis+cluster://:{SECRET}@host:1,host:x",
    f"redis+cluster://:{SECRET}@host:1/3",
    f"redis://:{SECRET}@host/0?socket_timeout=soon",
]


def _says(server: RedisServer, *command: str) -> object:
    client = server.client()
    try:
        return client.execute_command(*command)  # type: ignore[no-untyped-call]
    finally:
        client.close()


@pytest.mark.parametrize("url", MALFORMED)
def test_an_address_of_another_form_is_told_without_its_secret(url: str) -> None:
    with pytest.raises(SettingsInvalid, match="MARKETDATA_REDIS_URL") as failure:
        connect(url)

    assert SECRET not in str(failure.value)
    assert failure.value.__context__ is None or failure.value.__suppress_context__
    assert SECRET not in masked(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"redis://user:{SECRET}@host:6379/3?password={SECRET}", "redis://host:6379/3"),
        (f"rediss://:{SECRET}@host", "rediss://host"),
        (f"unix:///run/redis.sock?password={SECRET}", "unix:///run/redis.sock"),
        (f"redis+sentinel://:{SECRET}@a:1,b:2/bars/0?sentinel_password={SECRET}", "redis+sentinel://a:1,b:2/bars/0"),
        (f"redis+cluster://u:{SECRET}@a:1,b:2", "redis+cluster://a:1,b:2"),
        (f"redis://user:x@{SECRET}/y@host:6379/1", "the address in MARKETDATA_REDIS_URL"),
        (f"redis://user:1#{SECRET}@host:6379/1", "the address in MARKETDATA_REDIS_URL"),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert masked(url) == shown
    assert masked(shown) == shown


@given(st.text(max_size=30))
def test_no_text_as_an_address_fails_in_another_way(text: str) -> None:
    with suppress(SettingsInvalid):
        connect(f"redis+sentinel://{text}").close()


@pytest.mark.parametrize(
    "url", ["rediss://u:p@host/1", "rediss+sentinel://u:p@host:1,other:2/bars/1?sentinel_password=x"]
)
def test_encrypted_addresses_are_connected_to_with_tls(url: str) -> None:
    client = connect(url)
    assert isinstance(client, redis.Redis)

    given = client.connection_pool.connection_kwargs

    assert issubclass(client.connection_pool.connection_class, redis.SSLConnection)
    assert (given["username"], given["password"], given["db"]) == ("u", "p", 1)
    client.close()


def test_certificates_are_those_the_address_names() -> None:
    client = connect(
        "rediss+sentinel://host:1/bars/0?ssl_ca_certs=/etc/ca.pem&ssl_certfile=/etc/me.pem&ssl_check_hostname=false"
    )
    assert isinstance(client, redis.Redis)

    given = client.connection_pool.connection_kwargs

    assert (given["ssl_ca_certs"], given["ssl_certfile"], given["ssl_check_hostname"]) == (
        "/etc/ca.pem",
        "/etc/me.pem",
        False,
    )
    client.close()


def test_one_server_is_described(redis_url: str) -> None:
    assert describe(redis_url).startswith("Redis 6.2")
    assert "standalone, master" in describe(redis_url)
    assert "MB in use without a limit" in describe(redis_url)


def test_a_limit_is_described_with_what_happens_then(small_server: RedisServer) -> None:
    assert describe(small_server.url).endswith("MB in use of 3.1 MB, noeviction")


def test_a_socket_of_this_machine_is_connected_to(own_server: RedisServer) -> None:
    own_server.command = (*own_server.command, "--unixsocket", str(own_server.folder / "socket"))
    own_server.restart()

    client = connect(f"unix://{own_server.folder}/socket?db=2")

    assert client.ping()
    assert address_of(client) == f"unix://{own_server.folder}/socket"
    client.close()


def test_a_server_that_is_not_there_is_unavailable() -> None:
    store = RedisStore.at(f"redis://:{SECRET}@127.0.0.1:1/0", "marketdata")

    with pytest.raises(StoreUnavailable, match=r"redis://127\.0\.0\.1:1/0 does not answer") as failure:
        store.ping()

    assert SECRET not in str(failure.value)
    store.close()


def test_a_cluster_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable, match="does not answer"):
        connect("redis+cluster://127.0.0.1:1")


@pytest.mark.parametrize("url", ["redis://127.0.0.1:{}/0", "redis://u:" + SECRET + "@127.0.0.1:{}/0"])
def test_a_wrong_or_missing_password_is_told_without_it(own_server: RedisServer, url: str) -> None:
    _says(own_server, "CONFIG", "SET", "requirepass", "another")
    store = RedisStore.at(url.format(own_server.port), "marketdata")

    with pytest.raises(StoreError, match="user or password") as failure:
        store.ping()

    assert not isinstance(failure.value, StoreUnavailable)
    assert SECRET not in str(failure.value)
    store.close()


def test_the_right_password_is_used(own_server: RedisServer) -> None:
    _says(own_server, "CONFIG", "SET", "requirepass", "p@ss/word")
    client = connect(f"redis://:p%40ss%2Fword@127.0.0.1:{own_server.port}/0")

    assert client.ping()
    client.close()


def test_a_server_that_repeats_what_it_was_sent_is_not_quoted() -> None:
    said = redis.ResponseError(f"unknown command `HELLO`, with args beginning with: `3` `AUTH` `u` `{SECRET}`")

    with pytest.raises(StoreError, match="unknown command") as failure, translated("redis://host"):
        raise said

    assert SECRET not in str(failure.value)
    assert failure.value.__suppress_context__


@pytest.mark.parametrize(
    "said",
    [
        redis.exceptions.BusyLoadingError("the dataset"),
        redis.exceptions.ClusterDownError("Hash slot not served"),
        redis.exceptions.TryAgainError("Multiple keys request during rehashing of slot"),
        redis.exceptions.MovedError("1 127.0.0.1:7000"),
        redis.ReadOnlyError("You can't write against a read only replica."),
        redis.exceptions.MasterDownError("Link with MASTER is down"),
        redis.ResponseError("BUSY Redis is busy running a script."),
    ],
)
def test_what_passes_is_unavailable(said: redis.RedisError) -> None:
    with pytest.raises(StoreUnavailable), translated("redis://host"):
        raise said


def test_what_was_to_be_written_is_not_repeated(own_server: RedisServer) -> None:
    store = RedisStore.at(own_server.url, "marketdata")
    _says(own_server, "ACL", "SETUSER", "default", "-set")

    with pytest.raises(StoreError, match="no permissions") as failure:
        store.put_many({"marketdata:v1:~:key": b"the value"}, ttl_seconds=60)

    assert "value" not in str(failure.value)
    store.close()


def test_a_paused_server_is_given_up_in_time_and_recovers(own_server: RedisServer, redis_namespace: str) -> None:
    store = RedisStore.at(own_server.url, redis_namespace, timeout_seconds=0.5)
    store.put_bars(GROUP, minute_bars(["AAPL"]))

    own_server.pause()
    waits = [_seconds_until_given_up(store) for _ in range(2)]
    own_server.resume()

    # The first over the connection that was there, the second over a new one.
    assert all(0.4 < wait < 0.9 for wait in waits)
    assert len(store.get_bars(GROUP.feed, GROUP.table, ["AAPL"], {GROUP.partition: GROUP.revision})) == 1
    store.close()


def test_a_restarted_server_is_connected_to_again_without_an_error(own_server: RedisServer) -> None:
    store = RedisStore.at(own_server.url, "marketdata")
    store.ping()

    own_server.restart()

    assert store.revisions("feed", "table") == {}
    store.close()


def test_a_killed_server_is_unavailable_until_it_is_back(own_server: RedisServer) -> None:
    store = RedisStore.at(own_server.url, "marketdata")
    store.ping()

    own_server.kill()
    with pytest.raises(StoreUnavailable):
        store.ping()
    own_server.start()

    store.ping()
    store.close()


def test_after_a_failover_the_new_master_is_written_to(sentinel_servers: SentinelServers, redis_namespace: str) -> None:
    store = RedisStore.at(sentinel_servers.url, redis_namespace)
    store.publish_bars(GROUP, minute_bars(["AAPL"]), horizon_us=1)
    assert "Sentinel, master" in describe(sentinel_servers.url)

    sentinel_servers.master.kill()
    with pytest.raises(StoreUnavailable):
        store.ping()
    wait_until(lambda: _writes(store), "a new master", 30)

    assert _says(sentinel_servers.replica, "ROLE")[0] == b"master"  # type: ignore[index]
    assert len(store.get_bars(GROUP.feed, GROUP.table, ["AAPL"], {GROUP.partition: GROUP.revision})) == 1
    store.close()


def test_a_cluster_without_one_of_its_nodes_is_unavailable_for_its_keys(redis_namespace: str) -> None:
    folder = Path(tempfile.mkdtemp(prefix="redis-"))
    servers = start_cluster(folder / "servers")
    store = RedisStore(connect(servers.url), redis_namespace)
    bars = minute_bars([f"S{number}" for number in range(50)])
    store.put_bars(GROUP, bars)

    servers.nodes[1].kill()
    try:
        with pytest.raises(StoreUnavailable, match=r"redis\+cluster://127"):
            store.put_bars(GROUP, bars)
    finally:
        store.close()
        servers.stop()
        shutil.rmtree(folder)


def test_a_cluster_is_described(cluster_servers: ClusterServers) -> None:
    assert "Cluster of 3 masters" in describe(cluster_servers.url)


def _seconds_until_given_up(store: RedisStore) -> float:
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        store.revisions("feed", "table")
    return time.monotonic() - began


def _writes(store: RedisStore) -> bool:
    try:
        store.publish_bars(GROUP, minute_bars(["AAPL"]), horizon_us=2)
    except StoreUnavailable:
        return False
    return True
