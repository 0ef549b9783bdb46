"""Dagster's log lines as `marketdata up` shows them: short, and without what repeats all the time.

The log files below the home have every line as it was.
"""

import re

# Told at every look, or of interest only to who debugs Dagster.
_NOISE = (
    "Collected ",
    "Checking run ",
    "Checking for new runs",
    "Not checking for any runs",
    "No change in ",
    "Checking for sensors",
    "Operating on ",
    "is still sending heartbeats",
    "Instance is configured with",
    "did not yield or return expected outputs",
    "ignoring older events",
    "refreshing",
    "nanobind:",
    " - leaked ",
    " - ... skipped remainder",
    "See https://nanobind",
)
_LEVELS = {"WARNING": "warning: ", "ERROR": "error: ", "CRITICAL": "error: "}
# date time zone - logger - LEVEL - message
_LINE = re.compile(r"^\d{4}-\d\d-\d\d (\d\d:\d\d:\d\d)\S* \S+ - (\S+) - ([A-Z]+) - (.*)$")
# job - run id - step - message, as a run's own logger writes
_IN_RUN = re.compile(r"^\S+ - ([0-9a-f]{8})-[0-9a-f-]{27} - \S+ - (.*)$")


class LineReader:
    """Reads one process's lines in order: those of a traceback that a run's error brings are left to the log file."""

    def __init__(self) -> None:
        self._in_traceback = False

    def __call__(self, line: str) -> str | None:
        """As `readable_line`."""
        found = _LINE.match(line)
        if found is not None:
            self._in_traceback = found.group(2) == "dagster" and found.group(3) in ("ERROR", "CRITICAL")
        elif self._in_traceback:
            return None
        return readable_line(line)


def readable_line(line: str) -> str | None:
    """A log line for people: time, level where it matters, run, message; None for one not worth showing.

    Lines of another form (tracebacks, other programs) stay as they are.
    """
    if any(text in line for text in _NOISE):
        return None
    found = _LINE.match(line)
    if found is None:
        return line
    at, name, level, message = found.groups()
    # Sensors look every few seconds, and mostly find nothing; their page lists it all.
    if level == "DEBUG" or (message.startswith("Sensor ") and " skipped: " in message):
        return None
    run = _IN_RUN.match(message) if name == "dagster" else None
    where = f"run {run.group(1)}: " if run else ""
    return f"{at} {_LEVELS.get(level, '')}{where}{run.group(2) if run else message}"
