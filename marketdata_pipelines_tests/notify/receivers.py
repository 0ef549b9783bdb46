"""Local receivers of notices: an HTTP server that answers as it is told, and an SMTP server; nothing here asserts."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class Hook:
    """A webhook. `answers` are the statuses to give, the last one for good; 0 hangs until the server ends."""

    url: str
    answers: list[int] = field(default_factory=lambda: [200])
    headers: dict[str, str] = field(default_factory=dict)
    received: list[dict[str, Any]] = field(default_factory=list)
    calls: int = 0


@contextmanager
def webhook() -> Iterator[Hook]:
    """A webhook on a free local port."""
    ending = threading.Event()
    hook = Hook("")

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.calls += 1
            status = hook.answers.pop(0) if len(hook.answers) > 1 else hook.answers[0]
            if status == 0:
                ending.wait(30)
                return
            if status == 200:
                hook.received.append(json.loads(body))
            self.send_response(status)
            for name, value in hook.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok" if status == 200 else b"no")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    hook.url = f"http://127.0.0.1:{server.server_address[1]}/hook/secret"
    try:
        yield hook
    finally:
        ending.set()
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Inbox:
    """An SMTP server's mail. `answer` is what it says to each message, `refused` whom it does not take."""

    port: int = 0
    answer: str = "250 taken"
    refused: dict[str, str] = field(default_factory=dict)
    mails: list[Message] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 fine"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.answer.startswith("2"):
            assert isinstance(envelope.content, bytes)
            self.mails.append(message_from_bytes(envelope.content))
            self.recipients.append(list(envelope.rcpt_tos))
        return self.answer


@contextmanager
def smtp_server(**options: Any) -> Iterator[Inbox]:
    """An SMTP server on a free local port; `options` are its own (encryption, log-in)."""
    inbox = Inbox(free_port())
    controller = Controller(inbox, hostname="127.0.0.1", port=inbox.port, **options)
    controller.start()
    try:
        yield inbox
    finally:
        controller.stop()


@contextmanager
def silent_server() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
