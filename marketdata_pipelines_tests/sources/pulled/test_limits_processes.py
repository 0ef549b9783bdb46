"""Several processes at once: one limit, counted by a server on a socket."""

import subprocess
import sys
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from marketdata_pipelines.sources.simulated.exchange_traffic import Traffic
from marketdata_pipelines_tests.sources.exchange.servers import serving

CALLS, SECONDS, PROCESSES, EACH = 4, 0.5, 3, 6
CLIENT = """
import sys, time
from pathlib import Path
import httpx
from marketdata_pipelines.sources.pulled.caller import CallRules, ProviderCaller
from marketdata_pipelines.sources.pulled.protocol import RateLimit
caller = ProviderCaller(Path(sys.argv[1]), "v", RateLimit(int(sys.argv[3]), float(sys.argv[4])), CallRules())
for _ in range(int(sys.argv[5])):
    caller(lambda: httpx.get(sys.argv[2]).raise_for_status(), "a call")
"""


def test_the_server_never_counts_more_than_the_limit(tmp_path: Path) -> None:
    import time

    traffic = Traffic(CALLS, SECONDS, time.monotonic)

    def count(_: Request) -> JSONResponse:
        number, wait_seconds = traffic.arrive()
        return JSONResponse({"number": number}, 200 if wait_seconds is None else 429)

    with serving(Starlette(routes=[Route("/", count)])) as url:
        arguments = [str(tmp_path / "p.sqlite"), url, str(CALLS), str(SECONDS), str(EACH)]
        clients = [subprocess.Popen([sys.executable, "-c", CLIENT, *arguments]) for _ in range(PROCESSES)]
        codes = [client.wait(120) for client in clients]

    assert codes == [0] * PROCESSES
    assert (traffic.calls, traffic.throttled) == (PROCESSES * EACH, 0)
    assert traffic.largest_window <= CALLS
