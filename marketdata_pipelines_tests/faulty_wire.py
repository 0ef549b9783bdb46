"""A wire to a server that does something to it, or breaks, after a number of bytes were sent; nothing here asserts."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_CHUNK = 1 << 14


class FaultyWire:
    """Listens on a port of its own and passes on what comes to another, both ways, until it is closed.

    What clients send is counted, over all connections, since the last `arm`.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._lock = threading.Lock()
        self._links: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._sent = 0
        self._counting = b""
        self._left: int | None = None
        self._is_mute = False
        self._fault: Callable[[], None] = self.cut
        self._failed: BaseException | None = None
        self._start(self._accept)

    @property
    def sent(self) -> int:
        """How many bytes, or messages of the kind that is counted, clients have sent since the last `arm`."""
        return self._sent

    @property
    def is_armed(self) -> bool:
        """Whether the fault is still to come."""
        return self._left is not None

    def arm(self, after: int | None, fault: Callable[[], None] | None = None) -> None:
        """Pass on so many bytes more, do `fault` (break every connection, where left out) and then pass on all else.

        None: no fault, the bytes are counted only.
        """
        self._arm(after, fault, b"")

    def arm_at(self, words: bytes, after: int | None, fault: Callable[[], None] | None = None) -> None:
        """The same after so many messages with these words: the last gets to the server, no answer to the client."""
        self._arm(after, fault, words)

    def _arm(self, after: int | None, fault: Callable[[], None] | None, counting: bytes) -> None:
        with self._lock:
            self._sent, self._counting, self._left, self._fault = 0, counting, after, fault or self.cut

    def cut(self) -> None:
        """Break every connection there is."""
        with self._lock:
            links = list(self._links)
        for link in links:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End everything. Errors: whatever a fault raised."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(20)
        if self._failed is not None:
            raise self._failed

    def _start(self, work: Callable[..., None], *arguments: socket.socket) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                # As the server itself would answer: by not being there.
                client.close()
                continue
            with self._lock:
                self._links |= {client, server}
            self._start(self._pass_on, client, server)
            self._start(self._pass_back, server, client)

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        with self._ending(client, server):
            while data := client.recv(_CHUNK):
                before = self._counted(data)
                if before is not None:
                    server.sendall(data[:before])
                    self._do_fault()
                    data = data[before:]
                server.sendall(data)

    def _counted(self, data: bytes) -> int | None:
        """How many of the bytes go out before the fault; None: it is not among them."""
        count = data.count(self._counting) if self._counting else len(data)
        with self._lock:
            self._sent += count
            if self._left is None or self._sent < self._left:
                return None
            before, self._left = self._left - (self._sent - count), None
            self._is_mute = bool(self._counting)
        return len(data) if self._counting else before

    def _do_fault(self) -> None:
        try:
            self._fault()
        except BaseException as error:
            self._failed = error
            self.cut()
        self._is_mute = False

    def _pass_back(self, server: socket.socket, client: socket.socket) -> None:
        with self._ending(server, client):
            while data := server.recv(_CHUNK):
                if not self._is_mute:
                    client.sendall(data)

    @contextmanager
    def _ending(self, source: socket.socket, target: socket.socket) -> Iterator[None]:
        # Each side of a link has a thread that reads it: the one that reads a socket closes it.
        with contextlib.suppress(OSError):
            yield
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._links.discard(source)
        source.close()


@contextmanager
def faulty_wire(port: int) -> Iterator[FaultyWire]:
    """A wire to a port of this machine, closed at the end."""
    wire = FaultyWire(port)
    try:
        yield wire
    finally:
        wire.close()
