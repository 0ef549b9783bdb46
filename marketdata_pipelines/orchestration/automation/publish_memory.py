"""What the publishing sensor remembers between two looks: what is settled or asked for, and which servers are away.

One cursor; a cursor of another make is an empty memory.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from marketdata_pipelines.domain.intervals import SECOND_US

_FIRST_SECONDS, _LONGEST_SECONDS = 30, 900


@dataclass(frozen=True, slots=True)
class Away:
    """A server that did not answer: how often in a row, and when it is asked again, UTC microseconds."""

    failures: int = 0
    until_us: int = 0

    def again(self, now_us: int) -> "Away":
        """After one more failure: it is asked again after twice as long, fifteen minutes at most."""
        seconds = min(_FIRST_SECONDS * 2**self.failures, _LONGEST_SECONDS)
        return Away(self.failures + 1, now_us + seconds * SECOND_US)


@dataclass(frozen=True, slots=True)
class PublishMemory:
    """What is known by feed and store.

    `settled`: the digests of the catalog's files and of the lake's index that need nothing; `asked_us`: when a run was
    asked for last; `away`: by store.
    """

    settled: Mapping[str, str] = field(default_factory=dict)
    asked_us: Mapping[str, int] = field(default_factory=dict)
    away: Mapping[str, Away] = field(default_factory=dict)

    @staticmethod
    def from_text(text: str | None) -> "PublishMemory":
        """The memory a cursor holds."""
        try:
            values = json.loads(text or "{}")
            return PublishMemory(
                {str(name): str(state) for name, state in values.get("settled", {}).items()},
                {str(name): int(at) for name, at in values.get("asked_us", {}).items()},
                {str(name): Away(int(each[0]), int(each[1])) for name, each in values.get("away", {}).items()},
            )
        except (ValueError, TypeError, AttributeError, LookupError):
            return PublishMemory()

    def text(self) -> str:
        """The cursor."""
        away = {name: [each.failures, each.until_us] for name, each in self.away.items()}
        whole = {"settled": dict(self.settled), "asked_us": dict(self.asked_us), "away": away}
        return json.dumps(whole, separators=(",", ":"))
