"""The results a site of Data Docs is made of: one file each, and a list of them so that a build reads only new ones.

Everything is written to a temporary file and put into its place whole. Nothing here renders.
"""

import hashlib
import json
import os
import re
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from marketdata_pipelines.quality.suites.records import SuiteOutcome

_RESULTS, _LIST = ".results", "list.json"
# What a name in a path may be made of; a table or partition has no other, whatever a caller says.
_ODD = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True, slots=True)
class Recorded:
    """One validation in short. `name` is its file's name without ending, `at_us` when it was, UTC microseconds."""

    table: str
    partition: str
    name: str
    at_us: int
    rows: int
    rules: int
    blocked: tuple[str, ...]
    warned: tuple[str, ...]
    suite_digest: str
    grade: str | None = None

    @property
    def order(self) -> tuple[int, str]:
        """Later validations come later."""
        return self.at_us, self.name

    @property
    def page(self) -> str:
        """Its page, from the month's folder."""
        return f"{self.table}/{self.partition}/{self.name}.html"

    @property
    def file(self) -> str:
        return f"{_RESULTS}/{self.table}/{self.partition}/{self.name}.json"


def write_result(site: Path, partition: str, outcome: SuiteOutcome, at_us: int, grade: str | None) -> Recorded:
    """Record a validation; its name is its own, whoever else records at the same instant."""
    asked = json.dumps([each["expectation_config"] for each in outcome.result.get("results", [])], sort_keys=True)
    entry = Recorded(
        table=_safe(outcome.table),
        partition=_safe(partition),
        name=f"{at_us:017d}-{uuid.uuid4().hex[:8]}",
        at_us=at_us,
        rows=outcome.rows,
        rules=len(outcome.rules),
        blocked=tuple(rule.rule for rule in outcome.blocked),
        warned=tuple(rule.rule for rule in outcome.warned),
        suite_digest=hashlib.sha256(asked.encode()).hexdigest()[:16],
        grade=grade,
    )
    write_whole(site / entry.file, json.dumps({"recorded": asdict(entry), "result": outcome.result}))
    return entry


def read_entries(site: Path) -> list[Recorded]:
    """What is recorded for a month; files that are no results are left out."""
    known = _listed(site)
    found = []
    for path in sorted((site / _RESULTS).glob("*/*/*.json")):
        name = path.relative_to(site).as_posix()
        entry = known.get(name) or _read(path)
        if entry is not None and entry.file == name:
            found.append(entry)
    return found


def read_result(site: Path, entry: Recorded) -> dict[str, Any]:
    """Great Expectations' own result of a validation, as JSON."""
    result: dict[str, Any] = json.loads((site / entry.file).read_text("utf-8"))["result"]
    return result


def write_entries(site: Path, entries: Iterable[Recorded]) -> None:
    """Note what is recorded, so that the next build need not open every result. Only a builder does."""
    write_whole(site / _RESULTS / _LIST, json.dumps([asdict(entry) for entry in entries]))


def drop_results(site: Path, entries: Iterable[Recorded]) -> None:
    """Remove validations and their pages."""
    for entry in entries:
        for name in (entry.page, entry.file):
            (site / name).unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> Path:
    """Put a text into its place at once: nobody ever reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}")
    try:
        temporary.write_text(text, "utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _listed(site: Path) -> dict[str, Recorded]:
    try:
        entries = [_entry(each) for each in json.loads((site / _RESULTS / _LIST).read_text("utf-8"))]
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return {}
    return {entry.file: entry for entry in entries}


def _read(path: Path) -> Recorded | None:
    try:
        return _entry(json.loads(path.read_text("utf-8"))["recorded"])
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None


def _entry(values: dict[str, Any]) -> Recorded:
    return Recorded(**{**values, "blocked": tuple(values["blocked"]), "warned": tuple(values["warned"])})


def _safe(name: str) -> str:
    cleaned = _ODD.sub("_", name).lstrip(".")
    return cleaned or "_"
