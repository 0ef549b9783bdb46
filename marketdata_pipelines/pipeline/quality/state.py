"""What Great Expectations has validated of a feed, by month: small files beside the reports, each written whole.

    <home>/quality/state/<feed>/<YYYY-MM>.json

They may be deleted at any time: everything is then validated again.
"""

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

STATE = "state"


@dataclass(frozen=True, slots=True)
class Validation:
    """One partition as it was validated. `inputs` names what its tables were made of.

    `blocking` are the blocking rules that the suites found broken, `walk_blocking` those that the walk did; `judged`
    tells whether there was a verdict of the walk to compare with. `warned` are broken rules that only warn.
    """

    partition: str
    inputs: str
    tables: int
    rows: int
    rules: int
    blocking: tuple[str, ...] = ()
    walk_blocking: tuple[str, ...] = ()
    warned: tuple[str, ...] = ()
    judged: bool = True
    at_us: int = 0

    @property
    def agrees(self) -> bool:
        """Whether the suites' verdict and the walk's are the same, as far as rules block."""
        return not self.judged or self.blocking == self.walk_blocking


@dataclass(frozen=True, slots=True)
class Month:
    """The validations of one month; `site` and `reports` tell of which of them the pages were made last."""

    month: str
    validations: Mapping[str, Validation] = field(default_factory=dict)
    site: str = ""

    def with_validation(self, validation: Validation) -> "Month":
        """The month with one partition validated again."""
        return replace(self, validations={**self.validations, validation.partition: validation})

    def of(self, partitions: Iterable[str]) -> "Month":
        """The month without partitions that are no more."""
        kept = set(partitions)
        return replace(self, validations={key: each for key, each in self.validations.items() if key in kept})


def month_of(partition: str) -> str:
    """The month whose site tells of a partition: that of its first day."""
    return partition[:7]


def read_month(folder: Path, feed: str, month: str) -> Month:
    """What is known of a month; an empty one where there is no file, or one of another make."""
    try:
        values = json.loads(_path(folder, feed, month).read_text("utf-8"))
        found = {key: _validation(each) for key, each in values["validations"].items()}
        return Month(month, found, str(values["site"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return Month(month)


def known_months(folder: Path, feed: str) -> list[str]:
    """The months that anything was validated of, sorted."""
    return sorted(path.stem for path in (folder / STATE / feed).glob("*.json"))


def write_month(folder: Path, feed: str, month: Month) -> None:
    """Replace what is known of a month."""
    path = _path(folder, feed, month.month)
    path.parent.mkdir(parents=True, exist_ok=True)
    values = {"site": month.site, "validations": {key: asdict(each) for key, each in sorted(month.validations.items())}}
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(values, file, separators=(",", ":"))
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _path(folder: Path, feed: str, month: str) -> Path:
    return folder / STATE / feed / f"{month}.json"


def _validation(values: Mapping[str, Any]) -> Validation:
    lists = {name: tuple(map(str, values[name])) for name in ("blocking", "walk_blocking", "warned")}
    return Validation(**{**values, **lists})
