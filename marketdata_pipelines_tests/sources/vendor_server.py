"""A vendor's HTTP server on this machine, with faults on order; what it answers is given by its user."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from types import TracebackType
from urllib.parse import parse_qsl, urlsplit

Query = dict[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Breakage(StrEnum):
    """What can happen to an answer on its way."""

    TRUNCATED = "truncated"
    HALF_WITH_RIGHT_LENGTH = "half with right length"
    TIMEOUT = "timeout"
    RESET = "reset"


# Takes the path and the query.
Answering = Callable[[str, Query], Answer]
Fault = Answer | Breakage
HTML_PAGE = Answer(b"<html><body>We'll be right with you</body></html>", 200, {"Content-Type": "text/html"})


class VendorServer:
    """Serves `answering` on a free port; the faults given for a path are met by its next requests, one each."""

    def __init__(self, answering: Answering) -> None:
        self.answering = answering
        self.requests: list[str] = []
        self._faults: dict[str, deque[Fault]] = {}
        self._lock, self._closing = Lock(), Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = False
        self._thread = Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def fault(self, path: str, *faults: Fault) -> None:
        self._faults.setdefault(path, deque()).extend(faults)

    def count(self, path: str) -> int:
        return sum(1 for request in self.requests if path in request)

    @property
    def faults_left(self) -> int:
        return sum(len(faults) for faults in self._faults.values())

    def __enter__(self) -> "VendorServer":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _next(self, target: str) -> Fault:
        parts = urlsplit(target)
        with self._lock:
            self.requests.append(target)
            for path, faults in self._faults.items():
                if path in parts.path and faults:
                    return faults.popleft()
        return self.answering(parts.path, dict(parse_qsl(parts.query)))

    def _whole(self, target: str) -> Answer:
        parts = urlsplit(target)
        return self.answering(parts.path, dict(parse_qsl(parts.query)))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fault = server._next(self.path)
                if fault is Breakage.TIMEOUT:
                    server._closing.wait(30)
                    self.close_connection = True
                    return
                if fault is Breakage.RESET:
                    self.close_connection = True
                    return
                answer = fault if isinstance(fault, Answer) else server._whole(self.path)
                half = answer.body[: len(answer.body) // 2]
                body = half if fault is Breakage.HALF_WITH_RIGHT_LENGTH else answer.body
                self.send_response(answer.status)
                for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(half if fault is Breakage.TRUNCATED else body)
                self.close_connection = True

            do_POST = do_GET  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Nothing: requests are counted, not shown."""

        return Handler


class SteppingClock:
    """A clock that moves only when somebody sleeps on it, and by a little at every look, so that nothing ties."""

    def __init__(self, now_us: int) -> None:
        self.now_us = now_us
        self.slept: list[float] = []

    def __call__(self) -> int:
        self.now_us += 1
        return self.now_us

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_us += int(seconds * 1_000_000) + 1
