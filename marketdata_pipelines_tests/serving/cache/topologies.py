"""Redis as it may be run, for tests of the tiers: behind Sentinel, as a cluster, behind TLS; nothing here asserts.

The wheel's server has no TLS: a relay in this process speaks it before a real one, as a cloud's proxy would.
"""

import asyncio
import ipaddress
import ssl
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from marketdata_pipelines_tests.redis_servers import start_cluster, start_redis, start_sentinel
from marketdata_pipelines_tests.waiting import wait_until


@dataclass(frozen=True, slots=True)
class Topology:
    """An address; how a node that others need is ended; and how what that left becomes whole again."""

    url: str
    harm: Callable[[], None]
    mend: Callable[[], None]
    stop: Callable[[], None]


def behind_sentinel(folder: Path) -> Topology:
    """A master, which is killed, and a replica, which takes its place by itself."""
    servers = start_sentinel(folder)
    return Topology(servers.url, servers.master.kill, lambda: None, servers.stop)


def as_cluster(folder: Path) -> Topology:
    """Three masters, of which one is killed and comes back empty."""
    servers = start_cluster(folder)
    return Topology(servers.url, servers.nodes[1].kill, servers.nodes[1].start, servers.stop)


def behind_tls(folder: Path) -> Topology:
    """One server behind a certificate of an authority that only the address names."""
    server = start_redis(folder)
    authority, certificate, key = make_certificates(folder)
    relay = TlsRelay(certificate, key)
    relay.target = server.port

    def stop() -> None:
        relay.close()
        server.stop()

    url = f"rediss://127.0.0.1:{relay.port}/0?ssl_ca_certs={authority}"
    return Topology(url, server.kill, server.start, stop)


def as_cluster_behind_tls(folder: Path) -> Topology:
    """A cluster of one master, which names the relay's port as its own: clients find it by TLS only."""
    folder.mkdir(parents=True)
    authority, certificate, key = make_certificates(folder)
    relay = TlsRelay(certificate, key)
    options = ("--cluster-enabled", "yes", "--cluster-announce-port", str(relay.port))
    server = start_redis(folder / "node", *options, has_bus=True)
    relay.target = server.port
    with closing(server.client()) as client:
        client.execute_command("CLUSTER ADDSLOTS", *range(16_384))  # type: ignore[no-untyped-call]
        wait_until(lambda: client.cluster("INFO")["cluster_state"] == "ok", "the cluster", 30)

    def stop() -> None:
        relay.close()
        server.stop()

    url = f"rediss+cluster://127.0.0.1:{relay.port}?ssl_ca_certs={authority}"
    return Topology(url, server.kill, server.start, stop)


_LAST_ROUNDS = 5


class TlsRelay:
    """Takes TLS connections at a port of its own and hands on what they say to `target`, a port of this machine."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(certificate, key)
        self._ready, self._end = threading.Event(), asyncio.Event()
        self.port = self.target = 0
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)
        self._thread.start()
        self._ready.wait(30)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(30)
        self._loop.close()

    async def _serve(self) -> None:
        # A handshake that a client breaks off is not this server's to report.
        self._loop.set_exception_handler(lambda loop, told: None)
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self._context)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._end.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        # What was aborted is closed in the loop's next rounds.
        for _ in range(_LAST_ROUNDS):
            await asyncio.sleep(0)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        pumps = [asyncio.create_task(_pump(reader, inner[1])), asyncio.create_task(_pump(inner[0], writer))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            for end in (writer, inner[1]):
                # Not a farewell that would take the loop longer than it may run.
                end.transport.abort()


def make_certificates(folder: Path) -> tuple[Path, Path, Path]:
    """An authority of our own, and a certificate for 127.0.0.1 with its key: their files."""
    own_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    own_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of this test")])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "redis of this test")])
    basic = x509.BasicConstraints(ca=True, path_length=None)
    authority = _builder(own_name, own_name, own_key).add_extension(basic, critical=True)
    local = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    server = _builder(name, own_name, key).add_extension(local, critical=False)
    files = folder / "authority.pem", folder / "redis.pem", folder / "redis.key"
    files[0].write_bytes(authority.sign(own_key, hashes.SHA256()).public_bytes(Encoding.PEM))
    files[1].write_bytes(server.sign(own_key, hashes.SHA256()).public_bytes(Encoding.PEM))
    files[2].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


def _builder(name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(issuer_name=issuer, subject_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while said := await reader.read(65_536):
            writer.write(said)
            await writer.drain()
