"""Serving the simulated exchange from the command line."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx

from marketdata_pipelines_tests.cli.conftest import Run


def test_the_exchange_serves_its_symbols_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "marketdata_pipelines.cli", "exchange", "--port", str(port), "--symbols", "A,B"]
    environment = {**os.environ, "MARKETDATA_HOME": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as serving:
        assert serving.stdout is not None
        told = serving.stdout.readline()
        address = re.findall(r"http://\S+", told)[0]
        transport = httpx.HTTPTransport(retries=8)
        with httpx.Client(transport=transport) as client:
            symbols = client.get(f"{address}/v1/symbols").json()
        serving.send_signal(signal.SIGINT)
        code = serving.wait(30)

    assert symbols == {"symbols": ["A", "B"]}
    assert code in (0, 130)


def test_a_wrong_fault_is_named(marketdata: Run, tmp_path: Path) -> None:
    unknown = marketdata(tmp_path, "exchange", "--faults", "fire=0.1")
    share = marketdata(tmp_path, "exchange", "--faults", "error=2")

    assert (unknown.code, share.code) == (2, 2)
    assert "fault 'fire' is unknown; use all or one of: throttle, error" in unknown.err
    assert "'error=2': a share is from 0 to below 1" in share.err
