"""What `marketdata up` runs: code server, daemon and web server, started in order, watched, and ended together."""

import json
import os
import signal
import socket
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from marketdata_pipelines.errors import SettingsInvalid, WorkFailed
from marketdata_pipelines.orchestration.history.instance import WORKSPACE_FILE, make_home
from marketdata_pipelines.orchestration.keys import LOCATION
from marketdata_pipelines.orchestration.running.liveness import daemon_is_living, daemon_process
from marketdata_pipelines.orchestration.running.run_worker import living_workers
from marketdata_pipelines.orchestration.services.processes import Child, say_line
from marketdata_pipelines.orchestration.services.readable import LineReader
from marketdata_pipelines.settings.environment import Settings

_MODULE = f"{LOCATION}.definitions"
_SECONDS_TO_ANSWER = 180.0
_SECONDS_BETWEEN_LOOKS = 0.25
# Not `logs`: Dagster's telemetry takes what lies in that folder of the home, sends it off and deletes it, even when it
# is switched off.
LOGS = "process_logs"
_NO_ANSWER_YET = "DagsterUserCodeUnreachableError"
_LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries {
    name loadStatus locationOrLoadError { ... on PythonError { message } }
} } } }"""


def serve(settings: Settings, port: int, host: str = "127.0.0.1") -> int:
    """Run Dagster's UI, daemon and code server on the data folder until interrupted; returns the exit code.

    Ctrl-C or SIGTERM ends all of them. A process that dies is started again, unless it dies at every start. Runs in
    hand are stopped too, and go on at the next start.

    Errors: SettingsInvalid when the port is taken or one runs on the folder already, before anything starts;
            WorkFailed when a process dies at every start.
    """
    check_port(host, port)
    home = make_home(settings)
    if daemon_is_living(home):
        raise SettingsInvalid(
            f"`marketdata up` runs on {settings.folder} already (its daemon is process {daemon_process(home)}); "
            "end that one first"
        )
    previous = {number: signal.signal(number, _interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with tempfile.TemporaryDirectory(prefix="marketdata-") as folder:
            children = _children(settings, home, Path(folder), host, port)
            try:
                _watch(children, f"http://{'localhost' if host == '127.0.0.1' else host}:{port}")
            except KeyboardInterrupt:
                say_line("    up | stopping; runs in hand go on at the next start")
                return 0
            finally:
                # A second Ctrl-C must not leave half of them behind.
                for number in previous:
                    signal.signal(number, signal.SIG_IGN)
                for child in reversed(children):
                    child.end()
                end_workers(home)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return 0


def check_port(host: str, port: int) -> None:
    """Errors: SettingsInvalid when nothing can listen there."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            where = f"cannot listen on {host}:{port} ({error.strerror})"
            raise SettingsInvalid(f"{where}; end what uses it or choose another: --port {port + 1}") from error


def end_workers(home: Path) -> None:
    """Kill what works on runs of this home: a kill loses at most the partition in hand, and leaves the run to go on."""
    for pid in living_workers(home / "workers"):
        os.kill(pid, signal.SIGKILL)


def served_workspace(home: Path, socket_path: str) -> dict[str, Any]:
    """The home's workspace, with this project's code location behind the socket of a code server already running."""
    text = (home / WORKSPACE_FILE).read_text("utf-8")
    try:
        entries = (yaml.safe_load(text) or {}).get("load_from") or []
    except (yaml.YAMLError, AttributeError) as error:
        raise SettingsInvalid(f"{home / WORKSPACE_FILE} is no workspace file ({error}); mend or delete it") from error
    entries = [entries] if isinstance(entries, dict) else entries
    others = [entry for entry in entries if not _is_ours(entry)]
    return {"load_from": [{"grpc_server": {"socket": socket_path, "location_name": LOCATION}}, *others]}


def _is_ours(entry: Any) -> bool:
    module = entry.get("python_module") if isinstance(entry, dict) else None
    return (module.get("module_name") if isinstance(module, dict) else module) == _MODULE


def _children(settings: Settings, home: Path, folder: Path, host: str, port: int) -> list[Child]:
    code_socket, workspace = str(folder / "code"), folder / WORKSPACE_FILE
    workspace.write_text(yaml.safe_dump(served_workspace(home, code_socket)), "utf-8")
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(home),
        "MARKETDATA_HOME": str(settings.folder),
        # A backfill waits for code that cannot be loaded just now, instead of failing for good.
        "DAGSTER_BACKFILL_RETRY_DEFINITION_CHANGED_ERROR": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": os.environ.get("PYTHONWARNINGS", "ignore"),
    }
    python = [sys.executable, "-m"]
    commands = {
        "code": [*python, "dagster", "code-server", "start", "-m", _MODULE, "-s", code_socket,
                 "--location-name", LOCATION, "--log-level", "warning"],
        "daemon": [*python, "marketdata_pipelines.orchestration.services.daemon", str(workspace)],
        "web": [*python, "marketdata_pipelines.orchestration.services.web", str(workspace), host, str(port)],
    }  # fmt: skip
    return [
        Child(name, command, environment, home / LOGS / f"{name}.log", say=say_line, readable=LineReader())
        for name, command in commands.items()
    ]


def _watch(children: list[Child], url: str) -> None:
    say_line(f"    up | starting Dagster on {url} …")
    for child in children:
        child.start()
    announced, began = False, time.monotonic()
    while True:
        for child in children:
            code = child.has_died()
            if code is not None:
                _start_again(child, code)
        locations = None if announced else _locations(url)
        if locations is not None:
            announced = True
            _announce(url, locations, time.monotonic() - began)
        elif not announced and time.monotonic() - began > _SECONDS_TO_ANSWER:
            raise WorkFailed(
                f"Dagster's page does not answer at {url} after {_SECONDS_TO_ANSWER:.0f} s; see the lines above"
            )
        time.sleep(_SECONDS_BETWEEN_LOOKS)


def _start_again(child: Child, code: int) -> None:
    if not child.may_start_again():
        raise WorkFailed(f"the {child.name} process ends at every start (code {code}); see its lines above")
    say_line(f"    up | the {child.name} process ended (code {code}); starting it again")
    child.end()
    child.start()


def _locations(url: str) -> dict[str, str | None] | None:
    """Why each code location did not load, None for one that did; None altogether while there is no answer yet."""
    request = urllib.request.Request(
        f"{url}/graphql", json.dumps({"query": _LOCATIONS}).encode(), {"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            entries = json.loads(answer.read())["data"]["workspaceOrError"]["locationEntries"]
    except (urllib.error.URLError, OSError, ValueError, KeyError, TypeError):
        return None
    errors = {entry["name"]: (entry["locationOrLoadError"] or {}).get("message") for entry in entries}
    loading = any(entry["loadStatus"] != "LOADED" for entry in entries)
    # The code server may still be starting; the page finds it by itself.
    return None if loading or any(_NO_ANSWER_YET in (error or "") for error in errors.values()) else errors


def _announce(url: str, locations: dict[str, str | None], seconds: float) -> None:
    for name, error in locations.items():
        if error is not None:
            last = [line for line in error.strip().splitlines() if line.strip()][-1]
            say_line(f"    up | the code location {name} did not load: {last}; mend it and press Reload in the page")
    say_line(f"    up | quality reports: {url}/quality/")
    say_line(f"    up | ready after {seconds:.0f} s: {url} (Ctrl-C ends it)")


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt
