"""A child process whose output is relayed line by line under its name, and which is started again when it dies.

What the processes of `marketdata up` are is not here (see `server`).
"""

import ctypes
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_MOST_STARTS, _WITHIN_SECONDS = 4, 60.0
_SECONDS_TO_END = 20
# From <linux/prctl.h>.
_SET_PARENT_DEATH_SIGNAL = 1
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Child:
    """One program; its log file gets every line, `say` each as `readable` puts it, None being not worth showing."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        *,
        say: Callable[[str], None],
        readable: Callable[[str], str | None] = lambda line: line,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._command, self._environment, self._log = list(command), dict(environment), log
        self._say, self._readable, self._clock = say, readable, clock
        self._starts: deque[float] = deque(maxlen=_MOST_STARTS)
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start it, in a process group of its own: a Ctrl-C of the terminal is this process's to pass on."""
        self._starts.append(self._clock())
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            preexec_fn=_ends_with_parent(),
        )
        threading.Thread(target=self._relay, args=(self._process,), daemon=True).start()

    def has_died(self) -> int | None:
        """The exit code once it has ended, else None."""
        return None if self._process is None else self._process.poll()

    def may_start_again(self) -> bool:
        """False when it has died as often as makes another try pointless."""
        return len(self._starts) < _MOST_STARTS or self._clock() - self._starts[0] > _WITHIN_SECONDS

    def end(self) -> None:
        """Interrupt it as Ctrl-C does, and kill its whole group when it does not end in time."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_SECONDS_TO_END)
        # Its own children may outlive it for most of a minute.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _relay(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        with process.stdout, self._log.open("a", encoding="utf-8") as log:
            for line in process.stdout:
                plain = _COLOUR.sub("", line)
                log.write(plain)
                log.flush()
                text = self._readable(plain.rstrip())
                if text:
                    self._say(f"{self.name:>6} | {text}")


def _ends_with_parent() -> Callable[[], None] | None:
    """What a child does first so that it does not outlive a parent that was killed; None where the system cannot."""
    if sys.platform != "linux":
        return None
    # Loaded here: between fork and exec of a process with threads nothing may be imported.
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)


def say_line(text: str) -> None:
    """One whole line on standard error, also from several threads."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
