"""What a landing sensor remembers from tick to tick, as its cursor. All of it may be lost: the ledger knows better."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from marketdata_pipelines.domain.intervals import SECOND_US
from marketdata_pipelines.pipeline.landing import Watched

_ASKED = 1000
_NUMBERS = ("derived_seq", "tried_seq", "tries", "next_us")


@dataclass(frozen=True, slots=True)
class Asked:
    """How often a content was asked for, and when last."""

    times: int
    at_us: int


@dataclass(frozen=True, slots=True)
class LandingMemory:
    """`watched`: files not taken in yet. `asked`: contents whose run was requested. `derived_seq`: up to which ingest
    everything was derived when last looked at; `tried_seq`, `tries`, `next_us`: what the last attempt to derive the
    rest knew of, how many there were, and when the next one may be."""

    watched: Mapping[str, Watched] = field(default_factory=dict)
    asked: Mapping[str, Asked] = field(default_factory=dict)
    derived_seq: int = 0
    tried_seq: int = 0
    tries: int = 0
    next_us: int = 0

    @staticmethod
    def from_text(text: str | None) -> "LandingMemory":
        """The memory a cursor holds; an empty one for a cursor of another make."""
        try:
            values = json.loads(text or "{}")
            return LandingMemory(
                {path: Watched(*entry) for path, entry in values.get("watched", {}).items()},
                {content: Asked(*entry) for content, entry in values.get("asked", {}).items()},
                *(int(values.get(name, 0)) for name in _NUMBERS),
            )
        except (ValueError, TypeError, AttributeError):
            return LandingMemory()

    def text(self) -> str:
        """The cursor."""
        values = {
            "watched": {path: [each.stamp, each.since_us, each.told] for path, each in self.watched.items()},
            "asked": {content: [each.times, each.at_us] for content, each in self.asked.items()},
            **{name: getattr(self, name) for name in _NUMBERS},
        }
        return json.dumps(values, separators=(",", ":"))

    def keeping(self, contents: Iterable[str]) -> "LandingMemory":
        """Without what was asked for other contents: those are done."""
        wanted = set(contents)
        return replace(self, asked={key: each for key, each in self.asked.items() if key in wanted})

    def having_asked(self, contents: Iterable[str], now_us: int) -> "LandingMemory":
        """With these contents asked for once more."""
        asked = dict(self.asked)
        for content in contents:
            times = asked[content].times if content in asked else 0
            if content in asked or len(asked) < _ASKED:
                asked[content] = Asked(times + 1, now_us)
        return replace(self, asked=asked)

    def may_derive(self, seq: int, now_us: int) -> bool:
        """Whether to ask for what is behind: at once after a new ingest, else when the rest since the last is over."""
        return seq != self.tried_seq or now_us >= self.next_us

    def having_derived(self, seq: int, now_us: int, rest_seconds: Callable[[int], int]) -> "LandingMemory":
        """With deriving asked for; `rest_seconds` of the attempts so far is how long to leave it at that."""
        tries = self.tries if seq == self.tried_seq else 0
        return replace(self, tried_seq=seq, tries=tries + 1, next_us=now_us + rest_seconds(tries) * SECOND_US)

    def having_nothing_behind(self, seq: int) -> "LandingMemory":
        """With everything up to an ingest derived."""
        return replace(self, derived_seq=seq, tried_seq=0, tries=0, next_us=0)
