"""A process that has Dagster and the project loaded and forks itself for every run (see `launcher`).

Starting Python, importing Dagster and opening calendars takes seconds; a fork takes milliseconds. Requests come over
a Unix socket, one JSON object a connection; the answer is the worker's pid. It ends when its standard input closes:
with the process that started it. Its workers go on to their end.
"""

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
from typing import Any

_LONGEST_REQUEST = 1 << 20
_STDIN = 0


def main(socket_path: str, definitions: str) -> None:
    """Load everything, listen, and fork a worker for each request until standard input closes."""
    # The terminal's Ctrl-C is for whoever started this; workers are told by their own signals.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    _load(definitions)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener, selectors.DefaultSelector() as selector:
        listener.bind(socket_path)
        listener.listen(64)
        selector.register(listener, selectors.EVENT_READ)
        selector.register(_STDIN, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd == _STDIN:
                    if not os.read(_STDIN, 1024):
                        return
                else:
                    _answer(listener)


def _load(definitions: str) -> None:
    """Import what runs need and open the calendars of the feeds in `definitions`, out of the collector's way."""
    import numba  # noqa: F401
    import pandas as pd  # noqa: F401
    import pyarrow.parquet as pq  # noqa: F401
    from dagster._cli import api  # noqa: F401

    from marketdata_pipelines.errors import MarketDataError
    from marketdata_pipelines.orchestration.running import run_worker  # noqa: F401
    from marketdata_pipelines.pipeline import walkers  # noqa: F401
    from marketdata_pipelines.settings.environment import Settings

    # A broken feeds.yaml is the code server's to report; each worker reads it anew.
    with contextlib.suppress(MarketDataError):
        importlib.import_module(definitions).build_definitions(Settings())
    gc.collect()
    gc.freeze()


def _answer(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(5)
        with contextlib.suppress(OSError, ValueError):
            request = json.loads(_whole(connection))
            pid = os.fork()
            if pid == 0:
                listener.close()
                connection.close()
                _work(request)
            connection.sendall(str(pid).encode())


def _whole(connection: socket.socket) -> bytes:
    received = b""
    while not received.endswith(b"\n"):
        piece = connection.recv(65536)
        received += piece
        if not piece or len(received) > _LONGEST_REQUEST:
            raise ValueError("the request is cut off or too long")
    return received


def _work(request: dict[str, Any]) -> None:
    """In the child: run to the end, in a session of its own, and leave without the parent's cleanup."""
    from marketdata_pipelines.orchestration.running.run_worker import work

    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with open(os.devnull, "rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        work(request["run_id"], request["instance_ref"], request["workers"])
        code = 0
    except BaseException:
        # The outermost loop of this process: nothing is above it but the parent's stack, which is not its own.
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
