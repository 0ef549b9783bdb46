"""Stretches of days on which an instrument bears a symbol: closing open ends, and cutting them where they overlap.

Plain records and dates; tables are in `instruments`, resolution in `symbology`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from operator import attrgetter

_EPOCH = date(1970, 1, 1)
_DAY = timedelta(days=1)
# Days since 1970 that stand for an open start and an open end.
FIRST_DAY = (date.min - _EPOCH).days
LAST_DAY = (date.max - _EPOCH).days


@dataclass(frozen=True, slots=True)
class Alias:
    """A symbol an instrument bears from a day to a day, both included; None is an open end."""

    instrument_id: str
    symbol: str
    from_date: date | None
    to_date: date | None

    @property
    def first_day(self) -> int:
        return first_day(self.from_date)

    @property
    def last_day(self) -> int:
        return last_day(self.to_date)


@dataclass(frozen=True, slots=True)
class Segment:
    """Days since 1970, both included, on which the same names claim a key; more than one name is a conflict."""

    first_day: int
    last_day: int
    claims: tuple[str, ...]


def first_day(day: date | None) -> int:
    """A first date in days since 1970."""
    return FIRST_DAY if day is None else (day - _EPOCH).days


def last_day(day: date | None) -> int:
    """A last date in days since 1970."""
    return LAST_DAY if day is None else (day - _EPOCH).days


def day_date(day: int) -> date | None:
    """A day since 1970 as a date; None for an open end."""
    return None if day in (FIRST_DAY, LAST_DAY) else _EPOCH + timedelta(days=day)


def effective_aliases(aliases: Iterable[Alias], lives: Mapping[str, tuple[date | None, date | None]]) -> list[Alias]:
    """The same aliases with the ends that other rows imply; `lives`: when each instrument begins and ends, if known.

    An open last date ends the day before the instrument's next alias begins, else with the instrument. An open first
    date begins with the instrument, else the day after the symbol's last bearer before.
    """
    by_instrument = defaultdict(list)
    for alias in aliases:
        by_instrument[alias.instrument_id].append(alias)
    by_symbol = defaultdict(list)
    for name, own in by_instrument.items():
        for alias in _within_instrument(own, *lives.get(name, (None, None))):
            by_symbol[alias.symbol].append(alias)
    return [alias for bearers in by_symbol.values() for alias in _after_others(bearers)]


def row_flags(aliases: Sequence[Alias]) -> list[str | None]:
    """For each alias the rules it breaks together with others: alias_overlap, alias_double, both by `;`, or None."""
    overlaps = _conflicting(aliases, attrgetter("symbol"), attrgetter("instrument_id"))
    doubles = _conflicting(aliases, attrgetter("instrument_id"), attrgetter("symbol"))
    texts = {(True, False): "alias_overlap", (False, True): "alias_double", (True, True): "alias_overlap;alias_double"}
    return [texts.get(pair) for pair in zip(overlaps, doubles, strict=True)]


def cut_segments(ranges: Sequence[tuple[int, int, str]]) -> list[Segment]:
    """Ranges of days claimed by names as segments that do not overlap, in order.

    Neighbours with the same claims are one. Ranges whose first day is after their last claim nothing.
    """
    if len(ranges) == 1:
        first, last, name = ranges[0]
        return [Segment(first, last, (name,))] if first <= last else []
    changes: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for first, last, name in ranges:
        if first <= last:
            changes[first].append((name, 1))
            changes[last + 1].append((name, -1))
    found: list[Segment] = []
    claiming: Counter[str] = Counter()
    days = sorted(changes)
    for begins, until in pairwise(days):
        for name, change in changes[begins]:
            claiming[name] += change
            if not claiming[name]:
                del claiming[name]
        claims = tuple(sorted(claiming))
        if found and found[-1].claims == claims and found[-1].last_day == begins - 1:
            found[-1] = replace(found[-1], last_day=until - 1)
        elif claims:
            found.append(Segment(begins, until - 1, claims))
    return found


def _within_instrument(own: list[Alias], listed: date | None, ended: date | None) -> list[Alias]:
    closed = []
    starts = sorted({alias.first_day for alias in own})
    later = dict(pairwise(starts))
    for alias in own:
        begins, ends = alias.from_date, alias.to_date
        if ends is None and alias.first_day in later:
            ends = _EPOCH + timedelta(days=later[alias.first_day] - 1)
        elif ends is None and ended is not None and first_day(begins) <= last_day(ended):
            ends = ended
        if begins is None and listed is not None and first_day(listed) <= last_day(ends):
            begins = listed
        same = begins == alias.from_date and ends == alias.to_date
        closed.append(alias if same else replace(alias, from_date=begins, to_date=ends))
    return closed


def _after_others(bearers: list[Alias]) -> list[Alias]:
    """Aliases of one symbol; those without a first date begin after the others that end before them."""
    if len(bearers) == 1:
        return bearers
    ends = sorted({(alias.last_day, alias.instrument_id) for alias in bearers})
    begun = []
    for alias in bearers:
        if alias.from_date is None:
            before = [day for day, name in ends if day < alias.last_day and name != alias.instrument_id]
            alias = replace(alias, from_date=_EPOCH + timedelta(days=before[-1] + 1)) if before else alias
        begun.append(alias)
    return begun


def _conflicting(aliases: Sequence[Alias], key: "attrgetter[str]", claim: "attrgetter[str]") -> list[bool]:
    """Which aliases lie in a stretch that several names claim for one key."""
    ranges = defaultdict(list)
    for alias in aliases:
        ranges[key(alias)].append((alias.first_day, alias.last_day, claim(alias)))
    contested = {}
    for name, own in ranges.items():
        disputed = [segment for segment in cut_segments(own) if len(segment.claims) > 1] if len(own) > 1 else []
        if disputed:
            contested[name] = disputed
    return [
        any(
            segment.first_day <= alias.last_day and alias.first_day <= segment.last_day
            for segment in contested.get(key(alias), ())
        )
        for alias in aliases
    ]
