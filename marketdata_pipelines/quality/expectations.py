"""What users expect of a feed's tables: Great Expectations' own configurations, read from its folder.

    data/expectations/<feed>/*.json, *.yaml, *.yml

A file holds one configuration (`type`, `kwargs`, …), a list of them, or a whole suite (`expectations:`); `table:` in a
mapping names the table, else it is validated_bars. Their form is checked here, without importing Great Expectations;
whether it knows them, in `gx.user_expectations`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from marketdata_pipelines.domain.quality.records import Dimension, Severity
from marketdata_pipelines.domain.tables import VALIDATED_BARS
from marketdata_pipelines.errors import SettingsInvalid

_ENDINGS = (".json", ".yaml", ".yml")
_SUITE_KEYS = ("expectations", "table", "name", "id", "meta", "notes", "suite_parameters", "expectation_suite_name")
_KEYS = (
    "type",
    "expectation_type",
    "kwargs",
    "severity",
    "meta",
    "description",
    "notes",
    "id",
    "rendered_content",
    "table",
)
_SEVERITIES = {"critical": Severity.BLOCK, "warning": Severity.WARN, "info": Severity.WARN}


@dataclass(frozen=True, slots=True)
class UserExpectation:
    """One expectation of a user. `file` and `key` say where it stands; `config` is Great Expectations' configuration.

    Severity `critical`, which is Great Expectations' default, blocks; `warning` and `info` warn.
    """

    file: str
    key: str
    table: str
    type: str
    kwargs: Mapping[str, Any]
    severity: Severity
    level: str
    dimension: Dimension = Dimension.VALIDITY
    description: str = ""

    @property
    def config(self) -> dict[str, Any]:
        """As Great Expectations takes it."""
        return {"type": self.type, "kwargs": dict(self.kwargs), "severity": self.level}

    def fail(self, key: str, message: str) -> SettingsInvalid:
        """The error to raise about a key of it."""
        return SettingsInvalid(f"{self.file}: {self.key}{key} {message}")


def expectations_folder(home: Path, feed: str) -> Path:
    """Where a feed's expectations lie below the folder of data."""
    return home / "expectations" / feed


def has_expectations(folder: Path) -> bool:
    """Whether there is any file; it costs one look at the folder."""
    return folder.is_dir() and any(path.suffix.lower() in _ENDINGS for path in folder.iterdir())


def read_expectations(folder: Path) -> tuple[UserExpectation, ...]:
    """The expectations of a folder, by file name and in a file's order; none where there is no such folder.

    Errors: SettingsInvalid naming the file and the key that is wrong.
    """
    if not folder.is_dir():
        return ()
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in _ENDINGS and path.is_file())
    return tuple(each for path in paths for each in _of_file(path))


def expectations_version(expectations: tuple[UserExpectation, ...]) -> str:
    """12 hex digits that change when anything changes that a verdict depends on; empty for none."""
    if not expectations:
        return ""
    said = [[each.table, each.type, each.kwargs, each.level, each.dimension] for each in expectations]
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:12]


def _of_file(path: Path) -> list[UserExpectation]:
    document = _parsed(path)
    if isinstance(document, list):
        return [_expectation(path, f"[{at}]", each, VALIDATED_BARS) for at, each in enumerate(document)]
    if not isinstance(document, dict):
        raise SettingsInvalid(
            f"{path}: is no expectation; write a mapping with type and kwargs, a list of them, or expectations:"
        )
    if "expectations" not in document:
        return [_expectation(path, "", document, VALIDATED_BARS)]
    for key in document:
        if key not in _SUITE_KEYS:
            raise SettingsInvalid(f"{path}: {key} is no key of a suite; allowed: {', '.join(_SUITE_KEYS)}")
    found = document["expectations"]
    if not isinstance(found, list):
        raise SettingsInvalid(f"{path}: expectations must be a list")
    table = _text(path, "table", document.get("table", VALIDATED_BARS))
    return [_expectation(path, f"expectations[{at}]", each, table) for at, each in enumerate(found)]


def _parsed(path: Path) -> object:
    try:
        text = path.read_text("utf-8")
        return json.loads(text) if path.suffix.lower() == ".json" else yaml.safe_load(text)
    except UnicodeDecodeError as error:
        raise SettingsInvalid(f"{path}: is no text in UTF-8 (byte {error.start}); save it as UTF-8") from error
    except json.JSONDecodeError as error:
        raise SettingsInvalid(f"{path}, line {error.lineno}: is no JSON: {error.msg}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise SettingsInvalid(f"{path}{where}: is no YAML: {getattr(error, 'problem', error)}") from error


def _expectation(path: Path, key: str, value: object, table: str) -> UserExpectation:
    dot = f"{key}." if key else ""
    if not isinstance(value, dict):
        raise SettingsInvalid(f"{path}: {key} must be a mapping with type and kwargs")
    for name in value:
        if name not in _KEYS:
            raise SettingsInvalid(f"{path}: {dot}{name} is no key of an expectation; allowed: {', '.join(_KEYS)}")
    kind = value.get("type", value.get("expectation_type"))
    if not isinstance(kind, str) or not kind:
        raise SettingsInvalid(
            f"{path}: {dot}type is missing; name an expectation, as expect_column_values_to_be_between"
        )
    kwargs = {} if value.get("kwargs") is None else value["kwargs"]
    if not isinstance(kwargs, dict):
        raise SettingsInvalid(f"{path}: {dot}kwargs must be a mapping")
    meta = value.get("meta") if isinstance(value.get("meta"), dict) else {}
    assert isinstance(meta, dict)
    level = str(value.get("severity") or meta.get("severity") or "critical")
    if level not in _SEVERITIES:
        raise SettingsInvalid(f"{path}: {dot}severity {level!r} is unknown; use {', '.join(_SEVERITIES)}")
    return UserExpectation(
        file=str(path),
        key=dot,
        table=_text(path, f"{dot}table", value.get("table", table)),
        type=kind,
        kwargs={str(name): each for name, each in kwargs.items()},
        severity=_SEVERITIES[level],
        level=level,
        dimension=_dimension(path, dot, meta.get("dimension")),
        description=str(value.get("description") or ""),
    )


def _dimension(path: Path, dot: str, value: object) -> Dimension:
    if value is None:
        return Dimension.VALIDITY
    if value not in list(Dimension):
        known = ", ".join(Dimension)
        raise SettingsInvalid(f"{path}: {dot}meta.dimension {value!r} is unknown; use one of: {known}")
    return Dimension(str(value))


def _text(path: Path, key: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise SettingsInvalid(f"{path}: {key} must be a text")
    return value
