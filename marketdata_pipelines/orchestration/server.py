"""The web server and daemon of `marketdata up`: started together, ended together."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress

from marketdata_pipelines.errors import SettingsInvalid
from marketdata_pipelines.orchestration.instance import WORKSPACE_FILE, make_home
from marketdata_pipelines.settings.environment import Settings

_SECONDS_TO_END = 30


def serve(settings: Settings, port: int, host: str = "127.0.0.1") -> int:
    """Run Dagster's UI, daemon and code server on the data folder until interrupted; returns the exit code.

    `dagster dev` runs as a child in a process group of its own, so that one Ctrl-C (or SIGTERM) is passed on once
    and everything ends.

    Errors: SettingsInvalid when the port is taken, before anything starts.
    """
    check_port(host, port)
    home = make_home(settings)
    environment = {**os.environ, "DAGSTER_HOME": str(home), "MARKETDATA_HOME": str(settings.folder)}
    workspace = str(home / WORKSPACE_FILE)
    command = [sys.executable, "-m", "dagster", "dev", "--workspace", workspace, "--host", host, "--port", str(port)]
    # A shell starts background jobs with SIGINT ignored; ignored signals are inherited, and `dagster dev` would then
    # not end at all.
    previous = {number: signal.signal(number, _interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        child = subprocess.Popen(command, env=environment, start_new_session=True)
        try:
            return child.wait()
        except KeyboardInterrupt:
            return _end(child)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def check_port(host: str, port: int) -> None:
    """Errors: SettingsInvalid when nothing can listen there."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            where = f"cannot listen on {host}:{port} ({error.strerror})"
            raise SettingsInvalid(f"{where}; end what uses it or choose another: --port {port + 1}") from error


def _end(child: "subprocess.Popen[bytes]") -> int:
    child.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        child.wait(_SECONDS_TO_END)
    # The code server only notices the missing heartbeat after most of a minute.
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    return 0


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt
